"""A track table as columns: the form of Parquet, CSV, pandas, and everything that reads Arrow.

Columns: frame_index, time_s, track_id, source, score, box_x1, box_y1, box_x2, box_y2, and for every joint
`<joint>_x`, `_y`, `_score`, `_spread`, `_support` (and `_x_smooth`, `_y_smooth` after smoothing). Missing is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from dettrack.structures.tracks import TrackTable

__all__ = ["CORNERS", "SOURCES", "to_arrow"]

SOURCES = ["detected", "recovered", "interpolated"]
"""Names of `structures.Source`, by value."""
CORNERS = ("box_x1", "box_y1", "box_x2", "box_y2")


def to_arrow(rows: TrackTable, smooth: bool = False) -> pa.Table:
    """A track table as columns.

    Args:
        rows: The rows.
        smooth: Add the smoothed positions (null where there are none).

    Returns:
        One row for each person and frame.
    """

    def real(values: np.ndarray) -> pa.Array:
        return pa.array(values.astype(np.float32), from_pandas=True)  # NaN becomes null

    columns: dict[str, pa.Array] = {
        "frame_index": pa.array(rows.frame, pa.int64()),
        "time_s": pa.array(rows.time_s, pa.float64()),
        "track_id": pa.array(rows.track_id, pa.int64()),
        "source": pa.DictionaryArray.from_arrays(pa.array(rows.source, pa.int8()), pa.array(SOURCES)),
        "score": real(rows.score),
    }
    columns |= {name: real(rows.box[:, i]) for i, name in enumerate(CORNERS)}
    xy_smooth = np.full_like(rows.xy, np.nan) if rows.xy_smooth is None else rows.xy_smooth
    for i, joint in enumerate(rows.joint_set.joints):
        columns[f"{joint}_x"] = real(rows.xy[:, i, 0])
        columns[f"{joint}_y"] = real(rows.xy[:, i, 1])
        columns[f"{joint}_score"] = real(rows.joint_scores[:, i])
        columns[f"{joint}_spread"] = real(rows.spread[:, i])
        columns[f"{joint}_support"] = pa.array(rows.support[:, i], pa.int32())
        if smooth:
            columns[f"{joint}_x_smooth"] = real(xy_smooth[:, i, 0])
            columns[f"{joint}_y_smooth"] = real(xy_smooth[:, i, 1])
    return pa.table(columns)
