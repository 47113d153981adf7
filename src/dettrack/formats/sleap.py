"""`tracks.slp` and `tracks.nwb` through sleap-io, for SLEAP, movement and what reads NWB; `.slp` is read as well.

Tracks are called "person 7", or "Ann (7)" where a person was given a name; the number is the track id.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from dettrack.errors import MissingExtraError
from dettrack.files import NewFile, output_error, parsing
from dettrack.formats.people import People
from dettrack.formats.result import Result
from dettrack.measure.scale import Scale
from dettrack.skeleton import JointSet
from dettrack.structures import FrameTimes, TrackTable, VideoInfo

__all__ = ["read_slp", "write"]


def _library() -> Any:
    try:
        import sleap_io
    except ImportError:
        raise MissingExtraError("sleap and nwb", "sleap") from None
    return sleap_io


def write(path: Path, result: Result, scale: Scale | None = None) -> list[Path]:
    """Write the file; its ending decides which of both.

    Args:
        path: .slp or .nwb.
        result: What to write.
        scale: Not used: the files are in pixels.

    Returns:
        The file.

    Raises:
        MissingExtraError: sleap-io is not installed.
        OutputError: It cannot be written.
    """
    sio = _library()
    labels = _labels(sio, result)
    with NewFile(path) as new:
        written = new.part.with_name(f"{new.part.name}{path.suffix}")  # the library goes by the ending
        try:
            if path.suffix == ".nwb":
                sio.save_nwb(labels, str(written))
            else:
                sio.save_slp(labels, str(written), embed=False, verbose=False)
            written.replace(new.part)
        except OSError as error:
            raise output_error(path, error) from error
        finally:
            written.unlink(missing_ok=True)
    return [path]


def _labels(sio: Any, result: Result) -> Any:
    info = result.info
    skeleton = _skeleton(sio, result.table.joint_set)
    shape = (len(result.times), info.height, info.width, 3)
    fps = None if info.fps is None else float(info.fps)
    video = sio.Video(info.path, open_backend=False, backend_metadata={"shape": shape, "fps": fps})
    names = {track: _track_name(result, track) for track in result.tracks.tolist()}
    tracks = {track: sio.Track(name) for track, name in names.items()}
    frames = []
    for index, rows in result.table.rows_by_frame():
        xy, scores = rows.shown_xy, rows.joint_scores
        people = [
            sio.PredictedInstance.from_numpy(
                xy[i], skeleton, point_scores=scores[i], score=float(rows.score[i]), track=tracks[int(rows.track_id[i])]
            )
            for i in range(len(rows))
        ]
        frames.append(sio.LabeledFrame(video=video, frame_idx=index, instances=people))
    labels = sio.Labels(frames, videos=[video], skeletons=[skeleton], tracks=list(tracks.values()))
    labels.provenance["dettrack"] = str(result.path)
    return labels


def _track_name(result: Result, track: int) -> str:
    # NWB forbids these two signs in names.
    name = result.names.get(track, "").replace("/", " ").replace(":", " ")
    return f"{name} ({track})" if name else f"person {track}"


def _skeleton(sio: Any, joints: JointSet) -> Any:
    nodes = [sio.Node(name) for name in joints.joints]
    edges = [sio.Edge(nodes[a], nodes[b]) for a, b in joints.limbs.tolist()]
    pairs = [(i, int(j)) for i, j in enumerate(joints.flip_permutation) if i < j]
    return sio.Skeleton(nodes, edges, [sio.Symmetry([nodes[i], nodes[j]]) for i, j in pairs], name="person")


def read_slp(path: Path) -> tuple[TrackTable, FrameTimes, VideoInfo]:
    """The instances of the first video of a SLEAP file; a frame that a person labelled has those labels only.

    Raises:
        MissingExtraError: sleap-io is not installed.
        InputError: It cannot be read.
    """
    sio = _library()
    with parsing(f"{path}", "SLEAP labels with one skeleton"):
        labels = sio.load_slp(str(path), open_videos=False)
        ids = _ids([track.name for track in labels.tracks])
        by_track = {id(track): number for track, number in zip(labels.tracks, ids, strict=True)}
        people = People(path)
        video = labels.videos[0] if labels.videos else None
        for frame in labels.labeled_frames:
            if frame.video is not video:
                continue
            for instance in frame.user_instances or frame.predicted_instances:
                people.add(
                    int(frame.frame_idx),
                    None if instance.track is None else by_track[id(instance.track)],
                    _points(instance),
                    score=float(getattr(instance, "score", 1.0)),
                )
        known = dict(getattr(video, "backend_metadata", None) or {})
        shape = known.get("shape") or (None, 0, 0, 0)
        name = str(video.filename if video is not None and isinstance(video.filename, str) else path)
        return people.result(Path(name).stem, int(shape[2] or 0), int(shape[1] or 0), shape[0])


def _points(instance: Any) -> dict[str, tuple[float, ...]]:
    xy = instance.numpy()
    points = instance.points
    scores = points["score"] if "score" in (points.dtype.names or ()) else np.ones(len(xy))
    names = [node.name for node in instance.skeleton.nodes]
    return {
        name: (float(x), float(y), float(score))
        for name, (x, y), score in zip(names, xy, scores, strict=True)
        if np.isfinite(x)
    }


def _ids(names: list[str]) -> list[int]:
    """The numbers that tracks are called by, where all have one and no two the same; else their places."""
    found = [re.search(r"(\d+)\)?$", name or "") for name in names]
    numbers = [int(match[1]) for match in found if match]
    return numbers if len(numbers) == len(names) == len(set(numbers)) else list(range(len(names)))
