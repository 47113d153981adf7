"""Files that are broken, cut off or no videos at all."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from sample_videos import number_of, numbered, write_video

from dettrack.errors import InputError
from dettrack.video import VideoWriter, open_video
from dettrack.video import containers as containers_module

COUNT = 12
IMAGES = [numbered(index) for index in range(COUNT)]


def numbers(reader):
    return [number_of(frame.image) for frame in reader]


@pytest.mark.parametrize("ending", ["avi", "mkv", "ts"])
def test_a_cut_off_file_gives_its_frames_so_far_and_says_so(tmp_path, ending):
    images = [numbered(index, seed=index) for index in range(60)]
    path = write_video(tmp_path / f"a.{ending}", images, "mpeg4", options={"g": "5"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 5])
    with open_video(path) as reader:
        got = numbers(reader)
    assert 5 < len(got) < 40
    assert got[:5] == list(range(5))
    if ending != "ts":  # a transport stream announces no length: nothing to compare with
        assert not reader.complete
        assert "ends early" in reader.notes[-1]


def test_a_cut_off_mp4_with_its_index_in_front_gives_its_frames_so_far(tmp_path):
    images = [numbered(index, seed=index) for index in range(60)]
    path = write_video(tmp_path / "a.mp4", images, options={"g": "5"}, container_options={"movflags": "+faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with open_video(path) as reader:
        got = numbers(reader)
    assert got[:15] == list(range(15))
    assert not reader.complete
    assert "of the announced 60 frames" in reader.notes[-1]


def test_damage_in_the_middle_is_skipped_and_noted(tmp_path):
    images = [numbered(index, seed=index) for index in range(60)]
    path = write_video(tmp_path / "a.avi", images, "png", "rgb24")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40000] = bytes(40000)
    path.write_bytes(data)
    with open_video(path) as reader:
        got = numbers(reader)
    assert got[:10] == list(range(10))
    assert got[-1] == 59
    assert len(got) < 60
    assert any("damaged" in note for note in reader.notes)


def audio_only(path):
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.rate = 8000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def song_with_cover(path):
    with av.open(str(path), "w") as out:
        cover = out.add_stream("mjpeg", rate=25)
        cover.height, cover.width, cover.pix_fmt = 96, 128, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        sound = out.add_stream("flac", rate=8000)
        picture = av.VideoFrame.from_ndarray(numbered(0), "rgb24").reformat(format="yuvj420p")
        picture.pts = 0
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.rate = 8000
        for stream, item in ((cover, picture), (cover, None), (sound, frame), (sound, None)):
            out.mux(stream.encode(item))


def without_frames(path):
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        out.start_encoding()


BAD = {
    "missing.mp4": (lambda path: None, "no such file or folder"),
    "empty.mp4": (Path.touch, "the file is empty"),
    "text.mp4": (lambda path: path.write_text("not a video\n" * 100), "not a video"),
    "notes.txt": (lambda path: path.write_text("not a video\n" * 100), "not a video"),
    "noise.avi": (lambda path: path.write_bytes(np.random.default_rng(0).bytes(50_000)), "not a video"),
    "sound.wav": (audio_only, "no video in it, only audio"),
    "song.flac": (song_with_cover, "no video in it, only audio"),
    "frameless.avi": (without_frames, "no frame can be decoded"),
    "headless.mp4": (
        lambda path: path.write_bytes(write_video(path.with_name("b.mp4"), IMAGES).read_bytes()[:900]),
        "not a video that can be read, or cut off before its index",
    ),
    "folder": (Path.mkdir, "no images there"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_line_that_names_the_file(tmp_path, name, capfd):
    make, message = BAD[name]
    make(tmp_path / name)
    with pytest.raises(InputError, match=message) as caught:
        open_video(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_name_with_a_colon_is_a_file_and_no_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "a.mp4", IMAGES).rename("12:30 %d.mp4")
    with open_video("12:30 %d.mp4") as reader:
        assert numbers(reader) == list(range(COUNT))
    assert reader.info.name == "12:30 %d"
    with VideoWriter("out:1.mp4", (96, 128), Fraction(10)) as out:
        out.write(IMAGES[0])
    assert (tmp_path / "out:1.mp4").is_file()


def test_a_playlist_is_no_video_even_if_its_parts_are(tmp_path):
    write_video(tmp_path / "part.ts", IMAGES)
    playlist = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.2,\npart.ts\n#EXT-X-ENDLIST\n"
    (tmp_path / "a.m3u8").write_text(playlist)
    with pytest.raises(InputError, match=r"not a video"):
        open_video(tmp_path / "a.m3u8")


def test_a_file_that_may_not_be_read_says_so(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", IMAGES)

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(containers_module.av, "open", refuse)  # root may read everything: chmod proves nothing
    with pytest.raises(InputError, match=r"a\.mp4: cannot be opened \(permission denied\)"):
        open_video(path)
