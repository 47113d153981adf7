"""Angles and speed of one person over time, as the viewer plots them under the video."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Float

from dettrack.measure.angles import SEGMENTS, angles_of
from dettrack.structures import TrackTable

__all__ = ["series"]

_SPEED_WINDOW_S = 0.2  # the middle of the body is followed over so long: nearer rows differ by jitter alone


def series(table: TrackTable, track: int) -> dict[str, Any]:
    """What a plot of one person needs.

    Args:
        table: Rows.
        track: Id.

    Returns:
        `frame` and `time` of the rows, and `lines`: name, unit, values and their standard deviations (None where
        missing).
    """
    rows = table[table.track_id == track]
    angles = angles_of(rows)
    segments = {angle.name for angle in SEGMENTS}
    lines = [
        {"name": _words(name), "unit": "°", "values": _listed(values), "sd": _listed(sd)}
        for name, values, sd in zip(angles.names, angles.degrees.T, angles.sd.T, strict=True)
        if name not in segments and np.isfinite(values).any()
    ]
    lines.append({"name": "speed", "unit": "heights/s", "values": _listed(_speed(rows))})
    return {"frame": rows.frame.tolist(), "time": _listed(rows.time_s), "lines": lines}


def _words(name: str) -> str:
    """`knee_angle_l` as people say it."""
    stem, _, side = name.rpartition("_")
    words = (stem if side in ("l", "r") else name).removesuffix("_angle").replace("_", " ")
    return f"{ {'l': 'left', 'r': 'right'}[side] } {words}" if side in ("l", "r") else words


def _listed(values: Float[np.ndarray, " n"]) -> list[float | None]:
    return [round(v, 4) if math.isfinite(v) else None for v in values.tolist()]


def _speed(rows: TrackTable) -> Float[np.ndarray, " rows"]:
    """Of the middle of the box, in its heights a second, over a short window around each row."""
    n = len(rows)
    out = np.full(n, np.nan)
    if n < 3 or np.isnan(rows.time_s).any():
        return out
    middle = (rows.box[:, :2] + rows.box[:, 2:]) / 2
    height = np.maximum(rows.box[:, 3] - rows.box[:, 1], 1)
    before = np.searchsorted(rows.time_s, rows.time_s - _SPEED_WINDOW_S / 2 - 1e-6)
    after = np.searchsorted(rows.time_s, rows.time_s + _SPEED_WINDOW_S / 2 + 1e-6, side="right") - 1
    before, after = (
        np.minimum(before, np.maximum(np.arange(n) - 1, 0)),
        np.maximum(after, np.minimum(np.arange(n) + 1, n - 1)),
    )
    seconds = rows.time_s[after] - rows.time_s[before]
    whole = (rows.frame[after] - rows.frame[before] == after - before) & (seconds > 0)
    step = np.linalg.norm(middle[after] - middle[before], axis=1)
    out[whole] = step[whole] / height[whole] / seconds[whole]
    return out
