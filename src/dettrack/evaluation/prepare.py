"""What counts: frames, people and joints of one sequence, after the rules on labels, lists and ignore regions.

`prepare` pairs the annotations of a sequence with its predictions by the position of the frames and applies, in this
order: thresholds on joint scores, joints at (0, 0), the choice of frames, people without a list of joints, ignore
regions. What is left is all that the measures see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int

from dettrack.errors import InputError
from dettrack.evaluation.polygon import in_any
from dettrack.evaluation.rules import EVALUATION15, MAX_TRACK_ID, MISSING_SCORE, Rules
from dettrack.formats.posetrack import NO_ID, People, PoseSequence

__all__ = ["Prepared", "apply_thresholds", "check_pair", "pair_notes", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """The frames of a sequence that count, and who is in them.

    Attributes:
        name: Name of the sequence.
        frames: `(f,)` position of each frame that counts in the sequence's images.
        gt: Annotated people; `image` counts the frames that count, joints are in the order of `EVALUATION15`.
        pred: Predicted people, likewise.
    """

    name: str
    frames: Int[np.ndarray, " f"]
    gt: People
    pred: People

    def __len__(self) -> int:
        return len(self.frames)

    def rows(self, people: People) -> list[slice]:
        """Rows of each frame in `gt` or `pred`."""
        edges = np.searchsorted(people.image, np.arange(len(self) + 1)).tolist()
        return [slice(a, b) for a, b in pairwise(edges)]


def prepare(
    gt: PoseSequence, pred: PoseSequence, rules: Rules, thresholds: Mapping[str, float] | None = None
) -> Prepared:
    """Apply the rules to one sequence.

    Args:
        gt: Annotations.
        pred: Predictions, of the same number of frames.
        rules: Which rules.
        thresholds: Joint name to score; predicted joints with a lower score (or none) are dropped.

    Returns:
        What the measures count.

    Raises:
        InputError: The two do not fit together, or break a rule on ids; see `check_pair`.
    """
    check_pair(gt, pred)
    gt, pred = gt.with_joints(EVALUATION15), pred.with_joints(EVALUATION15)
    if thresholds:
        pred = apply_thresholds(pred, thresholds)
    truth, found = _existing(gt.people, rules), _existing(pred.people, rules)
    frames = np.flatnonzero(_counting_frames(gt, rules))
    position = np.full(len(gt) + 1, -1)
    position[frames] = np.arange(len(frames))

    def listed(people: People) -> People:
        people = people[(position[people.image] >= 0) & people.listed]
        return replace(people, image=position[people.image])

    truth, found = listed(truth), listed(found)
    regions = {i: gt.images[frame].ignore_regions for i, frame in enumerate(frames) if gt.images[frame].ignore_regions}
    return Prepared(gt.name, frames, _outside(truth, regions), _outside(found, regions))


def check_pair(gt: PoseSequence, pred: PoseSequence) -> None:
    """Refuse predictions that do not fit the annotations.

    Args:
        gt: Annotations.
        pred: Predictions.

    Raises:
        InputError: Different numbers of frames, an id twice in a frame of the predictions, ids of 10000 or more, or
            people without ids.
    """
    if len(gt) != len(pred):
        raise InputError(
            f"{gt.name}: {len(pred)} frames predicted, {len(gt)} annotated; list every frame of the annotation file, "
            "in its order"
        )
    for what, sequence in (("annotations", gt), ("predictions", pred)):
        ids = sequence.people.track_id
        if (ids[sequence.people.listed] == NO_ID).any():
            raise InputError(f"{gt.name}: {what} have people without a track_id; every person needs one")
        if len(ids) and ids.max() >= MAX_TRACK_ID:
            raise InputError(f"{gt.name}: {what} have track_id {ids.max()}; ids must be below {MAX_TRACK_ID}")
    twice = _first_repeated(pred)
    if twice:
        raise InputError(f"{gt.name}: predictions have {twice}; an id may occur once in a frame")


def pair_notes(gt: PoseSequence, pred: PoseSequence) -> list[str]:
    """What is odd in a pair of files but allowed, one line each: names, repeated annotated ids, missing scores.

    Args:
        gt: Annotations.
        pred: Predictions.

    Returns:
        Lines for the user.
    """
    notes = [*gt.notes, *pred.notes]
    twice = _first_repeated(gt)
    if twice:
        notes.append(f"{gt.name}: annotations have {twice}")
    names = [(_bare(a.file_name), _bare(b.file_name)) for a, b in zip(gt.images, pred.images, strict=True)]
    other = [i for i, (a, b) in enumerate(names) if a != b]
    if other:
        a, b = names[other[0]]
        notes.append(
            f"{gt.name}: {len(other)} frames have other names in the predictions ({b!r} for {a!r} in frame {other[0]});"
            " frames are paired by position"
        )
    unscored = int((~np.isnan(pred.people.xy[..., 0]) & np.isnan(pred.people.scores)).sum())
    if unscored:
        notes.append(f"{gt.name}: {unscored} predicted joints have no score; {MISSING_SCORE:g} is assumed")
    return notes


def _bare(file_name: str) -> str:
    return file_name.rsplit("/", 1)[-1].rsplit(".", 1)[0].lstrip("0")


def _first_repeated(sequence: PoseSequence) -> str:
    """Names the first person whose id occurs twice in a frame; "" if there is none."""
    people = sequence.people
    keys = np.stack([people.image, people.track_id], 1)[people.track_id != NO_ID]
    keys = keys[np.lexsort(keys.T[::-1])]
    same = np.flatnonzero((keys[1:] == keys[:-1]).all(1))
    if not same.size:
        return ""
    frame, track = keys[same[0]]
    return f"track_id {track} twice in frame {frame} ({sequence.images[frame].file_name})"


def apply_thresholds(pred: PoseSequence, thresholds: Mapping[str, float]) -> PoseSequence:
    """Drop predicted joints whose score is below their joint's threshold; a joint without a score is dropped too.

    The person stays in the file, maybe without any joint, as in a file whose joints were set to 0, 0, 0.

    Args:
        pred: Predictions.
        thresholds: Joint name to score; a joint that is not named has none.

    Returns:
        The predictions without these joints.
    """
    limits = np.array([thresholds.get(joint, -np.inf) for joint in pred.joint_set.joints])
    scores = np.where(np.isnan(pred.people.scores), MISSING_SCORE, pred.people.scores)
    return replace(pred, people=_without(pred.people, scores < limits))


def _without(people: People, drop: Bool[np.ndarray, "n joints"]) -> People:
    return replace(people, xy=np.where(drop[..., None], np.nan, people.xy)) if drop.any() else people


def _existing(people: People, rules: Rules) -> People:
    """Rules `zero_is_missing` and `positive_only`: which given coordinates are joints at all."""
    drop = np.zeros(people.xy.shape[:2], bool)
    if rules.zero_is_missing:
        drop |= (people.xy == 0).all(-1)
    if rules.positive_only:
        drop |= ~(people.xy > 0).all(-1)
    return _without(people, drop)


def _counting_frames(gt: PoseSequence, rules: Rules) -> Bool[np.ndarray, " images"]:
    """Rule `by_flag`: frames with an annotated person (with or without joints), or those flagged as labelled."""
    inhabited = np.diff(gt.starts) > 0
    if not rules.by_flag:
        return inhabited
    flags = [image.is_labeled for image in gt.images]
    return np.array([people if flag is None else flag for flag, people in zip(flags, inhabited, strict=True)], bool)


def _outside(people: People, regions: Mapping[int, tuple[Float[np.ndarray, "_ 2"], ...]]) -> People:
    """Without the joints in ignore regions; who has no joint left leaves too, but only in frames with a region.

    Boxes play no part, and predictions are judged by the annotations' regions.
    """
    drop = np.zeros(people.xy.shape[:2], bool)
    keep = np.ones(len(people), bool)
    for frame, polygons in regions.items():
        rows = slice(*np.searchsorted(people.image, [frame, frame + 1]))
        drop[rows] = in_any(polygons, people.xy[rows])
        keep[rows] = (~np.isnan(people.xy[rows, :, 0]) & ~drop[rows]).any(1)
    return _without(people, drop)[keep]
