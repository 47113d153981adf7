"""Small videos made on the spot, whose frames carry their own number."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

_BITS = 8


def numbered(index: int, width: int = 128, height: int = 96, seed: int = 0) -> np.ndarray:
    """A smooth picture with `index` written in its middle as eight black or white blocks."""
    image = np.random.default_rng(seed).integers(40, 216, (3, 4, 3)).astype(np.uint8)
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
    for bit in range(_BITS):
        left = width * (bit + 1) // (_BITS + 2)
        block = image[height // 3 : 2 * height // 3, left : width * (bit + 2) // (_BITS + 2)]
        block[:] = 255 * (index >> bit & 1)
    return image


def number_of(image: np.ndarray) -> int:
    """The number that `numbered` wrote, read from a decoded picture of any size."""
    height, width = image.shape[:2]
    columns = [round(width * (bit + 1.5) / (_BITS + 2)) for bit in range(_BITS)]
    return sum(int(image[height // 2, column].mean() > 127) << bit for bit, column in enumerate(columns))


def corners(width: int = 96, height: int = 64) -> np.ndarray:
    """Red, green, blue and white quarters: every turn and mirror image looks different."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = (255, 0, 0)
    image[: height // 2, width // 2 :] = (0, 255, 0)
    image[height // 2 :, : width // 2] = (0, 0, 255)
    image[height // 2 :, width // 2 :] = (255, 255, 255)
    return image


def write_video(
    path: Path,
    images: Sequence[np.ndarray],
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: Fraction | int = 10,
    ticks: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    options: dict[str, str] | None = None,
    aspect: Fraction | None = None,
    container: str | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encode RGB images; skips the test where this PyAV build lacks the encoder."""
    try:
        av.codec.Codec(codec, "w")
    except av.codec.codec.UnknownCodecError:
        pytest.skip(f"this PyAV build cannot encode {codec}")
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    with av.open(str(path), "w", format=container, options=container_options or {}) as out:
        stream = out.add_stream(codec, rate=rate, options={**quiet, **(options or {})})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pix_fmt
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if time_base is not None:
            stream.codec_context.time_base = time_base
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format=pix_fmt)
            frame.pts = number if ticks is None else ticks[number]
            frame.time_base = time_base or 1 / Fraction(rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def set_display_matrix(path: Path, rows: Sequence[Sequence[int]]) -> None:
    """Overwrite the display matrix in the track header of an MP4, as a camera would write it."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4  # version 0: 40 bytes, then the matrix
    assert data[start] == 0
    fixed = [value << (30 if column == 2 else 16) for row in rows for column, value in enumerate(row)]
    data[start + 40 : start + 76] = struct.pack(">9i", *fixed)
    path.write_bytes(data)
