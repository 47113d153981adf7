"""Videos that are not whole: what is missing is said, whatever the container; what is whole is called whole."""

from fractions import Fraction

import av
import numpy as np
import pytest
from sample_videos import number_of, numbered, write_video

from dettrack.errors import InputError
from dettrack.video import open_video
from dettrack.video.structure import find_break

N = 60
KINDS = {
    "a.gif": {"codec": "gif", "pix_fmt": "rgb8"},
    "a.apng": {"codec": "apng", "pix_fmt": "rgb24"},
    "a.ts": {},
    "a.m2ts": {},
    "fragmented.mp4": {"container_options": {"movflags": "frag_keyframe+empty_moov+default_base_moof"}},
    "index_first.mp4": {"container_options": {"movflags": "faststart"}},
    "a.mkv": {},
    "a.webm": {"codec": "libvpx-vp9", "options": {"g": "15", "deadline": "realtime", "cpu-used": "8"}},
    "a.avi": {"codec": "mpeg4"},
    "jpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "a.mpg": {"codec": "mpeg2video", "rate": 25},
    "a.flv": {},
    "a.wmv": {"codec": "wmv2"},
    "a.mxf": {"codec": "mpeg2video", "rate": 25},
    "a.y4m": {"codec": "wrapped_avframe"},
    "a.ogv": {"codec": "libvpx", "options": {"g": "15", "deadline": "realtime", "cpu-used": "8"}},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    grain = np.random.default_rng(0)
    images = [
        np.clip(numbered(i).astype(int) + grain.integers(-20, 20, (96, 128, 3)), 0, 255).astype(np.uint8)
        for i in range(N)
    ]
    for name, options in KINDS.items():
        write_video(folder / name, images, **{"options": {"g": "15"}, **options})
    return folder


def read(path):
    with open_video(path, shots=False) as video:
        return [number_of(frame.image) for frame in video], video.complete, video.notes


def cut(data, share):
    return data[: int(len(data) * share) - int(len(data) * share) % 188 + 100]  # within a packet of a transport stream


def fill(data, first, last, content=None):
    a, b = int(len(data) * first), int(len(data) * last)
    return data[:a] + (bytes(b - a) if content is None else content.bytes(b - a)) + data[b:]


DAMAGE = {
    "cut in the middle": lambda data: cut(data, 0.5),
    "cut near the end": lambda data: cut(data, 0.9),
    "zeros inside": lambda data: fill(data, 0.4, 0.6),
    "zeros to the end": lambda data: fill(data, 0.7, 1),
    "a part removed": lambda data: data[: int(len(data) * 0.4)] + data[int(len(data) * 0.6) :],
    "garbage inside": lambda data: fill(data, 0.4, 0.7, np.random.default_rng(1)),
}


@pytest.mark.parametrize("name", KINDS)
def test_what_is_whole_is_called_whole(whole, name):
    numbers, complete, notes = read(whole / name)
    assert (len(numbers), complete, notes) == (N, True, [])


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", KINDS)
def test_what_is_missing_is_said(whole, tmp_path, name, damage):
    if (name, damage) == ("a.gif", "a part removed"):
        pytest.skip("blocks of one length meet again behind what was removed, and any bits are a picture")
    path = tmp_path / name
    path.write_bytes(DAMAGE[damage]((whole / name).read_bytes()))
    numbers, complete, notes = read(path)
    assert 0 < len(numbers) <= N
    assert not complete
    assert notes


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("a.ogv", b"OggS\0\0", b"OggX\0\0"),  # a page that is passed over
        ("fragmented.mp4", b"moof", b"mooX"),
        ("fragmented.mp4", b"traf", b"traX"),
        ("a.avi", b"00dc", b"0pdc"),
        ("a.avi", b"00dc", b"q0dc"),
    ],
)
def test_a_part_under_another_name_is_missing(whole, tmp_path, name, old, new):
    data = (whole / name).read_bytes()
    place = data.index(old, len(data) // 2)
    (tmp_path / name).write_bytes(data[:place] + new + data[place + len(old) :])
    numbers, complete, notes = read(tmp_path / name)
    assert len(numbers) < N
    assert not complete
    assert notes


def test_any_bit_of_an_ogg_file_counts(whole, tmp_path):
    data = bytearray((whole / "a.ogv").read_bytes())
    for place in np.random.default_rng(0).integers(len(data), size=30).tolist():
        changed = data.copy()
        changed[place] ^= 4
        (tmp_path / "a.ogv").write_bytes(changed)
        assert find_break(tmp_path / "a.ogv", "ogg")


def test_damage_behind_the_part_that_is_read_does_not_count(whole, tmp_path):
    path = tmp_path / "a.mkv"
    path.write_bytes(fill((whole / "a.mkv").read_bytes(), 0.7, 0.8))
    with open_video(path, end_s=2.0) as video:
        assert len(list(video)) == 20
    assert video.complete
    assert not read(path)[1]


@pytest.mark.parametrize("ending", ["mp4", "mov"])
def test_frames_that_an_edit_list_hides_are_not_missing(tmp_path, ending):
    """As of a cut without encoding again: the frames from the last whole one to the cut are there, and not shown."""
    source = write_video(tmp_path / "source.mp4", [numbered(i) for i in range(N)], options={"g": "60", "bf": "0"})
    path = tmp_path / f"cut.{ending}"
    with av.open(str(source)) as whole, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.size:
                lead = int(Fraction(2) / packet.time_base)  # two seconds before the start
                packet.pts, packet.dts, packet.stream = packet.pts - lead, packet.dts - lead, stream
                out.mux(packet)
    numbers, complete, notes = read(path)
    assert numbers == list(range(20, N))
    assert (complete, notes) == (True, [])


def test_frames_that_a_recorder_left_out_are_not_missing(tmp_path):
    """An AVI has an empty place for each."""
    kept = [i for i in range(N) if i % 7]
    path = write_video(tmp_path / "a.avi", [numbered(i) for i in kept], "mpeg4", ticks=kept, options={"bf": "0"})
    numbers, complete, notes = read(path)
    assert (numbers, complete, notes) == (kept, True, [])


def test_a_cut_edit_list_in_a_real_file(cases):
    numbers, complete, notes = read(cases / "ends_early_edit_list" / "el_near.mp4")
    assert (len(numbers), complete, notes) == (32, True, [])


def test_the_walk_ends_on_any_content(tmp_path):
    chance = np.random.default_rng(0)
    path = tmp_path / "x"
    for kind in ("gif", "apng", "mov", "matroska", "avi", "flv", "mpeg", "mpegts", "ogg", "asf", "mxf", "yuv4mpegpipe"):
        for size in (0, 1, 13, 500, 4000):
            path.write_bytes(chance.bytes(size))
            assert find_break(path, kind) is None or "byte" in find_break(path, kind)
    assert find_break(path, "h264") is None


def test_the_stream_that_is_shown_is_read_and_named(cases):
    with open_video(cases / "second_video_stream" / "twovideo.mov") as video:
        assert sum(1 for _ in video) == 24
    assert (video.info.width, video.info.height) == (426, 240)
    assert video.notes == ["2 video streams: number 1 of 426x240 is read, number 0 of 106x60 left out"]
    assert video.complete


def test_a_jump_in_time_ends_the_shot(cases, tmp_path):
    with open_video(cases / "timestamp_jump" / "nvr.mp4", shots=False) as video:
        shots = [frame.shot for frame in video]
    assert shots == [0] * 25 + [1] * 25
    assert video.notes == ["37.6 s pass between frames 24 and 25: tracks end there"]
    assert video.complete
    slow = write_video(tmp_path / "slow.mp4", [numbered(i) for i in range(8)], rate=1, ticks=[0, 1, 2, 3, 5, 6, 8, 9])
    with open_video(slow) as video:  # a frame left out at one a second is none
        assert {frame.shot for frame in video} == {0}


def test_a_thousand_frames_a_second_and_more(tmp_path):
    path = write_video(tmp_path / "fast.mp4", [numbered(i) for i in range(20)], rate=4000, time_base=Fraction(1, 4000))
    with open_video(path) as video:
        times = [frame.time_s for frame in video]
    assert video.info.fps == 4000
    assert times == pytest.approx([i / 4000 for i in range(20)])


def test_a_picture_that_is_too_large_is_refused_before_it_is_decoded(tmp_path):
    path = write_video(tmp_path / "a.mp4", [numbered(0)])
    with pytest.raises(InputError, match=r"128x96 is more than the 12287 pixels that are decoded.*--max-pixels"):
        open_video(path, max_pixels=128 * 96 - 1)
    small = bytearray(write_video(tmp_path / "bomb.gif", [numbered(0)], "gif", "rgb8").read_bytes())
    for place in (6, small.index(b",\0\0\0\0") + 5):
        small[place : place + 4] = (32_000).to_bytes(2, "little") * 2
    (tmp_path / "bomb.gif").write_bytes(small)
    with pytest.raises(InputError, match=r"bomb\.gif"):
        open_video(tmp_path / "bomb.gif")
