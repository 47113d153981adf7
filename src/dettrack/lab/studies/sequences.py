"""What the studies share: annotated sequences with tubes made by a function, and how alike two tables of tracks are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from dettrack.associate import associate
from dettrack.config import CutConfig, EstimateConfig, FinishConfig, TrackConfig
from dettrack.evaluation.rules import OFFICIAL
from dettrack.formats.posetrack import PoseSequence
from dettrack.formats.posetrack.files import read_sequence, sequence_files
from dettrack.lab.ablation.measure import measure
from dettrack.lab.ablation.rows import Row
from dettrack.matching import match_matrix
from dettrack.oks import object_areas, pairwise_oks
from dettrack.skeleton import JointSet
from dettrack.structures import TrackletBatch, TrackTable
from dettrack.video import ImageList

__all__ = [
    "ALL_JOINTS",
    "MadeSequences",
    "MadeTubes",
    "agreement",
    "image_list",
    "linked",
    "read_sequences",
    "survivors",
    "write_table",
]

# AP counts every joint, and tracking learns its thresholds: none is left out before.
S1 = CutConfig(step=1, adaptive=False)
ONE_SIZE = EstimateConfig(small_crops_below=0.0, precision="auto")
ALL_JOINTS = FinishConfig(min_track_score=0.0, min_joint_score=0.0)


@dataclass(frozen=True)
class MadeTubes:
    """Tracklets of one sequence in memory (see `ablation.sources.SequenceTubes`)."""

    joints: JointSet
    cut: CutConfig
    made: Sequence[TrackletBatch]

    def batches(self) -> Iterable[TrackletBatch]:
        """The batches of one sequence."""
        return self.made


class MadeSequences:
    """Annotated sequences whose tubes a function makes (see `ablation.sources.SequenceSource`); the official rules."""

    rules, label, only_annotated_joints, held_out = OFFICIAL, "study", False, ()

    def __init__(self, test: Sequence[PoseSequence], make: Callable[[PoseSequence, Row], MadeTubes]) -> None:
        self.test, self._make = test, make

    def tubes(self, sequence: PoseSequence, row: Row, seed: int) -> MadeTubes:
        """See `SequenceSource`; chance plays no part.

        Args:
            sequence: The annotated sequence.
            row: The setting.
            seed: Not used.

        Returns:
            The tubes.
        """
        return self._make(sequence, row)

    def digest(self, row: Row) -> str:
        """The row's name: nothing is kept."""
        return row.name

    def prepare(self, rows: Sequence[Row], log: Callable[[str], None]) -> None:
        """The function does it.

        Args:
            rows: The settings.
            log: Takes a line of progress.
        """

    def notes(self, rows: Sequence[Row]) -> list[str]:
        """None: the function would have failed."""
        return []

    def speed(self, row: Row) -> None:
        """Not measured here."""

    def figures(self, name: str, cut: CutConfig, at: int | None = None) -> dict[str, float]:
        """AP, MOTA and the like of all sequences (see `ablation.measure.Result`); thresholds as for a table's row.

        Args:
            name: Of the row that the function gets.
            cut: |C| and S of its tubes.
            at: Its place on an axis.

        Returns:
            By name, in percent.
        """
        row = Row(name, TrackConfig(cut=cut, finish=ALL_JOINTS), at=at)
        return measure(self, row, seeds=1, bootstrap=2).figures


def read_sequences(annotations: Path | None, most: int) -> list[PoseSequence]:
    """The first sequences of a folder of annotations; all for `most` 0, none without a folder.

    Args:
        annotations: The folder.
        most: How many; 0 for all.

    Returns:
        In the order of their names.
    """
    files = sequence_files(annotations) if annotations else []
    return [read_sequence(path) for path in files[: most or None]]


def image_list(sequence: PoseSequence, images: Path) -> ImageList:
    """The pictures of a sequence, under the folder that their names start from.

    Args:
        sequence: The annotated sequence.
        images: The folder that the names start from.

    Returns:
        A source of frames.
    """
    return ImageList(tuple(images / image.file_name for image in sequence.images), name=sequence.name)


def linked(batches: Iterable[TrackletBatch], joints: JointSet, config: TrackConfig) -> TrackTable:
    """Tracklets linked, merged and finished, as one table.

    Args:
        batches: Tracklet batches of one video, in order.
        joints: Of the poses.
        config: Settings.

    Returns:
        All poses of the video.
    """
    return TrackTable.concatenate((segment.table for segment in associate(batches, joints, config)), joints)


def _similarities(reference: TrackTable, table: TrackTable) -> Iterator[Float[np.ndarray, "n m"]]:
    """OKS of all pairs of poses, frame by frame; also frames in which one of both is empty."""
    frames, others = dict(reference.rows_by_frame()), dict(table.rows_by_frame())
    for frame in sorted(frames.keys() | others.keys()):
        one, other = frames.get(frame, reference[:0]), others.get(frame, table[:0])
        has = [np.isfinite(rows.xy[..., 0]) for rows in (one, other)]
        areas = [object_areas(rows.box) for rows in (one, other)]
        similar = pairwise_oks(one.xy, has[0], areas[0], other.xy, has[1], areas[1], reference.joint_set.sigmas)
        yield np.nan_to_num(similar)


def survivors(reference: TrackTable, table: TrackTable) -> float:
    """Share of the reference's poses to which `table` has one with OKS >= 0.5, in percent; each serves once.

    Args:
        reference: What to compare with.
        table: What is compared.

    Returns:
        From 0 to 100.
    """
    found = sum(len(match_matrix(similar >= 0.5)[0]) for similar in _similarities(reference, table))
    return 100 * found / max(len(reference), 1)


def agreement(reference: TrackTable, table: TrackTable) -> float:
    """OKS of matched poses, summed, over all poses of both, in percent: 100 is the same.

    Args:
        reference: What to compare with.
        table: What is compared.

    Returns:
        From 0 to 100.
    """
    similar, poses = 0.0, 0
    for values in _similarities(reference, table):
        similar += values[match_matrix(values)].sum()
        poses += max(values.shape)
    return 100 * similar / max(poses, 1)


def write_table(lines: Iterable[str], out: Path | None) -> None:
    """Print the lines of a Markdown table as they come, and write them to a file in the end.

    Args:
        lines: Of the table.
        out: File, where one is wanted.
    """
    kept = []
    for line in lines:
        print(line, flush=True)
        kept.append(line)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text("\n".join(kept) + "\n", encoding="utf-8")
