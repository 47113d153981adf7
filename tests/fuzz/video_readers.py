"""Videos and pictures. A mutant with fewer frames than its seed that is called complete is a silent loss."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from reader import Make, Reader
from sample_videos import numbered, write_video

from dettrack.video import open_video

_MOST_PIXELS = 1_000_000
_FRAMES = 8


def _watch(path: Path) -> int:
    with open_video(path, shots=False, max_pixels=_MOST_PIXELS) as video:
        return sum(1 for _ in video)


def _videos(*names: str, **options: object) -> Make:
    def make(folder: Path) -> list[Path]:
        images = [numbered(i, 48, 32) for i in range(_FRAMES)]
        return [write_video(folder / name, images, **options) for name in names]  # type: ignore[arg-type]

    return make


def _pictures(folder: Path) -> list[Path]:
    paths = [folder / f"a.{ending}" for ending in ("png", "jpg", "bmp", "webp", "tif", "ppm", "jp2")]
    for path in paths:
        assert cv2.imwrite(str(path), numbered(3, 48, 36))
    deep, progressive, grey = folder / "deep.png", folder / "progressive.jpg", folder / "grey.jpg"
    assert cv2.imwrite(str(deep), numbered(3, 48, 36).astype(np.uint16) * 16)
    assert cv2.imwrite(str(progressive), numbered(3, 48, 36), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    assert cv2.imwrite(str(grey), numbered(3, 48, 36)[..., 0])
    return [*paths, deep, progressive, grey]


def _animations(folder: Path) -> list[Path]:
    frames = cv2.Animation()
    frames.frames = [np.dstack([numbered(i, 48, 36), np.full((36, 48), 255, np.uint8)]) for i in range(3)]
    frames.durations = np.array([100] * 3)
    paths = [folder / "moving.webp", folder / "moving.png"]
    for path in paths:
        assert cv2.imwriteanimation(str(path), frames)
    pages = folder / "pages.tif"
    assert cv2.imwritemulti(str(pages), [numbered(i, 48, 36) for i in range(3)])
    return [*paths, pages]


_FRAGMENTS = {"movflags": "frag_every_frame+empty_moov+default_base_moof"}
READERS = {
    "mp4": Reader(_videos("a.mp4", "a.mov"), _watch),
    "fragments": Reader(_videos("a.mp4", container_options=_FRAGMENTS), _watch),
    "matroska": Reader(_videos("a.mkv"), _watch),
    "webm": Reader(_videos("a.webm", codec="libvpx-vp9"), _watch),
    "avi": Reader(_videos("a.avi", codec="mpeg4"), _watch),
    "mjpeg": Reader(_videos("a.avi", codec="mjpeg", pix_fmt="yuvj420p"), _watch),
    "ts": Reader(_videos("a.ts"), _watch),
    "flv": Reader(_videos("a.flv"), _watch),
    "mpeg": Reader(_videos("a.mpg", codec="mpeg2video", rate=25), _watch),
    "asf": Reader(_videos("a.wmv", codec="wmv2"), _watch),
    "ogg": Reader(_videos("a.ogv", codec="libvpx"), _watch),
    "gif": Reader(_videos("a.gif", codec="gif", pix_fmt="rgb8"), _watch),
    "picture": Reader(_pictures, _watch),
    "animation": Reader(_animations, _watch),
}
