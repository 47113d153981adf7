"""Which cells learn which person, and the losses of the detector.

Assignment by task alignment (Feng et al., TOOD, ICCV 2021): a person's cells are those inside the box whose score and
box are best together; they learn a score as high as their box is good. Scores by quality focal loss, boxes by
generalized IoU (Rezatofighi et al., CVPR 2019) and distribution focal loss (Li et al., NeurIPS 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dettrack.models.detector.network import BoxLogits, cell_boxes, expected_distances
from dettrack.training.detector.photos import IGNORE, PERSON

__all__ = ["Assignment", "assign", "detection_loss", "pairwise_iou"]

_TOP = 10  # cells per person
_IOU_POWER = 6.0


@dataclass(frozen=True)
class Assignment:
    """What every cell is to learn.

    Attributes:
        scores: Wanted score in [0, 1]; 0 for background.
        boxes: Wanted box; meaningful where `positive`.
        positive: The cell belongs to a person.
        ignored: The cell lies in an unsure region, and belongs to no person.
    """

    scores: Float[Tensor, "n cells"]
    boxes: Float[Tensor, "n cells 4"]
    positive: Bool[Tensor, "n cells"]
    ignored: Bool[Tensor, "n cells"]


def pairwise_iou(a: Float[Tensor, "n a 4"], b: Float[Tensor, "n b 4"]) -> Float[Tensor, "n a b"]:
    """Intersection over union of all pairs; 0 for empty boxes.

    Args:
        a: Corners.
        b: Corners.

    Returns:
        In [0, 1].
    """
    low = torch.maximum(a[:, :, None, :2], b[:, None, :, :2])
    high = torch.minimum(a[:, :, None, 2:], b[:, None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    area_a = (a[..., 2:] - a[..., :2]).clamp(min=0).prod(-1)
    area_b = (b[..., 2:] - b[..., :2]).clamp(min=0).prod(-1)
    return shared / (area_a[:, :, None] + area_b[:, None] - shared).clamp(min=1e-6)


@torch.no_grad()
def assign(
    scores: Float[Tensor, "n cells"],
    predicted: Float[Tensor, "n cells 4"],
    centres: Float[Tensor, "cells 2"],
    boxes: Float[Tensor, "n people 4"],
    kinds: Int[Tensor, "n people"],
) -> Assignment:
    """Task-aligned assignment.

    Args:
        scores: Predicted scores in [0, 1].
        predicted: Predicted boxes.
        centres: Of the cells, in the same pixels.
        boxes: Labelled boxes, padded.
        kinds: `PERSON`, `IGNORE` or `PADDING` of each.

    Returns:
        Targets of each cell; a cell inside several people learns the one that its box fits best.
    """
    inside = (
        torch.minimum(centres[None, None] - boxes[:, :, None, :2], boxes[:, :, None, 2:] - centres[None, None]).amin(-1)
        > 0
    )  # (n, people, cells)
    candidate = inside & (kinds == PERSON)[..., None]
    iou = pairwise_iou(boxes, predicted) * candidate
    metric = scores[:, None] * iou**_IOU_POWER + 1e-9 * candidate  # so that a hopeless start still has cells
    top = metric.topk(min(_TOP, metric.shape[-1]), -1)
    chosen = torch.zeros_like(candidate).scatter_(-1, top.indices, top.values > 0)
    owner = torch.where(chosen, iou + 1e-6, -torch.ones_like(iou)).max(1)  # best person of each cell
    positive = owner.values > 0
    mine = chosen & (F.one_hot(owner.indices, boxes.shape[1]).movedim(-1, 1) > 0)
    aligned = metric * mine
    best_metric = aligned.amax(-1, keepdim=True).clamp(min=1e-12)
    best_iou = (iou * mine).amax(-1, keepdim=True)
    wanted = (aligned / best_metric * best_iou).amax(1)
    ignored = (inside & (kinds == IGNORE)[..., None]).any(1) & ~positive
    return Assignment(
        scores=torch.where(positive, wanted, torch.zeros_like(wanted)),
        boxes=boxes.gather(1, owner.indices[..., None].expand(-1, -1, 4)),
        positive=positive,
        ignored=ignored,
    )


def detection_loss(
    logits: BoxLogits,
    centres: Float[Tensor, "cells 2"],
    strides: Float[Tensor, " cells"],
    boxes: Float[Tensor, "n people 4"],
    kinds: Int[Tensor, "n people"],
) -> tuple[Float[Tensor, ""], dict[str, float]]:
    """The loss of a batch, divided by its summed wanted scores, and its parts.

    Args:
        logits: Network output.
        centres: Cell centres in pixels.
        strides: Stride of each cell.
        boxes: Labelled boxes in the same pixels, padded.
        kinds: `PERSON`, `IGNORE` or `PADDING` of each.

    Returns:
        The loss, and its parts by name.
    """
    predicted = cell_boxes(expected_distances(logits.distances), centres, strides)
    target = assign(logits.person.detach().sigmoid(), predicted.detach(), centres, boxes, kinds)
    total = target.scores.sum().clamp(min=1.0)
    probability = logits.person.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(logits.person, target.scores, reduction="none")
    person = (entropy * (target.scores - probability).abs() ** 2 * ~target.ignored).sum() / total
    hit = target.positive
    weight = target.scores[hit]
    overlap, bins = predicted.new_zeros(()), predicted.new_zeros(())
    if hit.any():
        overlap = ((1 - _generalized_iou(predicted[hit], target.boxes[hit])) * weight).sum() / total
        scale = strides.expand_as(hit)[hit][:, None]
        middle = centres.expand(*hit.shape, 2)[hit]
        wanted = torch.cat((middle - target.boxes[hit][:, :2], target.boxes[hit][:, 2:] - middle), -1) / scale
        bins = (_distribution_focal(logits.distances[hit], wanted) * weight).sum() / total
    loss = person + 2.0 * overlap + 0.25 * bins
    figures = {
        "person": float(person.detach()),
        "giou": float(overlap.detach()),
        "bins": float(bins.detach()),
        "wanted": float(total) / len(boxes),
    }
    return loss, figures


def _generalized_iou(a: Float[Tensor, "k 4"], b: Float[Tensor, "k 4"]) -> Float[Tensor, " k"]:
    shared = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(-1)
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(-1).clamp(min=1e-6)
    union = (a[:, 2:] - a[:, :2]).prod(-1) + (b[:, 2:] - b[:, :2]).prod(-1) - shared
    return shared / union.clamp(min=1e-6) - (hull - union) / hull


def _distribution_focal(logits: Float[Tensor, "k 4 bins"], wanted: Float[Tensor, "k 4"]) -> Float[Tensor, " k"]:
    """Cross entropy of the two bins around each wanted distance, weighted by nearness, mean over the four sides."""
    wanted = wanted.clamp(0, logits.shape[-1] - 1 - 1e-3)
    low = wanted.floor().long()
    share = wanted - low
    log = logits.log_softmax(-1)
    near = log.gather(-1, low[..., None])[..., 0]
    far = log.gather(-1, low[..., None] + 1)[..., 0]
    return -(near * (1 - share) + far * share).mean(-1)
