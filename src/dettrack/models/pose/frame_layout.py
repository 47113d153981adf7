"""What a 2D pose model takes and gives: recognised from the names, shapes and types of its ends, or stated.

Stated in a small TOML file beside the model, of the same name (`tinypose.toml` beside `tinypose.xml`), every key of
which may be left out:

    layout = "heatmaps"                  # or "udp-heatmaps", "simcc", "coordinates"
    joints = "halpe26"                   # a known set, a TOML file of one (beside the model), or a list of names
    size = [256, 192]                    # height, width, where the model leaves them open
    bgr = false                          # order of the channels
    mean = [123.675, 116.28, 103.53]     # subtracted from the values 0..255, in the order of the channels
    std = [58.395, 57.12, 57.375]        # divided by
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from dettrack.errors import InputError, UsageError
from dettrack.files.toml import Range, read_table, read_toml
from dettrack.models.runtime.runner import ImageInput, Port
from dettrack.skeleton import JointSet, joint_set, joint_set_of, named_joints

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "FrameLayout",
    "Kind",
    "Stated",
    "joints_for",
    "read_stated",
    "recognise_layout",
]

Kind = Literal["heatmaps", "udp-heatmaps", "simcc", "coordinates"]
Triple = tuple[float, float, float]

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
SIMCC_BINS = 2  # per pixel of the crop

_SUPPORTED = (
    "one image input (N, 3, h, w) or (N, h, w, 3), and an output of heatmaps (N, joints, h, w) or (N, h, w, joints), "
    "two of SimCC (N, joints, 2 w) and (N, joints, 2 h), or one of coordinates (N, 1, 17, 3) as y, x, score in [0, 1] "
    "(MoveNet single pose)"
)


@dataclass(frozen=True)
class Stated:
    """What is said of a model beside its file.

    Attributes:
        layout: "auto" where nothing is said.
        joints: Name of a set or its file, or several names of joints; empty where nothing is said.
        size: Height and width of the crops.
        bgr: Order of the channels.
        mean: Of the values 0..255.
        std: Likewise.
        where: What said it, for messages.
    """

    layout: Literal["auto", "heatmaps", "udp-heatmaps", "simcc", "coordinates"] = "auto"
    joints: tuple[str, ...] = ()
    size: tuple[Annotated[int, Range(1)], ...] = ()
    bgr: bool = False
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    where: str = ""


@dataclass(frozen=True)
class FrameLayout:
    """How to feed a 2D model and to read its answer.

    Attributes:
        kind: See the module.
        size: Height and width of its crops in pixels.
        joint_set: Its joints.
        outputs: Positions of the answer among the outputs: one, or SimCC's x and y.
        images: How it takes crops.
        joints_last: Whether heatmaps are (N, h, w, joints).
        batch: The batch that the file fixes, or None.
        stride: Crop pixels per heatmap pixel.
    """

    kind: Kind
    size: tuple[int, int]
    joint_set: JointSet
    outputs: tuple[int, ...]
    images: ImageInput
    joints_last: bool = False
    batch: int | None = None
    stride: int = 4


@dataclass(frozen=True)
class _Answer:
    """An answer among the outputs."""

    kind: Kind
    outputs: tuple[int, ...]
    joints: int
    stride: int = 1
    joints_last: bool = False


def read_stated(path: Path, layout: str = "auto") -> Stated:
    """What the file beside a model says, and the user before it.

    Args:
        path: The model.
        layout: "auto", or a kind that overrules the file.

    Returns:
        What is said.

    Raises:
        InputError: The file beside it is damaged, or says what cannot be.
    """
    beside = path.with_suffix(".toml")
    said = Stated()
    if beside.is_file():
        try:
            table = read_toml(beside)
            joints = table.get("joints", [])
            table |= {"where": str(beside), "joints": [joints] if isinstance(joints, str) else joints}
            said = read_table(Stated, table, str(beside))
        except UsageError as error:
            raise InputError(str(error)) from error
        lengths = {"size": (0, 2), "mean": (0, 3), "std": (0, 3)}
        wrong = [name for name, allowed in lengths.items() if len(getattr(said, name)) not in allowed]
        if wrong or 0.0 in said.std:
            raise InputError(f"{beside}: {', '.join(wrong) or 'std'}: expected size of 2, mean and std of 3 numbers")
    return said if layout == "auto" else Stated(**{**vars(said), "layout": layout})


def recognise_layout(
    what: str, inputs: Sequence[Port], outputs: Sequence[Port], said: Stated | None = None, joints: str = "auto"
) -> FrameLayout:
    """Find out what a 2D pose model's file is.

    Args:
        what: The file, for messages.
        inputs: Its inputs.
        outputs: Its outputs; others than the answer (arg max of heatmaps, say) are passed over.
        said: What is stated of it.
        joints: Joint set of the results, which is the model's where it has as many and there is no usual one.

    Returns:
        The layout.

    Raises:
        InputError: Not a layout that is known; the message says what was seen and what is supported.
    """
    said = said or Stated()
    images = [port for port in inputs if len(port.shape) == 4 and 3 in (port.shape[1], port.shape[3])]
    if len(inputs) == 1 and images:
        image = images[0]
        channels_first = image.shape[1] == 3
        height, width = image.shape[2:] if channels_first else image.shape[1:3]
        if len(said.size) == 2:
            height, width = said.size
        if height is None or width is None:
            raise InputError(
                f"{what}: its input size is open ({image}): state it, size = [256, 192], in {_beside(what)}"
            )
        found = _find_answer(outputs, (height, width), said)
        if found is not None:
            return FrameLayout(
                kind=found.kind,
                size=(height, width),
                joint_set=joints_for(what, found.joints, said, joints),
                outputs=found.outputs,
                images=_images(found.kind, channels_first, image.dtype, said),
                joints_last=found.joints_last,
                batch=image.shape[0],
                stride=found.stride,
            )
    raise InputError(
        f"{what}: not a known pose model: inputs {'; '.join(map(str, inputs))}; "
        f"outputs {'; '.join(map(str, outputs))}. Supported: {_SUPPORTED}"
    )


def _images(kind: Kind, channels_first: bool, dtype: str, said: Stated) -> ImageInput:
    """ImageNet's normalisation for heatmaps and SimCC, plain 0..255 for MoveNet, unless something else is stated."""
    plain = kind == "coordinates"
    mean, std = ((0.0,) * 3, (1.0,) * 3) if plain else _of_bytes(IMAGENET_MEAN, IMAGENET_STD)
    if said.bgr:
        mean, std = mean[::-1], std[::-1]
    chosen: list[Triple] = [
        (stated[0], stated[1], stated[2]) if len(stated) == 3 else (usual[0], usual[1], usual[2])
        for stated, usual in ((said.mean, mean), (said.std, std))
    ]
    return ImageInput(channels_first, dtype, bgr=said.bgr, mean=chosen[0], std=chosen[1])


