"""PoseTrack files by content: recognise the year, pair annotations with predictions, write predictions.

Prediction files are built from the list of images in an annotation file; its people are never used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dettrack.errors import InputError
from dettrack.files import parsing
from dettrack.formats.coco import image_name
from dettrack.formats.part import JsonArrays
from dettrack.formats.posetrack.sequence import ImageInfo, People, PoseSequence, load_object
from dettrack.formats.posetrack.year2017 import load_annolist_mat, parse_annolist, read_posetrack17, write_posetrack17
from dettrack.formats.posetrack.year2018 import (
    annotation_entries,
    categories,
    image_entry,
    image_id,
    parse_posetrack18,
    write_posetrack18,
)
from dettrack.skeleton import JointMap
from dettrack.structures import TrackTable, VideoInfo

__all__ = [
    "MAX_TRACKS",
    "FilePair",
    "PoseTrackWriter",
    "pair_files",
    "prediction_sequence",
    "read_image_list",
    "read_sequence",
    "sequence_files",
    "write_sequence",
]

MAX_TRACKS = 1000
"""The organisers demand track ids from 0 to 999."""


def read_sequence(path: str | Path) -> PoseSequence:
    """Read a PoseTrack file of any year; JSON, or .mat for 2017.

    Raises:
        InputError: The file cannot be read; the message says where and why.
    """
    path = Path(path)
    if path.suffix.lower() == ".mat":
        return read_posetrack17(path)
    content = load_object(path)
    if "annolist" in content:
        return parse_annolist(content, path)
    return parse_posetrack18(content, path)


def write_sequence(sequence: PoseSequence, path: str | Path) -> None:
    """Write a sequence in its own format.

    Args:
        sequence: A sequence of any year.
        path: JSON file; .mat too for 2017.

    Raises:
        OutputError: The file cannot be written.
    """
    if sequence.format == "posetrack17":
        write_posetrack17(sequence, path)
    else:
        write_posetrack18(sequence, path, format=sequence.format)


def sequence_files(folder: str | Path) -> list[Path]:
    """The PoseTrack files of a folder in the order of their names, which is the order of evaluation.

    Raises:
        InputError: No such folder, or nothing in it.
    """
    folder = Path(folder)
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise InputError(f"no folder {folder}; expected one with a PoseTrack file per sequence")
    for pattern in ("*.json", "*.mat"):
        found = sorted(folder.glob(pattern))
        if found:
            return found
    raise InputError(f"no .json or .mat file in {folder}; expected one PoseTrack file per sequence")


@dataclass(frozen=True)
class FilePair:
    """The annotations of a sequence and the predictions for it; read only when `load` is called."""

    gt: Path
    pred: Path

    @property
    def name(self) -> str:
        """Name of the sequence."""
        return self.gt.name.split(".")[0]

    def load(self) -> tuple[PoseSequence, PoseSequence]:
        """Read both files."""
        return read_sequence(self.gt), read_sequence(self.pred)


def pair_files(gt: str | Path, pred: str | Path) -> tuple[list[FilePair], list[str]]:
    """Pair the files of two folders by name.

    Args:
        gt: Folder of annotations, or one file.
        pred: Folder of predictions, or one file.

    Returns:
        The pairs in the order of evaluation, and notes on prediction files without annotations.

    Raises:
        InputError: A folder is missing or empty, or a prediction file is missing.
    """
    gt_files, pred = sequence_files(gt), Path(pred)
    if pred.is_file():
        if len(gt_files) > 1:
            raise InputError(
                f"{pred} is one file, but {gt} has {len(gt_files)} sequences; give the folder of predictions"
            )
        return [FilePair(gt_files[0], pred)], []
    if not pred.is_dir():
        raise InputError(f"no folder {pred}; expected one with a prediction file per sequence")
    pairs = [FilePair(path, pred / f"{path.stem}.json") for path in gt_files]
    missing = [pair.pred.name for pair in pairs if not pair.pred.is_file()]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise InputError(
            f"{pred} lacks {len(missing)} of {len(pairs)} prediction files: {', '.join(missing[:3])}{more}; "
            "each annotation file needs one of the same name"
        )
    extra = sorted({p.stem for p in pred.glob("*.json")} - {p.stem for p in gt_files})
    notes = (
        [f"{len(extra)} prediction files have no annotations and are not evaluated: {extra[0]} ..."] if extra else []
    )
    return pairs, notes


def read_image_list(path: str | Path) -> PoseSequence:
    """The images of an annotation file, in order, without anyone in them: its people are thrown away unread.

    Raises:
        InputError: The file cannot be read or lists no images.
    """
    path = Path(path)
    content = load_annolist_mat(path) if path.suffix.lower() == ".mat" else load_object(path)
    if "annolist" in content:
        with parsing(f"{path}", "an annolist of frames"):
            frames = [{**frame, "annorect": [], "ignore_regions": []} for frame in content["annolist"]]
        sequence = parse_annolist({"annolist": frames}, path)
    else:
        # Files of unlabelled test videos may lack annotations and categories altogether.
        content = {"images": content.get("images"), "annotations": [], "categories": categories()}
        sequence = parse_posetrack18(content, path)
    blank = tuple(
        replace(image, is_labeled=None, has_labeled_person=None, ignore_regions=()) for image in sequence.images
    )
    return replace(sequence, images=blank)


def prediction_sequence(images: PoseSequence, table: TrackTable) -> tuple[PoseSequence, list[str]]:
    """The prediction file of a sequence: the same images in the same order, and our poses.

    Args:
        images: What `read_image_list` gives: same name, same format.
        table: Our poses; `frame` counts the images of the list from 0.

    Returns:
        The sequence, and notes on what had to be left out. Track ids are numbered anew from 0 in the order in which
        tracks appear; of more than `MAX_TRACKS` tracks the longest are kept (ids must lie in 0 ... 999).

    Raises:
        InputError: A pose lies in a frame that the list does not have.
    """
    if len(table) and (table.frame.min() < 0 or table.frame.max() >= len(images)):
        raise InputError(
            f"{images.name}: poses up to frame {table.frame.max()}, but the sequence has {len(images)} images; "
            "track exactly the listed images"
        )
    table = table.sorted()
    known, first, lengths = np.unique(table.track_id, return_index=True, return_counts=True)
    notes = []
    longest = np.lexsort((first, -lengths))[:MAX_TRACKS]
    if len(known) > MAX_TRACKS:
        notes.append(
            f"{images.name}: {len(known)} tracks, of which the {MAX_TRACKS} longest are written (ids 0 to 999)"
        )
    kept = longest[np.argsort(first[longest], kind="stable")]
    number = np.full(len(known), -1)
    number[kept] = np.arange(len(kept))
    ids = number[np.searchsorted(known, table.track_id)]
    table, ids = table[ids >= 0], ids[ids >= 0]
    xy, scores = JointMap(table.joint_set, images.joint_set)(table.shown_xy, table.joint_scores)
    people = People.build(table.frame, xy, scores=scores, track_id=ids, box=table.box, score=table.score)
    return replace(images, people=people), notes


class PoseTrackWriter:
    """Writes PoseTrack18's form: 17 joints by name, every image listed, people or not."""

    def __init__(self, path: Path, info: VideoInfo) -> None:
        """Open the file.

        Args:
            path: JSON file.
            info: The video; image ids come from its name.

        Raises:
            OutputError: The folder cannot be written.
        """
        self._file = JsonArrays(path, "annotations", "images", {"categories": categories()})
        self._info = info

    def write(self, frame_index: int, time_s: float, rows: TrackTable, name: str = "") -> None:
        """See `formats.Writer.write`."""
        number = image_id(self._info.name, frame_index)
        image = ImageInfo(image_name(self._info, frame_index, name), number)
        self._file.add(annotation_entries(number, rows), [image_entry(image, nframes=self._info.n_frames)])

    def close(self) -> None:
        """See `formats.Writer.close`."""
        self._file.close()
