"""Person detectors of the transformers library (RT-DETR, D-FINE, DETR, YOLOS ...), `--detector hf:NAME_OR_PATH`.

Images are prepared here, from the model's `preprocessor_config.json`: the library's own processors need
torchvision, which must fit torch's build exactly. A folder is read from disk; only a name of the hub downloads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float

from dettrack.config import DetectConfig
from dettrack.errors import InputError
from dettrack.models.detector.layouts import SCORE_FLOOR
from dettrack.models.runtime.hub import load_hub, preprocessor_config
from dettrack.structures import Boxes, Frame

__all__ = ["ImageRecipe", "TransformersDetector"]

_PERSON_LABELS = ("person", "people", "pedestrian", "human")
_INTERPOLATION = {0: cv2.INTER_NEAREST, 1: cv2.INTER_LANCZOS4, 2: cv2.INTER_LINEAR, 3: cv2.INTER_CUBIC}


@dataclass(frozen=True)
class ImageRecipe:
    """How a model wants its images, from `preprocessor_config.json`.

    Attributes:
        height: Input height in pixels; None where the shortest edge rules.
        width: Likewise.
        shortest: Length of the shorter side, proportions kept.
        longest: Bound of the longer side then.
        scale: Factor of the 0..255 values.
        mean: Subtracted after scaling, per RGB channel.
        std: Divided by, likewise.
        interpolation: OpenCV's number of the resampling.
    """

    height: int | None = None
    width: int | None = None
    shortest: int | None = None
    longest: int | None = None
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    interpolation: int = cv2.INTER_LINEAR

    @staticmethod
    def from_config(config: dict[str, Any], longer: int = 0) -> ImageRecipe:
        """Read a `preprocessor_config.json`.

        Args:
            config: Its content.
            longer: Another size than the file's: both sides of a fixed input, or the longer side's bound.

        Returns:
            How images are prepared.
        """
        size = config.get("size") or {"height": 640, "width": 640}
        if isinstance(size, int):
            size = {"shortest_edge": size, "longest_edge": config.get("max_size", 1333)}
        if not config.get("do_resize", True):
            size = {"shortest_edge": None, "longest_edge": None}
        normalize = config.get("do_normalize", True)
        return ImageRecipe(
            height=(longer or size["height"]) if "height" in size else None,
            width=(longer or size["width"]) if "width" in size else None,
            shortest=size.get("shortest_edge"),
            longest=longer or size.get("longest_edge"),
            scale=config.get("rescale_factor", 1 / 255) if config.get("do_rescale", True) else 1.0,
            mean=tuple(config.get("image_mean") or (0.485, 0.456, 0.406)) if normalize else (0.0, 0.0, 0.0),
            std=tuple(config.get("image_std") or (0.229, 0.224, 0.225)) if normalize else (1.0, 1.0, 1.0),
            interpolation=_INTERPOLATION.get(config.get("resample", 2), cv2.INTER_LINEAR),
        )

    def size_for(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the input for a frame.

        Args:
            height: Of the frame.
            width: Of the frame.

        Returns:
            Height and width in pixels.
        """
        if self.height and self.width:
            return self.height, self.width
        if not self.shortest:
            return height, width
        scale = self.shortest / min(height, width)
        if self.longest:
            scale = min(scale, self.longest / max(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))

    def apply(self, image: np.ndarray) -> Float[np.ndarray, "3 h w"]:
        """One RGB frame, resized and normalised."""
        height, width = self.size_for(*image.shape[:2])
        scaled = cv2.resize(image, (width, height), interpolation=self.interpolation).astype(np.float32) * self.scale
        normal = (scaled - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.ascontiguousarray(normal.transpose(2, 0, 1), np.float32)


class TransformersDetector:
    """Any `AutoModelForObjectDetection` that knows persons."""

    def __init__(self, name: str, config: DetectConfig, *, device: str = "auto") -> None:
        """Load the model.

        Args:
            name: Folder written by `save_pretrained`, or a name of the hub (downloads, unless already there).
            config: `detector_size` overrides the model's input size.
            device: "auto", "cpu", "cuda" or "cuda:N".

        Raises:
            InputError: No such model, no detection model, or none that knows persons.
            MissingExtraError: transformers is not installed.
        """
        self._model, self._device = load_hub("AutoModelForObjectDetection", name, device, "detection model")
        model, device = self._model, self._device
        labels = {int(number): str(label).lower() for number, label in model.config.id2label.items()}
        self._people = [number for number, label in labels.items() if label in _PERSON_LABELS]
        if not self._people:
            raise InputError(f"hf:{name}: it knows no person, only {', '.join(list(labels.values())[:8])} ...")
        self._recipe = ImageRecipe.from_config(preprocessor_config(name), config.detector_size)
        # DETR and YOLOS have one more output, "no object", and share a softmax; the later ones a sigmoid per label.
        self._labels = len(labels)
        self.description = f"hf:{name} ({model.config.model_type}; PyTorch, {device})"

    def detect(self, frames: Sequence[Frame]) -> list[Boxes]:
        """See `Detector.detect`; frames whose input has the same size go through the network together."""
        images = [self._recipe.apply(frame.image) for frame in frames]
        found = [Boxes.empty()] * len(frames)
        for shape in dict.fromkeys(image.shape for image in images):
            members = [i for i, image in enumerate(images) if image.shape == shape]
            batch = torch.from_numpy(np.stack([images[i] for i in members])).to(self._device)
            with torch.inference_mode():
                output = self._model(pixel_values=batch)
                scores, boxes = self._scores(output.logits).cpu().numpy(), output.pred_boxes.float().cpu().numpy()
            for i, score, box in zip(members, scores, boxes, strict=True):
                found[i] = _to_boxes(score.astype(float), box.astype(float), frames[i].image.shape[:2])
        return found

    def _scores(self, logits: Float[torch.Tensor, "b queries labels"]) -> Float[torch.Tensor, "b queries"]:
        """Probability that a query is a person."""
        softmax = logits.shape[-1] == self._labels + 1
        probabilities = logits.float().softmax(-1) if softmax else logits.float().sigmoid()
        return probabilities[..., self._people].amax(-1)


def _to_boxes(
    scores: Float[np.ndarray, " queries"], boxes: Float[np.ndarray, "queries 4"], size: tuple[int, int]
) -> Boxes:
    """Queries with relative centre and size -> boxes in the frame, best first."""
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] >= SCORE_FLOOR]
    centre, half = boxes[order, :2], boxes[order, 2:] / 2
    height, width = size
    edges = np.concatenate([centre - half, centre + half], 1) * np.array([width, height] * 2, float)
    # Detectors count from the left edge of the first pixel, we from its centre.
    xyxy = np.clip(edges - 0.5, 0, np.array([width - 1, height - 1] * 2, float))
    return Boxes(xyxy, scores[order])
