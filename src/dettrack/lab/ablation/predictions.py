"""A row's predictions as zips, for the organisers' evaluator or server."""

from __future__ import annotations

from pathlib import Path

from dettrack.errors import UsageError
from dettrack.evaluation.prepare import apply_thresholds
from dettrack.evaluation.submission import zip_sequences
from dettrack.formats.posetrack.files import prediction_sequence
from dettrack.lab.ablation.beyond import all_tables
from dettrack.lab.ablation.measure import folds, track_row
from dettrack.lab.ablation.runner import open_source
from dettrack.lab.ablation.sources import Log
from dettrack.lab.ablation.study import Study

__all__ = ["write_row"]


def write_row(study: Study, key: str, name: str, out: Path, log: Log = lambda line: None) -> list[Path]:
    """Write what one row predicts: all joints for AP, and those above the learned thresholds for MOTA.

    Args:
        study: The study.
        key: Of the table.
        name: Of the row in it.
        out: Folder of `all_joints.zip` and `thresholded.zip`.
        log: Called with a line for everything that was done.

    Returns:
        The files written.

    Raises:
        UsageError: No such table or row.
        InputError: Data or weights cannot be used.
        OutputError: A file cannot be written.
    """
    tables = {table.key: {row.name: row for row in table.rows} for table in all_tables(study)}
    if key not in tables or name not in tables[key]:
        known = ", ".join(tables[key]) if key in tables else ", ".join(tables)
        raise UsageError(f"--row is {key}:{name}: expected TABLE:ROW, with one of {known}")
    row, source = tables[key][name], open_source(study)
    source.prepare([row], log)
    predicted = {
        (split, i, 0): prediction_sequence(sequence, track_row(source, sequence, row, 0))[0]
        for split, sequences in (("test", source.test), ("held_out", source.held_out if row.linked else []))
        for i, sequence in enumerate(sequences)
    }
    found = [predicted["test", i, 0] for i in range(len(source.test))]
    thresholded = list(found)
    for numbers, limits in folds(source, predicted, 1, row.linked):
        for i in numbers:
            thresholded[i] = apply_thresholds(found[i], limits)
    written = [out / "all_joints.zip", out / "thresholded.zip"]
    for path, sequences in zip(written, (found, thresholded), strict=True):
        zip_sequences(sequences, path)
    return written
