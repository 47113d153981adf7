"""A PoseTrack data set in, prediction files out: one for each sequence, of the same name and format.

Only the lists of images are read from the annotation files, never the people in them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from dettrack.associate import associate
from dettrack.config import TrackConfig
from dettrack.errors import InputError
from dettrack.files import exists, path_inside, write_text
from dettrack.formats.posetrack import NO_ID, PoseSequence
from dettrack.formats.posetrack.files import prediction_sequence, read_image_list, write_sequence
from dettrack.formats.posetrack.year2018 import image_id
from dettrack.formats.tracklets import TrackletFile, TrackletWriter
from dettrack.models.detector.protocol import on_images
from dettrack.pipeline import Pipeline
from dettrack.sew.replay import narrow
from dettrack.structures import TrackTable
from dettrack.video import ImageList, open_video

__all__ = ["Incomplete", "SequenceResult", "associate_sequence", "image_keys", "track_sequence"]


@dataclass(frozen=True)
class SequenceResult:
    """How the tracking of a sequence went.

    Attributes:
        notes: What could not be read or written.
        complete: Whether every image could be read.
        unreadable: Images that could not, and for which a neighbour stood in.
    """

    notes: list[str]
    complete: bool
    unreadable: int


def image_keys(sequence: PoseSequence) -> list[tuple[str, int]]:
    """Name and id of each image of a sequence; files of 2017 have no ids, so theirs follow the rule of 2018."""
    return [
        (image.file_name, image_id(sequence.name, i) if image.image_id == NO_ID else image.image_id)
        for i, image in enumerate(sequence.images)
    ]


def track_sequence(
    pipeline: Pipeline,
    annotation: Path,
    images: Path,
    target: Path,
    *,
    tracklets: Path | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> SequenceResult:
    """Track the images that an annotation file lists and write the prediction file.

    Args:
        pipeline: Loaded models and settings.
        annotation: PoseTrack17, 18 or 21 file (JSON, or .mat of 2017).
        images: Folder that the image names in the file start from.
        target: Prediction file to write; it has its name only when it is whole.
        tracklets: File that receives the tracklets, for `associate_sequence`; None for none.
        progress: Called with the number of finished images and the number of all.

    Returns:
        How it went.

    Raises:
        InputError: The file or an image cannot be used.
        OutputError: The prediction file cannot be written.
    """
    sequence = read_image_list(annotation)
    paths = tuple(path_inside(images, image.file_name, f"{annotation}") for image in sequence.images)
    if not exists(paths[0]):
        raise InputError(f"{annotation.name} lists {sequence.images[0].file_name}, which is not in {images}")
    tables = []
    source = ImageList(paths, name=sequence.name)
    with ExitStack() as opened:
        opened.enter_context(on_images(pipeline.detector, image_keys(sequence)))
        video = opened.enter_context(open_video(source, shots=pipeline.config.cut.shots))
        saved = _writer(opened, tracklets, pipeline) if tracklets else None
        run = opened.enter_context(pipeline.track(video, save=saved))
        for segment in run:
            tables.append(segment.table)
            if progress:
                progress(int(segment.frames[-1]) + 1, len(paths))
    more = _write(sequence, TrackTable.concatenate(tables, run.joint_set), target)
    return SequenceResult(run.notes + more, run.complete, video.unreadable)


def _writer(opened: ExitStack, path: Path, pipeline: Pipeline) -> TrackletWriter:
    """A file of tracklets that is gone again where the sequence cannot be finished."""
    path.parent.mkdir(parents=True, exist_ok=True)
    opened.push(lambda kind, error, trace: path.unlink(missing_ok=True) if kind is not None else None)
    return opened.enter_context(TrackletWriter(path, pipeline.joint_set, pipeline.config.cut))


def associate_sequence(annotation: Path, saved: TrackletFile, target: Path, config: TrackConfig) -> list[str]:
    """Link and merge the saved tracklets of a sequence again, and write the prediction file.

    Args:
        annotation: The file that was tracked.
        saved: Its tracklets.
        target: Prediction file to write.
        config: Settings; `cut` may ask for a shorter clip or fewer keyframes than were saved.

    Returns:
        Notes on what could not be written.

    Raises:
        InputError: A file cannot be used, or the tracklets are of other frames.
        UsageError: `config.cut` needs more than was saved.
        OutputError: The prediction file cannot be written.
    """
    sequence = read_image_list(annotation)
    batches = narrow(saved.batches(), saved.cut, config.cut)
    tables = [segment.table for segment in associate(batches, saved.joints, config)]
    return _write(sequence, TrackTable.concatenate(tables, saved.joints), target)


def _write(sequence: PoseSequence, table: TrackTable, target: Path) -> list[str]:
    predictions, notes = prediction_sequence(sequence, table)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_sequence(predictions, target)
    return notes


class Incomplete:
    """Which sequences of a folder of predictions were tracked without some of their images (`incomplete.txt`)."""

    def __init__(self, folder: Path) -> None:
        """Read the list, if there is one."""
        self._path = folder / "incomplete.txt"
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.is_file() else []
        self._notes = dict(line.split("\t", 1) for line in lines if "\t" in line)

    def __contains__(self, name: str) -> bool:
        return name in self._notes

    def set(self, name: str, result: SequenceResult) -> None:
        """Write down how a sequence went: the list says at any time what is there.

        Args:
            name: Of the sequence.
            result: How it went.
        """
        before = dict(self._notes)
        self._notes.pop(name, None)
        if not result.complete:
            self._notes[name] = "; ".join(result.notes)
        if self._notes:
            write_text(self._path, "".join(f"{name}\t{note}\n" for name, note in sorted(self._notes.items())))
        elif before:
            self._path.unlink(missing_ok=True)
