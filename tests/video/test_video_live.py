import threading
from fractions import Fraction

import numpy as np
import pytest

from dettrack.errors import InputError
from dettrack.structures import Frame, VideoInfo
from dettrack.video.live import LiveFrames, _camera, open_live, paced

PIXEL = np.zeros((1, 1, 3), np.uint8)
INFO = VideoInfo("a", "a", 1, 1, Fraction(25), None)


def frames(n, step_s=0.04, start_s=7.0):
    return (Frame(i + 3, start_s + i * step_s, PIXEL) for i in range(n))


def test_a_file_is_played_at_its_own_pace():
    now, slept = [100.0], []

    def sleep(seconds):
        slept.append(round(seconds, 6))
        now[0] += seconds

    for frame in paced(frames(5), lambda: now[0], sleep):
        if frame.index == 4:
            now[0] += 0.1  # the reader was busy: the next frames are due at once
    assert slept == [0.04, 0.02]
    unclocked = paced((Frame(i, float("nan"), PIXEL) for i in range(3)), lambda: now[0], sleep)
    start = now[0]
    assert len(list(unclocked)) == 3
    assert now[0] - start == pytest.approx(0.08)


def test_the_oldest_frames_are_dropped_while_nobody_takes_them():
    live = LiveFrames(frames(20), INFO, 4)
    live._thread.join()
    taken = list(live)
    assert [frame.index for frame in taken] == [0, 1, 2, 3]
    np.testing.assert_allclose([frame.time_s for frame in taken], 7 + 0.04 * np.arange(16, 20))
    assert (live.received, live.taken, live.dropped) == (20, 4, 16)
    live.close()


def test_an_error_arrives_after_the_frames_before_it():
    def broken():
        yield from frames(2)
        raise OSError("cable pulled")

    with LiveFrames(broken(), INFO, 5) as live:
        assert len([next(live), next(live)]) == 2
        with pytest.raises(OSError, match="cable pulled"):
            next(live)
        assert list(live) == []


def test_closing_stops_an_endless_source():
    def endless():
        i = 0
        while True:
            yield Frame(i, i / 25, PIXEL)
            i += 1

    closed = []
    with LiveFrames(endless(), INFO, 2, lambda: closed.append(True)) as live:
        next(live)
    assert closed == [True]
    assert not [thread for thread in threading.enumerate() if thread.name == "dettrack live"]


def test_names_of_cameras(monkeypatch):
    for system, name, expected in (
        ("Linux", "2", ("/dev/video2", "v4l2")),
        ("Linux", "/dev/video0", ("/dev/video0", "v4l2")),
        ("Darwin", "0", ("0", "avfoundation")),
        ("Windows", "video=Cam", ("video=Cam", "dshow")),
        ("Linux", "a.mp4", None),
    ):
        monkeypatch.setattr("platform.system", lambda system=system: system)
        assert _camera(name) == expected
    monkeypatch.setattr("platform.system", lambda: "Windows")
    with pytest.raises(InputError, match="video=NAME"):
        _camera("0")


@pytest.mark.parametrize("source", ["79", "rtsp://127.0.0.1:9/none", "nowhere.mp4"])
def test_nothing_there(source):
    with pytest.raises(InputError, match=r"79|rtsp|nowhere"):
        open_live(source, 2)
