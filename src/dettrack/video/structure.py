"""Whether a video file is whole, by the structure of its container alone.

FFmpeg reads what it can: in a damaged file it searches for the next part that makes sense and says nothing of what lies
between, and a file without an announced length that was cut off simply ends. But containers are made of parts that say
their length, one behind the other. Walking from part to part shows where the chain breaks; only the heads of the parts
are read. Formats that have no such chain (raw streams, transport streams but for the size of their packets) are left to
the marks that demuxer and decoder put on packets and frames.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

__all__ = ["find_break"]


class _BreakError(Exception):
    """The chain of parts breaks at this byte."""

    def __init__(self, position: int) -> None:
        self.position = position


class _Bytes:
    """A file that is read at given places."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, 2)

    def at(self, position: int, count: int) -> bytes:
        """`count` bytes; breaks where the file ends before."""
        if position + count > self.size:
            raise _BreakError(min(position, self.size))
        self._file.seek(position)
        return self._file.read(count)

    def number(self, position: int, count: int, order: str = "big") -> int:
        return int.from_bytes(self.at(position, count), order)  # type: ignore[arg-type]


def find_break(path: Path, container: str, until: int | None = None) -> str | None:
    """Where the chain of a file's parts breaks.

    Args:
        path: The file.
        container: FFmpeg's names of its format, separated by commas.
        until: Breaks from this byte on do not count; None walks to the end.

    Returns:
        The place, for people; None where the file is whole, or its format has no such chain.
    """
    walk = next((_WALKS[name] for name in container.split(",") if name in _WALKS), None)
    if walk is None:
        return None
    try:
        with path.open("rb") as file:
            data = _Bytes(file)
            walk(data, data.size if until is None else min(until, data.size))
    except _BreakError as end:
        if until is None or end.position < until:
            return f"byte {end.position} of {data.size}"
    except OSError:
        return None  # reading has failed then, which is told already
    return None


def _gif(data: _Bytes, until: int) -> None:
    def table(flags: int) -> int:
        return 3 << ((flags & 7) + 1) if flags & 0x80 else 0

    position = 13 + table(data.at(10, 1)[0])
    while (kind := data.at(position, 1)) != b";":  # the trailer
        start = position
        if kind == b"!":
            position += 2
        elif kind == b",":
            position += 11 + table(data.at(position + 9, 1)[0])
        else:
            raise _BreakError(start)
        while length := data.at(position, 1)[0]:
            position += 1 + length
        position += 1
        if start >= until:
            return


def _boxes(data: _Bytes, until: int) -> None:
    """MP4 and QuickTime. Without fragments the index says what should be there, and a tail without meaning is usual."""
    position, fragmented, before = 0, False, 0
    try:
        while position < until:
            length, kind = data.number(position, 4), data.at(position + 4, 4)
            if not all(32 <= letter < 127 or letter == 0xA9 for letter in kind):
                raise _BreakError(position)
            fragmented |= kind == b"moof"
            if length == 1:
                length = data.number(position + 8, 8)
            if length == 0:  # to the end of the file
                return
            if length < 8 or position + length > data.size:
                raise _BreakError(position)
            if kind == b"moof":
                number = _fragment(data, position + 8, position + length)
                if before and number > before + 1:
                    raise _BreakError(position)
                before = number
            position += length
    except _BreakError:
        if fragmented:
            raise


_FREE = {b"free", b"skip", b"uuid", b"meta", b"udta"}
_IN_FRAGMENT = {b"mfhd", b"traf", b"pssh", *_FREE}
_IN_TRACK = {b"tfhd", b"tfdt", b"trun", b"sbgp", b"sgpd", b"saiz", b"saio", b"senc", b"subs", b"sdtp", *_FREE}


def _fragment(data: _Bytes, position: int, end: int, known: set[bytes] = _IN_FRAGMENT) -> int:
    """The number of an MP4 fragment: fragments are counted. What is in one is passed over if it has another name."""
    number = 0
    while position < end:
        length, kind = data.number(position, 4), data.at(position + 4, 4)
        if kind not in known or length < 8 or position + length > end:
            raise _BreakError(position)
        if kind == b"traf":
            _fragment(data, position + 8, position + length, _IN_TRACK)
        elif kind == b"mfhd":
            number = data.number(position + 12, 4)
        position += length
    return number


_SEGMENT, _CLUSTER, _EBML = 0x18538067, 0x1F43B675, 0x1A45DFA3
_TOP = {0x114D9B74, 0x1549A966, 0x1654AE6B, _CLUSTER, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367, 0xEC, 0xBF}
_IN_CLUSTER = {0xE7, 0x5854, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF, 0xEC, 0xBF}


