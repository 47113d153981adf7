"""Sew (paper 3.2): tracklets into tracks, by the similarity of their poses in the frames that they share.

Each tracklet of a new keyframe is compared with every earlier tracklet of a track that it overlaps (figure 3), not
only with those of the previous keyframe: that bridges keyframes in which the detector missed the person. The
similarity of a tracklet and a track is the mean OKS over all (frame, earlier tracklet) pairs; the Hungarian
algorithm maximises its sum.

What the paper leaves open:

* a joint counts where both poses have it with `SewConfig.joint_confidence`; a frame counts where the poses share
  `SewConfig.min_joints` joints (one joint agrees by chance too easily);
* pairs below `SewConfig.min_similarity` are never joined;
* duplicates of one person in a keyframe go first, by OKS-NMS over the whole tubes: two people who cross in one
  frame are not duplicates. Strength is box score times mean joint score;
* a track ends when no tracklet of it can overlap a new one, |C| frames after its last, and at a shot cut.

The cost of a keyframe grows with the pairs of neighbours in space (`oks.neighbours` loses no pair that could reach
the floor), not with the square of the people; the assignment is solved per connected component of those pairs.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from dettrack.config import SewConfig
from dettrack.geometry import extents
from dettrack.matching import match, runners_up
from dettrack.oks import PackedPoses, neighbours, object_areas, oks_nms, oks_of_rows, pack, reach
from dettrack.sew.links import Links
from dettrack.skeleton import JointSet
from dettrack.structures import CloseLink, Tracklets
from dettrack.structures.report import Tally

__all__ = ["Sewer", "close_links", "strongest"]

_CLOSE = 0.15  # margin in OKS below which another choice is a close second


@dataclass(frozen=True)
class _Prepared:
    """Tracklets with what every comparison needs, computed once; of one keyframe, or of several."""

    poses: PackedPoses  # clip after clip
    start: Int[np.ndarray, " n"]  # row of each tracklet's first frame
    first: Int[np.ndarray, " n"]  # that frame's index
    stop: Int[np.ndarray, " n"]  # one past the index of the last frame
    area: Float[np.ndarray, " n"]
    extent: Float[np.ndarray, "n 4"]
    ids: Int[np.ndarray, " n"]

    @staticmethod
    def of(tracklets: Tracklets, confidence: float, sigmas: Float[np.ndarray, " joints"]) -> _Prepared:
        has = (tracklets.scores >= confidence) & np.isfinite(tracklets.xy.sum(-1))
        n, clip, joints = has.shape
        return _Prepared(
            pack(tracklets.xy.reshape(n * clip, joints, 2), has.reshape(n * clip, joints), sigmas),
            np.arange(n) * clip,
            np.full(n, tracklets.frames[0]),
            np.full(n, tracklets.frames[0] + clip),
            object_areas(tracklets.boxes.xyxy).astype(np.float64),
            extents(tracklets.xy, has).astype(np.float64),
            np.full(n, -1),
        )

    @staticmethod
    def concatenate(parts: Sequence[_Prepared]) -> _Prepared:
        """All tracklets of at least one part."""
        rows = np.cumsum([0, *(len(part.poses.joints) for part in parts[:-1])])
        return _Prepared(
            PackedPoses.concatenate([part.poses for part in parts]),
            np.concatenate([part.start + row for part, row in zip(parts, rows, strict=True)]),
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("first", "stop", "area", "extent", "ids")
            ),
        )

    def near(
        self, other: _Prepared, sigmas: Float[np.ndarray, " joints"], floor: float
    ) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
        """Pairs of tracklets whose OKS may reach `floor` in some frame."""
        return neighbours(self.extent, reach(self.area, sigmas, floor), other.extent, reach(other.area, sigmas, floor))


def _expand(count: Int[np.ndarray, " n"]) -> tuple[Int[np.ndarray, " total"], Int[np.ndarray, " total"]]:
    """For each of the counts its index, `count` times, beside 0, 1, ..., `count` - 1."""
    index = np.repeat(np.arange(len(count)), count)
    return index, np.arange(len(index)) - np.repeat(np.cumsum(count) - count, count)


def _sum_oks(
    a: _Prepared,
    i: Int[np.ndarray, " pairs"],
    b: _Prepared,
    j: Int[np.ndarray, " pairs"],
    min_joints: int,
) -> tuple[Float[np.ndarray, " pairs"], Float[np.ndarray, " pairs"]]:
    """Sum of the OKS of tracklets `a[i]` and `b[j]` over their common frames, and the weight of the frames summed."""
    first, stop = np.maximum(a.first[i], b.first[j]), np.minimum(a.stop[i], b.stop[j])
    pair, frame = _expand(np.maximum(stop - first, 0))
    row_a = (a.start[i] + first - a.first[i])[pair] + frame
    row_b = (b.start[j] + first - b.first[j])[pair] + frame
    area = ((a.area[i] + b.area[j]) / 2)[pair]
    values, known = oks_of_rows(a.poses, row_a, b.poses, row_b, area, min_joints)
    weight = known.astype(np.float64)
    # without pairs bincount counts in integers
    return (
        np.bincount(pair, values * weight, len(i)).astype(np.float64),
        np.bincount(pair, weight, len(i)).astype(np.float64),
    )


def _mean(total: Float[np.ndarray, " n"], weight: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Mean similarity, 0 where nothing is known."""
    return np.where(weight > 0, total / np.where(weight > 0, weight, 1), 0.0)


