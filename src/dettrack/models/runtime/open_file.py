"""The one place where a network's file is opened, whatever the runtime."""

from __future__ import annotations

from pathlib import Path

from dettrack.errors import InputError, MissingExtraError
from dettrack.models.runtime.external_data import refuse_external_data
from dettrack.models.runtime.runner import FileRunner, SessionOptions, installed

__all__ = ["open_file"]


def open_file(content: bytes | Path, name: str, options: SessionOptions) -> FileRunner:
    """Open an ONNX or OpenVINO file: an `.xml` by OpenVINO, an ONNX file by ONNX Runtime, or else by OpenVINO.

    Args:
        content: The file, or the content of an ONNX file.
        name: For people.
        options: `runtime` overrules the choice; `precision` holds for OpenVINO.

    Returns:
        The network.

    Raises:
        InputError: Unreadable, or options that the runtime does not offer.
        MissingExtraError: No runtime for the file is installed.
    """
    is_xml = isinstance(content, Path) and content.suffix.lower() == ".xml"
    if is_xml and options.runtime not in ("auto", "openvino"):
        raise InputError(f"--runtime {options.runtime}: {name} is run by OpenVINO")
    if options.runtime not in ("auto", "openvino", "onnxruntime"):
        raise InputError(f"--runtime {options.runtime}: {name} is run by ONNX Runtime or OpenVINO")
    if not is_xml:
        refuse_external_data(content, name)
    instead = options.runtime == "auto" and not installed("onnxruntime") and installed("openvino")
    if is_xml or options.runtime == "openvino" or instead:
        if not installed("openvino"):
            raise MissingExtraError(name, "openvino")
        from dettrack.models.runtime.openvino import OpenVinoRunner

        return OpenVinoRunner(content, name, options)
    if not installed("onnxruntime"):
        raise MissingExtraError(name, "onnx")
    from dettrack.models.runtime.onnx import OnnxRunner

    return OnnxRunner(content, name, options)
