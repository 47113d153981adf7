"""What runs a network, behind one protocol: arrays in, arrays out."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Shaped, UInt8

__all__ = [
    "FileRunner",
    "ImageInput",
    "Port",
    "Runner",
    "SessionOptions",
    "fill_up",
    "first_line",
    "installed",
    "on_host",
    "picture_sizes",
    "sizes",
]


@dataclass(frozen=True)
class Port:
    """An input or output of a network's file.

    Attributes:
        name: As the file has it.
        shape: Sizes; None where the file leaves one open.
        dtype: NumPy name of its type.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str = "float32"

    def __str__(self) -> str:
        sizes = ", ".join("?" if side is None else str(side) for side in self.shape)
        return f"{self.name} ({sizes}) {self.dtype}"


@dataclass(frozen=True)
class ImageInput:
    """How a network takes images that are given as uint8 RGB `(n, h, w, 3)`.

    Attributes:
        channels_first: It takes `(n, 3, h, w)`.
        dtype: NumPy name of its input's type.
        bgr: Its channels are blue, green, red.
        mean: Subtracted from the values 0..255, in the network's order of channels.
        std: Divided by, likewise.
    """

    channels_first: bool = True
    dtype: str = "float32"
    bgr: bool = False
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def plain(self) -> bool:
        """Whether values stay as they are."""
        return self.mean == (0.0, 0.0, 0.0) and self.std == (1.0, 1.0, 1.0)

    def prepare(self, images: UInt8[np.ndarray, "n h w 3"]) -> Shaped[np.ndarray, "n _ _ _"]:
        """Images as the network wants them."""
        batch: np.ndarray = images[..., ::-1] if self.bgr else images
        if not self.plain:
            scale = (1 / np.array(self.std)).astype(np.float32)
            shift = (np.array(self.mean) / np.array(self.std)).astype(np.float32)
            batch = batch * scale - shift
        return np.ascontiguousarray(batch.transpose(0, 3, 1, 2) if self.channels_first else batch, self.dtype)


@dataclass(frozen=True)
class SessionOptions:
    """How a network is run.

    Attributes:
        runtime: What runs it; "auto" is decided by the file and by what is installed.
        device: "auto", "cpu", "cuda" or "cuda:N".
        precision: "fp32", "bf16" or "fp16".
        threads: CPU threads; 0 takes all.
        rows: Rows of a batch in one pass, which fixes the shape (fixed shapes are faster); 0 takes a batch as it is.
        side_by_side: Passes run beside each other with a thread each, which suits many passes of a small network;
            otherwise one after the other with all threads.
    """

    runtime: Literal["auto", "pytorch", "onnxruntime", "openvino", "tensorrt"] = "auto"
    device: str = "auto"
    precision: str = "fp32"
    threads: int = 0
    rows: int = 0
    side_by_side: bool = False


@runtime_checkable
class Runner(Protocol):
    """A network, ready to run."""

    runtime: str
    """Library, device and precision, for people."""
    device: str
    """Where arrays are given best: "cpu" (NumPy), or a CUDA device (tensors there)."""

    def run(self, batch: Shaped[Any, "n ..."]) -> list[Any]:
        """The network's outputs for a batch, each with one row for each of the batch: NumPy arrays or tensors."""
        ...


class FileRunner(Runner, Protocol):
    """A network from a file, which says what it takes and gives."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    failures: tuple[type[Exception], ...]
    """What `run` raises for a shape that the file does not allow."""

    def for_images(self, images: ImageInput, *, rows: int = 0, output: int | None = None) -> FileRunner:
        """The same network for batches of images as they are.

        Args:
            images: How they become its input.
            rows: See `SessionOptions`.
            output: Position of the only output that is wanted; None gives all.

        Returns:
            The network, which takes images.

        Raises:
            InputError: The file allows no such number of rows.
        """
        ...


def picture_sizes(images: UInt8[np.ndarray, "n h w 3"]) -> Shaped[np.ndarray, "n 2"]:
    """Width and height of each, the second input of exported DETRs: their boxes are then in pixels."""
    return np.tile(np.array(images.shape[2:0:-1], np.int64), (len(images), 1))


def fill_up(batch: Shaped[np.ndarray, "n ..."], rows: int) -> Shaped[np.ndarray, "rows ..."]:
    """A batch with rows of zeros behind it, for networks that take one number of rows only.

    Args:
        batch: Rows.
        rows: How many there shall be.

    Returns:
        The batch itself, where it has as many.
    """
    lacking = rows - len(batch)
    return batch if lacking <= 0 else np.concatenate([batch, np.zeros((lacking, *batch.shape[1:]), batch.dtype)])


def installed(*packages: str) -> bool:
    """Whether Python packages are there, all of them."""
    return all(importlib.util.find_spec(package) is not None for package in packages)


def on_host(array: Any) -> np.ndarray:
    """An output as a NumPy array."""
    return array if isinstance(array, np.ndarray) else array.float().cpu().numpy()


def first_line(error: Exception) -> str:
    """Of an error's message, at most 200 characters."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def sizes(shape: Sequence[Any]) -> tuple[int | None, ...]:
    """Of a port; runtimes give open ones as names, None or -1."""
    return tuple(side if isinstance(side, int) and side > 0 else None for side in shape)
