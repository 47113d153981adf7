"""MATLAB's files, read in a process of their own: SciPy's reader dies of some damaged ones.

The child is started at the first file, answers for one after the other, and is replaced if it dies. It sends arrays of
numbers as NumPy writes them, and everything else as JSON: nothing that it sends is run.
"""

from __future__ import annotations

import atexit
import io
import json
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from dettrack.errors import InputError
from dettrack.files import parsing

__all__ = ["load_mat", "serve"]

_MOST_SECONDS = 20.0  # and 1 more for every 100 kB: SciPy takes minutes over a kilobyte that counts wrongly
_MOST_BYTES = 3 << 29  # of the child's address space, and 500 more for every byte of the file
_START = "import sys; sys.path[:] = {path!r}; from dettrack.formats.mat import serve; serve()"

_lock = threading.Lock()
_child: subprocess.Popen[bytes] | None = None


def load_mat(path: Path, name: str) -> Any:
    """One variable of a `.mat` file (of MATLAB's -v7 or older).

    Args:
        path: The file.
        name: Of the variable.

    Returns:
        An array of numbers; or nested lists and dictionaries: a struct array is a list of dictionaries without the
        fields that are empty, a number or a text in it a list of one.

    Raises:
        InputError: It cannot be read, or has no such variable.
    """
    if not path.is_file():
        raise InputError(f"cannot read {path}: no such file")
    with _lock:
        answer = _ask(json.dumps([str(path.absolute()), name]), _MOST_SECONDS + path.stat().st_size / 100_000)
    if answer is None:
        raise InputError(f"{path}: damaged: the process that read it died of it, or found no end; expected a .mat file")
    kind, content = answer[:1], answer[1:]
    with parsing(f"{path}", "a .mat file, saved with MATLAB's -v7 or older"):
        if kind == b"E":
            raise InputError(f"{path}: {content.decode('utf-8', 'replace')}; save it with MATLAB's -v7 or older")
        return np.load(io.BytesIO(content), allow_pickle=False) if kind == b"N" else json.loads(content)


def _ask(question: str, seconds: float) -> bytes | None:
    """The child's answer; None if it died of the question, or had none after so many seconds."""
    global _child
    if _child is None or _child.poll() is not None:
        command = [sys.executable, "-c", _START.format(path=sys.path)]
        _child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        atexit.register(_end, _child)
    child = _child
    assert child.stdin is not None
    assert child.stdout is not None
    watch = threading.Timer(seconds, child.kill)
    watch.daemon = True
    watch.start()
    try:
        child.stdin.write(question.encode() + b"\n")
        child.stdin.flush()
        head = child.stdout.read(8)
        content = child.stdout.read(struct.unpack("<Q", head)[0]) if len(head) == 8 else b""
    except OSError:
        content = b""
    finally:
        watch.cancel()
    if content:
        return content
    _end(child)
    _child = None
    return None


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.communicate()


def serve() -> None:
    """The child: one question a line on standard input, one answer each on standard output."""
    for line in sys.stdin:
        path, name = json.loads(line)
        _limit_memory(_MOST_BYTES + 500 * Path(path).stat().st_size)
        answer = _answer(path, name)
        sys.stdout.buffer.write(struct.pack("<Q", len(answer)) + answer)
        sys.stdout.buffer.flush()


def _limit_memory(most: int) -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _answer(path: str, name: str) -> bytes:
    from scipy.io import loadmat

    try:
        content = loadmat(path, struct_as_record=True, squeeze_me=False)
        if name not in content:
            names = ", ".join(each for each in content if not each.startswith("__")) or "nothing"
            return f"Eno variable {name!r} in it, only {names}".encode()
        value = content[name]
        if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
            file = io.BytesIO()
            np.save(file, value, allow_pickle=False)
            return b"N" + file.getvalue()
        return b"J" + json.dumps(_plain(value)).encode()
    except Exception as error:  # noqa: BLE001 (whatever SciPy raises on what it cannot read)
        return b"E" + (str(error).splitlines() or [type(error).__name__])[0][:200].encode("utf-8", "replace")


def _plain(value: Any) -> Any:
    """MATLAB arrays to lists: a struct array to a list of dictionaries, a number or a string to a list of one."""
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.names:
        # An unset field of a struct is an empty array: the same as a field that is not there.
        return [
            {name: _plain(item[name]) for name in value.dtype.names if np.size(item[name])} for item in value.ravel()
        ]
    if value.dtype.kind == "U":
        return str(value.ravel()[0]) if value.size else ""
    if value.dtype.kind == "O":
        return [_plain(item) for item in value.ravel()]
    return value.ravel().tolist()
