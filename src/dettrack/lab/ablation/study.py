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
[settings.sew]                          # any setting of a tracking run, by section
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from dettrack.config import FinishConfig, SewConfig, TrackConfig
from dettrack.errors import UsageError
from dettrack.lab.simulate import SimulateConfig
from dettrack.settings import read_toml

__all__ = ["NETWORKS", "DataConfig", "Study", "read_study"]

NETWORKS = ("2d", "3d", "start", "none", "early", "last", "all", "zero-padding", "none-long", "early-long")
DETECTORS = ("strong", "weak")

T = TypeVar("T")


# Tubes alone, and every track and joint, as in the paper; rows that bridge gaps, or have another floor, say so.
_BASE = TrackConfig(
    sew=SewConfig(bridge=0, min_similarity=0.3), finish=FinishConfig(min_track_score=0.0, min_joint_score=0.0)
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
        cache: Folder of results by content.
        data: The sequences.
        tables: Keys of the tables wanted; () for all.
        seeds: How often chance (simulated tubes, dropped boxes) is drawn; all draws count together.
        bootstrap: Samples of the 95 % intervals.
        speed_frames: Frames on which the speed of a setting is measured.
        networks: Weights by role.
        detectors: Detectors by role.
        settings: Settings of all rows, where a row says nothing else.
        simulate: Errors of simulated tubes.
    """

    name: str
    out: Path
    cache: Path
    data: DataConfig
    tables: tuple[str, ...] = ()
    seeds: int = 1
    bootstrap: int = 500
    speed_frames: int = 60
    networks: Mapping[str, str] = field(default_factory=dict)
    detectors: Mapping[str, str] = field(default_factory=dict)
    settings: TrackConfig = _BASE
    simulate: SimulateConfig = field(default_factory=SimulateConfig)

    def __post_init__(self) -> None:
        if self.seeds < 1 or self.bootstrap < 20 or self.speed_frames < 1:
            raise UsageError("a study needs seeds >= 1, bootstrap >= 20 and speed_frames >= 1")


def read_study(path: Path) -> Study:
    """Read a study.

    Raises:
        InputError: The file cannot be read.
        UsageError: Something in it is unknown, missing or out of range.
    """
    content = read_toml(path)
    for name in ("name", "out", "data"):
        if name not in content:
            raise UsageError(f"{path}: {name} is missing; a study needs name, out and [data]")
    settings = _BASE
    for section, table in _table(content.pop("settings", {}), "settings", path).items():
        if section not in {f.name for f in fields(settings)}:
            raise UsageError(f"{path}: unknown section [settings.{section}]")
        settings = replace(settings, **{section: _fill(getattr(settings, section), table, section, path)})
    chosen: dict[str, Any] = {
        "data": DataConfig(**_checked(DataConfig(folder="-", kind="synthetic"), content.pop("data"), "data", path)),
        "simulate": _fill(SimulateConfig(), content.pop("simulate", {}), "simulate", path),
        "networks": _roles(content.pop("networks", {}), "networks", NETWORKS, path),
        "detectors": _roles(content.pop("detectors", {}), "detectors", DETECTORS, path),
        "out": Path(content.pop("out")),
        "cache": Path(content.pop("cache", "runs/ablation")),
        "tables": tuple(content.pop("tables", ())),
    }
    plain = {"name": str, "seeds": int, "bootstrap": int, "speed_frames": int}
    for key, value in content.items():
        if key not in plain or type(value) is not plain[key]:
            raise UsageError(f"{path}: {key} = {value!r} is not understood; expected some of {', '.join(plain)}")
    return Study(settings=settings, **chosen, **content)


def _table(value: object, name: str, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{path}: {name} is {value!r}: expected a section [{name}]")
    return value


def _roles(value: object, name: str, known: tuple[str, ...], path: Path) -> dict[str, str]:
    table = _table(value, name, path)
    for role, file in table.items():
        if role not in known or not isinstance(file, str):
            raise UsageError(f"{path}: {role} = {file!r} in [{name}]: expected a file for some of {', '.join(known)}")
    return table


def _checked(defaults: object, value: object, name: str, path: Path) -> dict[str, Any]:
    """The values of a section, each of the type of its default."""
    table = dict(_table(value, name, path))
    kinds = {f.name: type(getattr(defaults, f.name)) for f in fields(defaults)}  # type: ignore[arg-type]
    hints = get_type_hints(type(defaults))
    for key, given in table.items():
        if key not in kinds:
            raise UsageError(f"{path}: unknown key {key!r} in [{name}]; expected some of {', '.join(kinds)}")
        choices = get_args(hints[key]) if get_origin(hints[key]) is Literal else ()
        if choices and given not in choices:
            raise UsageError(f"{path}: {key} in [{name}] is {given!r}: expected one of {', '.join(choices)}")
        if kinds[key] is float and type(given) is int:
            table[key] = float(given)
        elif type(given) is not kinds[key]:
            raise UsageError(f"{path}: {key} in [{name}] is {given!r}: expected a {kinds[key].__name__}")
    return table


def _fill(defaults: T, value: object, name: str, path: Path) -> T:
    return replace(defaults, **_checked(defaults, value, name, path))  # type: ignore[type-var]
