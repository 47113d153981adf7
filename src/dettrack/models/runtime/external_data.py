"""ONNX files that name other files for their weights are refused, whatever the runtime.

Both runtimes would read what the name says, and their own checks do not see through links. A network is one file here.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dettrack.errors import InputError

__all__ = ["refuse_external_data"]

# Message -> its fields that are messages, by their numbers in onnx.proto.
_MESSAGES = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14


def refuse_external_data(content: bytes | Path, name: str) -> None:
    """Look through an ONNX file; one that is damaged is left to the runtime.

    Args:
        content: The file, or its content.
        name: For people.

    Raises:
        InputError: A tensor's data lie in another file.
    """
    try:
        if isinstance(content, bytes):
            found = _is_external(memoryview(content))
        else:
            with (
                content.open("rb") as file,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
                memoryview(mapped) as view,
            ):
                found = _is_external(view)
    except (OSError, ValueError, IndexError):
        return
    if found:
        raise InputError(f"{name}: some of its weights lie in other files; save the network as one file")


def _is_external(model: memoryview) -> bool:
    waiting = [("model", 0, len(model))]
    while waiting:
        kind, start, end = waiting.pop()
        for field, value in _fields(model, start, end):
            if kind == "tensor" and (field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value == 1)):
                return True
            if field in _MESSAGES[kind] and isinstance(value, tuple):
                waiting.append((_MESSAGES[kind][field], *value))
    return False


def _fields(data: memoryview, position: int, end: int) -> Iterator[tuple[int, Any]]:
    """Number and value of the fields of a message: whole numbers, and (start, end) of what has a length."""
    while position < end:
        key, position = _number(data, position)
        wire = key & 7
        if wire == 0:
            value, position = _number(data, position)
            yield key >> 3, value
        elif wire == 2:
            length, position = _number(data, position)
            if position + length > end:
                raise ValueError("a field that is longer than its message")
            yield key >> 3, (position, position + length)
            position += length
        elif wire in (1, 5):
            position += 8 if wire == 1 else 4
        else:
            raise ValueError("no protocol buffer")


def _number(data: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("no protocol buffer")
