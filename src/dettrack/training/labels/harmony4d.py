"""Harmony4D: two people who wrestle, dance, hug; each still camera is a video (Khirodkar et al., NeurIPS 2024, MIT).

The layout that its own tools read, of one sequence or of any folder above some:

    SEQUENCE/exo/cam01/images/00001.jpg
    SEQUENCE/processed_data/poses2d/cam01/00001.npy     person -> (17, 2 or more): COCO's joints in pixels[, confidence]
    SEQUENCE/processed_data/bbox/cam01/00001.npy        person -> x1, y1, x2, y2; optional

The `.npy` files hold a pickled dictionary. Pickles can run code: they are read by an unpickler that knows nothing but
arrays, numbers and texts.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from dettrack.errors import InputError
from dettrack.files import parsing
from dettrack.skeleton import COCO17

__all__ = ["CameraVideo", "camera_videos", "read_boxes", "read_poses"]

_LEAST_CONFIDENCE = 0.3  # of a joint; their tools draw those above
_CLASSES = {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")}
_FUNCTIONS = {"scalar", "_frombuffer"}
_PUTS = {"PUT", "BINPUT", "LONG_BINPUT"}


class CameraVideo:
    """The frames of one still camera in one sequence.

    Attributes:
        name: SEQUENCE/CAMERA.
        frames: Number and image of each, in order.
    """

    def __init__(self, sequence: Path, camera: str) -> None:
        """List the images."""
        self._data, self._camera = sequence / "processed_data", camera
        self.name = f"{sequence.name}/{camera}"
        images = sorted((sequence / "exo" / camera / "images").glob("*.jpg"))
        self.frames = [(int(path.stem), path) for path in images if path.stem.isdecimal()]

    def poses(self, path: Path) -> dict[str, Float[np.ndarray, "17 2"]] | None:
        """Joints of the people in an image; None where it is not annotated."""
        file = self._data / "poses2d" / self._camera / f"{path.stem}.npy"
        return read_poses(file) if file.is_file() else None

    def boxes(self, path: Path) -> dict[str, Float[np.ndarray, " 4"]]:
        """Boxes of the people in an image, as far as there are any."""
        file = self._data / "bbox" / self._camera / f"{path.stem}.npy"
        return read_boxes(file) if file.is_file() else {}


def camera_videos(root: Path) -> list[CameraVideo]:
    """All videos of a sequence, or of all sequences below a folder; cameras that people wear are left out.

    Raises:
        InputError: There is no sequence.
    """
    sequences = sorted({path.parent for path in (root, *root.rglob("exo")) if path.name == "exo" and path.is_dir()})
    if (root / "exo").is_dir():
        sequences = [root]
    videos = [
        CameraVideo(sequence, camera.name)
        for sequence in sequences
        for camera in sorted((sequence / "exo").iterdir())
        if (camera / "images").is_dir()
    ]
    if not any(video.frames for video in videos):
        raise InputError(f"{root}: no exo/CAMERA/images/*.jpg below it: expected Harmony4D's layout")
    return videos


def read_poses(path: Path) -> dict[str, Float[np.ndarray, "17 2"]]:
    """Joints by person, NaN where they are not confident or not finite.

    Raises:
        InputError: Not such a file.
    """
    found = {}
    for person, values in _people(path).items():
        if values.ndim != 2 or values.shape[0] != len(COCO17) or values.shape[1] < 2:
            raise InputError(f"{path}: {person} has joints of shape {values.shape}, expected COCO's 17 with x and y")
        sure = values[:, 2] >= _LEAST_CONFIDENCE if values.shape[1] > 2 else np.ones(len(values), bool)
        known = sure & np.isfinite(values[:, :2]).all(1)
        found[person] = np.where(known[:, None], values[:, :2], np.nan)
    return found


def read_boxes(path: Path) -> dict[str, Float[np.ndarray, " 4"]]:
    """Boxes by person.

    Raises:
        InputError: Not such a file.
    """
    found = {}
    for person, values in _people(path).items():
        if values.size < 4:
            raise InputError(f"{path}: {person} has a box of {values.size} numbers, expected x1, y1, x2, y2")
        found[person] = values.ravel()[:4]
    return found


def _people(path: Path) -> dict[str, np.ndarray]:
    """The dictionary in a .npy file, without running what its pickle may hold."""
    with parsing(f"{path}", "a dictionary of people, as Harmony4D's files hold"):
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            shape, _, kind = np.lib.format.read_array_header_1_0(file)
            content = _unpickled(file.read()) if kind.hasobject else None
        if isinstance(content, np.ndarray) and content.shape == shape == ():
            content = content.item()
        if not isinstance(content, Mapping):
            raise TypeError(f"a {type(content).__name__}")
        return {str(person): np.asarray(values, float) for person, values in content.items()}


def _unpickled(data: bytes) -> Any:
    """What it holds. Places in the unpickler's memory beyond what a file of this size can fill would be reserved."""
    for code, place, _ in pickletools.genops(data):
        if code.name in _PUTS and isinstance(place, int) and place > len(data):
            raise pickle.UnpicklingError(f"it puts an object at place {place}")
    return _Arrays(io.BytesIO(data)).load()


def _empty(kind: type, shape: tuple[int, ...], code: bytes) -> Any:
    """An array that gets its content later; NumPy writes them with one shape alone, and would reserve any other."""
    if kind is not np.ndarray or shape != (0,):
        raise pickle.UnpicklingError(f"an array of shape {shape} before its content")
    return np.zeros(shape, np.dtype(code.decode("ascii")))


class _Arrays(pickle.Unpickler):
    """Knows NumPy's arrays and scalars; whatever else a pickle names is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if name == "_reconstruct" and module.split(".")[0] == "numpy":
            return _empty
        plain = module.split(".")[0] == "numpy" and name in _FUNCTIONS
        if plain or (module, name) in _CLASSES:
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no array")
