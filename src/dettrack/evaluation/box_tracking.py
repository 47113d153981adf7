"""MOTA and IDF1 of person boxes, by the two protocols for PoseTrack21 that recent tables have.

Both follow the box script of PoseTrack21's evaluation kit: a box is found where its intersection over union with an
annotated one is 0.5 or more, CLEAR MOT as for joints, and a predicted box that matches nobody is not counted as wrong
where it lies in an ignore region. They differ in two rules, and figures of one do not compare with the other's:

* `boxes-iou`, that script as it is: "in a region" means that the intersection over union of box and region is above
  0.1, which a small box in a large region never reaches; boxes in frames without annotation are wrong.
* `boxes-coverage`, as Newell et al. changed it (CoMotion, ICLR 2025): "in a region" means that more than a tenth of the
  box is in it, and frames without annotation do not count.

Read from the annotations of poses, whose boxes are exact; that script's `gt.txt` has them in whole pixels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float

from dettrack.errors import UsageError
from dettrack.evaluation.boxes import boxes_of
from dettrack.evaluation.tracking import JointFrame, identity_counts, step
from dettrack.formats.posetrack import PoseSequence
from dettrack.geometry import box_areas, box_iou

__all__ = ["BOX_PROTOCOLS", "BoxProtocol", "BoxTracking", "covered_area", "track_boxes"]

_MOST_DISTANCE = 0.5  # 1 - intersection over union
_IN_REGION = 0.1


@dataclass(frozen=True)
class BoxProtocol:
    """What the published protocols do differently.

    Attributes:
        name: For messages.
        by_union: Whether the intersection with a region is divided by the union of both, or by the box's area.
        empty_frames: Whether frames without annotated people count.
    """

    name: str
    by_union: bool
    empty_frames: bool


BOX_PROTOCOLS = {
    one.name: one
    for one in (
        BoxProtocol("boxes-iou", by_union=True, empty_frames=True),
        BoxProtocol("boxes-coverage", by_union=False, empty_frames=False),
    )
}


@dataclass(frozen=True)
class BoxTracking:
    """Counts over sequences.

    Attributes:
        objects: Annotated boxes.
        misses: Of these not found.
        false_positives: Predicted boxes that are nobody's.
        switches: Identity switches.
        ignored: Predicted boxes in ignore regions that are nobody's.
        identity: True positives, false positives and false negatives of the best one-to-one matching of whole tracks.
    """

    objects: int = 0
    misses: int = 0
    false_positives: int = 0
    switches: int = 0
    ignored: int = 0
    identity: tuple[int, int, int] = (0, 0, 0)

    def __add__(self, other: BoxTracking) -> BoxTracking:
        counts = {name: value + getattr(other, name) for name, value in vars(self).items() if name != "identity"}
        true, wrong, missed = (a + b for a, b in zip(self.identity, other.identity, strict=True))
        return BoxTracking(**counts, identity=(true, wrong, missed))

    @property
    def mota(self) -> float:
        """Percent; NaN where nobody is annotated."""
        wrong = self.misses + self.false_positives + self.switches
        return 100 * (1 - wrong / self.objects) if self.objects else float("nan")

    @property
    def idf1(self) -> float:
        """Percent; NaN where there is nobody on either side."""
        true, wrong, missed = self.identity
        total = 2 * true + wrong + missed
        return 100 * 2 * true / total if total else float("nan")

    def to_json(self) -> dict[str, float | int]:
        """Figures and counts."""
        counts = {name: value for name, value in vars(self).items() if name != "identity"}
        return {"mota": self.mota, "idf1": self.idf1, **counts}


def track_boxes(pairs: Iterable[tuple[PoseSequence, PoseSequence]], protocol: str) -> BoxTracking:
    """Count all sequences.

    Args:
        pairs: Annotations and predictions of each; people predicted without a box have one around their joints.
        protocol: Name of one of `BOX_PROTOCOLS`.

    Returns:
        The counts.

    Raises:
        UsageError: Another name.
    """
    if protocol not in BOX_PROTOCOLS:
        raise UsageError(f"--protocol is {protocol!r}: expected one of {', '.join(BOX_PROTOCOLS)}")
    return sum((_sequence(gt, pred, BOX_PROTOCOLS[protocol]) for gt, pred in pairs), BoxTracking())


def _sequence(gt: PoseSequence, pred: PoseSequence, protocol: BoxProtocol) -> BoxTracking:
    frames, ignored, last = [], 0, dict[int, int]()
    counts = np.zeros(4, int)
    truths, founds = gt.people.box, boxes_of(pred.people)
    for i, ((a, b), (c, d)) in enumerate(zip(pairwise(gt.starts), pairwise(pred.starts), strict=True)):
        real, there = ~np.isnan(truths[a:b]).any(1), ~np.isnan(founds[c:d]).any(1)
        truth, found = truths[a:b][real], founds[c:d][there]
        if not protocol.empty_frames and not len(truth):
            continue
        gt_ids, pred_ids = gt.people.track_id[a:b][real].tolist(), pred.people.track_id[c:d][there].tolist()
        distance = 1 - box_iou(truth, found)
        near = [(int(g), int(p), float(distance[g, p])) for g, p in np.argwhere(distance <= _MOST_DISTANCE)]
        frame = JointFrame(gt_ids, pred_ids, near)
        done = step(last, frame)
        in_region = _in_regions(found, gt.images[i].ignore_regions, protocol)
        free = in_region & ~np.isin(np.arange(len(found)), _matched(last, frame))
        ignored += int(free.sum())
        counts += [done.objects, done.misses, done.false_positives - int(free.sum()), done.switches]
        unpaired = free & (distance > _MOST_DISTANCE).all(0)
        frames.append(_without(frame, np.flatnonzero(unpaired)))
    objects, misses, wrong, switches = counts.tolist()
    return BoxTracking(objects, misses, wrong, switches, ignored, identity_counts(frames))


def _matched(last: dict[int, int], frame: JointFrame) -> list[int]:
    """Places of the predicted boxes that somebody got in this frame."""
    near = {(frame.gt[g], frame.pred[p]) for g, p, _ in frame.pairs}
    got = {last[g] for g in frame.gt if g in last and (g, last[g]) in near}
    return [place for place, one in enumerate(frame.pred) if one in got]


def _without(frame: JointFrame, places: np.ndarray) -> JointFrame:
    """The frame without some predicted boxes; none of them is in a pair."""
    kept = [place for place in range(len(frame.pred)) if place not in set(places.tolist())]
    moved = {place: new for new, place in enumerate(kept)}
    pairs = [(g, moved[p], distance) for g, p, distance in frame.pairs]
    return JointFrame(frame.gt, [frame.pred[place] for place in kept], pairs)


def _in_regions(
    boxes: Float[np.ndarray, "n 4"], regions: tuple[Float[np.ndarray, "_ 2"], ...], protocol: BoxProtocol
) -> Bool[np.ndarray, " n"]:
    inside = np.zeros(len(boxes), bool)
    areas = box_areas(boxes)
    for region in regions:
        if len(region) < 3:
            continue
        common = np.array([covered_area(region, box) for box in boxes]).reshape(len(boxes))
        whole = areas + _area(region) - common if protocol.by_union else areas
        inside |= common > _IN_REGION * whole
    return inside


def covered_area(polygon: Float[np.ndarray, "corners 2"], box: Float[np.ndarray, " 4"]) -> float:
    """Area that a simple polygon and a box share: the polygon is cut at one side of the box after the other.

    Args:
        polygon: Corners in order.
        box: x1, y1, x2, y2.

    Returns:
        Square pixels.
    """
    for axis, side, place in ((0, 1, box[0]), (1, 1, box[1]), (0, -1, box[2]), (1, -1, box[3])):
        if not len(polygon):
            return 0.0
        depth = side * (polygon[:, axis] - place)
        after, deeper = np.roll(polygon, -1, 0), np.roll(depth, -1)
        kept = []
        for here, there, d0, d1 in zip(polygon, after, depth, deeper, strict=True):
            if d0 >= 0:
                kept.append(here)
            if (d0 >= 0) != (d1 >= 0):
                kept.append(here + (there - here) * d0 / (d0 - d1))
        polygon = np.array(kept).reshape(-1, 2)
    return _area(polygon)


def _area(polygon: Float[np.ndarray, "corners 2"]) -> float:
    x, y = polygon.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
