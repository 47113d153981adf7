"""What `dettrack ablate` measures: one TOML file.

name = "simulated"
out = "docs/reproduction/simulated"     # tables and plots
cache = "runs/ablation"                 # results by content; may be shared between studies
tables = ["table7", "figure5a"]         # all where it is left out

[data]
kind = "simulated"                      # or "frames" (a PoseTrack folder), "synthetic" (our own benchmark)
annotations = "path"                    # folder with one PoseTrack file per sequence
images = "path"                         # what the image names in them start from ("frames")
held_out = "path"                       # annotations on which joint thresholds are learned; "" takes two halves

[networks]                              # weights by role: 2d, 3d, start, none, early, last, all, zero-padding,
                                        # none-long and early-long (the same, trained longer)
[detectors]                             # strong, weak; "default@256" is the default at an input of 256 pixels
preset = "paper"                        # settings that all rows start from; "": those of our own experiments
[settings.sew]                          # any setting of a tracking run, by section
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dettrack.config import CutConfig, EstimateConfig, FinishConfig, SewConfig, TrackConfig, preset_config
from dettrack.errors import UsageError
from dettrack.files.toml import changed, read_table, read_toml
from dettrack.lab.simulate import SimulateConfig

__all__ = ["NETWORKS", "DataConfig", "Study", "read_study"]

NETWORKS = ("2d", "3d", "start", "none", "early", "last", "all", "zero-padding", "none-long", "early-long")
DETECTORS = ("strong", "weak")

# Every frame a keyframe, tubes alone, and every track and joint, as in the paper; rows that bridge gaps or have another
# floor say so.
_BASE = TrackConfig(
    cut=CutConfig(step=1, adaptive=False),
    estimate=EstimateConfig(small_crops_below=0.0, precision="auto"),
    sew=SewConfig(bridge=0, min_similarity=0.3),
    finish=FinishConfig(min_track_score=0.0, min_joint_score=0.0),
)


@dataclass(frozen=True)
class DataConfig:
    """Where the sequences are.

    Attributes:
        kind: "simulated" makes tubes from the annotations, without pixels; "frames" runs networks on images;
            "synthetic" does so on the synthetic benchmark, and draws it into `folder` where it is not there yet.
        label: How tables call this data.
        annotations: Folder with one PoseTrack file per sequence.
        images: Folder that the image names in the files start from.
        held_out: Annotations of other videos, on which per-joint thresholds are learned (paper 4.1); "" learns them on
            the other half of the sequences.
        held_out_images: Their images; "" takes `images`.
        folder: Of the synthetic benchmark.
        size: Of its frames, width x height.
        sequences: At most this many sequences, the first ones; 0 takes all.
        missed: Share of boxes lost on purpose in every row, for data whose detector misses no one.
        missed_run: ... in runs of this many keyframes per person.
        year: "2017" or "2018": our rows also go into tables 1 and 2, or 3 and 4.
    """

    kind: Literal["simulated", "frames", "synthetic"] = "frames"
    label: str = ""
    annotations: str = ""
    images: str = ""
    held_out: str = ""
    held_out_images: str = ""
    folder: str = ""
    size: str = "640x360"
    sequences: int = 0
    missed: float = 0.0
    missed_run: int = 1
    year: str = ""

    def __post_init__(self) -> None:
        if self.year not in ("", "2017", "2018"):
            raise UsageError(f'year in [data] is {self.year!r}: expected "2017", "2018" or ""')
        if not 0 <= self.missed < 1 or self.missed_run < 1 or self.sequences < 0:
            raise UsageError("[data]: missed is a share below 1, missed_run at least 1, sequences at least 0")
        needed = {"simulated": ("annotations",), "frames": ("annotations", "images"), "synthetic": ("folder",)}
        for name in needed[self.kind]:
            if not getattr(self, name):
                raise UsageError(f'[data] with kind = "{self.kind}" needs {name} = "path"')


@dataclass(frozen=True)
class Study:
    """What to run; see the head of this file.

    Attributes:
        name: Of the study.
        out: Folder of tables and plots.
        data: The sequences.
        cache: Folder of results by content.
        tables: Keys of the tables wanted; () for all.
        seeds: How often chance (simulated tubes, dropped boxes) is drawn; all draws count together.
        bootstrap: Samples of the 95 % intervals.
        speed_frames: Frames on which the speed of a setting is measured.
        networks: Weights by role.
        detectors: Detectors by role.
        preset: Where the settings of all rows start from: "paper" for `dettrack track --preset paper`; "" for those of
            our own experiments.
        light_clip: |C| of table 8's networks; 0 for that of the settings.
        settings: Settings of all rows, where a row says nothing else.
        simulate: Errors of simulated tubes.
    """

    name: str
    out: Path
    data: DataConfig
    cache: Path = Path("runs/ablation")
    tables: tuple[str, ...] = ()
    seeds: int = 1
    bootstrap: int = 500
    speed_frames: int = 60
    networks: Mapping[str, str] = field(default_factory=dict)
    detectors: Mapping[str, str] = field(default_factory=dict)
    preset: Literal["", "paper"] = ""
    light_clip: int = 0
    settings: TrackConfig = _BASE
    simulate: SimulateConfig = field(default_factory=SimulateConfig)

    def __post_init__(self) -> None:
        if self.seeds < 1 or self.bootstrap < 20 or self.speed_frames < 1:
            raise UsageError("a study needs seeds >= 1, bootstrap >= 20 and speed_frames >= 1")


def read_study(path: Path, changes: Sequence[str] = ()) -> Study:
    """Read a study.

    Args:
        path: TOML file.
        changes: Values that go before the file's (`settings.changed`).

    Returns:
        The study.

    Raises:
        InputError: The file cannot be read.
        UsageError: Something in it is unknown, missing or out of range.
    """
    table = changed(read_toml(path), changes)
    if table.get("preset") == "paper":
        start = read_table(TrackConfig, table.pop("settings", {}), f"{path} [settings]", preset_config("paper"))
        table["settings"] = start
    study = read_table(Study, table, str(path))
    for section, roles, known in (("networks", study.networks, NETWORKS), ("detectors", study.detectors, DETECTORS)):
        for role in roles:
            if role not in known:
                raise UsageError(f"{path}: unknown role {role!r} in [{section}]; expected some of {', '.join(known)}")
    return study
