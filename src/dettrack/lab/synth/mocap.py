"""Recorded motion in DeepMimic's text format (Peng et al. 2018): JSON with one row of 44 numbers per frame.

A row is the frame's seconds, the root's position (3) and rotation (w, x, y, z), then the joints chest, neck,
right hip, knee (one angle), ankle, shoulder, elbow (one angle), and the left side likewise; x is forward, y up.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from dettrack.errors import InputError
from dettrack.lab.synth.body import BONES, Body, Motion, skeleton
from dettrack.lab.synth.motion import soles
from dettrack.lab.synth.rotations import about, blend, multiply, rotate, yaw

__all__ = ["Recording", "load_recordings", "perform"]

_LEG = 0.421546 + 0.409870  # of the recorded humanoid, metres (DeepMimic's humanoid3d)
_HINGES = tuple(i for i, bone in enumerate(BONES) if bone.endswith(("knee", "elbow")))


@dataclass(frozen=True)
class Recording:
    """One recorded motion.

    Attributes:
        name: File stem.
        times: Start of each frame in seconds.
        motion: Root and joint rotations per frame, in metres of the recorded humanoid.
        loops: Whether it may be repeated end to start.
    """

    name: str
    times: Float[np.ndarray, " frames"]
    motion: Motion
    loops: bool

    @property
    def seconds(self) -> float:
        """Duration."""
        return float(self.times[-1])


def _parse(name: str, text: str) -> Recording:
    try:
        content = json.loads(text)
        rows = np.array(content["Frames"], float)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{name}: not a DeepMimic motion (JSON with a list 'Frames'): {error}") from error
    if rows.ndim != 2 or rows.shape[1] != 44 or len(rows) < 2:
        raise InputError(f"{name}: a DeepMimic motion has at least 2 frames of 44 numbers, got an array {rows.shape}")
    turns, at = np.zeros((len(rows), len(BONES), 4)), 4
    for bone in range(len(BONES)):
        if bone in _HINGES:
            turns[:, bone] = about("z", rows[:, at])
            at += 1
        else:
            turns[:, bone] = rows[:, at : at + 4]
            at += 4
    times = np.concatenate([[0.0], np.cumsum(np.maximum(rows[:-1, 0], 1e-4))])
    return Recording(Path(name).stem, times, Motion(rows[:, 1:4], turns), content.get("Loop") == "wrap")


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.suffix in (".txt", ".json"):
                yield str(file), file.read_text()
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            for member in sorted(archive.getmembers(), key=lambda m: m.name):
                opened = archive.extractfile(member) if member.name.endswith((".txt", ".json")) else None
                if opened is not None:
                    yield member.name, opened.read().decode()
    else:
        yield str(path), path.read_text()


def load_recordings(path: str | Path) -> tuple[Recording, ...]:
    """All motions of a file, a folder or a tar archive, in the order of their names.

    Raises:
        InputError: Nothing there, or a file is not in the format.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(
            f"--motions {path}: no such file or folder; expected DeepMimic motion files (.txt, .json, .tar)"
        )
    found = tuple(_parse(name, text) for name, text in _texts(path))
    if not found:
        raise InputError(f"--motions {path}: no .txt or .json motion file inside")
    return found


def _sample(recording: Recording, at: Float[np.ndarray, " frames"]) -> Motion:
    """The recording at the given seconds within it."""
    source = recording.motion
    right = np.clip(np.searchsorted(recording.times, at, side="right"), 1, len(source) - 1)
    left = right - 1
    t = (at - recording.times[left]) / (recording.times[right] - recording.times[left])
    t = np.clip(t, 0, 1)
    root = source.root[left] + t[:, None] * (source.root[right] - source.root[left])
    return Motion(root, blend(source.turns[left], source.turns[right], t[:, None]))


def perform(
    recording: Recording, body: Body, frames: int, fps: float, place: tuple[float, float], heading: float,
    start_s: float = 0.0,
) -> Motion:  # fmt: skip
    """A person of our own proportions doing what was recorded.

    Args:
        recording: The motion; repeated, each time from where it ended, if it loops, else played to and fro.
        body: Whose legs scale the way that is covered.
        frames: How many.
        fps: Frames per second.
        place: Ground position (x, z) at the start, metres.
        heading: Of the person at the start, radians.
        start_s: Where in the recording to begin, seconds.

    Returns:
        Rotations and places in every frame.
    """
    time = start_s + np.arange(frames) / fps
    lap, at = np.divmod(time, recording.seconds)
    if not recording.loops:
        at = np.where(lap % 2 == 1, recording.seconds - at, at)
    sampled = _sample(recording, at)
    root, turns = sampled.root.copy(), sampled.turns.copy()
    if recording.loops:
        ends = recording.motion
        turn = float(yaw(ends.turns[-1:, 0])[0] - yaw(ends.turns[:1, 0])[0])
        step, offset = (ends.root[-1] - ends.root[0]) * np.array([1, 0, 1]), np.zeros(3)
        for number in range(1, int(lap.max()) + 1):
            offset = offset + rotate(about("y", turn * (number - 1)), step)
            mine, spin = lap == number, about("y", turn * number)
            root[mine] = ends.root[0] + rotate(spin, root[mine] - ends.root[0])
            root[mine] += offset
            turns[mine, 0] = multiply(spin, turns[mine, 0])
    spin = about("y", heading - float(yaw(turns[:1, 0])[0]))
    turns[:, 0] = multiply(spin, turns[:, 0])
    root = rotate(spin, (root - root[0] * np.array([1, 0, 1])) * (body.leg_length / _LEG))
    posed = skeleton(body, Motion(root, turns))
    # One shift for the whole motion keeps its jumps; a low percentile forgives a foot that dips below the floor.
    root[:, 1] -= np.percentile(soles(body, posed.joints, posed.axes)[0].min(1), 5)
    return Motion(root + np.array([place[0], 0.0, place[1]]), turns)
