"""`cvat.xml`: CVAT for video 1.1, both ways: one skeleton track per person, whose label's elements are the joints.

CVAT numbers tracks anew when it reads a file; it keeps `group_id`, so the track id is written there (plus 1, because 0
is no group) and taken from there. Missing joints are `outside`, and so is the whole person in the first frame of a gap.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from jaxtyping import Float

from dettrack.errors import InputError, OutputError
from dettrack.files import load_xml, parsing
from dettrack.formats.part import PartFile
from dettrack.formats.people import People
from dettrack.formats.result import Result
from dettrack.measure.scale import Scale
from dettrack.skeleton import JointSet
from dettrack.structures import FrameTimes, TrackTable, VideoInfo

__all__ = ["read_cvat", "write"]

_LABEL = "person"


def write(path: Path, result: Result, scale: Scale | None = None) -> list[Path]:
    """Write the file.

    Args:
        path: XML file; CVAT imports it into a task of the same video as "CVAT 1.1".
        result: What to write; the task's first frame is frame 0 of the video.
        scale: Not used: the file is in pixels.

    Returns:
        The file.

    Raises:
        OutputError: It cannot be written.
    """
    file = PartFile(path)
    try:
        file.write(_head(result))
        for number, track in enumerate(result.tracks.tolist()):
            file.write(f'  <track id="{number}" label="{_LABEL}" group_id="{track + 1}" source="file">\n')
            for part in _shapes(result.of(track), int(result.times.index[-1])):
                file.write(part)
            file.write("  </track>\n")
        file.write("</annotations>\n")
    except OutputError:
        file.discard()
        raise
    file.close()
    return [path]


def _head(result: Result) -> str:
    info, joints = result.info, result.table.joint_set
    size = int(result.times.index[-1]) + 1 if len(result.times) else 0
    points = "".join(
        f"<label><name>{escape(joint)}</name><type>points</type><attributes></attributes>"
        f"<parent>{_LABEL}</parent></label>"
        for joint in joints.joints
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta><task>'
        f"<name>{escape(info.name)}</name><size>{size}</size><mode>interpolation</mode>"
        f"<start_frame>0</start_frame><stop_frame>{max(size - 1, 0)}</stop_frame>"
        f"<labels><label><name>{_LABEL}</name><type>skeleton</type><attributes></attributes>"
        f"<svg>{escape(_drawing(joints))}</svg></label>{points}</labels>"
        f"<original_size><width>{info.width}</width><height>{info.height}</height></original_size></task></meta>\n"
    )


def _drawing(joints: JointSet) -> str:
    """The template that CVAT draws a skeleton by: nodes on a circle, and the limbs between them."""
    angle = 2 * np.pi * np.arange(len(joints)) / len(joints)
    places = np.stack([50 + 40 * np.cos(angle), 50 + 40 * np.sin(angle)], 1)
    lines = "".join(
        f'<line x1="{places[a, 0]:.1f}" y1="{places[a, 1]:.1f}" x2="{places[b, 0]:.1f}" y2="{places[b, 1]:.1f}" '
        f'data-type="edge" data-node-from="{a + 1}" data-node-to="{b + 1}"></line>'
        for a, b in joints.limbs.tolist()
    )
    nodes = "".join(
        f'<circle r="1.5" cx="{x:.1f}" cy="{y:.1f}" data-type="element node" data-element-id="{i}" '
        f'data-node-id="{i}" data-label-name={quoteattr(name)}></circle>'
        for i, (name, (x, y)) in enumerate(zip(joints.joints, places, strict=True), 1)
    )
    return lines + nodes


def _shapes(rows: TrackTable, last: int) -> Iterator[str]:
    """A skeleton for each row, and one that is outside after each stretch."""
    xy, names = rows.shown_xy, rows.joint_set.joints
    centres = (rows.box[:, :2] + rows.box[:, 2:]) / 2
    frames = rows.frame.tolist()
    for i, frame in enumerate(frames):
        there = np.isfinite(xy[i]).all(1)
        # A point that is outside still has a place, the middle of the person.
        places = np.where(there[:, None], xy[i], np.nan_to_num(centres[i]))
        yield _skeleton(frame, names, places, there)
        after = frames[i + 1] if i + 1 < len(frames) else last + 1
        if frame + 1 < after:
            yield _skeleton(frame + 1, names, places, np.zeros(len(names), bool))


def _skeleton(frame: int, names: tuple[str, ...], xy: Float[np.ndarray, "joints 2"], there: np.ndarray) -> str:
    points = "".join(
        f'      <points label={quoteattr(name)} keyframe="1" outside="{int(not seen)}" occluded="0" '
        f'points="{x:.2f},{y:.2f}"></points>\n'
        for name, (x, y), seen in zip(names, xy.tolist(), there.tolist(), strict=True)
    )
    return f'    <skeleton frame="{frame}" keyframe="1" z_order="0">\n{points}    </skeleton>\n'


@dataclass
class _Track:
    """A track of the file while it is read."""

    group: int
    poses: dict[int, dict[str, tuple[float, float]]] = field(default_factory=dict)


def read_cvat(path: Path) -> tuple[TrackTable, FrameTimes, VideoInfo]:
    """The skeletons of a CVAT file (for video, version 1.1); the points' labels are names of joints.

    Raises:
        InputError: It cannot be read, or holds no skeleton track.
    """
    root = load_xml(path)
    with parsing(f"{path}", "annotations of CVAT for video 1.1"):
        tracks = [_read_track(track) for track in root.iter("track")]
        tracks = [track for track in tracks if track.poses]
        if not tracks:
            raise InputError(f"{path}: no skeleton track; expected annotations of CVAT for video 1.1")
        people = People(path)
        taken: dict[tuple[int, int], int] = {}
        fresh = max(track.group for track in tracks)
        for number, track in enumerate(tracks):
            ids = {taken.get((track.group - 1, frame), number) for frame in track.poses}
            identity = track.group - 1
            if track.group < 1 or ids != {number}:  # no id, or one that another track has in the same frame
                identity, fresh = fresh, fresh + 1
            for frame, points in track.poses.items():
                taken[identity, frame] = number
                people.add(frame, identity, points)
        size = {tag: int(node.text or 0) for tag in ("width", "height") if (node := root.find(f".//{tag}")) is not None}
        length = root.findtext(".//size")
        name = root.findtext(".//task/name") or path.stem
        return people.result(name, size.get("width", 0), size.get("height", 0), int(length) if length else None)


def _read_track(element: ElementTree.Element) -> _Track:
    track = _Track(int(element.get("group_id", 0)))
    for skeleton in element.iter("skeleton"):
        if skeleton.get("outside") == "1":
            continue
        points = {}
        for point in skeleton.iter("points"):
            if point.get("outside") != "1":
                x, y = point.attrib["points"].split(";")[0].split(",")
                points[point.attrib["label"]] = float(x), float(y)
        if points:
            track.poses[int(skeleton.attrib["frame"])] = points
    return track
