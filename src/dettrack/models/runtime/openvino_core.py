"""OpenVINO's package, imported without its model converter.

The package imports its converter along with itself, and that reports its import over the network from a process of
its own (openvino-telemetry). Nothing of it is needed here: the runtime reads ONNX and OpenVINO files by itself. The
package expects that the converter may be missing; here it is missing while the package is imported, and can be
imported afterwards.
"""

from __future__ import annotations

import sys

__all__ = ["openvino"]

_CONVERTER = "openvino.tools.ovc"

if "openvino" in sys.modules:
    import openvino
else:
    sys.modules[_CONVERTER] = None  # type: ignore[assignment]  # makes its import fail
    try:
        import openvino
    finally:
        del sys.modules[_CONVERTER]
