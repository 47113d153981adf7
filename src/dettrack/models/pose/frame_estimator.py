"""Any 2D top-down pose model, run on every frame of a tube alone: the paper's "None" column of table 8.

The model sees neither the other frames nor who the tube is about; where the person has left, it answers about
whoever is nearest to the middle. It makes the whole pipeline usable with any 2D model that a user has.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from dettrack.config import EstimateConfig
from dettrack.cut.clips import sample_tubes
from dettrack.errors import InputError
from dettrack.models.pose.estimator import describe_lacks, output_map, rebatch, to_tracklets
from dettrack.models.pose.frame_layout import FrameLayout
from dettrack.models.pose.heatmap import decode_heatmaps, mirror_crops, unmirror_heatmaps
from dettrack.structures import Clip, Tracklets, Tubes

__all__ = ["FrameEstimator", "FrameModel", "open_frame_model"]

_CHUNK = 64  # crops whose heatmaps are held at a time


@runtime_checkable
class FrameModel(Protocol):
    """A 2D model from a file, ready to run."""

    layout: FrameLayout
    runtime: str

    def run(self, crops: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, "n ..."]:
        """The answer for every crop, in the layout's form."""
        ...


def open_frame_model(path: Path, options: EstimateConfig) -> FrameModel:
    """Load a 2D model: `.xml` by OpenVINO, `.onnx` by ONNX Runtime or, where that is not installed, by OpenVINO.

    Raises:
        InputError: Unreadable, unknown layout, or settings that the runtime does not offer.
        MissingExtraError: No runtime for the file is installed.
    """
    if path.suffix == ".xml" and options.runtime not in ("auto", "openvino"):
        raise InputError(f"--runtime {options.runtime}: {path.name} is run by OpenVINO")
    if options.runtime == "pytorch":
        raise InputError(f"--runtime pytorch: {path.name} is run by ONNX Runtime or OpenVINO")
    no_onnxruntime = options.runtime == "auto" and importlib.util.find_spec("onnxruntime") is None
    openvino_instead = no_onnxruntime and importlib.util.find_spec("openvino") is not None
    if path.suffix == ".xml" or options.runtime == "openvino" or openvino_instead:
        from dettrack.models.runtime.openvino import OpenVinoFrameModel

        return OpenVinoFrameModel(
            path, device=options.device, precision=options.precision, threads=options.threads, batch=options.batch
        )
    from dettrack.models.runtime.onnx import OnnxFrameModel

    return OnnxFrameModel(path, device=options.device, threads=options.threads, batch=options.batch)


class FrameEstimator:
    """An `Estimator` (see there) made of a 2D model."""

    def __init__(self, path: Path, options: EstimateConfig) -> None:
        """Load the model; see `open_frame_model`."""
        self._model = open_frame_model(path, options)
        self._layout, self._options = self._model.layout, options
        self._map = output_map(options.joints, self._layout.joint_set)
        self.joint_set, self.approximated = self._map.target, self._map.approximated
        self.size, self.temporal = self._layout.size, False
        height, width = self.size
        self.description = (
            f"{path.name} (2D, {self._layout.kind}, {width}x{height}; {self._model.runtime}"
            f"{describe_lacks(path.name, self._map)})"
        )

    def estimate(self, work: Sequence[tuple[Clip, Tubes]]) -> list[Tracklets]:
        """See `Estimator.estimate`."""
        crops = (sample_tubes(clip, tubes).reshape(-1, *self.size, 3) for clip, tubes in work)
        xy, scores = self.joints(crops)
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
        """The model's own joints in crop pixels for all crops of some arrays, and their scores."""
        read = self._read_heatmaps if self._layout.kind == "heatmaps" else self._read_coordinates
        joints = len(self._layout.joint_set)
        parts = [(np.zeros((0, joints, 2)), np.zeros((0, joints))), *map(read, rebatch(crops, _CHUNK))]
        return np.concatenate([xy for xy, _ in parts]), np.concatenate([scores for _, scores in parts])

    def _read_heatmaps(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        heatmaps = self._heatmaps(crops)
        if self._options.flip:
            mirrored = self._heatmaps(mirror_crops(crops, stride=self._layout.stride))
            heatmaps = (heatmaps + unmirror_heatmaps(mirrored, self._layout.joint_set.flip_permutation)) / 2
        return decode_heatmaps(heatmaps, self._options.decoding, stride=self._layout.stride)

    def _heatmaps(self, crops: np.ndarray) -> np.ndarray:
        heatmaps = self._model.run(crops)
        return heatmaps.transpose(0, 3, 1, 2) if self._layout.joints_last else heatmaps

    def _read_coordinates(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        xy, scores = self._coordinates(crops)
        if not self._options.flip:
            return xy, scores
        swap = self._layout.joint_set.flip_permutation
        mirrored_xy, mirrored_scores = self._coordinates(mirror_crops(crops))
        mirrored_xy, mirrored_scores = mirrored_xy[:, swap], mirrored_scores[:, swap]
        mirrored_xy[..., 0] = self.size[1] - 1 - mirrored_xy[..., 0]
        # Both places count by their confidence, so that a lost joint does not pull a found one away.
        weights = np.stack([scores, mirrored_scores], -1) + 1e-6
        weights /= weights.sum(-1, keepdims=True)
        mean_xy = xy * weights[..., :1] + mirrored_xy * weights[..., 1:]
        return mean_xy, (scores + mirrored_scores) / 2

    def _coordinates(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """MoveNet's y, x in [0, 1] of the crop: 0 is the left edge of its first pixel."""
        yx, scores = np.split(self._model.run(crops)[:, 0], [2], axis=-1)
        return yx[..., ::-1] * np.array(self.size[::-1]) - 0.5, scores[..., 0].clip(0, 1)
