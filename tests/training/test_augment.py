"""How tubes are varied: alike in all frames, a function of the seed, and nothing where nothing is wanted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from training_scenes import make_set

from dettrack.training.pose.augment import NO_AUGMENTATION, AugmentConfig, degrade
from dettrack.training.pose.loss import heatmap_loss
from dettrack.training.pose.recipe import stages
from dettrack.training.pose.tubes import TubeConfig, TubeMaker

ALWAYS = replace(NO_AUGMENTATION, colour=0.4, blur=1.0, jpeg=1.0, occluder=1.0)


def still(seed: int, clip: int = 3) -> np.ndarray:
    """The same smooth picture in each frame."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 4, 3)).astype(np.uint8)
    return np.repeat(np.kron(coarse, np.ones((12, 12, 1), np.uint8))[None], clip, 0)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_all_frames_change_alike_and_by_the_seed_alone(seed: int) -> None:
    crops = still(seed)
    before = crops.copy()
    out = degrade(crops, ALWAYS, np.random.default_rng(seed))
    assert out.shape == crops.shape
    assert out.dtype == np.uint8
    np.testing.assert_array_equal(crops, before, err_msg="the input stays")
    np.testing.assert_array_equal(out, np.repeat(out[:1], 3, 0))
    np.testing.assert_array_equal(out, degrade(crops, ALWAYS, np.random.default_rng(seed)))
    assert (out != crops).any()


@given(st.integers(0, 1000))
def test_nothing_changes_where_nothing_is_wanted(seed: int) -> None:
    crops = still(seed)
    np.testing.assert_array_equal(degrade(crops, NO_AUGMENTATION, np.random.default_rng(seed)), crops)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_an_occluder_covers_a_part_and_leaves_the_rest(seed: int) -> None:
    crops = still(seed)
    out = degrade(crops, replace(NO_AUGMENTATION, occluder=1.0), np.random.default_rng(seed))
    changed = (out != crops).any(-1)[0]
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    if len(rows):
        assert rows[-1] - rows[0] < 0.36 * crops.shape[1] + 1
        assert columns[-1] - columns[0] < 0.36 * crops.shape[2] + 1


@pytest.mark.parametrize(("name", "least"), [("blur", 0.7), ("jpeg", 0.7)])
def test_bad_cameras_take_detail_away(name: str, least: float) -> None:
    rng = np.random.default_rng(0)
    noise = np.repeat(rng.integers(0, 256, (1, 128, 96, 3)).astype(np.uint8), 2, 0)
    config = replace(NO_AUGMENTATION, **{name: 1.0})
    rough = [
        np.abs(np.diff(degrade(noise, config, np.random.default_rng(seed)).astype(int), axis=2)).mean()
        for seed in range(12)
    ]
    before = np.abs(np.diff(noise.astype(int), axis=2)).mean()
    assert np.mean(rough) < least * before
    assert max(rough) <= 1.05 * before


def test_a_mirrored_tube_is_a_person_like_any_other() -> None:
    """Names of joints change sides with the picture: who faces us has their left to the right, in a mirror too."""
    people = make_set(videos=1, frames=3, people=1)
    plain, mirrored = (
        TubeMaker(people, TubeConfig(size=(64, 48), clip_length=3, augment=replace(NO_AUGMENTATION, flip=flip)))(0, 0)
        for flip in (0.0, 1.0)
    )
    left, right, nose = (people.joint_set.index(name) for name in ("left_shoulder", "right_shoulder", "nose"))
    for tube in (plain, mirrored):
        assert np.nanmean(tube.xy[:, left, 0] - tube.xy[:, right, 0]) > 5
    np.testing.assert_allclose(mirrored.xy[:, left, 0], 47 - plain.xy[:, right, 0], atol=1e-6)
    np.testing.assert_allclose(mirrored.xy[:, nose, 0], 47 - plain.xy[:, nose, 0], atol=1e-6)
    away = np.abs(mirrored.crops[:, :, ::-1].astype(int) - plain.crops)
    assert np.mean(away > 40) < 0.02


def test_a_tube_may_run_backwards_and_in_strides() -> None:
    people = make_set(videos=1, frames=9, people=1, step=2.0)
    nose = people.joint_set.index("nose")

    def motion(**changes: float) -> set[int]:
        config = TubeConfig(size=(64, 48), clip_length=3, augment=replace(NO_AUGMENTATION, **changes))  # type: ignore[arg-type]
        maker = TubeMaker(people, config)
        scale = 64 / (1.25 * 60)
        tubes = [maker(0, index) for index in range(24)]
        return {round(float(s)) for t in tubes for s in np.diff(t.xy[:, nose, 0]) / scale / 2} - {0}  # at a video's end

    assert motion() == {1}
    assert motion(reverse=1.0) == {-1}
    assert motion(max_stride=2) == {1, 2}


@given(st.integers(1, 6), st.integers(0, 100))
def test_the_loss_of_the_hardest_joints_is_that_of_the_largest_errors(hardest: int, seed: int) -> None:
    torch.manual_seed(seed)
    maps, targets = torch.rand(2, 3, 5, 4, 4), torch.rand(2, 3, 5, 4, 4)
    weight = torch.rand(2, 3, 5)
    error = ((maps - targets) ** 2).mean((-1, -2)) * weight
    wanted = error.sort(-1, descending=True).values[..., : min(hardest, 5)].mean()
    found = heatmap_loss(maps, targets, weight, hardest=hardest)
    torch.testing.assert_close(found, 1000 * wanted)
    assert heatmap_loss(maps, targets, torch.zeros(2, 3, 5)) == 0
    assert heatmap_loss(targets, targets, weight, hardest=hardest) == 0


def test_stages_merge_tables_key_by_key_and_replace_lists() -> None:
    table = {
        "network": {"architecture": "lite", "width": 16, "size": [64, 48], "variant": "none", "clip_length": 1},
        "augment": {"rotation": 10, "flip": 0.0},
        "data": [{"path": "a.npz"}, {"path": "b.npz", "share": 2}],
        "stage": [
            {"name": "images"},
            {"name": "tubes", "network": {"variant": "early", "clip_length": 3}, "data": [{"path": "c.npz"}]},
        ],
    }
    images, tubes = stages(table, "recipe.toml")
    assert (images.network.variant, tubes.network.variant) == ("none", "early")
    assert images.network.width == tubes.network.width == 16
    assert images.network.size == tubes.network.size == (64, 48)
    assert [data.path for data in images.data] == ["a.npz", "b.npz"]
    assert [data.path for data in tubes.data] == ["c.npz"]
    assert tubes.augment == AugmentConfig(rotation=10.0, flip=0.0)
    assert images.data[1].share == 2.0
