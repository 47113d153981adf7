"""Where annotated sequences and their tubes come from: one protocol, so that an experiment does not care."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from dettrack.config import CutConfig
from dettrack.evaluation.rules import OFFICIAL, Rules
from dettrack.formats.posetrack import PoseSequence
from dettrack.formats.posetrack.files import read_sequence, sequence_files
from dettrack.lab.ablation.cache import content_key, file_digest
from dettrack.lab.ablation.rows import Row
from dettrack.lab.ablation.study import Study
from dettrack.lab.simulate import Trajectories, simulate, trajectories_of
from dettrack.skeleton import JointSet
from dettrack.structures import TrackletBatch

__all__ = ["SequenceSource", "SequenceTubes", "SimulatedSource"]

Log = Callable[[str], None]


@runtime_checkable
class SequenceTubes(Protocol):
    """Tracklets of one sequence, as they were saved or simulated."""

    @property
    def joints(self) -> JointSet: ...  # noqa: D102
    @property
    def cut(self) -> CutConfig: ...  # noqa: D102

    def batches(self) -> Iterable[TrackletBatch]:
        """The batches, with every frame a keyframe."""
        ...


@runtime_checkable
class SequenceSource(Protocol):
    """Annotated sequences and the tubes of their people.

    Attributes:
        test: Sequences that are evaluated, in the order of their names.
        held_out: Sequences on which thresholds are learned; empty: each half of `test` serves the other.
        rules: By which they are evaluated.
        label: How tables call the data.
        only_annotated_joints: Leave joints out of all means that the data never annotates (not official).
    """

    @property
    def test(self) -> Sequence[PoseSequence]: ...  # noqa: D102
    @property
    def held_out(self) -> Sequence[PoseSequence]: ...  # noqa: D102
    @property
    def rules(self) -> Rules: ...  # noqa: D102
    @property
    def label(self) -> str: ...  # noqa: D102
    @property
    def only_annotated_joints(self) -> bool: ...  # noqa: D102

    def tubes(self, sequence: PoseSequence, row: Row, seed: int) -> SequenceTubes:
        """Tubes of a sequence of `test` or `held_out`, at the row's |C| or longer and S = 1.

        Args:
            sequence: The annotated sequence.
            row: The setting.
            seed: Of whatever is random.

        Returns:
            Batches of tracklets, and what they are made of.
        """
        ...

    def digest(self, row: Row) -> str:
        """Hash of everything behind the tubes of a row: data, weights, settings."""
        ...

    def prepare(self, rows: Sequence[Row], log: Log) -> None:
        """Run whatever networks the rows need and have not been run.

        Args:
            rows: The settings.
            log: Takes a line of progress.
        """
        ...

    def notes(self, rows: Sequence[Row]) -> list[str]:
        """What could not be read of the images behind the rows, one line each."""
        ...

    def speed(self, row: Row) -> float | None:
        """Frames per second of the whole pipeline with the row's settings; None where there are no pixels."""
        ...


class _SimulatedTubes:
    def __init__(self, truth: Trajectories, study: Study, seed: int) -> None:
        self.joints = truth.joint_set
        self.cut = CutConfig(clip_length=study.settings.cut.clip_length, step=1, adaptive=False)
        self._truth, self._seed = truth, seed
        self._errors = replace(study.simulate, clip_length=self.cut.clip_length, step=1, missed=0.0)

    def batches(self) -> Iterable[TrackletBatch]:
        return simulate(self._truth, self._errors, self._seed)


class SimulatedSource:
    """Tubes simulated on annotated trajectories: all rows see the same tubes, shorter where their |C| is.

    Joints that the data never annotates stay out of the mean (the official rules would give them AP 0).
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._files = sequence_files(study.data.annotations)
        if study.data.sequences:
            self._files = self._files[: study.data.sequences]
        read = [read_sequence(path) for path in self._files]
        self._truths = {sequence.name: trajectories_of(sequence) for sequence in read}
        self.test = [with_heads(sequence, self._truths[sequence.name]) for sequence in read]
        self.held_out: Sequence[PoseSequence] = []
        self.rules = replace(OFFICIAL, unseen_is_zero=False)
        self.only_annotated_joints = True
        self.label = study.data.label or "simulated tubes"
        self._numbers = {sequence.name: number for number, sequence in enumerate(self.test)}

    def tubes(self, sequence: PoseSequence, row: Row, seed: int) -> SequenceTubes:
        """See `SequenceSource`.

        Args:
            sequence: The annotated sequence.
            row: The setting.
            seed: Of whatever is random.

        Returns:
            Batches of tracklets, and what they are made of.
        """
        return _SimulatedTubes(self._truths[sequence.name], self._study, 1000 * seed + self._numbers[sequence.name])

    def digest(self, row: Row) -> str:
        """See `SequenceSource`; every row has the same tubes."""
        files = [file_digest(Path(path)) for path in self._files]
        return content_key("simulated", files, asdict(self._study.simulate), self._study.settings.cut.clip_length)

    def prepare(self, rows: Sequence[Row], log: Log) -> None:
        """Nothing is kept: simulating is faster than reading.

        Args:
            rows: The settings.
            log: Takes a line of progress.
        """

    def notes(self, rows: Sequence[Row]) -> list[str]:
        """No images are read."""
        return []

    def speed(self, row: Row) -> float | None:
        """Without pixels there is no pipeline to time."""
        return None


def with_heads(sequence: PoseSequence, truth: Trajectories) -> PoseSequence:
    """The sequence with a head box for each person: where none is annotated, a square of `truth`'s head size.

    And with a person box, around the joints as in `truth`.

    Args:
        sequence: The annotated sequence.
        truth: Its people's paths and head sizes.

    Returns:
        A sequence that can be evaluated.
    """
    people = sequence.people
    row = np.searchsorted(truth.ids, people.track_id)
    side = truth.head[row, people.image] / 0.6 / np.sqrt(2)
    square = np.stack([np.zeros_like(side), np.zeros_like(side), side, side], 1)
    annotated = np.all(people.head_box[:, 2:] > people.head_box[:, :2], axis=1, keepdims=True)
    head = np.where(annotated, people.head_box, square)
    return replace(sequence, people=replace(people, head_box=head, box=truth.boxes[row, people.image]))
