"""What every run writes beside its tracks: the list of its frames, and the places that a person should look at."""

from __future__ import annotations

from pathlib import Path

from dettrack.files import write_text
from dettrack.finish.suspects import SuspectFinder, suspect_lines
from dettrack.formats import FRAMES, SUSPECTS
from dettrack.formats.frames import FrameListWriter
from dettrack.skeleton import JointSet
from dettrack.structures import Segment

__all__ = ["Beside"]


class Beside:
    """Takes the segments of a run; `close` finishes both files with the frames so far.

    Args:
        folder: Result folder.
        joint_set: Joints of the rows.

    Raises:
        OutputError: The folder cannot be written.
    """

    def __init__(self, folder: Path, joint_set: JointSet) -> None:
        self._path = folder / SUSPECTS
        self._frames = FrameListWriter(folder / FRAMES)
        self._suspects = SuspectFinder(joint_set)
        self._done = False

    def add(self, segment: Segment) -> None:
        """Take the next frames; raises `OutputError` where the disk is full."""
        self._frames.write(segment.times)
        self._suspects.add(segment)

    def close(self) -> None:
        """Finish the files; the second time nothing happens. Raises `OutputError` where they cannot be written."""
        if self._done:
            return
        self._done = True
        self._frames.close()
        write_text(self._path, suspect_lines(self._suspects.finish()))
