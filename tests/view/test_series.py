"""What is plotted is what the exports measure."""

from __future__ import annotations

import numpy as np
from viewer_results import people

from dettrack.measure.angles import angles_of
from dettrack.view.series import series


def test_angles_are_those_of_the_exports_and_speed_is_the_boxs() -> None:
    times = np.arange(30) / 30
    table = people(times, tracks=2)
    mine = table[table.track_id == 1]
    mine.box[:] += np.outer(times * 60, [1, 0, 1, 0])  # 60 pixels a second at a height of 80
    plotted = series(mine, 1)
    assert plotted["frame"] == list(range(30))
    lines = {line["name"]: line for line in plotted["lines"]}
    measured = angles_of(mine)
    for name, shown in (("knee_angle_l", "left knee"), ("elbow_flex_r", "right elbow flex")):
        column = measured.degrees[:, measured.names.index(name)]
        np.testing.assert_allclose(lines[shown]["values"], column, atol=1e-3)
    np.testing.assert_allclose(lines["speed"]["values"], 60 / 80, atol=1e-6)


def test_gaps_and_strangers_have_no_values() -> None:
    table = people(np.arange(30) / 30, tracks=1)
    holes = table[(table.frame < 10) | (table.frame > 20)]
    speed = series(holes, 0)["lines"][-1]["values"]
    assert speed[9] is None
    assert speed[5] is not None
    assert series(table, 9)["frame"] == []
