"""Tracks of a run as labels: each person in each frame, trusted as far as the scores say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dot_people import DotScene, draw_scene, write_boxes, write_model

from dettrack.cli import main
from dettrack.errors import InputError
from dettrack.skeleton import COCO17, POSETRACK15
from dettrack.training.labels.people import load_people, read_image
from dettrack.training.labels.sets import read_set

FRAMES = 10


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> tuple[DotScene, Path]:
    folder = tmp_path_factory.mktemp("tracks")
    scene = draw_scene(
        folder / "dots", np.array([[40.0, 30.0], [420.0, 50.0]]), np.array([[3.0, 0], [-3.0, 0]]), FRAMES
    )
    write_boxes(folder / "boxes.json", scene, {(4, 0)})
    write_model(folder / "dots.onnx")
    call = ["track", str(scene.folder), "--detector", str(folder / "boxes.json"), "--model", str(folder / "dots.onnx")]
    assert (
        main([*call, "--out", str(folder), "--min-joint-score", "0", "--preset", "accurate", "--no-flip", "--quiet"])
        == 0
    )
    return scene, folder / "dots.dettrack"


def test_everybody_is_labelled_in_every_frame(tracked: tuple[DotScene, Path], tmp_path: Path) -> None:
    """Through the command: identities are kept, joints lie where they are, what the model lacks is distrusted."""
    scene, result = tracked
    assert main(["data", "pack", str(tmp_path / "dots.npz"), f"tracks={result}@{scene.folder}"]) == 0
    people = load_people(tmp_path / "dots.npz")
    assert len(people) == 2 * FRAMES
    assert people.frame.tolist() == list(range(FRAMES))
    assert set(np.bincount(people.track).tolist()) == {FRAMES}
    assert read_image(people.images[0]).shape == (240, 640, 3)
    shared = [joint for joint in POSETRACK15.joints if joint in COCO17.joints]
    ours, theirs = ([joints.index(joint) for joint in shared] for joints in (POSETRACK15, COCO17))
    for row in range(len(people)):
        drawn = scene.joints[people.person_image[row]][:, theirs]
        gap = np.linalg.norm(people.xy[row, ours] - drawn, axis=-1).mean(-1)
        assert gap.min() < 2
    assert (people.weight[:, POSETRACK15.index("head_top")] == 0).all()
    assert people.weight[:, POSETRACK15.index("head_bottom")].max() <= 0.3
    assert (people.weight[:, ours] == 1).mean() > 0.9


def test_another_video_or_no_result_is_refused(tracked: tuple[DotScene, Path], tmp_path: Path) -> None:
    scene, result = tracked
    short = draw_scene(tmp_path / "short", np.array([[40.0, 30.0]]), np.array([[3.0, 0]]), 3)
    with pytest.raises(InputError, match="another video"):
        read_set(result, "tracks", short.folder, POSETRACK15)
    with pytest.raises(InputError, match="expected the result folder"):
        read_set(tmp_path / "nothing", "tracks", scene.folder, POSETRACK15)
