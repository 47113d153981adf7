from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dettrack.config import FinishConfig
from dettrack.finish.smooth import Smoother, one_euro, savgol
from dettrack.skeleton import POSETRACK15
from dettrack.structures import TrackTable

J = len(POSETRACK15)


def walk(n, noise, seed=0, speed=3.0, missing=0.0):
    rng = np.random.default_rng(seed)
    true = np.stack([speed * np.arange(n), 20 * np.sin(np.arange(n) / 8)], -1)[:, None] + rng.uniform(0, 100, (J, 2))
    xy = true + rng.normal(0, 1, true.shape) * noise
    xy[rng.random(xy.shape[:2]) < missing] = np.nan
    return true, xy


def rows(xy, track=0, start=0):
    n = len(xy)
    return TrackTable(
        POSETRACK15,
        frame=np.arange(start, start + n),
        time_s=np.arange(start, start + n) / 25,
        track_id=np.full(n, track),
        box=np.tile([0.0, 0, 60, 150], (n, 1)),
        score=np.ones(n),
        xy=xy,
        joint_scores=np.ones((n, J)),
        spread=np.ones((n, J)),
        support=np.ones((n, J), int),
        source=np.zeros(n, int),
    )


def smooth(table, name, chunk):
    smoother = Smoother(FinishConfig(smooth=name), 25.0)
    out, last = [], int(table.frame[-1])
    for start in range(0, last + 1, chunk):
        part = table[(table.frame >= start) & (table.frame < start + chunk)]
        if len(part):
            out.append(smoother.add(part, int(part.frame[-1]) + 1))
        held = len(np.unique(smoother._rows.frame))
        assert held <= 3 * smoother.lag + chunk
    out.append(smoother.finish())
    return TrackTable.concatenate(out, POSETRACK15)


@pytest.mark.parametrize("name", ["one-euro", "savgol"])
def test_noise_shrinks_nothing_lags_and_the_raw_stays(name):
    true, xy = walk(200, noise=2.0)
    got = smooth(rows(xy), name, 1)
    np.testing.assert_array_equal(got.xy, xy)
    before, after = np.abs(xy - true).mean(), np.abs(got.xy_smooth - true)[10:-10].mean()
    assert after < 0.75 * before
    # zero phase: the result fits the truth best without a shift in time
    errors = [np.abs(got.xy_smooth[10 + d : 190 + d, :, 0] - true[10:190, :, 0]).mean() for d in (-1, 0, 1)]
    assert np.argmin(errors) == 1


@pytest.mark.parametrize(("name", "tolerance"), [("savgol", 1e-9), ("one-euro", 0.05)])
@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
@settings(max_examples=8)
def test_streaming_gives_what_the_whole_gives(name, tolerance, seed, chunk):
    n = int(np.random.default_rng(seed).integers(2, 120))
    _, a = walk(n, 2.0, seed, missing=0.03)
    _, b = walk(40, 2.0, seed + 1)
    table = TrackTable.concatenate([rows(a), rows(b, track=5, start=n // 2)], POSETRACK15).sorted()
    streamed, whole = smooth(table, name, chunk), smooth(table, name, 10**6)
    np.testing.assert_array_equal(streamed.frame, table.frame)
    np.testing.assert_array_equal(streamed.track_id, table.track_id)
    np.testing.assert_allclose(streamed.xy_smooth, whole.xy_smooth, atol=tolerance)
    np.testing.assert_array_equal(np.isnan(whole.xy_smooth), np.isnan(table.xy))


@pytest.mark.parametrize("name", ["one-euro", "savgol"])
def test_a_long_empty_stretch_costs_no_memory_and_is_not_smoothed_across(name):
    _, a = walk(30, 2.0, 1)
    _, b = walk(30, 2.0, 2)
    table = TrackTable.concatenate([rows(a), rows(b + 500, start=10**7)], POSETRACK15)
    smoother = Smoother(FinishConfig(smooth=name), 25.0)
    got = TrackTable.concatenate([smoother.add(table, 10**7 + 30), smoother.finish()], POSETRACK15)
    alone = smooth(rows(a), name, 10**6)
    np.testing.assert_allclose(got.xy_smooth[:30], alone.xy_smooth)
    assert np.abs(got.xy_smooth[30] - (b[0] + 500)).max() < 10


def test_a_parabola_passes_savitzky_golay_unchanged_and_short_runs_too():
    t = np.arange(40.0)
    xy = np.stack([t**2, 3 * t], -1)[:, None]
    np.testing.assert_allclose(savgol(xy, 7), xy, atol=1e-8)
    xy[3] = np.nan  # leaves a run of three frames at the start
    np.testing.assert_allclose(savgol(xy, 7), xy, atol=1e-8)


def test_one_euro_leaves_a_still_point_still_and_follows_a_fast_one():
    still = np.full((50, 1, 2), 7.0)
    time_s, size = np.arange(50) / 25, np.full((50, 1), 150.0)
    np.testing.assert_allclose(one_euro(still, time_s, size, 0.3), still)
    jump = still.copy()
    jump[25:] += 100
    got = one_euro(jump, time_s, size, 0.3)
    assert np.abs(got[35:, 0, 0] - 107).max() < 3
    assert np.abs(got[:15, 0, 0] - 7).max() < 3


@pytest.mark.parametrize(("fps", "window"), [(10.0, 5), (25.0, 9), (None, 9), (60.0, 19), (120.0, 37)])
def test_the_window_is_meant_in_seconds(fps, window):
    """A third of a second is more frames at a higher rate (at least five, always an odd number)."""
    rate = fps or 25.0
    smoother = Smoother(FinishConfig(smooth="savgol", smooth_window_s=0.3), fps)
    assert smoother.lag == window
    assert window == 5 or abs(window / rate - 0.3) <= 1.5 / rate
    _, xy = walk(200, noise=2.0)
    table = replace(rows(xy), time_s=np.arange(200) / rate)
    got = TrackTable.concatenate([smoother.add(table, 200), smoother.finish()])
    np.testing.assert_allclose(got.xy_smooth, savgol(xy, window), atol=1e-9)
