"""One self-contained HTML page about a result: people, coverage, scores, angles, suspects, settings; without scripts.

Every text from outside (names of people, of files, reasons) is escaped: a track may be called anything.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float

from dettrack.edit import follow_suspects
from dettrack.errors import DettrackError
from dettrack.files import write_text
from dettrack.formats.exports import history
from dettrack.formats.read import read_rows, read_suspects
from dettrack.formats.result import Result
from dettrack.measure.angles import ANGLES, angles_of, facing
from dettrack.measure.motion import body_centre, distance, speeds, steps
from dettrack.measure.scale import Scale
from dettrack.structures import Source, TrackTable
from dettrack.view.drawing.blur import FaceBlur
from dettrack.view.drawing.colours import track_colour
from dettrack.view.drawing.contact import pick_frames

__all__ = ["write_report"]

_STYLE = """
:root{color-scheme:light dark;--line:#8886;--soft:#8882}
body{font:15px/1.45 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin-bottom:.2rem}h2{font-size:1.2rem;margin-top:2.2rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:.3rem .5rem;border-bottom:1px solid var(--line);vertical-align:middle;white-space:nowrap}
th:first-child,td:first-child,.text{text-align:left}
.wide{overflow-x:auto}svg{width:100%;height:auto;display:block;margin:.3rem 0 1rem}
.swatch{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.4em}
img{height:64px;border-radius:4px;vertical-align:middle}
pre{background:var(--soft);padding:.8rem;overflow-x:auto;border-radius:6px;font-size:12px}
svg text{fill:currentColor;font-size:11px}.grid{stroke:var(--line)}
p.note{opacity:.8}
"""
_WIDTH, _HEIGHT, _LEFT = 1000, 130, 46
_MOST_LANES, _MOST_PLOTS, _MOST_SUSPECTS = 300, 12, 60
_SHOWN_ANGLES = ("knee_angle_r", "knee_angle_l", "hip_flexion_r", "hip_flexion_l")
_COLOURS = {
    "knee_angle_r": "#d55e00",
    "knee_angle_l": "#0072b2",
    "hip_flexion_r": "#e69f00",
    "hip_flexion_l": "#56b4e9",
}


def write_report(
    result: Result, path: Path, scale: Scale | None = None, video: Path | None = None, blur_faces: bool = False
) -> None:
    """Write the page.

    Args:
        result: What it is about.
        path: HTML file.
        scale: Metres, for speeds and distances.
        video: For a picture of each person; None: no pictures.
        blur_faces: Make the faces in these pictures unrecognisable.

    Raises:
        OutputError: It cannot be written.
    """
    info, n = result.info, len(result.times)
    pictures = {} if video is None else _pictures(result, video, blur_faces)
    rate = "no clock" if info.fps is None else f"{float(info.fps):.3f} frames/s"
    title = f"People in {info.name}"
    state = "" if result.summary.get("complete", True) else "<p><strong>The run did not come to its end.</strong></p>"
    parts = [
        f"<h1>{escape(title)}</h1><p class=note>{info.width} × {info.height}, {rate}, {n} frames, "
        f"{len(result.tracks)} people, {len(result.table)} poses</p>{state}",
        "<h2>People</h2>" + _people(result, scale, pictures),
        "<h2>When they are seen</h2>" + _lanes(result),
        "<h2>Angles</h2>" + _angle_plots(result),
        "<h2>Places to look at</h2>" + _suspects(result),
        "<h2>How it was made</h2>" + _made(result, scale),
    ]
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; style-src '
        f"'unsafe-inline'\"><title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )
    write_text(path, page)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML already."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class=wide tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _people(result: Result, scale: Scale | None, pictures: dict[int, str]) -> str:
    unit = "m" if scale else "px"
    heads = ["person", "from", "to", "seen", "detected", "score", "spread (px)", "by hand", f"way ({unit})"]
    heads += [f"median speed ({unit}/s)", "steps", "median step (s)"]
    rows = []
    for track, own in result.table.by_person().items():
        rows.append([_name(result, track, pictures), *_figures(own, scale)])
    if not rows:
        return "<p>Nobody.</p>"
    facts = ""
    if result.summary.get("dropped"):
        dropped = ", ".join(f"{value} {escape(str(key))}" for key, value in result.summary["dropped"].items())
        facts = f"<p class=note>Removed by the run: {dropped}.</p>"
    return _table(heads, rows) + (
        "<p class=note>seen: share of the frames from first to last in which there is a pose; detected: share of the "
        "poses in whose frame the detector found the person; spread: median disagreement of overlapping tubes.</p>"
        + facts
    )


def _name(result: Result, track: int, pictures: dict[int, str]) -> str:
    colour = "#{:02x}{:02x}{:02x}".format(*track_colour(track))
    picture = f'<img alt="" src="{pictures[track]}"> ' if track in pictures else ""
    label = result.name_of(track) if track not in result.names else f"{result.names[track]} ({track})"
    return f'{picture}<span class=swatch style="background:{colour}"></span>{escape(label)}'


def _figures(rows: TrackTable, scale: Scale | None) -> list[str]:
    centre = body_centre(rows, scale)
    found = steps(rows)
    times = [step.step_s for step in found]
    span = int(rows.frame[-1] - rows.frame[0]) + 1
    ends = [_number(float(rows.time_s[i]), 2) or f"frame {rows.frame[i]}" for i in (0, -1)]
    by_hand = 0 if rows.human is None else int(rows.human.any(1).sum())
    return [
        *(f"{end} s" if "frame" not in end else end for end in ends),
        f"{100 * len(rows) / span:.0f} %",
        f"{100 * float((rows.source == Source.DETECTED).mean()):.0f} %",
        _number(float(rows.score.mean()), 2),
        _number(_median(rows.spread[rows.support > 1]), 2),
        str(by_hand or ""),
        _number(distance(centre), 1),
        _number(_median(speeds(centre, rows.time_s)), 2),
        str(len(found) or ""),
        _number(_median(np.array(times, float)), 2),
    ]


def _median(values: Float[np.ndarray, "..."]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else ""


def _runs(frames: np.ndarray) -> list[tuple[int, int]]:
    """First and last of each stretch of consecutive numbers."""
    edges = np.flatnonzero(np.diff(frames) > 1)
    starts, ends = np.concatenate([[0], edges + 1]), np.concatenate([edges, [len(frames) - 1]])
    return [(int(frames[a]), int(frames[b])) for a, b in zip(starts, ends, strict=True)]


def _lanes(result: Result) -> str:
    """A lane for each person; the paler parts are recovered or interpolated."""
    shown = result.tracks.tolist()[:_MOST_LANES]
    if not shown:
        return ""
    first, last = int(result.times.index[0]), int(result.times.index[-1]) + 1
    height, step = 16, (_WIDTH - _LEFT) / max(last - first, 1)
    marks = []
    for lane, track in enumerate(shown):
        rows, y = result.of(track), lane * height + 3
        colour = "#{:02x}{:02x}{:02x}".format(*track_colour(track))
        marks.append(f'<text x="0" y="{y + 9}">{track}</text>')
        for opacity, kept in ((0.35, rows.frame), (1.0, rows.frame[rows.source == Source.DETECTED])):
            marks += [
                f'<rect x="{_LEFT + (a - first) * step:.2f}" y="{y}" width="{max((b + 1 - a) * step, 0.5):.2f}" '
                f'height="10" fill="{colour}" opacity="{opacity}"/>'
                for a, b in (_runs(kept) if len(kept) else [])
            ]
    more = (
        f"<p class=note>The first {_MOST_LANES} of {len(result.tracks)}.</p>" if len(result.tracks) > len(shown) else ""
    )
    size = f'viewBox="0 0 {_WIDTH} {len(shown) * height + 4}"'
    about = "When each person is seen: full colour where detected, paler where recovered or interpolated"
    return f'<svg {size} role="img" aria-label="{about}">{"".join(marks)}</svg><p class=note>{about}.</p>{more}'


def _angle_plots(result: Result) -> str:
    """Knees and hips over time, with a band of one standard deviation, of the people who are seen longest."""
    people = sorted(result.table.by_person().items(), key=lambda item: -len(item[1]))[:_MOST_PLOTS]
    plots = "".join(_plot(result, track, rows) for track, rows in people if len(rows) > 2)
    key = " ".join(f'<span class=swatch style="background:{c}"></span>{escape(a)}' for a, c in _COLOURS.items())
    joints = ", ".join(angle.name for angle in ANGLES)
    return (
        f"<p class=note>{key}. Degrees over seconds; the band is one standard deviation from the spread of the tubes. "
        f"All of {joints} and the segments: <code>dettrack export --to angles</code>.</p>{plots}"
    )


def _plot(result: Result, track: int, rows: TrackTable) -> str:
    angles = angles_of(rows)
    columns = {name: angles.names.index(name) for name in _SHOWN_ANGLES if name in angles.names}
    time = np.where(np.isnan(rows.time_s), rows.frame.astype(float), rows.time_s)
    values = angles.degrees[:, list(columns.values())]
    if not columns or not np.isfinite(values).any():
        return ""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    x = _LEFT + (time - time[0]) / max(time[-1] - time[0], 1e-9) * (_WIDTH - _LEFT - 4)

    def y(degrees: np.ndarray) -> np.ndarray:
        return 8 + (high - degrees) / max(high - low, 1e-9) * (_HEIGHT - 30)

    marks = [
        f'<line class=grid x1="{_LEFT}" x2="{_WIDTH}" y1="{at:.1f}" y2="{at:.1f}"/>'
        f'<text x="0" y="{at + 4:.1f}">{level:.0f}°</text>'
        for level, at in zip((low, high), y(np.array([low, high])), strict=True)
    ]
    for name, column in columns.items():
        degrees, sd = angles.degrees[:, column], angles.sd[:, column]
        breaks = np.flatnonzero(~np.isfinite(degrees) | (np.diff(rows.frame, prepend=rows.frame[0]) > 1))
        for part in np.split(np.arange(len(rows)), breaks):
            part = part[np.isfinite(degrees[part])]
            if len(part) > 1:
                marks.append(_curve(x[part], y(degrees[part]), y(degrees[part] + sd[part]), _COLOURS[name]))
    side = {1: ", facing right", -1: ", facing left", 0: ""}[facing(rows)]
    ends = f'<text x="{_LEFT}" y="{_HEIGHT - 2}">{time[0]:.2f}</text>'
    ends += f'<text x="{_WIDTH - 40}" y="{_HEIGHT - 2}">{time[-1]:.2f}</text>'
    label = escape(f"{result.name_of(track)}{side}")
    head = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Angles of {label}">'
    return f"<p class=text><strong>{label}</strong></p>{head}{''.join(marks)}{ends}</svg>"


def _curve(x: np.ndarray, y: np.ndarray, above: np.ndarray, colour: str) -> str:
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    known, band = np.flatnonzero(np.isfinite(above)), ""
    for part in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
        width = np.abs(y - above)[part]
        edge = np.concatenate([np.stack([x[part], y[part] - width], 1), np.stack([x[part], y[part] + width], 1)[::-1]])
        band += f'<polygon points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in edge)}" fill="{colour}" opacity=".18"/>'
    return f'{band}<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.6"/>'


def _suspects(result: Result) -> str:
    folder = result.path if result.path.is_dir() else result.path.parent
    found = sorted(read_suspects(folder), key=lambda entry: entry["rank"])[:_MOST_SUSPECTS]
    if not found:
        return "<p>None listed.</p>"
    if result.edits:
        found = follow_suspects(found, read_rows(result.path, edits=False).table, result.edits)
    rows = [[str(e["frame"]), escape(e["reason"]), "yes" if e.get("settled") else ""] for e in found]
    return _table(["frame", "why", "settled by a person"], rows)


def _made(result: Result, scale: Scale | None) -> str:
    summary = result.summary
    notes = "".join(f"<li>{escape(str(note))}</li>" for note in summary.get("notes", []))
    text = escape(json.dumps(history(result, scale), indent=1))
    heads = result.summary.get("blurred_heads")
    faces = ""
    if isinstance(heads, dict) and heads.get("heads"):
        faces = (
            f"<p>Faces in render.mp4 are blurred: {heads['covered']} of {heads['heads']} heads of tracked people "
            f"({100 * heads['covered'] / heads['heads']:.1f} %), {heads['by_joints']} of them where joints of the head "
            "were found. People who were not found are not covered.</p>"
        )
    return (
        (f"<ul>{notes}</ul>" if notes else "")
        + faces
        + f"<p>{len(result.edits)} corrections in the list.</p><details><summary>Settings, versions, corrections"
        f"</summary><pre>{text}</pre></details>"
    )


def _pictures(result: Result, video: Path, blur_faces: bool) -> dict[int, str]:
    """A picture of each person, from the frame in which the pose is surest; none where the video cannot be read."""
    best: dict[int, tuple[int, np.ndarray]] = {}
    for track, rows in list(result.table.by_person().items())[:_MOST_LANES]:
        good = np.isfinite(rows.box).all(1)
        if good.any():
            row = int(np.argmax(np.where(good, rows.score + (rows.source == Source.DETECTED), -1)))
            best[track] = int(rows.frame[row]), rows.box[row]
    try:
        frames = pick_frames(str(video), [frame for frame, _ in best.values()])
    except DettrackError:
        return {}
    out, blur = {}, FaceBlur()
    images = {index: frame.image.copy() for index, frame in frames.items()}
    if blur_faces:
        for index, image in images.items():
            blur(image, result.table[result.table.frame == index])
    for track, (frame, box) in best.items():
        if frame not in images:
            continue
        height, width = images[frame].shape[:2]
        x1, y1, x2, y2 = np.clip(np.round(box), 0, [width, height, width, height]).astype(int)
        part = images[frame][y1:y2, x1:x2]
        if part.size:
            small = cv2.resize(
                part, (max(1, round(part.shape[1] * 128 / part.shape[0])), 128), interpolation=cv2.INTER_AREA
            )
            coded = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
            out[track] = "data:image/jpeg;base64," + base64.b64encode(coded.tobytes()).decode()
    return out