def strongest(
    tracklets: Tracklets, prepared: _Prepared, sigmas: Float[np.ndarray, " joints"], threshold: float, min_joints: int
) -> Bool[np.ndarray, " n"]:
    """Survivors of OKS-NMS among one keyframe's tracklets; a mean OKS over the clip above `threshold` is a duplicate.

    Args:
        tracklets: Of one keyframe.
        prepared: The same.
        sigmas: Tolerance of each joint.
        threshold: In [0, 1].
        min_joints: See `SewConfig`.

    Returns:
        Which of the tracklets stay.
    """
    i, j = prepared.near(prepared, sigmas, threshold)
    i, j = i[i < j], j[i < j]
    duplicate = _mean(*_sum_oks(prepared, i, prepared, j, min_joints)) > threshold
    has = np.isfinite(tracklets.xy.sum(-1))
    joints = np.where(has, tracklets.scores, 0).sum((1, 2)) / np.maximum(has.sum((1, 2)), 1)
    return oks_nms((i[duplicate], j[duplicate]), tracklets.boxes.scores * joints)


def close_links(
    tracklets: Tracklets,
    ids: Int[np.ndarray, " n"],
    pairs: tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"], Float[np.ndarray, " pairs"]],
    chosen: Int[np.ndarray, " matched"],
) -> tuple[CloseLink, ...]:
    """Links of one keyframe that had a close second.

    Args:
        tracklets: Of the keyframe.
        ids: The tracks that they have now.
        pairs: Tracklet, track id and similarity of each pair that was allowed.
        chosen: Indices of the pairs that became links.

    Returns:
        One item for each such link.
    """
    rows, tracks, similarity = pairs
    columns = np.unique(tracks, return_inverse=True)[1]
    second = runners_up(rows, columns, similarity, chosen)
    margin = similarity[chosen] - similarity[second]
    return tuple(
        CloseLink(
            tracklets.keyframe,
            tracklets.boxes.xyxy[rows[pair]].astype(np.float64),
            int(tracks[other] if rows[other] == rows[pair] else ids[rows[other]]),
            float(similarity[pair]),
            float(gap),
        )
        for pair, other, gap in zip(chosen, second, margin, strict=True)
        if other >= 0 and gap < _CLOSE
    )


