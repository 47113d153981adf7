"""`label_studio.json`: the boxes of the tracks as a task with predictions, for Label Studio's `VideoRectangle`.

Label Studio has no key points in videos: only boxes are written. Frames count from 1 there, and places are per cent.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dettrack.files import write_json
from dettrack.formats.result import Result
from dettrack.geometry import xywh_of
from dettrack.measure.scale import Scale

__all__ = ["write"]


def write(path: Path, result: Result, scale: Scale | None = None) -> list[Path]:
    """Write the file.

    Args:
        path: JSON file; set `data.video` to where Label Studio finds the video.
        result: What to write.
        scale: Not used: places are per cent of the picture.

    Returns:
        The file.

    Raises:
        OutputError: It cannot be written.
    """
    known = result.times.time_s[np.isfinite(result.times.time_s)]
    n = int(result.times.index[-1]) + 1 if len(result.times) else 0
    duration = float(known[-1]) if len(known) else 0.0
    tracks = [_track(result, track, n, duration) for track in result.tracks.tolist()]
    task = {"data": {"video": result.info.path}, "predictions": [{"model_version": "dettrack", "result": tracks}]}
    write_json(path, [task])
    return [path]


def _track(result: Result, track: int, n: int, duration: float) -> dict[str, Any]:
    rows = result.of(track)
    rows = rows[np.isfinite(rows.box).all(1)]
    shares = 100 * xywh_of(rows.box.astype(float)) / np.array([result.info.width, result.info.height] * 2)
    gaps = np.diff(rows.frame, append=rows.frame[-1:] + 2) > 1
    sequence = [
        {
            "frame": frame + 1,
            "enabled": not gap,  # off from here to the next one
            "rotation": 0,
            **dict(zip(("x", "y", "width", "height"), share, strict=True)),
            "time": None if np.isnan(time) else round(time, 6),
        }
        for frame, gap, share, time in zip(
            rows.frame.tolist(), gaps.tolist(), np.round(shares, 4).tolist(), rows.time_s.tolist(), strict=True
        )
    ]
    return {
        "id": f"track-{track}",
        "type": "videorectangle",
        "from_name": "box",
        "to_name": "video",
        "score": round(float(rows.score.mean()), 4) if len(rows) else 0.0,
        "value": {"framesCount": n, "duration": duration, "sequence": sequence, "labels": [result.name_of(track)]},
    }
