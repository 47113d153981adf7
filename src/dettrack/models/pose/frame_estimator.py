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
from dettrack.errors import InputError
from dettrack.models.pose.calibration import Calibration, calibrated, find_calibration
from dettrack.models.pose.crops import sample_tubes
from dettrack.models.pose.estimator import describe_lacks, output_map, rebatch, to_tracklets
from dettrack.models.pose.frame_layout import FrameLayout, read_stated, recognise_layout
from dettrack.models.pose.heatmap import decode_heatmaps, flip_averaged, mirror_crops, unmirror_joints
from dettrack.models.pose.simcc import decode_simcc, unmirror_simcc
from dettrack.models.runtime.open_file import open_file
from dettrack.models.runtime.precision import cpu_precision
from dettrack.models.runtime.runner import FileRunner, Runner, SessionOptions, on_host
from dettrack.structures import Clip, Tracklets, Tubes

__all__ = ["FrameEstimator"]

_CHUNK = 32  # crops at a time; their mirror images go along
_LARGEST_SCORE = 2.0  # peaks of trained networks go a little beyond 1


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

    def __init__(
        self,
        runner: Runner,
        layout: FrameLayout,
        options: EstimateConfig,
        name: str,
        calibration: Calibration | None = None,
        batch: int = 1,
    ) -> None:
        """Wrap a model that is loaded; `from_file` loads one.

        Args:
            runner: Takes crops as they are cut, and gives its outputs.
            layout: What they mean; positions of the answer are those among what the runner gives.
            options: Settings.
            name: For people.
            calibration: From its scores to probabilities; None keeps them.
            batch: Crops in a pass, where the settings can make it less; else 1.
        """
        self.batch = batch
        self._runner, self._layout, self._options, self._name = runner, layout, options, name
        self._calibration, self._checked = calibration, False
        self._map = output_map(options.joints, layout.joint_set)
        self.joint_set, self.approximated = self._map.target, self._map.approximated
        self.own_joint_set = layout.joint_set  # before they are mapped
        self.size, self.temporal = layout.size, False
        height, width = self.size
        self.description = (
            f"{name} (2D, {layout.kind}, {width}x{height}; {runner.runtime}{describe_lacks(name, self._map)})"
        )

    @staticmethod
    def from_file(path: Path, options: EstimateConfig) -> FrameEstimator:
        """Load a model.

        Args:
            path: Its file.
            options: Settings.

        Returns:
            The model, ready to run.

        Raises:
            InputError: Unreadable, unknown layout, or settings that the runtime does not offer.
            MissingExtraError: No runtime for the file is installed.
        """
        runner = _open(path, options)
        said = read_stated(path, options.model_layout)
        layout = recognise_layout(str(path), runner.inputs, runner.outputs, said, options.joints)
        rows = options.batch or layout.batch or (64 if "CUDA" in runner.runtime else 1)
        output = layout.outputs[0] if len(layout.outputs) == 1 else None
        ready = runner.for_images(layout.images, rows=rows, output=output)
        if output is not None:
            layout = FrameLayout(**{**vars(layout), "outputs": (0,)})
        calibration = find_calibration(path, options.calibration)
        return FrameEstimator(ready, layout, options, path.name, calibration, rows)

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
        read = {"coordinates": self._read_coordinates, "simcc": self._read_simcc}.get(
            self._layout.kind, self._read_heatmaps
        )
        joints = len(self._layout.joint_set)
        parts = [(np.zeros((0, joints, 2)), np.zeros((0, joints))), *map(read, rebatch(crops, _CHUNK))]
        return np.concatenate([xy for xy, _ in parts]), np.concatenate([scores for _, scores in parts])

    def _run(self, crops: np.ndarray) -> list[np.ndarray]:
        """The answer's outputs in fp32; the first one is looked at."""
        outputs = self._runner.run(crops)
        answer = [on_host(outputs[i]).astype(np.float32, copy=False) for i in self._layout.outputs]
        if not self._checked:
            self._checked = True
            self._check(answer)
        return answer

    def _check(self, answer: Sequence[np.ndarray]) -> None:
        stated = f"state the preprocessing (bgr, mean, std) in {Path(self._name).stem}.toml beside the model"
        if not all(np.isfinite(part).all() for part in answer):
            raise InputError(f"{self._name}: its first answer is not finite: try --precision fp32, or {stated}")
        peak = max((float(part.max(initial=0)) for part in answer), default=0.0)
        if self._layout.kind != "simcc" and peak > _LARGEST_SCORE:
            raise InputError(
                f"{self._name}: scores of its first answer go up to {peak:.3g}: expected about 0 to 1; {stated}, or "
                "name its --model-layout"
            )

    def _read_heatmaps(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        layout = self._layout
        # UDP: first and last heatmap pixels lie on the first and last crop pixels, so a plain mirror image fits.
        stride = 1 if layout.kind == "udp-heatmaps" else layout.stride
        if self._options.flip:
            heatmaps = flip_averaged(self._heatmaps, crops, layout.joint_set.flip_permutation, stride=stride)
        else:
            heatmaps = self._heatmaps(crops)
        xy, scores = decode_heatmaps(heatmaps, self._options.decoding, stride=stride)
        if layout.kind == "udp-heatmaps":
            h, w = heatmaps.shape[-2:]
            xy = xy * np.array([(layout.size[1] - 1) / (w - 1), (layout.size[0] - 1) / (h - 1)])
        return xy, scores

    def _heatmaps(self, crops: np.ndarray) -> np.ndarray:
        (heatmaps,) = self._run(crops)
        return heatmaps.transpose(0, 3, 1, 2) if self._layout.joints_last else heatmaps

    def _read_simcc(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y = self._run(crops)
        if self._options.flip:
            other = self._run(mirror_crops(crops))
            other_x, other_y = unmirror_simcc(other[0], other[1], self._layout.joint_set.flip_permutation)
            x, y = (x + other_x) / 2, (y + other_y) / 2
        return decode_simcc(x, y)

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
        yx, scores = np.split(self._run(crops)[0][:, 0], [2], axis=-1)
        return yx[..., ::-1] * np.array(self.size[::-1]) - 0.5, scores[..., 0].clip(0, 1)
