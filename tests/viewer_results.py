"""Result folders for the viewer's tests: people made of numbers, over a video whose frames carry their own number."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from jaxtyping import Float

from dettrack.config import CutConfig
from dettrack.formats import open_writers
from dettrack.formats.frames import FrameListWriter
from dettrack.formats.tracklets import TrackletWriter
from dettrack.skeleton import POSETRACK15
from dettrack.structures import Boxes, FrameTimes, TrackletBatch, Tracklets, TrackTable, VideoInfo

J = len(POSETRACK15)
WIDTH, HEIGHT = 192, 128
BITS = 12
CELL = 16  # pixels: survives the coder, and a picture scaled to the screen


def numbered_frame(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A grey picture whose first twelve cells, six in a row, are the bits of its number, white for 1."""
    image = np.full((height, width, 3), 90, np.uint8)
    for bit in range(BITS):
        y, x = divmod(bit, 6)
        image[y * CELL : (y + 1) * CELL, x * CELL : (x + 1) * CELL] = 255 if number >> bit & 1 else 0
    return image


def write_video(path: Path, times: Sequence[float], *, rotation: int = 0, gop: int = 30, frames: int = 3) -> None:
    """H.264 with B-frames, each frame numbered and at its time.

    Args:
        path: MP4, MKV or AVI file.
        times: Seconds.
        rotation: Degrees that a player turns the coded picture by, clockwise, as a phone's display matrix (MP4 only);
            pictures are upright when it does.
        gop: Frames from keyframe to keyframe.
        frames: B-frames in a row.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25))
        turned = rotation in (90, 270)
        stream.width, stream.height = (HEIGHT, WIDTH) if turned else (WIDTH, HEIGHT)
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "18", "g": str(gop), "bf": str(frames), "sc_threshold": "0"}
        clock = Fraction(1, 25) if path.suffix == ".avi" else Fraction(1, 90_000)
        stream.time_base = stream.codec_context.time_base = clock
        for number, time_s in enumerate(times):
            image = np.rot90(numbered_frame(number), rotation // 90)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = round(time_s / clock), clock
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if rotation:
        _set_rotation(path, rotation)


def _set_rotation(path: Path, rotation: int) -> None:
    """Write the display matrix of an MP4's track header."""
    c, s = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[rotation]
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40  # version 0
    ones = [c, s, 0, -s, c, 0, 0, 0]
    data[start : start + 36] = struct.pack(">9i", *(one << 16 for one in ones), 1 << 30)
    path.write_bytes(data)


def people(times: Float[np.ndarray, " n"], tracks: int = 3, seed: int = 0) -> TrackTable:
    """People who stand beside each other and move their joints a little; everyone is in every frame."""
    rng = np.random.default_rng(seed)
    n = len(times)
    frame, track = np.repeat(np.arange(n), tracks), np.tile(np.arange(tracks), n)
    rows = len(frame)
    corner = np.stack([8.0 + 50 * track, np.full(rows, 40.0)], 1)
    pose = rng.uniform(4, 36, (tracks, J, 2)) * [1, 2]
    xy = corner[:, None] + pose[track] + rng.normal(0, 0.5, (rows, J, 2))
    return TrackTable(
        POSETRACK15,
        frame=frame,
        time_s=times[frame],
        track_id=track,
        box=np.concatenate([corner, corner + np.array([40, 80])], 1),
        score=np.full(rows, 0.7),
        xy=xy,
        joint_scores=rng.uniform(0.5, 1, (rows, J)),
        spread=rng.uniform(0, 6, (rows, J)),
        support=np.full((rows, J), 3),
        source=np.where(frame % 3 == 0, 0, 1),
    )


def write_result(folder: Path, table: TrackTable, times: Float[np.ndarray, " n"], video: Path | None = None) -> Path:
    """A result folder with the tracks as Parquet, the list of frames, and a summary that names the video."""
    n = len(times)
    info = VideoInfo("numbered", str(video or "gone.mp4"), WIDTH, HEIGHT, Fraction(30), n)
    stamps = FrameTimes(np.arange(n), np.asarray(times, float), np.zeros(n, np.int64), ("",) * n)
    (writer,) = open_writers(["parquet"], folder, info, table.joint_set)
    for start in range(0, len(table), 1 << 14):  # this writer takes several frames at once
        writer.write(0, 0.0, table[start : start + (1 << 14)])
    writer.close()
    frames = FrameListWriter(folder / "frames.parquet")
    frames.write(stamps)
    frames.close()
    about = {"name": info.name, "path": info.path, "width": WIDTH, "height": HEIGHT, "fps": "30", "n_frames": n}
    (folder / "summary.json").write_text(json.dumps({"complete": True, "video": about, "notes": []}))
    return folder


def write_tracklets(path: Path, table: TrackTable, reach: int = 4) -> Path:
    """Tubes of everybody at every fourth frame; each hypothesis is a little beside the finished pose."""
    rng = np.random.default_rng(0)
    n, people = int(table.frame.max()) + 1, len(table.people)
    with TrackletWriter(path, POSETRACK15, CutConfig()) as writer:
        for keyframe in range(0, n, 4):
            frames = np.arange(max(0, keyframe - reach), min(n, keyframe + reach + 1))
            rows = [table[table.frame == frame] for frame in frames]
            order = rng.permutation(people)
            xy = np.stack([row.xy[order] for row in rows], 1) + rng.normal(0, 1, (people, len(frames), J, 2))
            boxes = Boxes(table[table.frame == keyframe].box[order], np.ones(people))
            tracklets = Tracklets(keyframe, frames, boxes, xy, np.full((people, len(frames), J), 0.8))
            times = FrameTimes.of((i, i / 30, 0, "") for i in range(keyframe, min(n, keyframe + 4)))
            writer.write(TrackletBatch(times, (tracklets,), keyframe, False))
    return path
