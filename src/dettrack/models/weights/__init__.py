"""Weights by name: those that ship inside the package, and the user's own store. Nothing is fetched unasked.

What can be fetched by name is in `catalogue`. The store is a folder of files, `$DETTRACK_WEIGHTS` or
`dettrack/weights` in the user's data folder. Both folders hold a `SHA256SUMS` in the form that `sha256sum` writes and
checks.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import platformdirs

from dettrack.errors import InputError, OutputError
from dettrack.files import NewFile, file_sha256, parsing, write_text
from dettrack.models.weights.catalogue import External, catalogue

__all__ = [
    "CALIBRATION",
    "SHIPPED",
    "StoredWeights",
    "add_file",
    "fetch",
    "fetch_known",
    "find_weights",
    "list_weights",
    "metadata",
    "store",
]

SHIPPED = Path(__file__).parent
_SUMS = "SHA256SUMS"
CALIBRATION = ".calibration.toml"
"""Ending of the file beside a model that says what its scores mean."""
_MOST_EXPANSION = 50
_ENDINGS = (".safetensors", ".onnx", ".xml")


@dataclass(frozen=True)
class StoredWeights:
    """Weights that can be named on the command line.

    Attributes:
        name: As `--model` or `--detector` takes it.
        path: Their file.
        shipped: Whether they came with the package.
        expected: SHA-256 written down for them, or "" if none is.
    """

    name: str
    path: Path
    shipped: bool
    expected: str

    @property
    def intact(self) -> bool:
        """Whether the file is the one that was written down."""
        return file_sha256(self.path) == self.expected


def store() -> Path:
    """The user's folder of weights; it need not exist."""
    if os.environ.get("DETTRACK_WEIGHTS"):
        return Path(os.environ["DETTRACK_WEIGHTS"])
    return Path(platformdirs.user_data_dir("dettrack", appauthor=False)) / "weights"


def list_weights() -> list[StoredWeights]:
    """All weights that have a name, shipped ones first."""
    found = []
    for folder, shipped in ((SHIPPED, True), (store(), False)):
        sums = _read_sums(folder)
        files = sorted(path for path in folder.glob("*") if path.suffix in _ENDINGS) if folder.is_dir() else []
        found += [StoredWeights(path.stem, path, shipped, sums.get(path.name, "")) for path in files]
    return found


def find_weights(name: str) -> StoredWeights:
    """Weights by name; raises `InputError` with the command that gets them, or the known names."""
    known = list_weights()
    for each in known:
        if each.name == name:
            return each
    others = catalogue()
    if name in others:
        raise InputError(f"{name} is not here yet: `dettrack weights fetch {name}` gets it ({others[name].licence})")
    names = [*(each.name for each in known), *others]
    raise InputError(f"no weights called {name!r}: `dettrack weights list` shows {', '.join(names)}")


def metadata(path: Path) -> dict[str, Any]:
    """What a `.safetensors` file says of itself, read without loading it; empty for other files."""
    if path.suffix != ".safetensors":
        return {}
    with parsing(f"{path}", "a readable safetensors file"):
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(length, 1 << 24)))
        about = header.get("__metadata__", {})
        return {key: json.loads(value) if value[:1] in ("{", "[") else value for key, value in about.items()}


def add_file(source: Path, name: str) -> StoredWeights:
    """Copy a model file into the store; an `.xml` takes its `.bin` along, and every model its calibration.

    Args:
        source: The file.
        name: Name in the store.

    Returns:
        What is stored.

    Raises:
        InputError: The file is missing, or of another kind.
    """
    if source.suffix not in _ENDINGS:
        raise InputError(f"{source}: expected a file ending in {', '.join(_ENDINGS)}")
    endings = [source.suffix, ".bin"] if source.suffix == ".xml" else [source.suffix]
    endings += [CALIBRATION] if source.with_suffix(CALIBRATION).is_file() else []
    try:
        for ending in endings:
            with source.with_suffix(ending).open("rb") as stream:
                _keep(stream, store() / f"{name}{ending}", expected="")
    except FileNotFoundError as error:
        raise InputError(f"no such file: {error.filename}") from error
    return find_weights(name)


def fetch(address: str, name: str, expected: str) -> StoredWeights:
    """Get a model file from a web address or a mirror folder into the store.

    Args:
        address: `https://...`, `http://...`, or a path; of the file, or of a .zip in which it is the one .onnx.
        name: Name in the store.
        expected: SHA-256 that it must have (of a .zip: the file in it).

    Returns:
        What is stored.

    Raises:
        InputError: Not reachable, of another ending, or not the file that was expected; nothing is kept then.
        OutputError: The store cannot be written.
    """
    ending = Path(address.partition("?")[0]).suffix.replace(".zip", ".onnx")
    if ending not in (".safetensors", ".onnx"):
        raise InputError(f"{address}: expected a file ending in .safetensors or .onnx, or a .zip with one .onnx in it")
    _get(address, store() / f"{name}{ending}", expected)
    return find_weights(name)


