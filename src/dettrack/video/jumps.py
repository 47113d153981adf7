"""Jumps in time: a recorder that was paused, or that records only while something moves.

The picture may look alike on both sides of a jump while everybody in it has moved on or been replaced. So a jump ends
the shot: no tube reaches across, and no track goes on without having been seen.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from dettrack.structures import Frame

__all__ = ["split_at_jumps"]

_LEAST_S = 1.0  # a shorter pause is one that people can be followed across
_RATIO = 5.0  # against the usual time between frames: a camera may take one picture a second
_MEMORY = 15


def split_at_jumps(frames: Iterator[Frame], notes: list[str]) -> Iterator[Frame]:
    """Begin a new shot where time jumps.

    Args:
        frames: Frames in order, with their shots.
        notes: Receives a line for the first jump, and one for the number of all.

    Yields:
        The same frames; `shot` counts the jumps too.
    """
    steps: deque[float] = deque(maxlen=_MEMORY)
    jumps, before = 0, math.nan
    for frame in frames:
        step = frame.time_s - before  # NaN where frames have no times
        if steps and step > max(_LEAST_S, _RATIO * float(np.median(steps))):
            jumps += 1
            if jumps == 1:
                notes.append(f"{step:.1f} s pass between frames {frame.index - 1} and {frame.index}: tracks end there")
        elif not math.isnan(step):
            steps.append(step)
        before = frame.time_s
        yield replace(frame, shot=frame.shot + jumps) if jumps else frame
    if jumps > 1:
        notes.append(f"time jumps {jumps} times in all")
