"""People in images of any size, found by our detector at one input size or at several."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import UInt8

from dettrack.errors import UsageError
from dettrack.geometry import box_nms
from dettrack.models.detector.letterbox import Letterbox, fit_size
from dettrack.models.detector.network import cell_boxes, cell_centres
from dettrack.models.runtime.runner import Runner, on_host
from dettrack.structures import Boxes

__all__ = ["find_people", "find_people_multiscale", "valid_ranges"]

_FILL = 114
_MIN_SCORE = 0.02
_MOST = 400  # boxes per frame that reach the suppression
_BATCH = 8  # frames in one pass
_COMFORT = 48.0  # root of the area, in input pixels, from which a person is found well


def find_people(
    runner: Runner, images: Sequence[UInt8[np.ndarray, "_ _ 3"]], longer: int, max_iou: float = 0.65
) -> list[Boxes]:
    """People in images of any sizes; those of one size run as batches.

    Args:
        runner: The network: images `(n, 3, h, w)` -> scores `(n, cells)` and distances `(n, cells, 4)` in strides.
        images: RGB.
        longer: Longer side of the network's input.
        max_iou: Overlap above which the weaker of two boxes falls.

    Returns:
        For each image boxes in its pixels, best first, with scores of at least 0.02.
    """
    by_size: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for index, image in enumerate(images):
        by_size[image.shape[0], image.shape[1]].append(index)
    results = [Boxes.empty()] * len(images)
    for size, members in by_size.items():
        box = Letterbox.fit(size, fit_size(size, longer))
        for start in range(0, len(members), _BATCH):
            chosen = members[start : start + _BATCH]
            batch = np.stack([box.apply(images[index], _FILL) for index in chosen])
            outputs = runner.run(np.ascontiguousarray(batch.transpose(0, 3, 1, 2)))
            scores, distances = (on_host(output) for output in outputs)
            for index, score, distance in zip(chosen, scores, distances, strict=True):
                results[index] = _select(score, distance, box, max_iou)
    return results


def find_people_multiscale(
    runner: Runner,
    images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    sizes: Sequence[int],
    valid: Sequence[tuple[float, float]],
    max_iou: float = 0.65,
) -> list[Boxes]:
    """People found at any of several input sizes, as SNIPER tests (Singh, Najibi and Davis, NeurIPS 2018).

    Each size answers for the people that it shows at a comfortable size; the answers are merged by suppression.

    Args:
        runner: The network: images `(n, 3, h, w)` -> scores `(n, cells)` and distances `(n, cells, 4)` in strides.
        images: RGB, of any sizes.
        sizes: Longer sides of the network's input.
        valid: For each size the smallest and largest person that it answers for: the root of the box's area in input
            pixels. Ranges should overlap, so that no person falls between.
        max_iou: Overlap above which the weaker of two boxes falls.

    Returns:
        For each image boxes in its pixels, best first.

    Raises:
        UsageError: Not one valid range for each size.
    """
    if len(sizes) != len(valid) or not sizes:
        raise UsageError(f"{len(sizes)} input sizes but {len(valid)} valid ranges: give one for each")
    answers: list[list[Boxes]] = [[] for _ in images]
    for longer, (low, high) in zip(sizes, valid, strict=True):
        for index, boxes in enumerate(find_people(runner, images, longer, max_iou)):
            scale = longer / max(images[index].shape[:2])
            root = np.sqrt((boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]).prod(1)) * scale
            answers[index].append(boxes[(root >= low) & (root < high)])
    return [_merged(boxes, max_iou) for boxes in answers]


def valid_ranges(sizes: Sequence[int]) -> list[tuple[float, float]]:
    """For each input size the people that it answers for in `find_people_multiscale`, in its pixels.

    The smallest answers for all whom it shows larger than `_COMFORT`, the largest for all smaller; who lies
    up to half above a limit is answered for by both sizes beside it.
    """
    order = np.argsort(sizes, kind="stable")
    ranges = [(0.0, np.inf)] * len(sizes)
    for rank, index in enumerate(order.tolist()):
        low = _COMFORT if rank + 1 < len(order) else 0.0
        high = 1.5 * _COMFORT * sizes[index] / sizes[order[rank - 1]] if rank else np.inf
        ranges[index] = (low, float(high))
    return ranges


def _merged(answers: Sequence[Boxes], max_iou: float) -> Boxes:
    boxes = Boxes(np.concatenate([b.xyxy for b in answers]), np.concatenate([b.scores for b in answers]))
    boxes = boxes[np.argsort(-boxes.scores, kind="stable")]
    return boxes[box_nms(boxes.xyxy, boxes.scores, max_iou)]


def _select(score: np.ndarray, distance: np.ndarray, box: Letterbox, max_iou: float) -> Boxes:
    """Boxes of the cells that are sure enough, in the frame, duplicates removed."""
    order = np.argsort(-score, kind="stable")[:_MOST]
    order = order[score[order] >= _MIN_SCORE]
    centres, strides = cell_centres(*box.canvas)
    xyxy = cell_boxes(torch.from_numpy(distance[order]), centres[order], strides[order]).numpy()
    found = Boxes(box.to_frame(xyxy.astype(np.float64)), score[order].astype(np.float64))
    return found[box_nms(found.xyxy, found.scores, max_iou)]