def fetch_known(weights: External, *, mirror: str = "") -> StoredWeights:
    """Get weights of the catalogue into the store, all their files or none; files that are there already stay.

    Args:
        weights: Entry of the catalogue.
        mirror: Folder or web address that has the files, under the entry's name or their own; "" for their source.

    Returns:
        What is stored.

    Raises:
        InputError: A file cannot be had, or is not the one that the catalogue knows; nothing is kept then.
        OutputError: The store cannot be written.
    """
    got: list[Path] = []
    try:
        for file in weights.files:
            target = store() / f"{weights.name}{file.ending}"
            if target.is_file() and file_sha256(target) == file.sha256:
                continue
            _get_first(file.places(weights.name, mirror) if mirror else [file.url], target, file.sha256)
            got.append(target)
    except (InputError, OutputError):
        for path in got:
            path.unlink(missing_ok=True)
        names = {path.name for path in got}
        if got:
            _write_sums(store(), {name: sum for name, sum in _read_sums(store()).items() if name not in names})
        raise
    return find_weights(weights.name)


def _get_first(places: list[str], target: Path, expected: str) -> None:
    """The file from the first place that has it; the last one's error where none does."""
    first, *others = places
    try:
        _get(first, target, expected)
    except InputError:
        if not others:
            raise
        _get_first(others, target, expected)


def _get(address: str, target: Path, expected: str) -> None:
    """One file, kept if it is the expected one."""
    try:
        with _opened(address) as stream:
            if not address.partition("?")[0].endswith(".zip"):
                _keep(stream, target, expected.lower())
                return
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=target.parent) as archive, tempfile.TemporaryFile(dir=target.parent) as one:
                shutil.copyfileobj(stream, archive, 1 << 20)
                _unzip(archive, one, address)
                _keep(one, target, expected.lower())
    except (urllib.error.URLError, TimeoutError, FileNotFoundError, IsADirectoryError) as error:
        raise InputError(
            f"cannot get {address}: {getattr(error, 'reason', error)}; on a machine without network, copy the file "
            "over and give its path instead (weights of the catalogue: --mirror FOLDER)"
        ) from error


@contextmanager
def _opened(address: str) -> Iterator[BinaryIO | Any]:
    if address.startswith(("https://", "http://")):
        with urllib.request.urlopen(address, timeout=60) as stream:  # nosec B310 (the scheme is checked above)
            yield stream
    else:
        with Path(address).open("rb") as file:
            yield file


def _unzip(archive: IO[bytes], one: IO[bytes], address: str) -> None:
    """The one .onnx file of a .zip, as mmdeploy's exports lie in theirs beside their descriptions."""
    with parsing(address, "a .zip with one .onnx file in it"), zipfile.ZipFile(archive) as zipped:
        (member,) = [info for info in zipped.infolist() if info.filename.endswith(".onnx")]
        if member.file_size > _MOST_EXPANSION * archive.seek(0, os.SEEK_END):
            raise InputError(f"{address}: {member.file_size} bytes packed into far fewer: not a model")
        with zipped.open(member) as inside:
            shutil.copyfileobj(inside, one, 1 << 20)
        one.seek(0)


def _keep(stream: BinaryIO | Any, target: Path, expected: str) -> None:
    """Write beside the target first; an unexpected file is thrown away."""
    with NewFile(target) as new:
        with new.part.open("wb") as file:
            shutil.copyfileobj(stream, file, 1 << 20)
        found = file_sha256(new.part)
        if expected and found != expected:
            raise InputError(f"{target.name}: SHA-256 is {found}, expected {expected}: not kept")
    _write_sums(target.parent, {**_read_sums(target.parent), target.name: found})


def _write_sums(folder: Path, sums: dict[str, str]) -> None:
    lines = [f"{digest}  {name}\n" for name, digest in sorted(sums.items())]
    write_text(folder / _SUMS, "".join(lines))


def _read_sums(folder: Path) -> dict[str, str]:
    path = folder / _SUMS
    if not path.is_file():
        return {}
    pairs = (line.split(maxsplit=1) for line in path.read_text().splitlines() if line.strip())
    return {name.strip().lstrip("*"): digest for digest, name in pairs}
