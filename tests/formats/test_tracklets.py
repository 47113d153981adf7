import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dettrack.config import CutConfig
from dettrack.errors import InputError
from dettrack.formats.tracklets import TrackletFile, TrackletWriter
from dettrack.skeleton import POSETRACK15
from dettrack.structures import Boxes, FrameTimes, TrackletBatch, Tracklets


def random_batch(rng: np.random.Generator, people: list[int], first: int) -> TrackletBatch:
    keyframes = []
    for i, n in enumerate(people):
        frames = np.arange(first + i, first + i + rng.integers(1, 10))
        xy = rng.normal(size=(n, len(frames), 15, 2)) * 100
        xy[rng.random(xy.shape[:-1]) < 0.2] = np.nan
        boxes = Boxes(rng.random((n, 4)), rng.random(n))
        keyframes.append(Tracklets(int(frames[0]), frames, boxes, xy, rng.random(xy.shape[:-1])))
    frames = FrameTimes.of((first + i, first / 30, 0, f"{i}.jpg") for i in range(rng.integers(0, 4)))
    return TrackletBatch(frames, tuple(keyframes), first + 3, bool(rng.integers(2)))


@settings(max_examples=20)
@given(st.lists(st.lists(st.integers(0, 3), max_size=3), max_size=20), st.integers(0, 99))
def test_steps_come_back_as_float32(tmp_path_factory, plan, seed):
    path = tmp_path_factory.mktemp("run") / "tracklets.parquet"
    rng = np.random.default_rng(seed)
    batches = [random_batch(rng, people, 10 * i) for i, people in enumerate(plan)]
    cut = CutConfig(clip_length=7, step=3)
    with TrackletWriter(path, POSETRACK15, cut, {"video": {"fps": "25"}}) as writer:
        for batch in batches:
            writer.write(batch)
    file = TrackletFile.open(path)
    assert (file.joints, file.cut, file.about) == (POSETRACK15, cut, {"video": {"fps": "25"}})
    back = list(file.batches())
    assert len(back) == len(batches)
    for a, b in zip(batches, back, strict=True):
        assert (a.frames.name, a.final_before, a.shot_ended) == (b.frames.name, b.final_before, b.shot_ended)
        for column in ("index", "time_s", "shot"):
            np.testing.assert_array_equal(getattr(a.frames, column), getattr(b.frames, column))
        assert [x.keyframe for x in a.tracklets] == [x.keyframe for x in b.tracklets]
        for x, y in zip(a.tracklets, b.tracklets, strict=True):
            np.testing.assert_array_equal(x.frames, y.frames)
            np.testing.assert_array_equal(x.xy.astype(np.float32), y.xy)
            np.testing.assert_array_equal(x.boxes.xyxy.astype(np.float32), y.boxes.xyxy)
            np.testing.assert_array_equal(x.scores.astype(np.float32), y.scores)


def test_no_file_and_another_file_are_told(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        TrackletFile.open(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(InputError, match=r"tracklets\.parquet"):
        TrackletFile.open(tmp_path / "text.parquet")