def _of_bytes(*triples: Triple) -> tuple[Triple, ...]:
    return tuple((255 * r, 255 * g, 255 * b) for r, g, b in triples)


def joints_for(what: str, count: int, said: Stated, wanted: str = "auto") -> JointSet:
    """The joint set of a model.

    Args:
        what: The model, for messages.
        count: How many joints it has.
        said: What is stated of it.
        wanted: Joint set of the results, for a model of which nothing is stated and whose number is unusual.

    Returns:
        The set.

    Raises:
        InputError: What is stated has another number of joints, or nothing is known of so many.
    """
    stated: JointSet | None = None
    if len(said.joints) > 1:
        stated = named_joints(said.joints, Path(what).stem)
    elif said.joints:
        (name,) = said.joints
        stated = joint_set(str(Path(said.where).parent / name) if name.endswith(".toml") else name)
    found = stated or joint_set_of(count)
    if found is None and wanted not in ("auto", "own"):
        found = joint_set(wanted)
    if found is None:
        raise InputError(
            f"{what}: {count} joints are no usual set: name them with --joints FILE.toml, or in {_beside(what)}"
        )
    if len(found) != count:
        raise InputError(
            f"{what}: it has {count} joints, and {found.name} has {len(found)}; see {said.where or '--joints'}"
        )
    return found


def _beside(what: str) -> str:
    return f"{Path(what).stem}.toml beside the model"


def _find_answer(outputs: Sequence[Port], size: tuple[int, int], said: Stated) -> _Answer | None:
    """The answer among the outputs, of the stated kind or of any."""
    kinds = {"heatmaps": _heatmaps, "simcc": _simcc, "coordinates": _coordinates}
    stated = said.layout.removeprefix("udp-")
    for kind, find in kinds.items():
        found = find(outputs, size, bool(said.joints)) if stated in ("auto", kind) else None
        if found is not None:
            udp = said.layout == "udp-heatmaps"
            return _Answer("udp-heatmaps", *list(vars(found).values())[1:]) if udp else found
    return None


def _heatmaps(outputs: Sequence[Port], size: tuple[int, int], joints_known: bool) -> _Answer | None:
    """Heatmaps keep the crop's proportions at a whole stride: that tells joints from height and width."""
    height, width = size
    for i, port in enumerate(outputs):
        if len(port.shape) != 4:
            continue
        layouts = ((port.shape[1], *port.shape[2:], False), (port.shape[3], *port.shape[1:3], True))
        for joints, h, w, last in layouts:
            if joints and joints > 1 and h and w and height % h == 0 and width == w * (height // h):
                return _Answer("heatmaps", (i,), joints, height // h, last)
    return None


def _simcc(outputs: Sequence[Port], size: tuple[int, int], joints_known: bool) -> _Answer | None:
    wanted = {"x": SIMCC_BINS * size[1], "y": SIMCC_BINS * size[0]}
    ports = [(i, port) for i, port in enumerate(outputs) if len(port.shape) == 3]
    found = {axis: [i for i, port in ports if port.shape[2] == bins] for axis, bins in wanted.items()}
    if wanted["x"] == wanted["y"]:  # a square crop: in the order of the outputs, x first, unless their names say it
        both = sorted(found["x"], key=lambda i: ("y" in outputs[i].name.lower().rsplit("_")[-1], i))
        found = {"x": both[:1], "y": both[1:2]}
    if not found["x"] or not found["y"]:
        return None
    x, y = found["x"][0], found["y"][0]
    joints = outputs[x].shape[1]
    return _Answer("simcc", (x, y), joints) if joints and joints == outputs[y].shape[1] else None


def _coordinates(outputs: Sequence[Port], size: tuple[int, int], joints_known: bool) -> _Answer | None:
    for i, port in enumerate(outputs):
        if len(port.shape) == 4 and port.shape[1] == 1 and port.shape[3] == 3 and (joints_known or port.shape[2] == 17):
            return _Answer("coordinates", (i,), port.shape[2] or 17)
    return None
