"""JPEG pictures with damage inside their data are refused: OpenCV's decoder fills what it cannot read, in silence.

The format has no checksums. What gives damage away is that the compressed data do not come out even: codes that do not
exist, data that end before the picture or after it. libjpeg warns of these; `simplejpeg` makes errors of its warnings.
"""

from __future__ import annotations

import re

import cv2
import numpy as np
import simplejpeg
from jaxtyping import UInt8

__all__ = ["DamagedJpegError", "decode_jpeg"]

_MOST_PADDING = 16  # bytes


class DamagedJpegError(Exception):
    """What libjpeg said of the picture's data."""


def decode_jpeg(data: bytes) -> UInt8[np.ndarray, "height width 3"] | None:
    """BGR as stored, EXIF orientation not applied; None if it cannot be decoded. Raises `DamagedJpegError`."""
    try:
        return np.asarray(simplejpeg.decode_jpeg(data, "BGR", strict=True))
    except ValueError as error:
        _check(str(error), data)
    try:
        # CMYK can be checked, but only OpenCV makes RGB of it.
        simplejpeg.decode_jpeg(data, "CMYK", strict=True)
    except ValueError as error:
        _check(str(error), data)
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)


def _check(said: str, data: bytes) -> None:
    """Raise if this is a warning of damaged data, rather than of a header that is unusual."""
    if not said.startswith(("Corrupt JPEG data", "Premature end", "Inconsistent progression")):
        return
    if padding := re.fullmatch(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0xd9", said):
        # Some cameras fill up with zeros before the end.
        count, end = int(padding[1]), data.rfind(b"\xff\xd9")
        if count <= _MOST_PADDING and not any(data[end - count : end]):
            return
    raise DamagedJpegError(said)
