"""Boxes that another program found, in place of a detector (`box_files` reads them).

Which frame a box belongs to:

- MOT: the first column counts frames from 1.
- COCO with an `images` list: by image file name where frames have one (folders, lists of images), else by frame index
  (see `box_files`).
- COCO without it, image ids of PoseTrack18 (`1VVVVVVFFFF`: sequence and frame number): the frame number is matched
  with the number in the frame's file name, or with the frame index. A file of several sequences needs frame names
  whose folder says the sequence.
- COCO without it, any other whole number: the image id is the frame index, from 0. Text ids are file names.

A frame of which the file says nothing has no boxes; a video of which it says nothing is an error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from dettrack.errors import InputError
from dettrack.models.detector.box_files import read_boxes
from dettrack.structures import Boxes, Frame

__all__ = ["FileBoxes"]


class FileBoxes:
    """A detector that looks its boxes up (`protocol.PerVideo`)."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            InputError: It is unreadable or not of a known form; the message names the entry.
        """
        self._path, self._file = path, read_boxes(path)
        self._sequences = {sequence for sequence, _ in self._file.by_sequence}
        frames = max(len(self._file.by_index), len(self._file.by_name), len(self._file.by_sequence))
        left_out = "".join(f"; {number} {reason} left out" for reason, number in self._file.left_out.items())
        self.description = f"{path.name} ({self._file.kind}: {self._file.total} boxes in {frames} frames{left_out})"
        self.begin()

    def begin(self) -> None:
        """A video begins."""
        self._span: tuple[int, int] | None = None  # first and last frame looked up
        self._known = False  # whether the file says something of one of these
        self._by_name = False

    def end(self) -> None:
        """A video ends.

        Raises:
            InputError: The file has boxes, but none of a frame of this video, or of none that was looked up.
        """
        if self._known or not self._file.total or self._span is None:
            return
        first, last = self._span
        between = sorted(index for index in self._file.by_index if first <= index <= last)
        if between and not self._by_name:
            raise InputError(
                f"{self._path}: none of {self._file.total} boxes is of a frame that was searched; the first "
                f"is of frame {between[0]}: use --step 1, or boxes of every frame"
            )
        raise InputError(
            f"{self._path}: none of {self._file.total} boxes belongs to a frame of this video (frames {first} to "
            f"{last}); {self._example()}"
        )

    def detect(self, frames: Sequence[Frame]) -> list[Boxes]:
        """See `Detector.detect`.

        Raises:
            InputError: The file holds several sequences and a frame does not say which is its own; or it lists images
                by name, and the first frames of the video are not among them; or frames have no names and the file
                does not say which they are.
        """
        named = [key for frame in frames for key in _names(frame)]
        if self._file.listed and named and self._span is None and self._file.listed.isdisjoint(named):
            raise InputError(
                f"{self._path}: its images list has no {frames[0].name} (but, for example, {min(self._file.listed)}): "
                "these are boxes of other images"
            )
        return [self._lookup(frame) for frame in frames]

    def _lookup(self, frame: Frame) -> Boxes:
        first, last = self._span or (frame.index, frame.index)
        self._span = min(first, frame.index), max(last, frame.index)
        names = _names(frame)
        found: Boxes | None = None
        if self._sequences:
            found = self._file.by_sequence.get(self._posetrack_key(frame))
        elif names and (self._file.by_name or self._file.listed):
            self._by_name = True
            found = next((self._file.by_name[name] for name in names if name in self._file.by_name), None)
        elif self._file.unplaced:
            raise InputError(self._file.unplaced)
        else:
            found = self._file.by_index.get(frame.index)
        self._known |= found is not None or not self._file.listed.isdisjoint(names)
        return Boxes.empty() if found is None else found

    def _posetrack_key(self, frame: Frame) -> tuple[int, int]:
        name = PurePosixPath(frame.name.replace("\\", "/"))
        digits = re.findall(r"\d+", name.stem)
        number = int(digits[-1]) if digits else frame.index
        if len(self._sequences) == 1:
            return next(iter(self._sequences)), number
        folder = re.match(r"\d+", name.parent.name)
        if folder is None:
            raise InputError(
                f"{self._path}: it holds boxes of {len(self._sequences)} sequences and frame "
                f"{frame.name or frame.index!r} does not say its own: use a file of one sequence"
            )
        return int(folder.group()), number

    def _example(self) -> str:
        if self._file.by_sequence:
            return f"the file has, for example, frame {min(self._file.by_sequence)[1]} of a sequence"
        if self._file.by_index:
            return f"the file has, for example, frame {min(self._file.by_index)}"
        return f"the file has, for example, {min(self._file.by_name)}"


def _names(frame: Frame) -> tuple[str, ...]:
    """What a file may call the frame: its name with folders, and without."""
    name = PurePosixPath(frame.name.replace("\\", "/"))
    return (str(name), name.name) if frame.name else ()
