"""How a batch stands, also while it runs: for people, as lines or as one page."""

from __future__ import annotations

import html
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dettrack.errors import InputError
from dettrack.files import write_text
from dettrack.runs.batch.manifest import FOLDER, Row, begun, read_manifest, read_running

__all__ = ["PAGE", "Status", "read_status", "status_lines", "write_page"]

PAGE = "status.html"
_SHOWN = 50  # videos of a kind on the page, the newest first
_WORDS = 80  # characters of a reason that count as the same reason


@dataclass(frozen=True)
class Status:
    """How a batch stands.

    Attributes:
        rows: All videos.
        running: What workers are doing (`manifest.read_running`).
        elapsed_s: Since the run began that is at work, or was last.
        recent: Videos that came to an end in this time.
    """

    rows: Mapping[str, Row]
    running: Sequence[Mapping[str, Any]]
    elapsed_s: float
    recent: Sequence[Row]

    @property
    def states(self) -> Counter[str]:
        """Number of videos by state."""
        return Counter(row.state for row in self.rows.values())

    @property
    def frames_per_second(self) -> float:
        """All workers together, in this run."""
        frames = sum(row.frames for row in self.recent) + sum(int(one["frame"]) for one in self.running)
        return frames / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds until all is done, by the size of the files; None where no speed is known yet."""
        done = float(sum(row.bytes for row in self.recent))
        left = float(sum(row.bytes for row in self.rows.values() if row.state in ("pending", "running")))
        for one in self.running:
            row = self.rows.get(one["video"])
            part = row.bytes * min(1.0, one["frame"] / one["of"]) if row is not None and one["of"] else 0.0
            done, left = done + part, left - part
        return None if not left or not done or self.elapsed_s <= 0 else left * self.elapsed_s / done

    @property
    def reasons(self) -> list[tuple[str, str, int]]:
        """State, reason and number of the videos that are not done, the commonest first."""
        unfinished = (row for row in self.rows.values() if row.reason and row.state != "done")
        return [(*kind, n) for kind, n in Counter((row.state, _kind(row)) for row in unfinished).most_common()]


def _kind(row: Row) -> str:
    """A reason without what differs from video to video."""
    said = row.reason.replace(row.source, "").removeprefix(": ") if row.source else row.reason
    return said[:_WORDS]


def read_status(out: Path) -> Status:
    """How a batch stands.

    Args:
        out: Folder of the results.

    Raises:
        InputError: There is no batch.
    """
    if not (out / FOLDER / "log").is_dir():
        raise InputError(f"{out}: no batch there; expected the --out of `dettrack batch`")
    rows, running = read_manifest(out), read_running(out)
    since = begun(out)
    recent = [row for row in rows.values() if row.ended is not None and row.ended >= since]
    last = time.time() if running else max((row.ended or 0.0 for row in recent), default=since)
    return Status(rows, running, last - since, recent)


def status_lines(status: Status) -> list[str]:
    """For a terminal."""
    states = status.states
    total = sum(states.values())
    lines = [
        f"{states['done']} of {total} done"
        + "".join(f", {states[name]} {name}" for name in ("failed", "poison", "running", "pending") if states[name])
    ]
    unread = sum(row.state == "done" and not row.complete for row in status.rows.values())
    if unread:
        lines.append(f"{unread} of the done could not be read to their end")
    if status.recent or status.running:
        left = "" if status.left_s is None else f", about {duration(status.left_s)} left"
        lines.append(
            f"{len(status.recent)} in {duration(status.elapsed_s)}, {status.frames_per_second:.1f} frames/s{left}"
        )
    lines += (f"  {state}: {number} x {reason}" for state, reason, number in status.reasons)
    for one in status.running:
        of = f" of {one['of']}" if one["of"] else ""
        lines.append(f"  {one['worker']}: {one['video']}, frame {one['frame']}{of}")
    return lines


def duration(seconds: float) -> str:
    """In the two largest units."""
    whole = round(seconds)
    if whole < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s"


_STYLE = """
body{font:15px/1.4 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:#222;background:#fff}
h1{font-size:1.3em}h2{font-size:1.05em;margin:1.6em 0 .3em}table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.2em .8em .2em 0;border-bottom:1px solid #ddd;vertical-align:top;overflow-wrap:anywhere}
td.n,th.n{text-align:right}.bar{display:flex;height:14px;border-radius:3px;overflow:hidden;background:#e5e5e5}
.done{background:#2a7a4b}.failed{background:#c0392b}.poison{background:#7d3c98}.running{background:#d99a2b}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}td,th{border-color:#333}.bar{background:#333}}
"""


def write_page(out: Path, status: Status) -> Path:
    """The same as one HTML page that needs nothing else, and is loaded again by itself while a run is at work.

    Args:
        out: Folder of the results.
        status: How the batch stands.

    Returns:
        The page.

    Raises:
        OutputError: It cannot be written.
    """
    states, total = status.states, max(1, len(status.rows))
    kinds = [name for name in ("done", "failed", "poison", "running") if states[name]]
    bar = "".join(f'<span class="{name}" style="width:{100 * states[name] / total:.3f}%"></span>' for name in kinds)
    refresh = '<meta http-equiv="refresh" content="10">' if status.running else ""
    newest = sorted(status.rows.values(), key=lambda row: row.ended or 0.0, reverse=True)
    problems = [row for row in newest if row.state in ("failed", "poison") or (row.state == "done" and row.reason)]
    first, *others = status_lines(status)
    said = "<br>".join(html.escape(line.strip()) for line in others if not line.startswith("  "))
    parts = [
        f"<h1>{html.escape(str(out.absolute().name))}: {html.escape(first)}</h1>",
        f'<div class="bar">{bar}</div><p>{said}</p>',
        _table(
            "At work",
            ("worker", "video", "frame", "of"),
            [(one["worker"], one["video"], one["frame"], one["of"] or "") for one in status.running],
        ),
        _table("Not done, by reason", ("state", "reason", "videos"), status.reasons),
        _table(
            f"To look at ({len(problems)})",
            ("video", "state", "reason"),
            [(row.video, row.state, row.reason) for row in problems[:_SHOWN]],
        ),
        _table(
            "Done last",
            ("video", "frames", "tracks", "frames/s"),
            [
                (row.video, row.frames, row.tracks, f"{row.frames / row.seconds:.1f}" if row.seconds else "")
                for row in newest
                if row.state == "done"
            ][:_SHOWN],
        ),
    ]
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8">{refresh}<title>dettrack batch: {html.escape(first)}'
        f'</title><meta name="viewport" content="width=device-width"><style>{_STYLE}</style>{"".join(parts)}</html>\n'
    )
    path = out / FOLDER / PAGE
    write_text(path, page)
    return path


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    if not rows:
        return ""
    numeric = [all(isinstance(row[i], int | float) or row[i] == "" for row in rows) for i in range(len(heads))]

    def cells(tag: str, row: Sequence[Any]) -> str:
        return "".join(
            f"<{tag}{' class=n' if number else ''}>{html.escape(str(cell))}</{tag}>"
            for cell, number in zip(row, numeric, strict=True)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<h2>{html.escape(title)}</h2><table><tr>{cells('th', heads)}</tr>{body}</table>"
