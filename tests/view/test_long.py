"""One hour with 300 tracks opens at once, and steps without a wait. Limits of time are those that a person feels."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_browser import page_at, served, until
from viewer_results import J, write_result, write_video

from dettrack.skeleton import POSETRACK15
from dettrack.structures import TrackTable

FRAMES, TRACKS, FPS = 108_000, 300, 30
STEPS = """async ([from, by, count]) => {
  const shown = async (frame) => {
    while (viewer.active.frame !== frame || viewer.active.busy) await new Promise((done) => setTimeout(done, 0));
  };
  viewer.seek(from);
  await shown(from);
  await new Promise((done) => setTimeout(done, 300));
  const took = [];
  for (let k = 1; k <= count; k++) {
    const start = performance.now();
    viewer.step(by);
    await shown(from + k * by);
    took.push(performance.now() - start);
    await new Promise((done) => setTimeout(done, 30));
  }
  return took;
}"""


def crowd() -> TrackTable:
    """300 people, each for half a minute to a minute and a half; some five at once."""
    rng = np.random.default_rng(0)
    length = rng.integers(30 * FPS, 90 * FPS, TRACKS)
    start = rng.integers(0, FRAMES - length)
    track = np.repeat(np.arange(TRACKS), length)
    frame = np.concatenate([np.arange(a, a + n) for a, n in zip(start, length, strict=True)])
    n = len(frame)
    corner = rng.uniform(0, 120, (TRACKS, 2))[track] + np.stack([np.sin(frame / 90), np.cos(frame / 70)], 1) * 8
    pose = rng.uniform(2, 30, (TRACKS, J, 2)).astype(np.float32)
    return TrackTable(
        POSETRACK15,
        frame=frame,
        time_s=frame / FPS,
        track_id=track,
        box=np.concatenate([corner, corner + 32], 1),
        score=np.full(n, 0.6),
        xy=corner[:, None] + pose[track],
        joint_scores=np.full((n, J), 0.7),
        spread=np.full((n, J), 2.0),
        support=np.full((n, J), 3),
        source=np.where(frame % 4 == 0, 0, 1),
    ).sorted()


@pytest.mark.slow
def test_an_hour_with_300_tracks(browser: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    times = np.arange(FRAMES) / FPS
    write_video(tmp_path / "hour.mp4", times, gop=60)
    result = write_result(tmp_path / "hour.dettrack", table := crowd(), times, tmp_path / "hour.mp4")
    start = time.perf_counter()
    with served(result) as server:
        ready = time.perf_counter() - start
        with page_at(browser, server.address) as page:
            first = page.evaluate("viewer.firstFrame")
            steps = [t for at in (5_000, 54_321, 100_000) for t in page.evaluate(STEPS, [at, 1, 60])]
            back = [t for at in (7_000, 61_234, 99_000) for t in page.evaluate(STEPS, [at, -1, 60])]
            page.evaluate("viewer.seek(80000)")
            until(page, "viewer.active.frame === 80000")
            session = page.context.new_cdp_session(page)
            session.send("HeapProfiler.collectGarbage")
            session.send("Performance.enable")
            metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    heap = metrics["JSHeapUsedSize"] / 1e6
    p95 = [float(np.percentile(each, 95)) for each in (steps, back)]
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{len(table)} rows; server ready after {ready:.1f} s; first frame after {first:.0f} ms; "
            f"steps on {p95[0]:.0f} ms, back {p95[1]:.0f} ms (95th percentile); heap {heap:.0f} MB"
        )
    assert first < 1000
    assert max(p95) < 50
    assert heap < 300
