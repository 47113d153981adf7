"""Presets: points on the measured curve of accuracy over cost (`docs/keyframes.md`), as changes to the defaults.

The defaults are the paper's. Torch-free, like `config`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dettrack.config import TrackConfig
from dettrack.errors import UsageError

__all__ = ["PRESETS", "preset_config"]

PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "accurate": {"cut": {"step": 2}},
    "balanced": {"cut": {"step": 8, "adaptive": True}, "estimate": {"small_crops_below": 130.0, "precision": "fast"}},
    "fast": {
        "cut": {"step": 8, "adaptive": True, "finest_step": 4},
        "estimate": {"flip": False, "small_crops_below": 130.0, "precision": "fast"},
    },
}
"""Name -> section of `TrackConfig` -> settings."""


def preset_config(name: str) -> TrackConfig:
    """The settings of a preset; "" is the paper's.

    Raises:
        UsageError: There is none of that name.
    """
    if name and name not in PRESETS:
        raise UsageError(f"--preset {name}: expected one of {', '.join(PRESETS)}")
    defaults = TrackConfig()
    changes = PRESETS.get(name, {})
    return replace(
        defaults, **{section: replace(getattr(defaults, section), **new) for section, new in changes.items()}
    )
