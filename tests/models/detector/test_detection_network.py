from __future__ import annotations

import torch

from dettrack.models.detector.network import DetectorSpec, PersonDetector, cell_boxes, cell_centres, expected_distances


def test_every_cell_has_a_score_and_a_box() -> None:
    model = PersonDetector(DetectorSpec(width=16)).eval()
    with torch.no_grad():
        scores, distances = model.predict(torch.zeros(2, 3, 64, 96, dtype=torch.uint8))
    cells = 8 * 12 + 4 * 6 + 2 * 3
    assert scores.shape == (2, cells)
    assert distances.shape == (2, cells, 4)
    assert ((scores > 0) & (scores < 0.05)).all()  # training starts from "nobody"


def test_cells_are_counted_row_by_row_finest_first() -> None:
    centres, strides = cell_centres(64, 96)
    assert centres[:2].tolist() == [[4.0, 4.0], [12.0, 4.0]]
    assert centres[12].tolist() == [4.0, 12.0]
    assert centres[-1].tolist() == [80.0, 48.0]
    assert strides.unique().tolist() == [8.0, 16.0, 32.0]


def test_a_certain_distribution_gives_its_distance_in_pixels() -> None:
    centres, strides = cell_centres(64, 64)
    logits = torch.full((1, len(centres), 4, 16), -50.0)
    logits[..., 0, 1] = logits[..., 1, 2] = logits[..., 2, 3] = logits[..., 3, 4] = 50.0
    distances = expected_distances(logits)
    torch.testing.assert_close(distances[0, 0], torch.tensor([1.0, 2.0, 3.0, 4.0]))
    box = cell_boxes(distances, centres, strides)[0, -1]  # the last cell: stride 32, centre (48, 48)
    torch.testing.assert_close(box, torch.tensor([16.0, -16.0, 144.0, 176.0]))


def test_a_split_distribution_gives_its_mean() -> None:
    logits = torch.full((1, 1, 4, 8), -50.0)
    logits[..., 2] = logits[..., 3] = 0.0
    torch.testing.assert_close(expected_distances(logits), torch.full((1, 1, 4), 2.5))


def test_the_front_done_before_changes_nothing() -> None:
    torch.manual_seed(1)
    model = PersonDetector(DetectorSpec(width=16)).eval()
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        whole = model(images)
        parts = model(model.trunk.front(model.backbone.normalise(images), 5), 5)
    torch.testing.assert_close(whole.person, parts.person)
    torch.testing.assert_close(whole.distances, parts.distances)
