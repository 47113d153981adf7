"""What a picture file says of itself, read before anything is decoded: its size, and whether it is whole.

Libraries allocate what a header asks for, and fill what is missing of a picture that was cut off with grey. Both are
found here first, in the formats that a folder of frames may hold; anything else is no picture for us.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["PictureHeader", "picture_header"]


@dataclass(frozen=True)
class PictureHeader:
    """The header of a picture.

    Attributes:
        width: Pixels.
        height: Pixels.
        whole: False where the file ends too early.
        animated: It holds several pictures.
        jpeg: It is a JPEG.
        exif_orientation: Of a JPEG: 1 to 8; 1 is upright.
    """

    width: int
    height: int
    whole: bool = True
    animated: bool = False
    jpeg: bool = False
    exif_orientation: int = 1

    @property
    def pixels(self) -> int:
        """Of one picture."""
        return self.width * self.height


def picture_header(data: bytes) -> PictureHeader | None:
    """The header of a BMP, JPEG, JPEG 2000, PNG, PNM, TIFF or WebP file; None for anything else."""
    try:
        for magic, read in _READERS:
            if data.startswith(magic):
                return read(data)
    except (struct.error, ValueError, IndexError):
        return None
    return None


def _png(data: bytes) -> PictureHeader:
    width, height = struct.unpack_from(">II", data, 16)
    kinds, position = set(), 8
    while position + 8 <= len(data) and b"IEND" not in kinds:
        length, kind = struct.unpack_from(">I4s", data, position)
        position += 12 + length
        if position > len(data):
            break
        kinds.add(kind)
    return PictureHeader(width, height, b"IEND" in kinds, b"acTL" in kinds)


_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers of JPEG's frame headers


def _jpeg(data: bytes) -> PictureHeader:
    width = height = 0
    whole, orientation = False, 1
    for marker, position in _jpeg_markers(data):
        if marker in _SIZES and not width:
            height, width = struct.unpack_from(">HH", data, position + 3)
        elif marker == 0xE1 and data.startswith(b"Exif\0\0", position + 2):
            length = struct.unpack_from(">H", data, position)[0]
            orientation = _exif_orientation(data[position + 8 : position + length])
        whole |= marker == 0xD9
    return PictureHeader(width, height, whole, jpeg=True, exif_orientation=orientation)


def _exif_orientation(exif: bytes) -> int:
    """1 where it says nothing that can be used."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2], "")
    try:
        start = struct.unpack_from(order + "I", exif, 4)[0]
        entries = range(start + 2, start + 2 + 12 * struct.unpack_from(order + "H", exif, start)[0], 12)
        values = dict(struct.unpack_from(order + "H6xH", exif, entry) for entry in entries)
    except struct.error:
        return 1
    orientation: int = values.get(0x0112, 1)
    return orientation if 1 <= orientation <= 8 else 1


def _jpeg_markers(data: bytes) -> Iterator[tuple[int, int]]:
    """Markers with the start of their content, to the end of the picture; those in an inner preview are passed over."""
    position = 2
    while 0 <= position < len(data) - 1:
        if data[position] != 0xFF:
            return
        marker = data[position + 1]
        if marker == 0xFF:  # filling
            position += 1
            continue
        yield marker, position + 2
        if marker == 0xD9:
            return
        position += 2 + struct.unpack_from(">H", data, position + 2)[0]
        if marker == 0xDA:  # compressed data follow, in which FF 00 is a byte and FF D0 to D7 are restarts
            position = data.find(b"\xff", position)
            while 0 <= position < len(data) - 1 and (data[position + 1] == 0 or 0xD0 <= data[position + 1] <= 0xD7):
                position = data.find(b"\xff", position + 2)


def _webp(data: bytes) -> PictureHeader:
    if data[8:12] != b"WEBP":
        raise ValueError("another RIFF file")
    whole = len(data) >= 8 + struct.unpack_from("<I", data, 4)[0]
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[i : i + 3], "little") + 1 for i in (24, 27))
        return PictureHeader(width, height, whole, bool(data[20] & 2))
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return PictureHeader((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, whole)
    width, height = (number & 0x3FFF for number in struct.unpack_from("<HH", data, 26))
    return PictureHeader(width, height, whole)


def _bmp(data: bytes) -> PictureHeader:
    if struct.unpack_from("<I", data, 14)[0] == 12:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    start, _, bits, packed = struct.unpack_from("<I", data, 10)[0], *struct.unpack_from("<HHI", data, 26)
    needed = start + (abs(width) * bits + 31) // 32 * 4 * abs(height) if packed == 0 else 0
    return PictureHeader(abs(width), abs(height), len(data) >= needed)


def _pnm(data: bytes) -> PictureHeader:
    numbers: list[int] = []
    lines = data[2:512].split(b"\n")
    for line in lines:
        numbers += map(int, line.partition(b"#")[0].split()[: 3 - len(numbers)])
        if len(numbers) == 3:
            break
    width, height, most = numbers
    channels, bytes_each = (3 if data[1:2] == b"6" else 1), 2 if most > 255 else 1
    return PictureHeader(width, height, data[1:2] in b"23" or len(data) >= width * height * channels * bytes_each)


def _tiff(data: bytes) -> PictureHeader:
    """The largest picture decides on the size; smaller ones are previews."""
    order = "<" if data[:2] == b"II" else ">"
    position = struct.unpack_from(order + "I", data, 4)[0]
    seen: set[int] = set()
    sizes: list[tuple[int, int]] = []
    whole = True
    while position and position not in seen and len(seen) < 100_000:
        seen.add(position)
        if position + 2 > len(data):
            whole = False
            break
        count = struct.unpack_from(order + "H", data, position)[0]
        tags: dict[int, tuple[int, ...]] = {}
        for entry in range(position + 2, position + 2 + 12 * count, 12):
            tag, kind, number = struct.unpack_from(order + "HHI", data, entry)
            if tag in (256, 257, 273, 279) and kind in (3, 4):
                tags[tag] = _tiff_values(data, entry, order, kind, number)
        ends = [start + length for start, length in zip(tags.get(273, ()), tags.get(279, ()), strict=False)]
        whole &= max(ends, default=0) <= len(data)
        sizes.append((tags.get(256, (0,))[0], tags.get(257, (0,))[0]))
        position = struct.unpack_from(order + "I", data, position + 2 + 12 * count)[0]
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return PictureHeader(width, height, whole, sizes.count((width, height)) > 1)


def _tiff_values(data: bytes, entry: int, order: str, kind: int, number: int) -> tuple[int, ...]:
    letter, width = ("H", 2) if kind == 3 else ("I", 4)
    place = entry + 8 if number * width <= 4 else struct.unpack_from(order + "I", data, entry + 8)[0]
    return struct.unpack_from(f"{order}{min(number, len(data) // width)}{letter}", data, place)


def _jpeg2000(data: bytes) -> PictureHeader:
    place = data.index(b"\xff\x4f\xff\x51")  # start of the code stream, and of its sizes
    right, bottom, left, top = struct.unpack_from(">IIII", data, place + 8)
    return PictureHeader(right - left, bottom - top, data.rfind(b"\xff\xd9") > place)


_READERS = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8\xff", _jpeg),
    (b"RIFF", _webp),
    (b"BM", _bmp),
    (b"II*\0", _tiff),
    (b"MM\0*", _tiff),
    (b"\0\0\0\x0cjP  ", _jpeg2000),
    (b"\xff\x4f\xff\x51", _jpeg2000),
    *((b"P%d" % number, _pnm) for number in (2, 3, 5, 6)),
)
