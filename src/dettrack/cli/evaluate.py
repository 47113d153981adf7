"""`dettrack evaluate`: AP, MOTA and HOTA by the official PoseTrack rules, and what explains them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro

from dettrack.errors import InputError
from dettrack.files import write_json

if TYPE_CHECKING:
    from rich.table import Table

    from dettrack.evaluation.summary import Evaluation
    from dettrack.formats.posetrack import PoseSequence
    from dettrack.formats.posetrack.files import FilePair

__all__ = ["run"]

MAX_NOTES = 10


@dataclass(frozen=True)
class EvaluateArgs:
    """Evaluate PoseTrack predictions (2017, 2018 or 2021; JSON, or .mat annotations).

    Further commands, each with its own --help: dettrack evaluate thresholds | compare | oracles | submission.

    Attributes:
        gt: Folder with one annotation file per sequence, or one file.
        pred: Folder with prediction files of the same names, or one file.
        mode: official: the organisers' evaluator to the last digit; clean: without its accidents (docs/evaluation.md).
        protocol: A published protocol by name, before --mode. posetrack17, posetrack18: that evaluator; posetrack21: AP
            and HOTA of PoseTrack21's kit; boxes-iou: MOTA and IDF1 of boxes by that kit's script with ignore regions;
            boxes-coverage: the same as CoMotion changed it. The last two do not compare (docs/evaluation.md).
        threshold: TOML file of per-joint score thresholds, or one number: joints below do not count for tracking
            measures. AP always keeps all joints.
        hota: Measure keypoint HOTA too.
        per_sequence: Show a row for each sequence.
        bootstrap: Number of bootstrap samples for 95 % intervals over sequences; 0 for none.
        seed: Seed of the bootstrap.
        detections: COCO-style list of detected boxes (image_id, bbox, score): measure their recall too.
        detection_score: Detections with a lower score do not count.
        json: File that receives all figures.
    """

    gt: Path
    pred: Path
    mode: Literal["official", "clean"] = "official"
    protocol: Literal["", "posetrack17", "posetrack18", "posetrack21", "boxes-iou", "boxes-coverage"] = ""
    threshold: str | None = None
    hota: bool = False
    per_sequence: bool = False
    bootstrap: int = 0
    seed: int = 0
    detections: Path | None = None
    detection_score: float = 0.0
    json: Path | None = None


@dataclass(frozen=True)
class ThresholdsArgs:
    """Learn the joint scores below which predictions hurt MOTA, exactly, on held-out training videos (paper 4.1).

    Attributes:
        gt: Folder of annotation files.
        pred: Folder of prediction files of the same names.
        out: TOML file that `dettrack evaluate --threshold` and `dettrack track --joint-thresholds` take.
        mode: Rules by which MOTA is measured.
    """

    gt: Path
    pred: Path
    out: Path
    mode: Literal["official", "clean"] = "official"


@dataclass(frozen=True)
class CompareArgs:
    """Compare two systems on the same sequences: differences, 95 % intervals and p by a paired bootstrap.

    Attributes:
        a: Folder of A's prediction files.
        b: Folder of B's prediction files.
        gt: Folder of annotation files.
        mode: Rules.
        threshold: TOML file or number, for both systems.
        threshold_b: Another one for B.
        hota: Compare HOTA too.
        bootstrap: Number of samples.
        seed: Seed of the samples.
        json: File that receives the figures.
    """

    a: tyro.conf.Positional[Path]
    b: tyro.conf.Positional[Path]
    gt: Path
    mode: Literal["official", "clean"] = "official"
    threshold: str | None = None
    threshold_b: str | None = None
    hota: bool = False
    bootstrap: int = 1000
    seed: int = 0
    json: Path | None = None


@dataclass(frozen=True)
class OraclesArgs:
    """Say where the errors are: the same predictions with perfect association, perfect poses, perfect boxes.

    Attributes:
        gt: Folder of annotation files.
        pred: Folder of prediction files of the same names.
        boxes_pred: Predictions of a run whose detections were the annotated boxes: the measured counterpart of the
            bound that "perfect boxes" is.
        mode: Rules.
        threshold: TOML file or number.
        json: File that receives the figures.
    """

    gt: Path
    pred: Path
    boxes_pred: Path | None = None
    mode: Literal["official", "clean"] = "official"
    threshold: str | None = None
    json: Path | None = None


@dataclass(frozen=True)
class SubmissionArgs:
    """Check a folder of predictions and pack it as the evaluation servers want it.

    Attributes:
        gt: Folder of annotation files, or of the test split's files without annotations: only image lists are read.
        pred: Folder of prediction files of the same names.
        out: Zip file.
        threshold: TOML file or number: joints below are left out, for MOTA. AP wants all joints: pack them without.
    """

    gt: Path
    pred: Path
    out: Path
    threshold: str | None = None


def run(args: Sequence[str]) -> int:
    """Entry point; see `dettrack.cli.main` for the exit codes."""
    commands = {"thresholds": _thresholds, "compare": _compare, "oracles": _oracles, "submission": _submission}
    if args and args[0] in commands:
        return commands[args[0]](list(args[1:]))
    return _evaluate(tyro.cli(EvaluateArgs, args=list(args), prog="dettrack evaluate"))


def _evaluate(parsed: EvaluateArgs) -> int:
    from dettrack.evaluation.tables import figure_tables, interval_table, sequence_table

    pairs, notes = _pairs(parsed.gt, parsed.pred)
    if parsed.protocol.startswith("boxes-"):
        return _box_tracking(parsed, pairs, notes)
    kit21 = parsed.protocol == "posetrack21"
    mode = "posetrack21" if kit21 else "official" if parsed.protocol else parsed.mode
    result = _measure(pairs, mode, parsed.threshold, parsed.hota or kit21)
    content = result.to_json()
    content["notes"] = [*notes, *content["notes"]]
    tables = figure_tables(result)
    if parsed.per_sequence:
        tables.append(sequence_table(result))
    if parsed.bootstrap:
        from dettrack.evaluation.bootstrap import intervals

        found = intervals(result, samples=parsed.bootstrap, seed=parsed.seed)
        tables.append(interval_table(found, parsed.bootstrap))
        content["intervals"] = {name: asdict(interval) for name, interval in found.items()}
    if parsed.detections is not None:
        table, content["detections"] = _detections(parsed, pairs)
        tables.append(table)
    _show(tables, content["notes"])
    _write(parsed.json, content)
    return 0


def _box_tracking(parsed: EvaluateArgs, pairs: list[FilePair], notes: list[str]) -> int:
    from rich.table import Table

    from dettrack.evaluation.box_tracking import track_boxes

    found = track_boxes((pair.load() for pair in pairs), parsed.protocol)
    table = Table(title=f"Boxes, protocol {parsed.protocol}", title_justify="left", title_style="bold")
    content = found.to_json()
    for name in content:
        table.add_column(name, justify="right")
    table.add_row(*(f"{value:.1f}" if isinstance(value, float) else str(value) for value in content.values()))
    _show([table], notes)
    _write(parsed.json, {"protocol": parsed.protocol, **content, "notes": notes})
    return 0


def _submission(args: list[str]) -> int:
    parsed = tyro.cli(SubmissionArgs, args=args, prog="dettrack evaluate submission")
    from dettrack.evaluation.submission import write_submission

    pairs, notes = _pairs(parsed.gt, parsed.pred)
    people = write_submission(pairs, parsed.out, _limits(parsed.threshold))
    _show([], notes)
    sys.stdout.write(f"{parsed.out}: {len(pairs)} sequences, {people} poses\n")
    return 0


def _detections(parsed: EvaluateArgs, pairs: list[FilePair]) -> tuple[Table, dict[str, int | float]]:
    from rich.table import Table

    from dettrack.evaluation.boxes import BoxCounts, detection_recall, read_detections
    from dettrack.formats.posetrack.files import read_sequence

    if parsed.detections is None:
        raise InputError("no detections given")
    boxes = read_detections(parsed.detections, parsed.detection_score)
    counts = sum((detection_recall(read_sequence(pair.gt), boxes) for pair in pairs), BoxCounts())
    table = Table(title=f"Boxes of {parsed.detections.name}, IoU 0.5", title_justify="left", title_style="bold")
    for name in ("recall", "precision", "annotated", "detected"):
        table.add_column(name, justify="right")
    table.add_row(f"{counts.recall:.1f}", f"{counts.precision:.1f}", str(counts.annotated), str(counts.predicted))
    return table, counts.to_json()


def _thresholds(args: list[str]) -> int:
    parsed = tyro.cli(ThresholdsArgs, args=args, prog="dettrack evaluate thresholds")
    from dettrack.evaluation.tables import threshold_table
    from dettrack.evaluation.thresholds import learn_thresholds, write_thresholds

    pairs, notes = _pairs(parsed.gt, parsed.pred)
    found = learn_thresholds(*_sequences(pairs), mode=parsed.mode)
    comment = (
        f"Per-joint score thresholds that maximise MOTA ({parsed.mode} rules), learned on {len(pairs)} sequences.\n"
        "A predicted joint with a lower score does not count for MOTA; AP keeps all joints."
    )
    write_thresholds({row.joint: row.threshold for row in found}, parsed.out, comment)
    _show([threshold_table(found)], notes)
    sys.stdout.write(f"{parsed.out}\n")
    return 0


def _compare(args: list[str]) -> int:
    parsed = tyro.cli(CompareArgs, args=args, prog="dettrack evaluate compare")
    from dettrack.evaluation.bootstrap import compare
    from dettrack.evaluation.tables import comparison_table

    thresholds = (parsed.threshold, parsed.threshold if parsed.threshold_b is None else parsed.threshold_b)
    results, notes = [], []
    for folder, threshold in zip((parsed.a, parsed.b), thresholds, strict=True):
        pairs, more = _pairs(parsed.gt, folder)
        results.append(_measure(pairs, parsed.mode, threshold, parsed.hota))
        notes += [f"{folder}: {note}" for note in [*more, *results[-1].to_json(per_sequence=False)["notes"]]]
    found = compare(results[0], results[1], samples=parsed.bootstrap, seed=parsed.seed)
    _show([comparison_table(found, parsed.bootstrap)], notes)
    _write(parsed.json, {name: asdict(difference) for name, difference in found.items()})
    return 0


def _oracles(args: list[str]) -> int:
    parsed = tyro.cli(OraclesArgs, args=args, prog="dettrack evaluate oracles")
    from dettrack.evaluation.oracles import oracles
    from dettrack.evaluation.tables import oracle_table

    pairs, notes = _pairs(parsed.gt, parsed.pred)
    found = oracles(*_sequences(pairs), mode=parsed.mode, thresholds=_limits(parsed.threshold))
    if parsed.boxes_pred is not None:
        other, more = _pairs(parsed.gt, parsed.boxes_pred)
        found["perfect boxes (measured)"] = _measure(other, parsed.mode, parsed.threshold, False)
        notes += more
    _show([oracle_table(found)], notes)
    _write(parsed.json, {name: result.to_json(per_sequence=False) for name, result in found.items()})
    return 0


def _pairs(gt: Path, pred: Path) -> tuple[list[FilePair], list[str]]:
    from dettrack.formats.posetrack.files import pair_files

    return pair_files(gt, pred)


def _sequences(pairs: list[FilePair]) -> tuple[Iterator[PoseSequence], Iterator[PoseSequence]]:
    """Annotations and predictions, each file read only when its turn comes."""
    from dettrack.formats.posetrack.files import read_sequence

    return (read_sequence(pair.gt) for pair in pairs), (read_sequence(pair.pred) for pair in pairs)


def _limits(threshold: str | None) -> dict[str, float] | None:
    from dettrack.evaluation.thresholds import read_thresholds

    return None if threshold is None else read_thresholds(threshold)


def _measure(pairs: list[FilePair], mode: str, threshold: str | None, hota: bool) -> Evaluation:
    from dettrack.evaluation.summary import evaluate

    return evaluate(*_sequences(pairs), mode=mode, thresholds=_limits(threshold), hota=hota)


def _show(tables: Sequence[Table], notes: Sequence[str]) -> None:
    """Tables to standard output (as wide as they need when it is no terminal), notes to standard error."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 140)
    for table in tables:
        console.print(table)
    for note in notes[:MAX_NOTES]:
        sys.stderr.write(f"note: {note}\n")
    if len(notes) > MAX_NOTES:
        sys.stderr.write(f"note: {len(notes) - MAX_NOTES} more notes; --json FILE has them all\n")


def _write(path: Path | None, content: dict[str, Any]) -> None:
    if path is not None:
        write_json(path, content, indent=1)