class Sewer:
    """Gives each tracklet the identity of its track, keyframe by keyframe.

    Attributes:
        last_similarity: `(n,)` similarity of each tracklet of the last `add` with the track that it joined; NaN where
            it started a track or was dropped.
        close_links: Links of the last `add` that had a close second.
    """

    def __init__(self, config: SewConfig, joint_set: JointSet, clip_length: int, links: Links | None = None) -> None:
        """Begin.

        Args:
            config: Similarities.
            joint_set: Of the tracklets.
            clip_length: |C|.
            links: What people said of single tracklets.
        """
        self.config, self._links = config, links
        self.clip_length = clip_length
        self.last_similarity: Float[np.ndarray, " n"] = np.zeros(0)
        self.close_links: tuple[CloseLink, ...] = ()
        self._dropped: Counter[str] = Counter()
        self._sigmas = joint_set.sigmas
        self._past: deque[_Prepared] = deque()  # keyframes whose tubes may overlap the next one's
        self._next_id = 0

    @property
    def tally(self) -> Tally:
        """Tracklets dropped so far, by reason."""
        return Tally(dropped=self._dropped)

    def add(self, tracklets: Tracklets) -> Int[np.ndarray, " n"]:
        """Identities of the tracklets of the next keyframe.

        Args:
            tracklets: Of a later keyframe than all before.

        Returns:
            Track ids from 0, never used twice; -1 for a tracklet that OKS-NMS dropped.
        """
        new = _Prepared.of(tracklets, self.config.joint_confidence, self._sigmas)
        keep = strongest(tracklets, new, self._sigmas, self.config.nms_similarity, self.config.min_joints)
        self._dropped["oks_nms"] += int((~keep).sum())
        # Tubes of added keyframes may be short: it is the reach of a whole one that decides what may still be needed.
        earliest = tracklets.keyframe - self.clip_length // 2
        self._past = deque(past for past in self._past if past.stop[0] > earliest)
        self.last_similarity = np.full(len(tracklets), np.nan)
        rows, tracks, similarity = self._compare(new)
        allowed = keep[rows] & (similarity >= self.config.min_similarity) & (similarity > 0)
        rows, tracks, similarity = rows[allowed], tracks[allowed], similarity[allowed]
        if self._links is not None:
            live = {int(track) for past in self._past for track in past.ids}
            pairs = (rows, tracks, similarity)
            rows, tracks, similarity = self._links.decide(tracklets.keyframe, keep, live, pairs)
        columns, column = np.unique(tracks, return_inverse=True)
        chosen = match(rows, column, similarity, (len(tracklets), len(columns)))
        new.ids[rows[chosen]] = tracks[chosen]
        self.last_similarity[rows[chosen]] = similarity[chosen]
        started = np.flatnonzero(keep & (new.ids < 0))
        new.ids[started] = self._next_id + np.arange(len(started))
        self._next_id += len(started)
        self.close_links = close_links(tracklets, new.ids, (rows, tracks, similarity), chosen)
        if self._links is not None:
            gone = self._links.settle(tracklets.keyframe, new.ids)
            for past in self._past:
                past.ids[np.isin(past.ids, gone)] = -1
        if len(new.ids):
            self._past.append(new)
        return new.ids

    def end_shot(self) -> None:
        """End all tracks: nothing is compared across a shot cut."""
        self._past.clear()

    def _compare(
        self, new: _Prepared
    ) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"], Float[np.ndarray, " pairs"]]:
        """Pairs (tracklet, track id) with their mean OKS; every pair that can reach the floor is among them."""
        none = np.zeros(0, np.int64)
        if not self._past or not len(new.ids):
            return none, none, np.zeros(0)
        old = _Prepared.concatenate(list(self._past))
        i, j = new.near(old, self._sigmas, self.config.min_similarity)
        joined = old.ids[j] >= 0
        rows, tracks = np.divmod(np.unique(i[joined] * self._next_id + old.ids[j[joined]]), max(self._next_id, 1))
        # All earlier tracklets of such a track count, those that are far away with what they deserve.
        order = np.argsort(old.ids, kind="stable")  # within a track by keyframe
        begin = np.searchsorted(old.ids, tracks, sorter=order)
        end = np.searchsorted(old.ids, tracks, side="right", sorter=order)
        if self.config.link_to == "last":
            begin = end - 1
        pair, place = _expand(end - begin)
        total, weight = _sum_oks(new, rows[pair], old, order[begin[pair] + place], self.config.min_joints)
        n = len(rows)
        # without pairs bincount counts in integers
        sums = (np.bincount(pair, values, n).astype(np.float64) for values in (total, weight))
        return rows, tracks, _mean(*sums)
