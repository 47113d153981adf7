from __future__ import annotations

import torch

from dettrack.models.detector.network import BoxLogits, DetectorSpec, PersonDetector, cell_boxes, cell_centres
from dettrack.training.detector.loss import assign, detection_loss, pairwise_iou
from dettrack.training.detector.photos import IGNORE, PADDING, PERSON

CENTRES, STRIDES = cell_centres(96, 96)


def _predictions(box: torch.Tensor) -> torch.Tensor:
    return box.expand(1, len(CENTRES), 4)


def test_cells_inside_the_box_learn_it_and_no_others() -> None:
    box = torch.tensor([20.0, 10.0, 60.0, 90.0])
    result = assign(
        torch.full((1, len(CENTRES)), 0.1), _predictions(box), CENTRES, box[None, None], torch.tensor([[1]])
    )
    inside = ((box[:2] < CENTRES) & (box[2:] > CENTRES)).all(1)
    assert result.positive.sum() == 10
    assert not (result.positive[0] & ~inside).any()
    assert torch.equal(result.boxes[result.positive], box.expand(10, 4))
    torch.testing.assert_close(result.scores[result.positive], torch.ones(10))  # the boxes fit already


def test_the_better_box_wants_the_higher_score() -> None:
    box = torch.tensor([0.0, 0.0, 96.0, 96.0])
    predicted = _predictions(box).clone()
    predicted[0, 5:] = torch.tensor([0.0, 0.0, 96.0, 60.0])
    result = assign(torch.full((1, len(CENTRES)), 0.5), predicted, CENTRES, box[None, None], torch.tensor([[PERSON]]))
    assert result.positive[0, :5].all()
    assert result.scores[0, :5].min() > result.scores[0, 5:].max()


def test_a_cell_in_two_people_learns_the_one_its_box_fits() -> None:
    boxes = torch.tensor([[[0.0, 0.0, 60.0, 96.0], [30.0, 0.0, 96.0, 96.0]]])
    predicted = torch.where((CENTRES[:, :1] < 45), boxes[0, 0], boxes[0, 1])[None]
    result = assign(torch.full((1, len(CENTRES)), 0.5), predicted, CENTRES, boxes, torch.tensor([[PERSON, PERSON]]))
    owner = (result.boxes[0] == boxes[0, 1]).all(1)
    assert torch.equal(owner[result.positive[0]], (CENTRES[:, 0] >= 45)[result.positive[0]])


def test_ignored_regions_and_padding_ask_for_nothing() -> None:
    boxes = torch.tensor([[[0.0, 0.0, 48.0, 96.0], [0.0, 0.0, 0.0, 0.0]]])
    kinds = torch.tensor([[IGNORE, PADDING]])
    result = assign(torch.full((1, len(CENTRES)), 0.9), _predictions(boxes[0, 0]), CENTRES, boxes, kinds)
    assert not result.positive.any()
    assert torch.equal(result.ignored[0], CENTRES[:, 0] < 48)
    logits = BoxLogits(torch.zeros(1, len(CENTRES), requires_grad=True), torch.zeros(1, len(CENTRES), 4, 16))
    loss, _ = detection_loss(logits, CENTRES, STRIDES, boxes, kinds)
    loss.backward()
    gradient = logits.person.grad[0]
    assert (gradient[CENTRES[:, 0] < 48] == 0).all()
    assert (gradient[CENTRES[:, 0] > 48] > 0).all()  # there nobody is, so the score must fall


def test_overlap_is_that_of_the_definition() -> None:
    a = torch.tensor([[[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 0.0, 0.0]]])
    b = torch.tensor([[[5.0, 0.0, 15.0, 10.0], [20.0, 20.0, 30.0, 30.0]]])
    torch.testing.assert_close(pairwise_iou(a, b), torch.tensor([[[1 / 3, 0.0], [0.0, 0.0]]]))


def test_a_small_network_learns_one_picture_by_heart() -> None:
    torch.manual_seed(0)
    image = torch.randint(0, 60, (1, 3, 96, 96), dtype=torch.uint8)
    image[:, :, 8:88, 8:48] = 255
    boxes = torch.tensor([[[8.0, 8.0, 48.0, 88.0]]])
    model = PersonDetector(DetectorSpec(width=16)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(25):
        loss, figures = detection_loss(model(image), CENTRES, STRIDES, boxes, torch.tensor([[PERSON]]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.4 * losses[0]
    assert figures["giou"] < 0.45
    scores, distances = model.predict(image)  # norms in training mode: one picture is all there is
    best = cell_boxes(distances, CENTRES, STRIDES)[0, scores[0].argmax()]
    assert pairwise_iou(best[None, None], boxes).item() > 0.6
