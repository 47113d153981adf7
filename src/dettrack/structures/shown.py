"""How a result looks in a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from dettrack.structures.columns import SOURCES

if TYPE_CHECKING:
    from dettrack.structures.tracks import TrackTable

__all__ = ["counts_html", "table_html"]

_ROWS = 10


def table_html(table: TrackTable) -> str:
    """The first rows of a track table, and how many there are."""
    rows = table[:_ROWS]
    found = np.isfinite(rows.xy).all(-1).sum(1)
    cells = [
        [
            str(rows.frame[i]),
            f"{rows.time_s[i]:.3f}" if np.isfinite(rows.time_s[i]) else "",
            str(rows.track_id[i]),
            SOURCES[rows.source[i]],
            f"{rows.score[i]:.2f}",
            ", ".join(f"{value:.0f}" for value in rows.box[i]),
            f"{found[i]} of {len(table.joint_set)}",
        ]
        for i in range(len(rows))
    ]
    more = f"<p>... {len(table) - _ROWS} more rows</p>" if len(table) > _ROWS else ""
    heads = ("frame", "time (s)", "track", "source", "score", "box", "joints")
    return f"<p>{escape(repr(table))}</p>{_grid(heads, cells)}{more}"


def counts_html(title: str, counts: Mapping[str, Mapping[str, object]], notes: Sequence[str] = ()) -> str:
    """Named groups of counts, one row each, and remarks below.

    Args:
        title: Above the table.
        counts: Group -> name -> number.
        notes: Lines.

    Returns:
        HTML.
    """
    cells = [
        [group, ", ".join(f"{name} {value}" for name, value in pairs.items())]
        for group, pairs in counts.items()
        if pairs
    ]
    said = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f"<p>{escape(title)}</p>{_grid((), cells)}" + (f"<ul>{said}</ul>" if said else "")


def _grid(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
