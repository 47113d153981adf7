"""How hypotheses of one person became poses, drawn: the paper's figure 4 for any person and frame of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from dettrack.config import PolishConfig
from dettrack.errors import InputError
from dettrack.formats.read import TRACKLETS, read_result
from dettrack.formats.result import Result
from dettrack.polish.hypotheses import HEAD_SIZE_PER_HEIGHT, FrameHypotheses, head_sizes
from dettrack.polish.polisher import Candidates, make_candidates
from dettrack.skeleton import JointSet
from dettrack.structures import Frame, TrackTable
from dettrack.view.drawing.colours import track_colour
from dettrack.view.drawing.contact import contact_sheet, pick_frames
from dettrack.view.drawing.draw import Style, draw_discs, draw_lines, draw_people, line_unit
from dettrack.view.hypotheses import Hypotheses

__all__ = ["merging_picture"]

_MARGIN = 0.3  # of the person's longer side, around the box
_HEIGHT = 720  # pixels of a panel before it is scaled to its cell
_CIRCLE = np.stack([np.cos(np.arange(48) * np.pi / 24), np.sin(np.arange(48) * np.pi / 24)], 1)
_BARE = Style(boxes=False, ids=False)


def merging_picture(
    run: Path, video: Path, person: int, frames: Sequence[int], *, cell_width: int = 360
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw, for each frame, a person's hypotheses, their clusters, the merged pose, and what the highest score gives.

    Args:
        run: Result folder with saved tracklets.
        video: Its video.
        person: Track id.
        frames: Frame indices.
        cell_width: Width of a panel in pixels.

    Returns:
        RGB; one row of four panels per frame.

    Raises:
        InputError: The run has no saved tracklets, or the person is in none of the frames.
    """
    if not (run / TRACKLETS).is_file():
        raise InputError(f"{run}: no {TRACKLETS} in it, which has the hypotheses; track with --save-tracklets")
    result, hypotheses = read_result(run), Hypotheses(run / TRACKLETS)
    found = pick_frames(video, frames)
    images: list[UInt8[np.ndarray, "_h _w 3"]] = []
    titles: list[str] = []
    for index, frame in sorted(found.items()):
        row = result.table[(result.table.track_id == person) & (result.table.frame == index)]
        poses = hypotheses.of(result.table, index, person)["poses"]
        if len(row) and poses:
            images += _panels(result, frame, row, poses)
            agree = f"{len(poses)} hypotheses" if len(poses) > 1 else "1 hypothesis"
            titles += [f"frame {index}: {agree}", "clusters", "merged", "highest score"]
    if not images:
        raise InputError(
            f"{run}: no hypotheses of person {person} in the frames {list(frames)}; see `dettrack show {run}`"
        )
    return contact_sheet(images, titles, columns=4, cell_width=cell_width)


def _panels(
    result: Result, frame: Frame, row: TrackTable, poses: list[dict[str, Any]]
) -> list[UInt8[np.ndarray, "_h _w 3"]]:
    said = _as_hypotheses(row, poses)
    tall = float(row.box[0, 3] - row.box[0, 1])
    head = np.maximum(np.nan_to_num(head_sizes(said, row.joint_set), nan=HEAD_SIZE_PER_HEIGHT * tall), 1.0)
    config = PolishConfig(merge="spatial-temporal", radius=_radius(result))
    clusters = make_candidates(said, head, config)
    best = make_candidates(said, head, replace(config, merge="baseline"))
    part = _Part(frame, row)
    panels = [part.picture() for _ in range(4)]
    every = replace(
        row[np.zeros(len(poses), np.int64)],
        xy=np.moveaxis(said.xy[0], 1, 0),
        joint_scores=said.scores[0].T,
        track_id=np.array([pose["keyframe"] for pose in poses]),
        xy_smooth=None,
    )
    part.draw(panels[0], every)
    _draw_clusters(panels[1], part, row.joint_set, clusters, config.radius * float(head[0]))
    part.draw(panels[2], row)
    part.draw(panels[3], replace(row, xy=best.centres[:, :, 0], joint_scores=best.scores[..., 0], xy_smooth=None))
    return panels


