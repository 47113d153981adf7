"""Pieces of HTML: how a result looks in a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

__all__ = ["counts_html", "grid", "paragraph"]


def paragraph(text: str) -> str:
    """A line of text."""
    return f"<p>{escape(text)}</p>"


def grid(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table.

    Args:
        heads: Of its columns.
        rows: Of its cells.

    Returns:
        HTML.
    """
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def counts_html(title: str, counts: Mapping[str, Mapping[str, object]], notes: Sequence[str] = ()) -> str:
    """Named groups of counts, one row each, and remarks below.

    Args:
        title: Above the table.
        counts: Group -> name -> number.
        notes: Lines.

    Returns:
        HTML.
    """
    rows = [[name, ", ".join(f"{key} {value}" for key, value in part.items())] for name, part in counts.items() if part]
    said = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return paragraph(title) + grid(("", ""), rows) + (f"<ul>{said}</ul>" if said else "")
