"""Any 2D top-down pose model, run on every frame of a tube alone: the paper's "None" column of table 8.

The model sees neither the other frames nor who the tube is about; where the person has left, it answers about
whoever is nearest to the middle. It makes the whole pipeline usable with any 2D model that a user has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from dettrack.config import EstimateConfig
from dettrack.models.pose.calibration import calibrated, find_calibration
from dettrack.models.pose.crops import sample_tubes
from dettrack.models.pose.estimator import describe_lacks, output_map, rebatch, to_tracklets
from dettrack.models.pose.frame_layout import recognise_layout
from dettrack.models.pose.heatmap import decode_heatmaps, flip_averaged, mirror_crops, unmirror_joints
from dettrack.models.runtime.open_file import open_file
from dettrack.models.runtime.precision import cpu_precision
from dettrack.models.runtime.runner import FileRunner, SessionOptions
from dettrack.structures import Clip, Tracklets, Tubes

__all__ = ["FrameEstimator"]

_CHUNK = 32  # crops at a time; their mirror images go along


def _open(path: Path, options: EstimateConfig) -> FileRunner:
    """The file in its runtime; see `open_file`."""
    # Other people's networks stay in fp32 unless told: what bf16 does to their joints was not measured.
    precision = cpu_precision(options.precision) if options.precision == "fast" else options.precision
    session = SessionOptions(
        runtime=options.runtime,
        device=options.device,
        precision="fp32" if precision == "auto" else precision,
        threads=options.threads,
        side_by_side=True,
    )
    return open_file(path, path.name, session)


class FrameEstimator:
    """An `Estimator` (see there) made of a 2D model."""

    def __init__(self, path: Path, options: EstimateConfig) -> None:
        """Load the model.

        Args:
            path: Its file.
            options: Settings.

        Raises:
            InputError: Unreadable, unknown layout, or settings that the runtime does not offer.
            MissingExtraError: No runtime for the file is installed.
        """
        runner = _open(path, options)
        self._calibration = find_calibration(path, options.calibration)
        self._layout, self._options = recognise_layout(str(path), runner.inputs, runner.outputs), options
        rows = options.batch or self._layout.batch or (64 if "CUDA" in runner.runtime else 1)
        self._runner = runner.for_images(self._layout.images, rows=rows, output=self._layout.output)
        self._map = output_map(options.joints, self._layout.joint_set)
        self.joint_set, self.approximated = self._map.target, self._map.approximated
        self.own_joint_set = self._layout.joint_set  # before they are mapped
        self.size, self.temporal = self._layout.size, False
        height, width = self.size
        self.description = (
            f"{path.name} (2D, {self._layout.kind}, {width}x{height}; {runner.runtime}"
            f"{describe_lacks(path.name, self._map)})"
        )

    def estimate(self, work: Sequence[tuple[Clip, Tubes]]) -> list[Tracklets]:
        """See `Estimator.estimate`."""
        crops = (sample_tubes(clip, tubes).reshape(-1, *self.size, 3) for clip, tubes in work)
        xy, scores = self.joints(crops)
        scores = calibrated(scores, self._calibration)
        results, start = [], 0
        for clip, tubes in work:
            shape = (len(tubes), len(clip.frames), len(self._layout.joint_set))
            stop = start + shape[0] * shape[1]
            part_xy, part_scores = xy[start:stop].reshape(*shape, 2), scores[start:stop].reshape(shape)
            results.append(to_tracklets(clip, tubes, part_xy, part_scores, self._map))
            start = stop
        return results

    def joints(
        self, crops: Iterable[UInt8[np.ndarray, "_ h w 3"]]
    ) -> tuple[Float[np.ndarray, "n joints 2"], Float[np.ndarray, "n joints"]]:
        """The model's own joints in crop pixels for all crops of some arrays, and its own scores."""
        read = self._read_heatmaps if self._layout.kind == "heatmaps" else self._read_coordinates
        joints = len(self._layout.joint_set)
        parts = [(np.zeros((0, joints, 2)), np.zeros((0, joints))), *map(read, rebatch(crops, _CHUNK))]
        return np.concatenate([xy for xy, _ in parts]), np.concatenate([scores for _, scores in parts])

    def _read_heatmaps(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        layout = self._layout
        if self._options.flip:
            heatmaps = flip_averaged(self._heatmaps, crops, layout.joint_set.flip_permutation, stride=layout.stride)
        else:
            heatmaps = self._heatmaps(crops)
        return decode_heatmaps(heatmaps, self._options.decoding, stride=layout.stride)

    def _heatmaps(self, crops: np.ndarray) -> np.ndarray:
        heatmaps = self._runner.run(crops)[0].astype(np.float32, copy=False)
        return heatmaps.transpose(0, 3, 1, 2) if self._layout.joints_last else heatmaps

    def _read_coordinates(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        xy, scores = self._coordinates(crops)
        if not self._options.flip:
            return xy, scores
        mirrored = self._coordinates(mirror_crops(crops))
        other_xy, other_scores = unmirror_joints(*mirrored, self._layout.joint_set.flip_permutation, self.size[1])
        # Both places count by their confidence, so that a lost joint does not pull a found one away.
        weights = np.stack([scores, other_scores], -1) + 1e-6
        weights /= weights.sum(-1, keepdims=True)
        mean_xy = xy * weights[..., :1] + other_xy * weights[..., 1:]
        return mean_xy, (scores + other_scores) / 2

    def _coordinates(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """MoveNet's y, x in [0, 1] of the crop: 0 is the left edge of its first pixel."""
        yx, scores = np.split(self._runner.run(crops)[0][:, 0], [2], axis=-1)
        return yx[..., ::-1] * np.array(self.size[::-1]) - 0.5, scores[..., 0].clip(0, 1)