def _matroska(data: _Bytes, until: int) -> None:
    kind, position, length = _element(data, 0)
    if kind != _EBML or length is None:
        raise _BreakError(0)
    kind, position, length = _element(data, position + length)
    if kind != _SEGMENT:
        raise _BreakError(position)
    end = data.size if length is None else position + length
    while position < min(end, until):
        start = position
        kind, position, length = _element(data, start)
        if kind == _CLUSTER:
            position = _cluster(data, position, None if length is None else position + length, end)
        elif kind not in _TOP or length is None:
            raise _BreakError(start)
        else:
            position += length
        if position > data.size:
            raise _BreakError(start)
    if length is not None and end > data.size and until >= data.size:
        raise _BreakError(data.size)


def _cluster(data: _Bytes, position: int, end: int | None, last: int) -> int:
    """The end of a cluster; one of unknown length ends where an element of the level above begins."""
    while position < (last if end is None else end):
        start = position
        kind, position, length = _element(data, start)
        if end is None and kind in _TOP and kind not in _IN_CLUSTER:
            return start
        if kind not in _IN_CLUSTER or length is None or position + length > data.size:
            raise _BreakError(start)
        position += length
    if end is not None and position != end:
        raise _BreakError(position)
    return position


def _element(data: _Bytes, position: int) -> tuple[int, int, int | None]:
    """Identifier, start of the content, and its length (None: unknown) of an EBML element."""
    first = data.at(position, 1)[0]
    count = 9 - first.bit_length()
    if count > 4:
        raise _BreakError(position)
    kind = data.number(position, count)
    first = data.at(position + count, 1)[0]
    width = 9 - first.bit_length()
    if width > 8:
        raise _BreakError(position)
    length = data.number(position + count, width) & ((1 << (7 * width)) - 1)
    return kind, position + count + width, None if length == (1 << (7 * width)) - 1 else length


def _riff(data: _Bytes, until: int) -> None:
    """AVI: chunks in lists; the lists that hold frames are entered."""
    position = 0
    while position < until:
        kind, length = data.at(position, 4), data.number(position + 4, 4, "little")
        if not all(32 <= letter < 127 for letter in kind):
            raise _BreakError(position)
        if kind[2:] in (b"dc", b"db", b"wb") and not kind[:2].isdigit():  # a frame that is of no stream
            raise _BreakError(position)
        inside = kind in (b"RIFF", b"LIST") and data.at(position + 8, 4) in (b"AVI ", b"AVIX", b"movi", b"rec ")
        if not inside and position + 8 + length > data.size:
            raise _BreakError(position)
        position += 12 if inside else 8 + length + length % 2


def _flv(data: _Bytes, until: int) -> None:
    position = data.number(5, 4) + 4
    while position < until:
        kind, length = data.at(position, 1)[0] & 31, data.number(position + 1, 3)
        if kind not in (8, 9, 18) or data.number(position + 11 + length, 4) not in (11 + length, 0):
            raise _BreakError(position)
        position += 15 + length


def _program_stream(data: _Bytes, until: int) -> None:
    position = 0
    while position < until:
        if data.at(position, 3) != b"\0\0\1":
            raise _BreakError(position)
        kind = data.at(position + 3, 1)[0]
        if kind == 0xB9:  # the end
            return
        if kind == 0xBA:
            second = data.at(position + 4, 1)[0] >> 6 == 1
            position += 14 + (data.at(position + 13, 1)[0] & 7) if second else 12
        elif kind < 0xBB:
            raise _BreakError(position)
        else:
            length = data.number(position + 4, 2)
            if position + 6 + length > data.size:
                raise _BreakError(position)
            position += 6 + length


