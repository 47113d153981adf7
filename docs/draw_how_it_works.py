"""Draws docs/images/how_keyframe.jpg, how_cut.jpg, how_sew.jpg and how_polish.jpg: two people who cross, in a run.

    dettrack track vtest.avi --end 12 --preset accurate --step 4
    python docs/draw_how_it_works.py vtest.avi vtest.dettrack --people 6,10 --keyframes 96,100,104 --merged 10

vtest.avi is OpenCV's sample. Everything that is drawn was read from the result.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from dettrack.formats.read import TRACKLETS, read_result
from dettrack.formats.tracklets import TrackletFile
from dettrack.oks import object_areas, oks
from dettrack.runs.merging_picture import merging_picture
from dettrack.structures import Frame, Tracklets, TrackTable
from dettrack.view.drawing.contact import contact_sheet, pick_frames, save_image
from dettrack.view.drawing.draw import Style, draw_people

IMAGES = Path(__file__).parent / "images"
HEIGHT = 400  # pixels of a panel
NEAR = 8.0  # pixels between the middles of a tube's box and of its person's


def part(frame: Frame, place: np.ndarray, rows: TrackTable, style: Style, height: int = HEIGHT) -> np.ndarray:
    """A part of a frame, enlarged, with people on it."""
    left, top, right, bottom = place.round().astype(int)
    zoom = height / (bottom - top)
    image = cv2.resize(frame.image[top:bottom, left:right], None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    corner = np.array([left, top], float)
    moved = replace(rows, xy=rows.xy - corner, xy_smooth=None, box=rows.box - np.tile(corner, 2))
    canvas = (image * 0.8).astype(np.uint8)
    draw_people(canvas, moved, zoom=zoom, style=style)
    return canvas


def as_rows(row: TrackTable, tubes: Tracklets, frame: int, ids: np.ndarray) -> TrackTable:
    """The tubes' poses in a frame, to be drawn as people are."""
    at = int(np.flatnonzero(tubes.frames == frame)[0])
    several = row[np.zeros(len(ids), np.int64)]
    xy, scores = tubes.xy[:, at], tubes.scores[:, at]
    return replace(several, xy=xy, joint_scores=scores, xy_smooth=None, box=tubes.boxes.xyxy, track_id=ids)


def similarities(a: Tracklets, b: Tracklets, sigmas: np.ndarray) -> np.ndarray:
    """Mean OKS over shared frames, of each with each."""
    _, at, bt = np.intersect1d(a.frames, b.frames, return_indices=True)
    one, other = a.xy[:, None, at], b.xy[None, :, bt]
    area = (object_areas(a.boxes.xyxy)[:, None] + object_areas(b.boxes.xyxy)[None]) / 2
    one, other = np.broadcast_arrays(one, other)
    seen = [np.isfinite(xy).all(-1) for xy in (one, other)]
    shared = np.broadcast_to(area[..., None], one.shape[:3])
    return np.nanmean(oks(one, seen[0], other, seen[1], shared, sigmas, 3), axis=-1)


def main() -> None:
    """Read the result and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("run", type=Path)
    for name in ("--people", "--keyframes"):
        parser.add_argument(name, type=lambda text: [int(one) for one in text.split(",")], required=True)
    parser.add_argument("--merged", type=int, required=True)
    given = parser.parse_args()
    table = read_result(given.run).table
    table = table[np.isin(table.track_id, given.people)]
    keyframes = given.keyframes
    batches = TrackletFile.open(given.run / TRACKLETS).batches()
    tubes = {t.keyframe: t for batch in batches for t in batch.tracklets if t.keyframe in keyframes}

    def people_at(frame: int) -> TrackTable:
        return table[table.frame == frame]

    for key, all_of_it in tubes.items():  # only those of the two people
        row = people_at(key)
        middles = (all_of_it.boxes.xyxy[:, :2] + all_of_it.boxes.xyxy[:, 2:]) / 2
        own = (row.box[:, :2] + row.box[:, 2:]) / 2
        away = np.linalg.norm(own[:, None] - middles[None], axis=-1)
        tubes[key] = all_of_it[np.unique(away.argmin(1)[away.min(1) < NEAR])]
    span = people_at(keyframes[0]).box, people_at(keyframes[-1]).box
    corners = np.concatenate(span)
    place = np.concatenate([corners[:, :2].min(0) - 25, corners[:, 2:].max(0) + 25])
    between = [(a + b) // 2 for a, b in pairwise(keyframes)]
    middle = tubes[keyframes[1]]
    frames = pick_frames(given.video, sorted({*keyframes, *between, *middle.frames.tolist()}))
    bare = Style(boxes=False, ids=False)

    # cut: the keyframe with its boxes, then one person's tube
    key, row = keyframes[1], people_at(keyframes[1])
    person = row[row.track_id == given.people[0]]
    alone = middle[np.abs(middle.boxes.xyxy - person.box).sum(1).argmin(keepdims=True)]
    first, last = alone.boxes.xyxy[0].reshape(2, 2)
    crop = np.concatenate([first - (last - first) / 8, last + (last - first) / 8])  # 1.25 times as large
    tube = [
        part(frames[index], crop, as_rows(person, alone, index, person.track_id), bare, 400)
        for index in middle.frames.tolist()
    ]
    titles = [f"{index - key:+d}" if index != key else f"{key}" for index in middle.frames.tolist()]
    boxes = part(frames[key], place, row, Style(skeletons=False))
    save_image(IMAGES / "how_cut.jpg", contact_sheet(tube, titles, columns=9, cell_width=128))
    save_image(IMAGES / "how_keyframe.jpg", contact_sheet([boxes], [f"keyframe {key}"], columns=1, cell_width=460))

    # sew: the poses of two keyframes' tubes in a frame that both see, and the tracks
    images, titles = [], []
    for index, first, second in zip(between, keyframes, keyframes[1:], strict=False):
        a, b, row = tubes[first], tubes[second], people_at(index)
        alike = similarities(a, b, table.joint_set.sigmas)
        letters = np.arange(len(a)) + 20, np.arange(len(b)) + 30
        images += [
            part(frames[index], place, as_rows(row, a, index, letters[0]), bare),
            part(frames[index], place, as_rows(row, b, index, letters[1]), bare),
            part(frames[index], place, row, Style(boxes=False)),
        ]
        said = " / ".join(" ".join(f"{value:.2f}" for value in line) for line in alike)
        titles += [f"frame {index}: tubes of {first}", f"tubes of {second}", f"tracks; OKS {said}"]
    save_image(IMAGES / "how_sew.jpg", contact_sheet(images, titles, columns=3, cell_width=380))

    # polish: the hypotheses of one of them
    picture = merging_picture(given.run, given.video, given.merged, [between[0] - 1, between[0]], cell_width=280)
    save_image(IMAGES / "how_polish.jpg", picture)


if __name__ == "__main__":
    main()
