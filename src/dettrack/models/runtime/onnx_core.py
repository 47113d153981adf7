"""ONNX Runtime's package, imported without its telemetry.

Version 1.32, and maybe others, keep a number of the machine in the home folder from the moment of the import on, and
have an uploader for what they count. The environment says that they shall not, to child processes too; where it
was imported before, it is told so.
"""

from __future__ import annotations

import os
import sys

__all__ = ["onnxruntime", "state"]

_imported_before = "onnxruntime" in sys.modules
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime  # noqa: E402 (the environment comes first)
from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: E402

if _imported_before and hasattr(onnxruntime, "disable_telemetry_events"):
    onnxruntime.disable_telemetry_events()
