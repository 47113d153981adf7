"""Figures that others published, with where they stand: rows beside ours, never mixed with ours."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

__all__ = ["GROUPS", "Published", "published"]

GROUPS = ("Head", "Sho", "Elb", "Wri", "Hip", "Kne", "Ank")


@dataclass(frozen=True)
class Published:
    """One published row.

    Attributes:
        table: Key of the table or figure.
        data: What it was measured on.
        row: Name of the method or setting.
        figures: Joint groups, "AP", "MOTA" and "recall" in percent, as far as they are given.
        source: Publication and table.
    """

    table: str
    data: str
    row: str
    figures: dict[str, float]
    source: str


@cache
def _all() -> tuple[Published, ...]:
    text = files("dettrack.lab.ablation").joinpath("published.csv").read_text(encoding="utf-8")
    rows = []
    for line in csv.DictReader(text.splitlines()):
        figures = {name: float(line[name]) for name in (*GROUPS, "AP", "MOTA", "recall") if line[name]}
        rows.append(Published(line["table"], line["data"], line["row"], figures, line["source"]))
    return tuple(rows)


def published(table: str) -> list[Published]:
    """The published rows of a table, in the order of the publication; none for tables of our own."""
    return [row for row in _all() if row.table == table]