def _as_hypotheses(row: TrackTable, poses: list[dict[str, Any]]) -> FrameHypotheses:
    """The nearest keyframe's first, as `polish` has them."""
    index = int(row.frame[0])
    poses.sort(key=lambda pose: (abs(pose["keyframe"] - index), pose["keyframe"]))
    xy = np.array([[point or (np.nan, np.nan) for point in pose["xy"]] for pose in poses], float)
    scores = np.where(np.isfinite(xy[..., 0]), np.array([pose["scores"] for pose in poses], float), 0.0)
    detected = np.array([poses[0]["keyframe"] == index])
    return FrameHypotheses(
        index, row.track_id, np.moveaxis(xy, 0, 1)[None], np.moveaxis(scores, 0, 1)[None], row.box, detected
    )


def _radius(result: Result) -> float:
    """Of the run's clusters, in head sizes."""
    settings = result.summary.get("settings")
    polish = settings.get("polish", {}) if isinstance(settings, dict) else {}
    return float(polish.get("radius", PolishConfig.radius))


class _Part:
    """The part of a frame around a person, enlarged."""

    def __init__(self, frame: Frame, row: TrackTable) -> None:
        height, width = frame.image.shape[:2]
        x1, y1, x2, y2 = (float(v) for v in row.box[0])
        margin = _MARGIN * max(x2 - x1, y2 - y1)
        left, right = sorted((int(np.clip(x1 - margin, 0, width - 2)), int(np.clip(x2 + margin, 2, width))))
        top, bottom = sorted((int(np.clip(y1 - margin, 0, height - 2)), int(np.clip(y2 + margin, 2, height))))
        self._image = frame.image[top:bottom, left:right]
        self._corner = np.array([left, top], float)
        self.zoom = _HEIGHT / (bottom - top)

    def picture(self) -> UInt8[np.ndarray, "h w 3"]:
        """The bare part, dimmed so that what is drawn stands out."""
        size = round(self._image.shape[1] * self.zoom), _HEIGHT
        big = cv2.resize(self._image, size, interpolation=cv2.INTER_CUBIC)
        return (big * 0.7).astype(np.uint8)

    def to_picture(self, xy: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Pixels of the frame as pixels of the picture."""
        return (xy - self._corner + 0.5) * self.zoom - 0.5

    def draw(self, canvas: UInt8[np.ndarray, "h w 3"], rows: TrackTable) -> None:
        """Draw skeletons."""
        smooth = None if rows.xy_smooth is None else rows.xy_smooth - self._corner
        moved = replace(rows, xy=rows.xy - self._corner, xy_smooth=smooth, box=rows.box - np.tile(self._corner, 2))
        draw_people(canvas, moved, zoom=self.zoom, style=_BARE)


def _draw_clusters(
    canvas: UInt8[np.ndarray, "h w 3"], part: _Part, joint_set: JointSet, clusters: Candidates, radius: float
) -> None:
    """A ring of the kernel's radius around each cluster, and a disc that grows with its hypotheses."""
    unit = line_unit(*canvas.shape[:2])
    first = part.to_picture(clusters.centres[0, :, 0])
    limbs = first[joint_set.limbs]
    draw_lines(canvas, limbs[np.isfinite(limbs).all((1, 2))], (200, 200, 200), 1.2 * unit)
    most = max(1, int(clusters.sizes.max()))
    for joint, (centres, sizes) in enumerate(zip(clusters.centres[0], clusters.sizes[0], strict=True)):
        for centre, size in zip(part.to_picture(centres), sizes.tolist(), strict=True):
            if size:
                colour = track_colour(joint)
                ring = centre + radius * part.zoom * _CIRCLE
                draw_lines(canvas, np.stack([ring, np.roll(ring, -1, 0)], 1), colour, 1.2 * unit)
                draw_discs(canvas, centre[None], colour, (3 + 9 * size / most) * unit)
