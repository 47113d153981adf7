"""A PoseTrack data set in, prediction files out: one for each sequence, of the same name and format.

Only the lists of images are read from the annotation files, never the people in them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dettrack.errors import InputError
from dettrack.formats.posetrack.files import prediction_sequence, read_image_list, write_sequence
from dettrack.pipeline import Pipeline
from dettrack.structures import TrackTable
from dettrack.video import ImageList, open_video

__all__ = ["track_sequence"]


def track_sequence(
    pipeline: Pipeline,
    annotation: Path,
    images: Path,
    target: Path,
    progress: Callable[[int, int | None], None] | None = None,
) -> list[str]:
    """Track the images that an annotation file lists and write the prediction file.

    Args:
        pipeline: Loaded models and settings.
        annotation: PoseTrack17, 18 or 21 file (JSON, or .mat of 2017).
        images: Folder that the image names in the file start from.
        target: Prediction file to write; it has its name only when it is whole.
        progress: Called with the number of finished images and the number of all.

    Returns:
        Notes on what could not be read or written.

    Raises:
        InputError: The file or an image cannot be used.
        OutputError: The prediction file cannot be written.
    """
    sequence = read_image_list(annotation)
    paths = tuple(images / image.file_name for image in sequence.images)
    if not paths[0].is_file():
        raise InputError(f"{annotation.name} lists {sequence.images[0].file_name}, which is not in {images}")
    tables = []
    source = ImageList(paths, name=sequence.name)
    with open_video(source, shots=pipeline.config.cut.shots) as video, pipeline.track(video) as run:
        for segment in run:
            tables.append(segment.table)
            if progress:
                progress(int(segment.frames[-1]) + 1, len(paths))
    table = TrackTable.concatenate(tables, run.joint_set)
    predictions, more = prediction_sequence(sequence, table)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_sequence(predictions, target)
    return run.notes + more
