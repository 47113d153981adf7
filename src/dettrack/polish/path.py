"""The shortest path through the clusters of one joint over time, found while the frames arrive (paper 3.3).

The paper runs Dijkstra's algorithm on a graph whose layers are frames. On layers it is a Viterbi recursion: the
cheapest path to each cluster of a frame follows from those of the frame before. As soon as the cheapest paths to all
clusters of the newest frame share their past, that past is final, however the future goes; so the online answer is
the offline shortest path (tested against scipy's Dijkstra).

**Reading of φ** (the paper's copy lost its formula):

    φ(c[t], c[t+1]) = (|H[t]| - |c[t]|) + (|H[t+1]| - |c[t+1]|) + λ · ‖μ(c[t]) - μ(c[t+1])‖

so each cluster's spatial cost counts twice, once when the path enters it and once when it leaves. Here a path also
enters its first cluster and leaves its last one at that cluster's spatial cost, which makes the rule uniform and lets a
track of one frame choose its largest cluster.

**Frames without a hypothesis of a joint** are one free node without a position: every path passes it, at no cost.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = ["OnlinePaths", "temporal_cost"]


def temporal_cost(
    a: Float[np.ndarray, "*batch k 2"],
    b: Float[np.ndarray, "*batch m 2"],
    unit: Float[np.ndarray, "*batch"],
    squared: bool,
) -> Float[np.ndarray, "*batch k m"]:
    """Distance between all cluster centres of consecutive frames, in `unit` pixels; or its square.

    Args:
        a: Cluster centres in a frame, in pixels.
        b: Those of the next frame.
        unit: Pixels that count as one.
        squared: The square of the distance instead.

    Returns:
        For each pair of clusters.
    """
    difference = (a[..., :, None, :] - b[..., None, :, :]) / unit[..., None, None, None]
    square = np.einsum("...c,...c->...", difference, difference)
    return square if squared else np.sqrt(square)


@dataclass
class _Layer:
    """One frame: rows are people in ascending order of their ids."""

    ids: Int[np.ndarray, " people"]
    cost: Float[np.ndarray, "people joints k"]  # of the cheapest path to each cluster, inf where there is none
    centres: Float[np.ndarray, "people joints k 2"]
    previous: Int[np.ndarray, "people joints"]  # row in the layer before, -1 where the path begins here
    back: Int[np.ndarray, "people joints k"]  # cluster in the layer before on the cheapest path
    choice: Int[np.ndarray, "people joints"]  # the decided cluster; -1 undecided, -2 no cluster
    ended: Bool[np.ndarray, "people joints"]  # the path does not go on in the next layer
    n: Int[np.ndarray, "people joints"]  # number of clusters

    @property
    def decided(self) -> bool:
        return bool((self.choice != -1).all())


class OnlinePaths:
    """Shortest paths of all joints of all people, frame by frame.

    Frames go in by `push`; decisions come out by `pop`, whole frames in order. Undecided frames alone are held.

    Args:
        lam: λ, weight of the temporal cost.
        squared: Squared distances.
        max_lag: When this many frames are undecided, the older half of them is decided along the path that is
            cheapest at the time, and paths that disagree with it are given up.
    """

    def __init__(self, lam: float, squared: bool = False, max_lag: int = 256) -> None:
        self.lam = lam
        self.squared = squared
        self.max_lag = max_lag
        self._layers: deque[_Layer] = deque()
        self._newest: _Layer | None = None  # where the recursion goes on; it may have been popped
        self._since_trace = 0

    def __len__(self) -> int:
        """Frames that were pushed and not popped."""
        return len(self._layers)

    def push(
        self,
        ids: Int[np.ndarray, " people"],
        spatial: Float[np.ndarray, "people joints k"],
        centres: Float[np.ndarray, "people joints k 2"],
        unit: Float[np.ndarray, " people"],
    ) -> None:
        """Add the frame after the last one.

        Args:
            ids: Tracks in this frame, ascending. A track that was in the last frame and is not in this one ends.
            spatial: |H| - |c| or another spatial cost of each cluster; inf where there is no cluster.
            centres: μ(c) in pixels; anything where there is no cluster.
            unit: Pixels per unit of distance.
        """
        exists = np.isfinite(spatial)
        people, joints, k = spatial.shape
        layer = _Layer(
            ids,
            2 * spatial,
            np.where(exists[..., None], centres, 0.0),
            np.full((people, joints), -1),
            np.zeros((people, joints, k), np.int64),
            np.where(exists.any(-1), -1, -2),
            np.zeros((people, joints), bool),
            exists.sum(-1),
        )
        if self._newest is not None:
            self._extend(self._newest, layer, unit)
        self._layers.append(layer)
        self._newest = layer
        # Tracing a long undecided past at every frame would take quadratic time; waiting for an eighth of it is linear.
        self._since_trace += 1
        if 8 * self._since_trace >= len(self._layers):
            self._trace()
        if len(self._layers) > self.max_lag:
            self._give_up_paths()
            self._trace()

    def end(self) -> None:
        """End all paths: everything is decided. The next frame starts anew."""
        if self._newest is not None:
            _end(self._newest, np.ones(self._newest.choice.shape, bool))
            self._trace()
            self._newest = None

    def pop(self) -> list[Int[np.ndarray, "people joints"]]:
        """Chosen clusters of the frames at the front that are wholly decided; -2 where there is no cluster."""
        out = []
        while self._layers and self._layers[0].decided:
            out.append(self._layers.popleft().choice)
        return out

    def _extend(self, old: _Layer, new: _Layer, unit: Float[np.ndarray, " people"]) -> None:
        """One step of the recursion, for the joints that have clusters in both frames; the other paths end."""
        goes_on = np.zeros(new.choice.shape, bool)
        before = np.zeros(len(new.ids), np.int64)
        if len(old.ids):
            before = np.searchsorted(old.ids, new.ids).clip(max=len(old.ids) - 1)
            goes_on = (old.ids[before] == new.ids)[:, None] & (new.choice == -1) & (old.choice[before] != -2)
        person, joint = np.nonzero(goes_on)
        row = before[person]
        ended = np.ones(old.choice.shape, bool)
        ended[row, joint] = False
        _end(old, ended)
        new.previous[person, joint] = row
        # From one cluster to one cluster there is nothing to compare.
        several = (old.n[row, joint] > 1) | (new.n[person, joint] > 1)
        person, joint, row = person[several], joint[several], row[several]
        if not len(person):
            return
        step = self.lam * temporal_cost(old.centres[row, joint], new.centres[person, joint], unit[person], self.squared)
        total = old.cost[row, joint][:, :, None] + step
        best = total.argmin(1)
        cheapest = np.take_along_axis(total, best[:, None], 1)[:, 0]
        # Only differences matter; taking off the smallest keeps sums exact over hours.
        new.cost[person, joint] += cheapest - cheapest.min(1, keepdims=True)
        new.back[person, joint] = best

    def _trace(self) -> None:
        """Decide what all surviving paths share, from the newest frame back to the first undecided one."""
        self._since_trace = 0
        alive = np.zeros((0, 0, 0), bool)
        for place in range(len(self._layers) - 1, -1, -1):
            layer = self._layers[place]
            if layer is self._newest:
                alive = np.isfinite(layer.cost)
            else:
                alive |= layer.ended[..., None] & np.isfinite(layer.cost)
            person, joint = np.nonzero(layer.choice == -1)
            paths = alive[person, joint]
            single = paths.sum(1) == 1
            layer.choice[person[single], joint[single]] = paths[single].argmax(1)
            if place == 0:
                break
            alive = np.zeros(self._layers[place - 1].cost.shape, bool)
            row = layer.previous[person, joint]
            inner = row >= 0
            person, joint, row, paths = person[inner], joint[inner], row[inner], paths[inner]
            back = layer.back[person, joint]
            for k in range(paths.shape[1]):  # within one k no two paths meet, so the assignment loses none
                alive[row, joint, back[:, k]] |= paths[:, k]

    def _give_up_paths(self) -> None:
        """Keep only paths through the cluster that the cheapest one passes at the middle of the undecided frames."""
        newest = self._layers[-1]
        person, joint = np.nonzero(newest.choice == -1)
        row = person
        ancestor = np.broadcast_to(np.arange(newest.cost.shape[2]), (len(row), newest.cost.shape[2]))
        for place in range(len(self._layers) - 1, len(self._layers) // 2, -1):
            layer = self._layers[place]
            ancestor = np.take_along_axis(layer.back[row, joint], ancestor, 1)
            row = layer.previous[row, joint]
            inner = row >= 0
            person, joint, row, ancestor = person[inner], joint[inner], row[inner], ancestor[inner]
        cost = newest.cost[person, joint]
        chosen = np.take_along_axis(ancestor, cost.argmin(1)[:, None], 1)
        newest.cost[person, joint] = np.where(ancestor == chosen, cost, np.inf)


def _end(layer: _Layer, ended: Bool[np.ndarray, "people joints"]) -> None:
    """End paths in this layer: of the paths to its clusters only the cheapest is kept (the first, if several are)."""
    layer.ended = ended
    others = np.ones(layer.cost.shape, bool)
    np.put_along_axis(others, layer.cost.argmin(2)[..., None], False, 2)
    layer.cost[ended[..., None] & others] = np.inf
