"""Zero-phase smoothing of tracks while they arrive; the raw positions are kept beside the smoothed ones.

* "one-euro": the 1 € filter (Casiez, Roussel and Vogel, CHI 2012), run forward, then backward over its own output, so
  that nothing lags behind. The cut-off rises with speed, here measured in box heights per second, so that a setting
  means the same for near and far people.
* "savgol": Savitzky-Golay, a parabola fitted to the window about each frame.

Both need frames from the future, hence wait; a joint's run of consecutive frames is smoothed on its own, never across
a gap. One-euro forgets: what lies further away than `_FORGOTTEN` windows changes a value by hundredths of a pixel.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from dettrack.config import FinishConfig
from dettrack.structures import TrackTable
from dettrack.structures.report import Tally

__all__ = ["Smoother", "one_euro", "savgol", "smooth_tracks"]

_FORGOTTEN = 3.0  # windows; at the lowest cut-off the memory decays by e^-2π per window
_SPEED_CUTOFF = 1.0  # Hz, cut-off of the speed estimate, the filter's usual value
_BETA = 8.0  # Hz per box height per second
_ORDER = 2
FPS_WITHOUT_CLOCK = 25.0


def _one_way(
    xy: Float[np.ndarray, "frames n 2"],
    time_s: Float[np.ndarray, " frames"],
    size: Float[np.ndarray, "frames n"],
    cutoff: float,
) -> Float[np.ndarray, "frames n 2"]:
    out = np.full(xy.shape, np.nan)
    value = np.full(xy.shape[1:], np.nan)
    speed = np.zeros(xy.shape[1:])
    for t in range(len(xy)):
        dt = abs(time_s[t] - time_s[t - 1]) if t else 1.0
        starts = np.isnan(value)  # the frame before has no value: a run begins
        change = np.where(starts, 0.0, (xy[t] - value) / dt)
        share = 1 / (1 + 1 / (2 * np.pi * _SPEED_CUTOFF * dt))
        speed = np.where(starts, 0.0, speed + share * (change - speed))
        speed = np.where(np.isnan(speed), 0.0, speed)
        rate = 2 * np.pi * dt * (cutoff + _BETA * np.hypot(speed[:, 0], speed[:, 1]) / size[t])
        alpha = (rate / (1 + rate))[:, None]
        value = np.where(starts, xy[t], value + alpha * (xy[t] - value))
        out[t] = value
    return out


def one_euro(
    xy: Float[np.ndarray, "frames n 2"],
    time_s: Float[np.ndarray, " frames"],
    size: Float[np.ndarray, "frames n"],
    window_s: float,
) -> Float[np.ndarray, "frames n 2"]:
    """One-euro filter there and back.

    Args:
        xy: Positions in pixels, NaN where missing; a missing value ends a run.
        time_s: Ascending.
        size: Height of the box in pixels that speed is measured in.
        window_s: 1 / lowest cut-off frequency.

    Returns:
        Smoothed positions, NaN where missing.
    """
    there = _one_way(xy, time_s, size, 1 / window_s)
    return _one_way(there[::-1], time_s[::-1], size[::-1], 1 / window_s)[::-1]


def savgol(xy: Float[np.ndarray, "frames n 2"], window: int) -> Float[np.ndarray, "frames n 2"]:
    """Savitzky-Golay filter of second order over `window` frames (odd); NaN ends a run.

    A run shorter than the window takes the largest odd window that fits; one of up to three frames stays as it is.

    Args:
        xy: Pixels.
        window: Frames; odd.

    Returns:
        Pixels.
    """
    from scipy.signal import savgol_filter  # here: its import takes as long as that of all else in this package

    out = xy.copy()
    there = np.isfinite(xy).all(-1)
    patterns, which = np.unique(there, axis=1, return_inverse=True)
    for p, pattern in enumerate(patterns.T):
        joints = np.flatnonzero(which.ravel() == p)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], pattern, [False]]).astype(np.int8)))
        for start, stop in edges.reshape(-1, 2).tolist():
            width = min(window, stop - start - (stop - start + 1) % 2)
            if width > _ORDER + 1:
                out[start:stop, joints] = savgol_filter(xy[start:stop, joints], width, _ORDER, axis=0)
    return out


def smooth_tracks(
    table: TrackTable, config: FinishConfig, fps: float | None, tracks: Int[np.ndarray, " tracks"] | None = None
) -> TrackTable:
    """Smooth rows that are all there, one person after the other.

    Args:
        table: Rows of any frames, sorted.
        config: `smooth` and `smooth_window_s`.
        fps: See `Smoother`.
        tracks: Ids of the tracks to smooth; those of the others stay. None: all of them.

    Returns:
        The rows with `xy_smooth`.
    """
    smoother = Smoother(config, fps)
    smooth = table.xy.copy() if table.xy_smooth is None else table.xy_smooth.copy()
    order = np.argsort(table.track_id, kind="stable")
    ids, starts = np.unique(table.track_id[order], return_index=True)
    for track, rows in zip(ids.tolist(), np.split(order, starts[1:]) if len(ids) else [], strict=True):
        if tracks is None or track in tracks:
            smooth[rows] = smoother.smooth(table[rows])
    return replace(table, xy_smooth=smooth)


class Smoother:
    """Fills `TrackTable.xy_smooth`, some frames behind.

    Args:
        config: `smooth` and `smooth_window_s`.
        fps: Frames per second; None, for a source without a clock, counts as `FPS_WITHOUT_CLOCK`.

    Attributes:
        settled_before: Every row of the frames before this one has been given out.
    """

    name = "smooth"
    tally = Tally()

    def __init__(self, config: FinishConfig, fps: float | None) -> None:
        self._config = config
        self._fps = fps = fps or FPS_WITHOUT_CLOCK
        self._window = 2 * (max(5, round(config.smooth_window_s * fps)) // 2) + 1
        forgotten = math.ceil(_FORGOTTEN * config.smooth_window_s * fps)
        self.lag = self._window if config.smooth == "savgol" else max(forgotten, 2)
        self._rows: TrackTable | None = None
        self._next = -1  # first frame that was not given out; rows before it are context
        self.settled_before = 0

    def add(self, table: TrackTable, until: int) -> TrackTable:
        """See `stages.Stage.add`; rows come back at least `lag` frames later.

        Work is done in blocks of `lag` frames, so that each row is smoothed three times at most.
        """
        if self._next < 0 and len(table):
            self._next = int(table.frame[0])
        self._rows = rows = table if self._rows is None else TrackTable.concatenate([self._rows, table])
        if not (rows.frame >= self._next).any():  # only context, or nothing
            self.settled_before = until
            return table[:0]
        if until - self._next < 2 * self.lag:
            return table[:0]
        return self._give(rows, until - self.lag)

    def end_shot(self, frame: int) -> None:
        """No track goes on after a shot cut."""

    def finish(self) -> TrackTable | None:
        """The rest."""
        return None if self._rows is None else self._give(self._rows, int(self._rows.frame.max(initial=0)) + 1)

    def _give(self, rows: TrackTable, before: int) -> TrackTable:
        """Smooth what is held and give out the frames up to `before`."""
        give = (rows.frame >= self._next) & (rows.frame < before)
        smooth = self.smooth(rows)
        columns = {name: value for name, value in vars(rows).items() if name != "xy_smooth"}
        out = TrackTable(**columns, xy_smooth=smooth)[give]
        self._next = self.settled_before = before
        self._rows = rows[rows.frame >= before - self.lag]
        return out

    def smooth(self, rows: TrackTable) -> Float[np.ndarray, "rows joints 2"]:
        """Smoothed positions of rows that are all there is."""
        if not len(rows):
            return rows.xy
        known, frames = np.unique(rows.frame, return_inverse=True)
        # A stretch without anybody shrinks to one frame: runs end there anyhow.
        place = np.cumsum(np.minimum(np.diff(known, prepend=known[:1]), 2))
        frames = place[frames]
        ids, column = np.unique(rows.track_id, return_inverse=True)
        n_frames, joints = int(place[-1]) + 1, rows.xy.shape[1]
        xy = np.full((n_frames, len(ids), joints, 2), np.nan)
        xy[frames, column] = rows.xy
        flat = xy.reshape(n_frames, -1, 2)
        if self._config.smooth == "savgol":
            smooth = savgol(flat, self._window)
        else:
            size = np.ones((n_frames, len(ids)))
            size[frames, column] = np.maximum(rows.box[:, 3] - rows.box[:, 1], 1.0)
            size = np.repeat(size, joints, 1)
            smooth = one_euro(flat, self._times(rows, frames, n_frames), size, self._config.smooth_window_s)
        return smooth.reshape(xy.shape)[frames, column]

    def _times(self, rows: TrackTable, frames: np.ndarray, n_frames: int) -> Float[np.ndarray, " frames"]:
        """Timestamps of all frames of the block; by the frame rate where the rows have none or do not ascend."""
        even = np.arange(n_frames) / self._fps
        known, at = np.unique(frames, return_index=True)
        given = rows.time_s[at]
        if not np.isfinite(given).all() or len(given) < 2 or (np.diff(given) <= 0).any():
            return even
        return np.interp(np.arange(n_frames), known, given)
