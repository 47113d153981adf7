"""Links between tracklets that a person made or forbade: must-link and cannot-link for the sewer and the bridge.

A tracklet is named by its keyframe and its place among the tracklets of that keyframe. Where a person decided, the
tubes from before say no more: they take no part in later comparisons, so that the rest of the video is sewn to what the
person chose.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = ["Key", "Links"]

Key = tuple[int, int]
"""Keyframe, and place in it."""


@dataclass
class Links:
    """What a person said of tracklets; it also learns which tracks they became.

    Attributes:
        same: Tracklet -> earlier ones whose track it continues; the first one of them that has a track counts.
        apart: Tracklet -> earlier ones whose track it does not continue.
        ids: Tracklet -> its track, filled while they are sewn.
        forbidden: Pairs of tracks that no later stage may join.
    """

    same: dict[Key, tuple[Key, ...]] = field(default_factory=dict)
    apart: dict[Key, tuple[Key, ...]] = field(default_factory=dict)
    ids: dict[Key, int] = field(default_factory=dict)
    forbidden: set[tuple[int, int]] = field(default_factory=set)

    def decide(
        self,
        keyframe: int,
        keep: Bool[np.ndarray, " n"],
        live: Iterable[int],
        pairs: tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"], Float[np.ndarray, " pairs"]],
    ) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"], Float[np.ndarray, " m"]]:
        """The pairs that the sewer may choose from, after what the person said.

        Args:
            keyframe: Of the new tracklets.
            keep: Which of them are no duplicates.
            live: Tracks that a new tracklet may still overlap.
            pairs: Place of a new tracklet, track, similarity.

        Returns:
            Pairs in the same form; a link that was made is the only pair of its tracklet and of its track.
        """
        rows, tracks, similarity = pairs
        alive = set(live)
        allowed = np.ones(len(rows), bool)
        made: dict[int, int] = {}
        for i in np.flatnonzero(keep).tolist():
            for track in self._tracks(self.apart.get((keyframe, i), ())):
                allowed &= ~((rows == i) & (tracks == track))
            for track in self._tracks(self.same.get((keyframe, i), ()))[:1]:
                if track in alive and track not in made.values():
                    made[i] = track
        allowed &= ~np.isin(rows, list(made)) & ~np.isin(tracks, list(made.values()))
        added = np.array(list(made.items()), np.int64).reshape(-1, 2)
        return (
            np.concatenate([rows[allowed], added[:, 0]]),
            np.concatenate([tracks[allowed], added[:, 1]]),
            np.concatenate([similarity[allowed], np.ones(len(added))]),
        )

    def settle(self, keyframe: int, ids: Int[np.ndarray, " n"]) -> list[int]:
        """Take note of which tracks the tracklets of a keyframe became.

        Args:
            keyframe: The keyframe.
            ids: Their tracks; below 0 for none.

        Returns:
            Tracks whose tubes of earlier keyframes no longer count.
        """
        past: list[int] = []
        for i, track in enumerate(ids.tolist()):
            self.ids[keyframe, i] = track
            before = self._tracks(self.apart.get((keyframe, i), ()))
            self.forbidden.update((other, track) for other in before if track >= 0 and other != track)
            past += before + self._tracks(self.same.get((keyframe, i), ()))
        return past

    def _tracks(self, keys: Sequence[Key]) -> list[int]:
        """Tracks of earlier tracklets, each once."""
        found = (self.ids.get(key, -1) for key in keys)
        return list(dict.fromkeys(track for track in found if track >= 0))
