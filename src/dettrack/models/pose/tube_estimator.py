"""The paper's Clip Tracking Network as an estimator: a whole tube in, joints in each of its frames out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8

from dettrack.config import EstimateConfig
from dettrack.models.pose.calibration import Calibration, calibrated
from dettrack.models.pose.estimator import describe_lacks, output_map, rebatch, to_tracklets
from dettrack.models.pose.heatmap import concatenate, decode_heatmaps, flip_averaged
from dettrack.models.pose.tube_network import TubeNetwork
from dettrack.models.runtime.runner import on_host
from dettrack.structures import Clip, Tracklets, Tubes
from dettrack.threads import ahead

__all__ = ["TubeEstimator"]


class TubeEstimator:
    """An `Estimator` (see there) made of a network of ours."""

    def __init__(
        self,
        network: TubeNetwork,
        options: EstimateConfig,
        clip_length: int,
        note: str = "",
        calibration: Calibration | None = None,
    ) -> None:
        """Wrap a loaded network; every tube is made `clip_length` frames long by repeating its border frames.

        Args:
            network: The network.
            options: Joint set, flip and decoding.
            clip_length: |C|.
            note: What else the description shall say.
            calibration: What the scores mean; None leaves them as the network gives them.
        """
        self._network, self._options, self._clip_length = network, options, clip_length
        self._calibration = calibration
        self._map = output_map(options.joints, network.joint_set)
        self.joint_set, self.approximated = self._map.target, self._map.approximated
        self.size, self.temporal = network.size, network.temporal
        self.description = f"{network.name} ({network.runtime}{note}{describe_lacks(network.name, self._map)})"

    def estimate(self, work: Sequence[tuple[Clip, Tubes]]) -> list[Tracklets]:
        """See `Estimator.estimate`; crops are cut and joints read while the network works on other tubes."""
        crops = (self._rows(clip, self._network.sample(clip, tubes)) for clip, tubes in work)
        with ahead(rebatch(crops, self._step), 1) as rows, ahead(map(self._heatmaps, rows), 1) as heatmaps:
            read = [self._joints(part) for part in heatmaps]
        joints = len(self._network.joint_set)
        xy = np.concatenate([xy.reshape(-1, joints, 2) for xy, _ in read] or [np.zeros((0, joints, 2))])
        scores = np.concatenate([scores.reshape(-1, joints) for _, scores in read] or [np.zeros((0, joints))])
        results, start = [], 0
        for clip, tubes in work:
            length = self._clip_length if self._network.temporal else len(clip.frames)
            stop = start + len(tubes) * length
            keep = slice(self._before(clip), self._before(clip) + len(clip.frames))
            part_xy = xy[start:stop].reshape(-1, length, joints, 2)[:, keep]
            part_scores = scores[start:stop].reshape(-1, length, joints)[:, keep]
            results.append(to_tracklets(clip, tubes, part_xy, part_scores, self._map))
            start = stop
        return results

    @property
    def batch(self) -> int:
        """Tubes in one pass of the network."""
        return self._network.batch

    @property
    def _step(self) -> int:
        """Rows in one pass; the mirror images go along."""
        return max(self._network.batch // (2 if self._options.flip else 1), 1)

    def _before(self, clip: Clip) -> int:
        """Copies of the first frame in front of a clip, so that the keyframe is in the middle."""
        return max(self._clip_length // 2 - clip.key, 0) if self._network.temporal else 0

    def _rows(self, clip: Clip, crops: Any) -> UInt8[Any, "rows clip h w 3"]:
        """Whole tubes for a temporal network; for a 2D one, every frame is a tube of its own."""
        if not self._network.temporal:
            return crops.reshape(-1, 1, *crops.shape[2:])
        before = self._before(clip)
        after = self._clip_length - before - len(clip.frames)
        return concatenate([crops[:, :1]] * before + [crops] + [crops[:, -1:]] * after, axis=1)

    def _heatmaps(self, crops: Any) -> Any:
        network = self._network
        if not self._options.flip:
            return network.run(crops)
        return flip_averaged(network.run, crops, network.joint_set.flip_permutation, stride=network.stride)

    def _joints(self, heatmaps: Any) -> tuple[np.ndarray, np.ndarray]:
        xy, scores = decode_heatmaps(heatmaps, self._options.decoding, stride=self._network.stride)
        return on_host(xy), calibrated(on_host(scores), self._calibration)
