"""Boxes that another program found, in place of a detector (`box_files` reads them).

Which frame a box belongs to:

- MOT: the first column counts frames from 1.
- COCO with an `images` list: by image file name where frames have one (folders, lists of images), else by frame index
  (see `box_files`). Names of frames and of the file may start at different folders: one must be the end of the other.
- COCO without it, image ids of PoseTrack (`TVVVVVVFFFF`: kind of video, its number, frame): in a data set by the id of
  the image; elsewhere the frame number is matched with the number in the frame's file name, or with the frame index,
  and a file of several sequences needs frame names whose folder says the sequence.
- COCO without it, any other whole number: the image id is the frame index, from 0. Text ids are file names.

A frame of which the file says nothing has no boxes; a video of which it says nothing is an error. A file that does not
say which of several sequences its boxes are of is refused for a data set (`sequence`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from dettrack.errors import InputError, MismatchError
from dettrack.models.detector.box_files import read_boxes
from dettrack.models.detector.image_names import ImageNames
from dettrack.structures import Boxes, Frame

__all__ = ["FileBoxes"]

_FRAMES = 10**4  # image ids count frames in their last four digits
_VIDEOS = 10**10  # and videos in the six before them


class FileBoxes:
    """A detector that looks its boxes up (`protocol.PerVideo`)."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            InputError: It is unreadable or not of a known form; the message names the entry.
        """
        self._path, self._file = path, read_boxes(path)
        self._sequences = {number // _FRAMES for number in self._file.by_id}
        self._names = ImageNames({*self._file.listed, *self._file.by_name}, self._file.repeated)
        keyed: dict[int | str, Boxes] = {}
        keyed.update(self._file.by_id.items())
        keyed.update(self._file.by_name.items())
        if not keyed:
            keyed.update(self._file.by_index.items())
        self._keyed = keyed  # by what `sequence` looks boxes up
        self._images: dict[int, Boxes | None] | None = None
        self._met: set[int | str] = set()
        frames = max(len(self._file.by_index), len(self._file.by_name), len(self._file.by_id))
        left_out = "".join(f"; {number} {reason} left out" for reason, number in self._file.left_out.items())
        self.description = f"{path.name} ({self._file.kind}: {self._file.total} boxes in {frames} frames{left_out})"
        self.begin()

    @property
    def tells_sequences(self) -> bool:
        """Whether the file says which of several sequences its boxes are of: by ids, or by names with folders."""
        named = {*self._file.listed, *self._file.by_name}
        return bool(self._file.by_id) or not self._file.total or (bool(named) and all("/" in name for name in named))

    @property
    def unmet(self) -> int:
        """Boxes that belong to no image of any `sequence` so far."""
        return sum(len(found) for key, found in self._keyed.items() if key not in self._met)

    @contextmanager
    def sequence(self, images: Sequence[tuple[str, int]]) -> Iterator[None]:
        """While the frames of one sequence of a data set are searched.

        Args:
            images: File name and id of each of its frames.

        Yields:
            Nothing.

        Raises:
            InputError: No box belongs to any of the images.
        """
        keys = [self._key(index, name, number) for index, (name, number) in enumerate(images)]
        known = [key for key in keys if key is not None]
        if self._file.total and not known:
            raise InputError(
                f"{self._path}: none of {self._file.total} boxes belongs to an image of this sequence, of which the "
                f"first is {images[0][0]}, id {images[0][1]}; {self._example()}"
            )
        self._met.update(known)
        self._images = {index: None if key is None else self._keyed.get(key) for index, key in enumerate(keys)}
        try:
            yield
        finally:
            self._images = None

    def _key(self, index: int, name: str, number: int) -> int | str | None:
        """Under which key the file has an image of a data set; None if it does not know it."""
        if self._file.by_id:
            if number in self._file.by_id:
                return number
            # files whose ids are all of kind 1, as the published ones of 2018, for sequences that we gave ids
            plain = number % _VIDEOS + _VIDEOS
            return plain if self._kinds == {1} and plain in self._file.by_id else None
        if self._file.listed or self._file.by_name:
            return self._found(name)
        return index if index in self._file.by_index else None

    @property
    def _kinds(self) -> set[int]:
        return {number // _VIDEOS for number in self._file.by_id}

    def _found(self, name: str) -> str | None:
        try:
            return self._names.find(name)
        except InputError as error:
            raise InputError(f"{self._path}: {error}") from None

    def begin(self) -> None:
        """A video begins."""
        self._span: tuple[int, int] | None = None  # first and last frame looked up
        self._known = False  # whether the file says something of one of these
        self._by_name = False

    def end(self) -> None:
        """A video ends.

        Raises:
            MismatchError: The file has boxes, but none of a frame of this video, or of none that was looked up.
        """
        if self._known or not self._file.total or self._span is None:
            return
        first, last = self._span
        between = sorted(index for index in self._file.by_index if first <= index <= last)
        if between and not self._by_name:
            raise MismatchError(
                f"{self._path}: none of {self._file.total} boxes is of a frame that was searched; the first "
                f"is of frame {between[0]}: use --step 1, or boxes of every frame"
            )
        raise MismatchError(
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
        if self._images is not None:
            return [self._listed(frame.index) for frame in frames]
        named = [frame.name for frame in frames if frame.name]
        if self._file.listed and named and self._span is None and not any(map(self._found, named)):
            raise InputError(
                f"{self._path}: its images list has no {frames[0].name} (but, for example, {min(self._file.listed)}): "
                "these are boxes of other images"
            )
        return [self._lookup(frame) for frame in frames]

    def _listed(self, index: int) -> Boxes:
        assert self._images is not None
        self._known = True  # judged for the whole sequence before
        found = self._images[index]
        return Boxes.empty() if found is None else found

    def _lookup(self, frame: Frame) -> Boxes:
        first, last = self._span or (frame.index, frame.index)
        self._span = min(first, frame.index), max(last, frame.index)
        file, key = self._file, None
        found: Boxes | None = None
        if file.by_id:
            found = file.by_id.get(self._image_id(frame))
        elif frame.name and (file.by_name or file.listed):
            self._by_name = True
            key = self._found(frame.name)
            found = None if key is None else file.by_name.get(key)
        elif file.unplaced:
            raise InputError(file.unplaced)
        else:
            found = file.by_index.get(frame.index)
        self._known |= found is not None or key is not None
        return Boxes.empty() if found is None else found

    def _image_id(self, frame: Frame) -> int:
        """PoseTrack's id of a frame outside of a data set, from its name or index."""
        name = PurePosixPath(frame.name.replace("\\", "/"))
        digits = re.findall(r"\d+", name.stem)
        number = int(digits[-1]) if digits else frame.index
        folder = re.match(r"\d+", name.parent.name)
        if folder is None and len(self._sequences) > 1:
            raise InputError(
                f"{self._path}: it holds boxes of {len(self._sequences)} sequences and frame "
                f"{frame.name or frame.index!r} does not say its own: use a file of one sequence"
            )
        if folder is None:
            return next(iter(self._sequences)) * _FRAMES + number
        video = int(folder.group())
        mine = sorted(one for one in self._sequences if one % 10**6 == video)
        if len(mine) > 1:
            raise InputError(f"{self._path}: it holds boxes of {len(mine)} videos of number {video}: use one's alone")
        return (mine[0] if mine else video) * _FRAMES + number

    def _example(self) -> str:
        if self._file.by_id:
            return f"the file has, for example, frame {min(self._file.by_id) % _FRAMES} of a sequence"
        if self._file.by_index:
            return f"the file has, for example, frame {min(self._file.by_index)}"
        return f"the file has, for example, {min(self._file.by_name)}"
