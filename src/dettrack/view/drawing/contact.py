"""Contact sheets: a few frames of a run, or of several runs side by side, as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from dettrack.errors import InputError, OutputError
from dettrack.files import write_bytes
from dettrack.structures import Frame, TrackTable
from dettrack.video.reader import open_video
from dettrack.video.sources import VideoSource
from dettrack.view.drawing.draw import Style, draw_text
from dettrack.view.drawing.render import paint, zoom_for

__all__ = ["compare_runs", "contact_sheet", "pick_frames", "save_image"]

_TITLE = 28  # pixels of a title bar
_GAP = 4


def pick_frames(source: VideoSource, indices: Sequence[int]) -> dict[int, Frame]:
    """Read some frames of a video, by index; indices beyond its end are left out.

    Args:
        source: The video.
        indices: Of the frames, in any order.

    Returns:
        The frames by index.
    """
    wanted, found = set(indices), {}
    with open_video(source, shots=False) as video:
        for frame in video:
            if frame.index in wanted:
                found[frame.index] = frame
            if len(found) == len(wanted):
                break
    return found


def contact_sheet(
    images: Sequence[UInt8[np.ndarray, "_h _w 3"]],
    titles: Sequence[str] = (),
    *,
    columns: int = 4,
    cell_width: int = 480,
) -> UInt8[np.ndarray, "height width 3"]:
    """Lay images out in a grid, row by row.

    Args:
        images: RGB pictures; each is scaled to the cell's width, rows take their tallest picture's height.
        titles: One line above each image; may be shorter than `images`.
        columns: Images in a row.
        cell_width: Width of a cell in pixels.

    Returns:
        RGB.

    Raises:
        InputError: There are no images.
    """
    if not images:
        raise InputError("a contact sheet needs at least one image")
    columns = min(columns, len(images))
    cells = [_cell(image, titles[i] if i < len(titles) else None, cell_width) for i, image in enumerate(images)]
    rows = []
    for start in range(0, len(cells), columns):
        row = cells[start : start + columns]
        tallest = max(len(cell) for cell in row)
        row += [row[0][:0]] * (columns - len(row))
        rows.append(np.concatenate([_pad(cell, tallest + _GAP, cell_width + _GAP) for cell in row], axis=1))
    return np.concatenate(rows)


def _cell(image: UInt8[np.ndarray, "h w 3"], title: str | None, width: int) -> UInt8[np.ndarray, "_ch _cw 3"]:
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    shrinks = image.shape[1] > width
    cell = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    if title is None:
        return cell
    bar = np.full((_TITLE, width, 3), 32, np.uint8)
    draw_text(bar, title, (6, _TITLE - 9), 1.0, 0.5)
    return np.concatenate([bar, cell])


def _pad(cell: UInt8[np.ndarray, "_h _w 3"], height: int, width: int) -> UInt8[np.ndarray, "_height _width 3"]:
    out = np.full((height, width, 3), 255, np.uint8)
    out[: cell.shape[0], : cell.shape[1]] = cell
    return out


def compare_runs(
    source: VideoSource,
    runs: Mapping[str, TrackTable],
    *,
    frames: int | Sequence[int] = 6,
    columns: int | None = None,
    cell_width: int = 480,
    style: Style | None = None,
) -> UInt8[np.ndarray, "height width 3"]:
    """Frames of one video as one or more runs saw them.

    Args:
        source: The video.
        runs: Title -> table. One run fills a grid; several give one row per frame and one column per run.
        frames: Frame indices, or how many to take, evenly spread between the first and last frame with people.
        columns: Cells in a row, for a single run.
        cell_width: Width of a cell in pixels.
        style: What is drawn.

    Returns:
        RGB.
    """
    indices = _spread(list(runs.values()), frames) if isinstance(frames, int) else list(frames)
    found = pick_frames(source, indices)
    images, titles = [], []
    for index, frame in sorted(found.items()):
        zoom = zoom_for(*frame.image.shape[:2])
        for title, table in runs.items():
            rows = table[table.frame == index]
            images.append(paint(frame, rows, zoom=zoom, style=style, legend=False))
            titles.append(f"{title}: frame {index}, {len(rows)} people")
    per_row = (columns or 3) if len(runs) == 1 else len(runs)
    return contact_sheet(images, titles, columns=per_row, cell_width=cell_width)


def _spread(tables: Sequence[TrackTable], count: int) -> list[int]:
    seen = [table.frame for table in tables if len(table)]
    if not seen:
        return list(range(count))
    first, last = min(int(f.min()) for f in seen), max(int(f.max()) for f in seen)
    return sorted({round(index) for index in np.linspace(first, last, count).tolist()})


def save_image(path: str | Path, image: UInt8[np.ndarray, "height width 3"]) -> None:
    """Write an RGB image; the kind follows from the name (.png, .jpg).

    Args:
        path: File.
        image: RGB.

    Raises:
        OutputError: It cannot be written, or the ending is unknown.
    """
    path = Path(path)
    try:
        data = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    except cv2.error as error:
        raise OutputError(f"{path}: unknown kind of image; expected .png or .jpg") from error
    write_bytes(path, data.tobytes())