def _transport_stream(data: _Bytes, until: int) -> None:
    """Packets of one size that begin alike: some are looked at; gaps the demuxer finds by the packets' counters."""
    head = data.at(0, min(data.size, 1024))
    for size, sync in ((188, 0), (192, 4), (204, 0)):
        if head[sync::size] and set(head[sync::size]) == {0x47}:
            count = min(until, data.size) // size
            for number in sorted({*range(0, count, count // 1000 + 1), count - 1}):
                if data.at(number * size + sync, 1) != b"G":
                    raise _BreakError(number * size)
            if until >= data.size and data.size % size:
                raise _BreakError(data.size - data.size % size)
            return


def _ogg(data: _Bytes, until: int) -> None:
    """Pages have numbers and checksums, and the last one of a stream says so."""
    position, numbers, open_streams = 0, dict[int, int](), set[int]()
    while position < until:
        start, count = position, data.at(position + 26, 1)[0]
        length = 27 + count + sum(data.at(position + 27, count))
        page = data.at(position, length)
        serial, number, checksum = (int.from_bytes(page[i : i + 4], "little") for i in (14, 18, 22))
        expected = numbers.get(serial, number - 1) + 1
        if page[:4] != b"OggS" or number != expected or _ogg_checksum(page) != checksum:
            raise _BreakError(start)
        numbers[serial] = number
        if page[5] & 4:
            open_streams.discard(serial)
            del numbers[serial]
        else:
            open_streams.add(serial)
        position += length
    if open_streams and until >= data.size:
        raise _BreakError(data.size)


_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _ogg_checksum(page: bytes) -> int:
    """CRC-32 with the highest bit first and without complements: that of zlib, mirrored."""
    mirrored = (page[:22] + bytes(4) + page[26:]).translate(_MIRRORED)
    return int(f"{zlib.crc32(mirrored, 0xFFFFFFFF) ^ 0xFFFFFFFF:032b}"[::-1], 2)


_ASF_FILE_PROPERTIES = bytes.fromhex("A1DCAB8C47A9CF118EE400C00C205365")
_ASF_DATA = bytes.fromhex("3626B2758E66CF11A6D900AA0062CE6C")


def _asf(data: _Bytes, until: int) -> None:
    """Windows Media: packets of one size that begin alike; the header may say how long the file is."""
    head = data.at(0, min(data.size, 1 << 16))
    place, start = head.find(_ASF_FILE_PROPERTIES), head.find(_ASF_DATA)
    if place < 0 or start < 0 or len(head) < max(place + 104, start + 51) or head[place + 88] & 1:
        return
    announced, count, size = (
        data.number(*where, "little") for where in ((place + 40, 8), (start + 40, 8), (place + 92, 4))
    )
    for position in range(start + 50, min(until, start + 50 + count * size), max(1, size)):
        if data.at(position, 1)[0] != head[start + 50]:
            raise _BreakError(position)
    if until >= data.size < announced:
        raise _BreakError(data.size)


def _png(data: _Bytes, until: int) -> None:
    position, kind = 8, b""
    while kind != b"IEND" and position < until:
        length, kind = data.number(position, 4), data.at(position + 4, 4)
        if not kind.isalpha() or position + 12 + length > data.size:
            raise _BreakError(position)
        position += 12 + length


_KEY = bytes.fromhex("060e2b34")


def _mxf(data: _Bytes, until: int) -> None:
    """Keys with lengths, as ASN.1 writes them; the first part says where the last one is."""
    if data.at(0, 4) != _KEY:
        return  # something stands before the first part, as is allowed
    position, footer = 0, 0
    while position < until:
        start = position
        if data.at(position, 4) != _KEY:
            raise _BreakError(start)
        length, position = data.number(position + 16, 1), position + 17
        if length > 0x80:
            more = length & 0x7F
            length, position = data.number(position, more), position + more
        if start == 0:
            footer = data.number(position + 24, 8)
        position += length
        if position > data.size:
            raise _BreakError(start)
    if until >= data.size <= footer:
        raise _BreakError(data.size)


_CHROMA = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "411": (4, 1), "440": (1, 2)}


def _y4m(data: _Bytes, until: int) -> None:
    """Pictures of one size, each behind a line of its own."""
    head = data.at(0, min(data.size, 1024)).split(b"\n")[0]
    said = {word[:1]: word[1:] for word in head.decode("latin-1").split()[1:] if word[0] in "WHC"}
    if not all(said.get(side, "").isdigit() for side in "WH"):
        raise _BreakError(0)
    width, height, colours = int(said["W"]), int(said["H"]), said.get("C", "420")
    planes = width * height
    if across_down := _CHROMA.get(colours[:3]):
        across, down = across_down
        planes += 2 * -(-width // across) * -(-height // down) + width * height * ("alpha" in colours)
    depth = re.search(r"p(9|1\d)$|mono(9|1\d)$", colours)
    position = len(head) + 1
    while position < until:
        line = data.at(position, min(80, data.size - position)).split(b"\n")[0]
        length = len(line) + 1 + planes * (2 if depth else 1)
        if not line.startswith(b"FRAME") or position + length > data.size:
            raise _BreakError(position)
        position += length


_WALKS: dict[str, Callable[[_Bytes, int], None]] = {
    "apng": _png,
    "asf": _asf,
    "avi": _riff,
    "flv": _flv,
    "gif": _gif,
    "matroska": _matroska,
    "mov": _boxes,
    "mpeg": _program_stream,
    "mpegts": _transport_stream,
    "mxf": _mxf,
    "ogg": _ogg,
    "yuv4mpegpipe": _y4m,
}
