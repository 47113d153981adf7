"""Who is annotated with few joints, or not validated on, is there all the same: in the tubes of others' frames."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from miniature import FRAMES, LEAVES, UNLABELLED, WRIST_ONLY, write_posetrack

from dettrack.cli import main
from dettrack.models.pose.checkpoint import NetworkSpec, load_checkpoint
from dettrack.skeleton import POSETRACK15
from dettrack.training.labels.sets import read_set
from dettrack.training.pose.augment import NO_AUGMENTATION
from dettrack.training.pose.recipe import SetConfig
from dettrack.training.pose.run import open_set
from dettrack.training.pose.tubes import TubeConfig, TubeMaker

SPEC = NetworkSpec("lite", 8, "early", 3, size=(64, 64))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tubes")
    write_posetrack(folder / "set", 18)
    return folder


def test_a_frame_with_a_wrist_alone_is_not_empty(world: Path) -> None:
    """The frame before it is the keyframe: in the next one the wrist is taught, and nothing of the rest."""
    opened = open_set(SetConfig("set/annotations/val", "posetrack", "set"), SPEC, world)
    people = opened.people
    frame = people.frame[people.person_image]
    assert WRIST_ONLY not in set(frame[opened.rows]) or (people.weight[opened.rows] > 0).sum(1).min() >= 3
    first = opened.rows[(frame[opened.rows] == WRIST_ONLY - 1)][0]
    tubes = TubeConfig((64, 64), 3, augment=NO_AUGMENTATION)
    tube = TubeMaker(people, tubes, 1.0 * (np.arange(len(people)) == first))(0, 0)
    wrist = POSETRACK15.index("left_wrist")
    assert tube.weight[2].nonzero()[0].tolist() == [wrist]
    assert tube.targets[2, wrist].max() > 0.5
    # whoever has left, in a frame that is annotated, is to be answered with nothing
    last = opened.rows[(frame[opened.rows] == LEAVES - 1)][-1]
    gone = TubeMaker(people, tubes, 1.0 * (np.arange(len(people)) == last))(0, 0)
    assert (gone.weight[2] == 1).all()
    assert gone.targets[2].max() == 0


def test_everybody_annotated_is_in_the_set(world: Path) -> None:
    people, notes = read_set(world / "set" / "annotations" / "val", "posetrack", world / "set", POSETRACK15)
    labelled = FRAMES - len(UNLABELLED)
    assert len(people) == 2 * (labelled + LEAVES - 1)  # two videos: one person throughout, one who leaves
    assert notes == []
    assert np.isnan(people.boxes).any(1).sum() == 2  # of whom a wrist is all that is known
    own, _ = read_set(world / "set" / "annotations" / "val", "posetrack", world / "set", POSETRACK15, own_boxes=True)
    assert np.isfinite(own.boxes).all()
    wide, _ = read_set(world / "set" / "annotations" / "val", "posetrack", world / "set", POSETRACK15, margin=0.5)
    sides = [boxes[:, 2:] - boxes[:, :2] for boxes in (people.boxes, wide.boxes)]
    np.testing.assert_allclose(sides[1], 1.5 * sides[0])


RECIPE = """
order = "epochs"
[network]
architecture = "lite"
width = 8
size = [64, 64]
variant = "early"
clip_length = 3
[loop]
steps = 1
batch = 2
device = "cpu"
[[data]]
path = "set/annotations/train"
format = "posetrack"
images = "set"
least_joints = 1
[[held_out]]
path = "set/annotations/val"
format = "posetrack"
images = "set"
every = 4
name = "val"
"""


def test_validation_reads_the_ends_of_tubes(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (world / "recipe.toml").write_text(RECIPE)
    assert main(["train", str(world / "recipe.toml"), "--out", str(world / "run"), "--quiet"]) == 0
    figures = load_checkpoint(world / "run" / "stage" / "model.safetensors").metrics
    assert set(figures) == {"val", "val_ap", "val+1", "val+1_ap"}
    assert all(math.isfinite(value) for value in figures.values()), figures
    assert "val+1 " in capsys.readouterr().out
