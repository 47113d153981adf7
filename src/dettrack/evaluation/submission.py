"""A folder of predictions as the zip that the evaluation servers, and others' evaluators, take."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from dettrack.errors import InputError
from dettrack.evaluation.prepare import apply_thresholds
from dettrack.files import NewFile, output_error
from dettrack.formats.posetrack import NO_ID, PoseSequence
from dettrack.formats.posetrack.files import MAX_TRACKS, FilePair, read_image_list, read_sequence, write_sequence

__all__ = ["check_submission", "write_submission", "zip_sequences"]

_WHEN = (1980, 1, 1, 0, 0, 0)  # the same predictions give the same bytes


def check_submission(images: PoseSequence, pred: PoseSequence) -> None:
    """Refuse predictions that a server would refuse, or count wrongly.

    Args:
        images: What is to be predicted: every image, in order.
        pred: The predictions.

    Raises:
        InputError: Other images, or track ids that are missing, out of range or twice in an image.
    """
    names = [[Path(one.file_name).name for one in side.images] for side in (images, pred)]
    if names[0] != names[1]:
        raise InputError(
            f"{pred.name}: predicts {len(names[1])} images, expected the {len(names[0])} of the annotation file, in "
            "its order: track it again with --posetrack"
        )
    ids = pred.people.track_id
    if (ids == NO_ID).any() or (len(ids) and (ids.min() < 0 or ids.max() >= MAX_TRACKS)):
        raise InputError(f"{pred.name}: every person needs a track_id from 0 to {MAX_TRACKS - 1}")
    keys = np.stack([pred.people.image, ids], 1)
    if len(np.unique(keys, axis=0)) < len(keys):
        raise InputError(f"{pred.name}: a track_id occurs twice in an image")


def write_submission(pairs: Sequence[FilePair], out: Path, thresholds: Mapping[str, float] | None = None) -> int:
    """Check a folder of predictions and pack it.

    Args:
        pairs: Annotation and prediction file of each sequence; only the images are read from the first.
        out: Zip file.
        thresholds: Joint name to score: joints below are left out (for MOTA; AP wants all joints).

    Returns:
        Number of people in it.

    Raises:
        InputError: See `check_submission`.
        OutputError: The zip cannot be written.
    """
    sequences, people = [], 0
    for pair in pairs:
        pred = read_sequence(pair.pred)
        check_submission(read_image_list(pair.gt), pred)
        sequences.append(apply_thresholds(pred, thresholds) if thresholds else pred)
        people += len(pred.people)
    zip_sequences(sequences, out)
    return people


def zip_sequences(sequences: Sequence[PoseSequence], out: Path) -> None:
    """One JSON file for each sequence, at the top of a zip.

    Args:
        sequences: Predictions.
        out: Zip file.

    Raises:
        OutputError: It cannot be written.
    """
    try:
        with (
            TemporaryDirectory() as folder,
            NewFile(out) as new,
            zipfile.ZipFile(new.part, "w", zipfile.ZIP_DEFLATED) as packed,
        ):
            for sequence in sequences:
                path = Path(folder) / f"{sequence.name}.json"
                write_sequence(sequence, path)
                packed.writestr(zipfile.ZipInfo(path.name, _WHEN), path.read_bytes(), zipfile.ZIP_DEFLATED)
                path.unlink()
    except OSError as error:
        raise output_error(out, error) from error
