"""TOML files from users: settings, and score thresholds of joints; a mistake in one gives one clear line."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dettrack.errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["RENAMED_SECTIONS", "read_joint_thresholds", "read_toml"]

RENAMED_SECTIONS = {"after": "finish"}
"""Sections that files written for 0.1 name otherwise -> their name now."""


def read_toml(path: Path) -> dict[str, Any]:
    """Contents of a TOML file; raises `InputError` with the place of a mistake."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}") from error


def read_joint_thresholds(path: Path, joints: Sequence[str]) -> dict[str, float]:
    """Score thresholds by joint name, as `dettrack evaluate thresholds` learns and writes them.

    Args:
        path: A file with a table `[thresholds]` of joint names and numbers (beyond the scores' range too: a joint
            above all of whose scores its threshold lies is dropped everywhere).
        joints: Names that may occur.

    Raises:
        InputError: The file cannot be read, has no such table, names an unknown joint or gives no number.
    """
    table = read_toml(path).get("thresholds")
    if not isinstance(table, dict):
        raise InputError(f"{path}: no table [thresholds]; expected one line per joint, such as nose = 0.4")
    for joint, number in table.items():
        if joint not in joints:
            raise InputError(f"{path}: unknown joint {joint!r}; expected {', '.join(joints)}")
        if isinstance(number, bool) or not isinstance(number, int | float) or math.isnan(number):
            raise InputError(f"{path}: the threshold of {joint} is {number!r}; expected a number")
    return {joint: float(number) for joint, number in table.items()}
