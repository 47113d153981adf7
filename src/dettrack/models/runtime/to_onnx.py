"""Modules of PyTorch as the content of an ONNX file."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from dettrack.errors import MissingExtraError
from dettrack.models.runtime.runner import installed

__all__ = ["to_onnx"]

_OPSET = 17
_EXPORTING = threading.Lock()  # the exporter keeps its state for the whole process


def to_onnx(
    module: nn.Module, example: Tensor, names: tuple[str, ...], open_axes: Mapping[str, dict[int, str]]
) -> bytes:
    """Trace a module.

    The older of PyTorch's two exporters is used while it exists: on these networks it is twenty times as fast, which
    lets a checkpoint be handed to ONNX Runtime or OpenVINO each time that it is loaded.

    Args:
        module: In evaluation mode.
        example: Its input.
        names: Of its input and its outputs.
        open_axes: For each of them, the axes whose length stays open, and what they are called.

    Returns:
        The file's content.

    Raises:
        MissingExtraError: The exporter needs the package onnx, which is not installed.
    """
    if not installed("onnx"):
        raise MissingExtraError("a network of PyTorch in another runtime", "openvino")
    file = io.BytesIO()
    with _EXPORTING, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # it is deprecated, and traces are said to be constant where they are
        torch.onnx.export(
            module,
            (example,),
            file,  # type: ignore[arg-type]
            dynamo=False,
            input_names=names[:1],
            output_names=names[1:],
            dynamic_axes=dict(open_axes),
            opset_version=_OPSET,
        )
    return file.getvalue()
