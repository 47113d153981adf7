"""Baselines beside `sewer.Sewer`: they link the poses of keyframes and never use the other frames of the tubes.

* "oks-gbm" and "oks-gbm-greedy": bipartite matching by OKS between one keyframe and the next (the usual baseline of
  the paper's table 7); a person missed in one keyframe comes back with a new identity.
* "oks-velocity": the strongest simple baseline. A lost person is kept for `SewConfig.memory` frames, moved on with
  constant velocity, and matched by OKS with the Hungarian algorithm; gaps are interpolated afterwards
  (`finish.gaps` with the memory as bound, see `linker.gap_frames`).

All drop duplicates by OKS-NMS first, as the sewer does.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from dettrack.config import SewConfig
from dettrack.geometry import extents
from dettrack.matching import match, match_greedily
from dettrack.oks import neighbours, object_areas, oks, oks_nms, reach
from dettrack.sew.sewer import close_links
from dettrack.skeleton import JointSet
from dettrack.structures import CloseLink, Tracklets
from dettrack.structures.report import Tally

__all__ = ["KeyframeLinker"]

# Share of the newest displacement in the running velocity of a track: one keyframe's noise must not throw it off.
_NEWEST = 0.5


@dataclass(frozen=True)
class _Tracks:
    """Live tracks, one row each, with the pose where the track was last seen."""

    ids: Int[np.ndarray, " n"]
    keyframe: Int[np.ndarray, " n"]
    xy: Float[np.ndarray, "n joints 2"]
    has: Bool[np.ndarray, "n joints"]
    area: Float[np.ndarray, " n"]
    velocity: Float[np.ndarray, "n 2"]  # pixels per frame

    def __getitem__(self, keep: Int[np.ndarray, " m"] | Bool[np.ndarray, " n"]) -> _Tracks:
        return _Tracks(*(values[keep] for values in vars(self).values()))

    @staticmethod
    def concatenate(a: _Tracks, b: _Tracks) -> _Tracks:
        return _Tracks(*(np.concatenate(pair) for pair in zip(vars(a).values(), vars(b).values(), strict=True)))


class KeyframeLinker:
    """Identities from the keyframes' poses alone; used like `sewer.Sewer`.

    Attributes:
        last_similarity: `(n,)` OKS of each tracklet of the last `add` with the pose that it was joined to; NaN where
            it started a track or was dropped.
        close_links: Links of the last `add` that had a close second.
    """

    def __init__(self, config: SewConfig, joint_set: JointSet) -> None:
        self.config = config
        self.last_similarity: Float[np.ndarray, " n"] = np.zeros(0)
        self.close_links: tuple[CloseLink, ...] = ()
        self._dropped: Counter[str] = Counter()
        self._sigmas = joint_set.sigmas
        self._tracks = _no_tracks(len(self._sigmas))
        self._last_keyframe = -1
        self._next_id = 0

    @property
    def tally(self) -> Tally:
        """Tracklets dropped so far, by reason."""
        return Tally(dropped=self._dropped)

    def add(self, tracklets: Tracklets) -> Int[np.ndarray, " n"]:
        """Identities of the tracklets of the next keyframe; -1 for a duplicate that OKS-NMS dropped."""
        new = self._poses(tracklets)
        scores = tracklets.boxes.scores * np.where(new.has, self._key(tracklets)[1], 0).mean(1)
        i, j, similarity = self._similar(new, new, self.config.nms_similarity)
        duplicate = (i < j) & (similarity > self.config.nms_similarity)
        keep = oks_nms((i[duplicate], j[duplicate]), scores)
        self._dropped["oks_nms"] += int((~keep).sum())
        self.last_similarity = np.full(len(tracklets), np.nan)
        joined = np.full(len(tracklets), -1)
        live = self._live(tracklets.keyframe)
        expected = self._expected(live, tracklets.keyframe)
        i, j, similarity = self._similar(new, expected, self.config.min_similarity)
        allowed = keep[i] & (similarity >= self.config.min_similarity) & (similarity > 0)
        i, j, similarity = i[allowed], j[allowed], similarity[allowed]
        matcher = match_greedily if self.config.linking == "oks-gbm-greedy" else match
        chosen = matcher(i, j, similarity, (len(tracklets), len(live.ids)))
        joined[i[chosen]] = j[chosen]
        new.ids[i[chosen]] = live.ids[j[chosen]]
        self.last_similarity[i[chosen]] = similarity[chosen]
        started = np.flatnonzero(keep & (joined < 0))
        new.ids[started] = self._next_id + np.arange(len(started))
        self._next_id += len(started)
        self.close_links = close_links(tracklets, new.ids, (i, live.ids[j], similarity), chosen)
        self._remember(new, live, expected, joined)
        self._last_keyframe = tracklets.keyframe
        return new.ids.copy()

    def end_shot(self) -> None:
        """End all tracks."""
        self._tracks = _no_tracks(len(self._sigmas))

    def _key(self, tracklets: Tracklets) -> tuple[Float[np.ndarray, "n joints 2"], Float[np.ndarray, "n joints"]]:
        key = tracklets.keyframe - int(tracklets.frames[0])
        return tracklets.xy[:, key], tracklets.scores[:, key]

    def _poses(self, tracklets: Tracklets) -> _Tracks:
        xy, scores = self._key(tracklets)
        has = (scores >= self.config.joint_confidence) & np.isfinite(xy).all(-1)
        n = len(tracklets)
        return _Tracks(
            np.full(n, -1),
            np.full(n, tracklets.keyframe),
            np.where(has[..., None], xy, 0.0).astype(np.float64),
            has,
            object_areas(tracklets.boxes.xyxy).astype(np.float64),
            np.zeros((n, 2)),
        )

    def _similar(
        self, a: _Tracks, b: _Tracks, floor: float
    ) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"], Float[np.ndarray, " pairs"]]:
        """Neighbouring pairs and their OKS, 0 where it is not known."""
        i, j = neighbours(
            extents(a.xy, a.has),
            reach(a.area, self._sigmas, floor),
            extents(b.xy, b.has),
            reach(b.area, self._sigmas, floor),
        )
        area = (a.area[i] + b.area[j]) / 2
        values = oks(a.xy[i], a.has[i], b.xy[j], b.has[j], area, self._sigmas, self.config.min_joints)
        return i, j, np.nan_to_num(values, nan=0.0)

    def _live(self, keyframe: int) -> _Tracks:
        """Tracks that may go on."""
        if self.config.linking == "oks-velocity":
            return self._tracks[keyframe - self._tracks.keyframe <= self.config.memory]
        return self._tracks[self._tracks.keyframe == self._last_keyframe]

    def _expected(self, live: _Tracks, keyframe: int) -> _Tracks:
        """The live tracks where they should be now; "oks-gbm" expects no motion."""
        if self.config.linking != "oks-velocity":
            return live
        shift = live.velocity * (keyframe - live.keyframe)[:, None]
        return replace(live, xy=live.xy + shift[:, None])

    def _remember(self, new: _Tracks, live: _Tracks, expected: _Tracks, joined: Int[np.ndarray, " n"]) -> None:
        """Keep the tracks that were seen, with their new velocity, and those that may come back."""
        on = np.flatnonzero(joined >= 0)
        row = joined[on]
        both = new.has[on] & expected.has[row]
        # The mean miss of the expected pose is what the velocity lacked.
        miss = (
            np.where(both[..., None], new.xy[on] - expected.xy[row], 0.0).sum(1) / np.maximum(both.sum(1), 1)[:, None]
        )
        frames = (new.keyframe[on] - live.keyframe[row])[:, None]
        new.velocity[on] = live.velocity[row] + _NEWEST * miss / frames
        lost = np.setdiff1d(np.arange(len(live.ids)), row)
        self._tracks = _Tracks.concatenate(new[new.ids >= 0], live[lost])


def _no_tracks(joints: int) -> _Tracks:
    none = np.zeros(0, np.int64)
    return _Tracks(none, none, np.zeros((0, joints, 2)), np.zeros((0, joints), bool), np.zeros(0), np.zeros((0, 2)))
