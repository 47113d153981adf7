"""`tracks.rrd`: skeletons and boxes on two timelines (frame, time) for the Rerun viewer. Needs rerun-sdk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dettrack.errors import MissingExtraError
from dettrack.files import NewFile
from dettrack.formats.result import Result
from dettrack.measure.scale import Scale

__all__ = ["write"]


def write(path: Path, result: Result, scale: Scale | None = None) -> list[Path]:
    """Write the recording: `people/ID/joints`, `people/ID/box`, cleared where a person is not seen.

    Args:
        path: The file.
        result: What to write.
        scale: Not used: the file is in pixels.

    Returns:
        The file.

    Raises:
        MissingExtraError: rerun-sdk is not installed.
        OutputError: It cannot be written.
    """
    try:
        import rerun as rr
    except ImportError:
        raise MissingExtraError("rerun", "rerun") from None
    joints = result.table.joint_set
    with NewFile(path) as new:
        stream = rr.RecordingStream("dettrack", send_properties=False)
        stream.save(str(new.part))
        before: set[int] = set()
        for index, time_s, rows, _ in result.frames():
            stream.set_time("frame", sequence=index)
            if not np.isnan(time_s):
                stream.set_time("time", duration=time_s)
            ids = rows.track_id.tolist()
            for track in before - set(ids):
                stream.log(f"people/{track}", rr.Clear(recursive=True))
            for i, track in enumerate(ids):
                xy = rows.shown_xy[i]
                there = np.isfinite(xy).all(1)
                names = [name for name, seen in zip(joints.joints, there, strict=True) if seen]
                limbs = joints.limbs[there[joints.limbs].all(1)]
                stream.log(f"people/{track}/joints", rr.Points2D(xy[there], labels=names, show_labels=False))
                stream.log(f"people/{track}/limbs", rr.LineStrips2D(xy[limbs]))
                if np.isfinite(rows.box[i]).all():
                    box = rr.Boxes2D(array=rows.box[i][None], array_format=rr.Box2DFormat.XYXY)
                    stream.log(f"people/{track}/box", box, rr.AnyValues(score=float(rows.score[i])))
            before = set(ids)
        stream.flush()
        stream.disconnect()
    return [path]
