"""A row: one setting of everything that an experiment varies; a table: rows that are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from dettrack.config import TrackConfig

__all__ = ["Row", "Table", "change"]


@dataclass(frozen=True)
class Row:
    """One setting.

    Attributes:
        name: In the table.
        config: Settings of linking, merging and what follows; `cut` is |C| and S of the row, which may be narrower than
            the tubes (`sew.replay.narrow`).
        network: Role of the weights.
        detector: Role of the detector.
        tube_length: |C| with which the network is run.
        missed: Share of boxes lost on purpose.
        missed_run: ... in runs of this many keyframes per person.
        linked: Link tracklets; else every frame's poses are only thinned out by OKS-NMS (table 7, second row).
        right_person: Also measure, on its tubes, whether they stay with their person (`right_person`).
        timed: Measure the speed of the whole pipeline with these settings.
        at: Place on the axis of a curve.
    """

    name: str
    config: TrackConfig
    network: str = "3d"
    detector: str = "strong"
    tube_length: int = 9
    missed: float = 0.0
    missed_run: int = 1
    linked: bool = True
    right_person: bool = False
    timed: bool = False
    at: int | None = None

    def settings(self) -> dict[str, Any]:
        """What decides the row's figures: all but its name and place; of the configuration what comes after tubes."""
        content = asdict(self)
        for name in ("name", "at"):
            del content[name]
        estimate = content["config"].pop("estimate")
        content["config"].pop("detect")
        content["decoding"] = estimate["decoding"]
        return content


@dataclass(frozen=True)
class Table:
    """Rows under one heading.

    Attributes:
        key: File stem, and the name for `--only`.
        title: Heading.
        rows: Ours.
        axis: Name of the axis of a curve ("clip_length", "step"); "" for a table.
        show: Columns beside the name: figures of a result.
        reference: Row that the others are compared with (paired), "" for none.
        layout: "groups" shows joint groups (tables 1 to 4).
        notes: Lines under the table.
    """

    key: str
    title: str
    rows: tuple[Row, ...]
    axis: str = ""
    show: tuple[str, ...] = ("AP", "MOTA")
    reference: str = ""
    layout: Literal["plain", "groups"] = "plain"
    notes: tuple[str, ...] = field(default=())


def change(config: TrackConfig, **sections: Mapping[str, Any]) -> TrackConfig:
    """The configuration with some values of some sections replaced: `change(c, sew={"linking": "oks-gbm"})`."""
    return replace(config, **{name: replace(getattr(config, name), **values) for name, values in sections.items()})
