"""Person detectors from ONNX and OpenVINO files, run by ONNX Runtime or OpenVINO.

ONNX Runtime is the first choice for `.onnx` files: on the CPU, at equal precision (fp32), it was the faster one
(RTMDet-nano at 640x384, one core of an EPYC: 24 ms against 33 ms; YOLOX-nano at 416: 15 ms against 17 ms).
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from dettrack.config import DetectConfig
from dettrack.errors import InputError
from dettrack.models.detector.first_answers import FirstAnswers, joints_of
from dettrack.models.detector.layout import Layout
from dettrack.models.detector.layouts import candidates, recognise
from dettrack.models.detector.letterbox import Letterbox, fit_size
from dettrack.models.runtime.open_file import open_file
from dettrack.models.runtime.runner import FileRunner, SessionOptions, installed
from dettrack.structures import Boxes, Frame

__all__ = ["OnnxDetector"]

_DEFAULT_SIZE = 640
_SURE = 0.5  # score of a box above which a layout is taken to be the right one
_ENOUGH = 5  # pictures in which another layout than the first must be sure, and the first never
_LOG = logging.getLogger("dettrack")


class OnnxDetector:
    """A detector from a file whose layout is one of `layouts.LAYOUTS`."""

    def __init__(self, path: Path, config: DetectConfig, *, device: str = "auto", threads: int = 0) -> None:
        """Load the file and find its layout.

        Args:
            path: An ONNX file or an OpenVINO `.xml`.
            config: Layout, input size, and the overlap above which boxes are one person's.
            device: "auto", "cpu", "cuda" or "cuda:N". Without a CUDA build of ONNX Runtime the CPU is used, and the
                description says so.
            threads: CPU threads; 0 takes all.

        Raises:
            InputError: The file is unreadable, of unknown layout, or does not take the requested size.
            MissingExtraError: Neither runtime is installed.
        """
        if not path.is_file():
            raise InputError(f"no such detector file: {path}")
        possible, note = _possible_device(path, device)
        runner = open_file(path, str(path), SessionOptions(device=possible, threads=threads))
        self._layout: Layout = recognise(str(path), runner.inputs, runner.outputs, config.detector_layout)
        # Shapes alone do not always tell how pictures are prepared; the first answers do.
        others = candidates(runner.inputs, runner.outputs, config.detector_layout)[1:]
        self._others = [other for other in others if other.decode is self._layout.decode]
        self._votes = Counter[str]()  # pictures in which another one was sure of somebody
        self._file, self._name, self._checks = runner, path.name, FirstAnswers(path.name)
        self._runner = self._prepared(self._layout)
        if self._layout.joints is not None:
            self.joint_set = joints_of(path, self._layout.joints(runner.outputs))
        self._nms = config.detector_nms
        batch, _, height, width = runner.inputs[0].shape
        self._fixed = None if height is None or width is None else (height, width)
        if self._fixed and config.detector_size not in (0, max(self._fixed)):
            raise InputError(
                f"{path}: --detector-size {config.detector_size} does not fit: its input is {width}x{height}, fixed"
            )
        self._longer = config.detector_size or _DEFAULT_SIZE
        self._batch = batch or (0 if self._takes_batches() else 1)
        size = f"{width}x{height}" if self._fixed else f"longer side {self._longer}"
        self.description = f"{path.name} ({self._layout.name}, {size}; {runner.runtime}{note})"

    def _takes_batches(self) -> bool:
        """Try two images: some files leave the batch open and break inside (RTMDet's exported NMS does)."""
        height, width = self._fixed or (64, 64)
        try:
            self._runner.run(np.zeros((2, height, width, 3), np.uint8))
        except self._runner.failures:
            return False
        return True

    def detect(self, frames: Sequence[Frame]) -> list[Boxes]:
        """See `Detector.detect`; frames that need the same input size go through the network together."""
        places = [self._place(frame.image.shape[:2]) for frame in frames]
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        for i, place in enumerate(places):
            groups[place.canvas].append(i)
        found = [Boxes.empty()] * len(frames)
        for size, members in groups.items():
            step = self._batch or len(members)
            for start in range(0, len(members), step):
                part = members[start : start + step]
                canvases = [places[i].apply(frames[i].image, self._layout.fill) for i in part]
                # A file with a fixed batch gets its last one filled up with copies.
                canvases += canvases[-1:] * (step - len(part) if self._batch else 0)
                decoded = self._answer(np.stack(canvases), size, len(part))
                self._checks.look(decoded, size)
                for i, boxes in zip(part, decoded, strict=True):
                    found[i] = _in_frame(boxes, places[i])
        return found

    def _prepared(self, layout: Layout) -> FileRunner:
        return self._file.for_images(replace(layout.images, dtype=self._file.inputs[0].dtype))

    def _answer(self, canvases: UInt8[np.ndarray, "n h w 3"], size: tuple[int, int], count: int) -> list[Boxes]:
        """Boxes in pixels of the canvas, of the first `count` of them.

        Until the layout is sure of somebody, others of these shapes are tried where it is not. One of them is taken for
        good when it was sure in several pictures: a wrong one, too, may see somebody in a picture without people.
        """
        decoded = self._layout.decode(self._runner.run(canvases), size, self._nms)[:count]
        if self._others and max(map(_best, decoded)) >= _SURE:
            self._others = []
        for other in self._others:
            instead = other.decode(self._prepared(other).run(canvases), size, self._nms)[:count]
            sure = [_best(boxes) >= _SURE for boxes in instead]
            if not any(sure):
                continue
            if not self._votes:
                _LOG.warning(
                    "%s: nobody is found with --detector-layout %s, but with %s: taken as that, for good after %d "
                    "pictures; state it",
                    self._name,
                    self._layout.name,
                    other.name,
                    _ENOUGH,
                )
            self._votes[other.name] += sum(sure)
            if self._votes[other.name] >= _ENOUGH:
                self._layout, self._runner, self._others = other, self._prepared(other), []
            return instead
        return decoded

    def _place(self, source: tuple[int, int]) -> Letterbox:
        return Letterbox.fit(source, self._fixed or fit_size(source, self._longer), stretch=self._layout.stretch)


def _best(boxes: Boxes) -> float:
    return float(boxes.scores.max(initial=0))


def _in_frame(boxes: Boxes, place: Letterbox) -> Boxes:
    poses = boxes.poses
    if poses is not None:
        poses = np.concatenate([place.points_to_frame(poses[..., :2]), poses[..., 2:]], -1)
    return Boxes(place.to_frame(boxes.xyxy), boxes.scores, poses)


def _possible_device(path: Path, device: str) -> tuple[str, str]:
    """The device, or the CPU where its runtime offers no other; and what to say of it."""
    if not device.startswith("cuda") or path.suffix == ".xml" or not installed("onnxruntime"):
        return ("cpu", "") if path.suffix == ".xml" else (device, "")
    from dettrack.models.runtime.onnx import has_cuda

    return (device, "") if has_cuda() else ("cpu", " (this ONNX Runtime has no CUDA: pip install onnxruntime-gpu)")
