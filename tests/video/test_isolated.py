"""Frames decoded in another process are the same; one that dies, hangs or grows costs what comes behind."""

import os
import signal
import sys

import numpy as np
import pytest
from sample_videos import numbered, write_video

from dettrack.errors import InputError, UsageError
from dettrack.video import open_video
from dettrack.video.isolated import IsolatedReader, Limits


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    images = [numbered(i, seed=i // 40) for i in range(80)]  # a cut in the middle
    return write_video(tmp_path_factory.mktemp("isolated") / "a.mp4", images)


def test_frames_times_shots_and_notes_are_those_of_the_reader(video, tmp_path):
    cut = tmp_path / "cut.avi"
    write_video(cut, [numbered(i) for i in range(40)], codec="mpeg4")
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 2 // 3])
    for source, part in ((video, {}), (video, {"start_s": 1.0, "end_s": 5.5, "shots": False}), (cut, {})):
        with open_video(source, **part) as plain, IsolatedReader(source, **part) as isolated:
            assert isolated.info == plain.info
            frames = list(plain)
            for one, other in zip(frames, isolated, strict=True):
                assert (one.index, one.time_s, one.shot) == (other.index, other.time_s, other.shot)
                np.testing.assert_array_equal(one.image, other.image)
            assert list(isolated) == []
            assert (isolated.notes, isolated.complete) == (plain.notes, plain.complete)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no signals there")
def test_a_decoder_that_dies_leaves_the_frames_before(video):
    with IsolatedReader(video) as reader:
        frames = iter(reader)
        indices = [next(frames).index for _ in range(30)]
        os.kill(reader.process_id, signal.SIGSEGV)
        indices += [frame.index for frame in frames]  # what was in the pipe already still comes
    assert indices == list(range(len(indices)))
    assert len(indices) < 80
    assert not reader.complete
    assert reader.notes == [f"the decoder died (signal 11, SIGSEGV) at frame {len(indices)}"]


def test_a_decoder_that_hangs_is_stopped(video):
    with IsolatedReader(video) as reader:
        frames = iter(reader)
        next(frames)
        reader._limits = Limits(frame_s=0.5)  # only now: starting a process may take longer
        os.kill(reader.process_id, signal.SIGSTOP)
        rest = list(frames)
    assert not reader.complete
    assert reader.notes == [f"the decoder gave nothing for 0.5 s at frame {len(rest) + 1}: stopped"]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no signals there")
def test_a_decoder_that_hangs_or_dies_within_a_frame_is_noticed_there(tmp_path):
    """Of a frame larger than the pipe, half has come: what it says next would be taken for pixels."""
    large = write_video(tmp_path / "large.mp4", [numbered(i, 640, 480) for i in range(12)])
    for number, said in ((signal.SIGSTOP, "gave nothing for 0.5 s"), (signal.SIGKILL, "signal 9, SIGKILL")):
        with IsolatedReader(large) as reader:
            indices = [next(iter(reader)).index]
            header = reader._receive()
            assert reader._pipe.poll(30)  # the first of the pixels are here, and the rest waits for room
            os.kill(reader.process_id, number)
            reader._limits = Limits(frame_s=0.5)
            reader._receive = iter([header]).__next__
            indices += [frame.index for frame in reader]
        assert indices == [0]
        assert not reader.complete
        assert said in reader.notes[0]
        assert "at frame 1" in reader.notes[0]


def test_memory_and_frames_are_limited(tmp_path, video):
    with IsolatedReader(video, limits=Limits(frames=10)) as reader:
        assert len(list(reader)) == 10
    assert not reader.complete
    assert "10 frames" in reader.notes[0]
    large = write_video(
        tmp_path / "large.mp4", [np.zeros((4320, 7680, 3), np.uint8)] * 2, options={"preset": "ultrafast"}
    )
    with pytest.raises(InputError, match=r"memory|died|allocate"):
        IsolatedReader(large, limits=Limits(memory_gib=0.3))


def test_errors_are_those_of_the_reader(video, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(InputError, match="not a video"):
        IsolatedReader(tmp_path / "text.mp4")
    with pytest.raises(UsageError, match="--start"):
        IsolatedReader(video, start_s=-1.0)
