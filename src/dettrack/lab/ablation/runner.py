"""Runs a study: every row once, whatever tables it stands in; finished rows are taken from the cache.

Networks run first, one after the other in this process (they use all cores, or the GPU); then rows are linked, merged
and evaluated, several at a time. An interrupted study goes on where it was: tracklets are kept per sequence, figures
per row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

from dettrack.errors import InputError
from dettrack.files import write_json
from dettrack.lab.ablation.beyond import all_tables, tables_of
from dettrack.lab.ablation.cache import content_key, read_json
from dettrack.lab.ablation.calibration import Calibration, calibrate
from dettrack.lab.ablation.grid import FULL_METHOD
from dettrack.lab.ablation.measure import Result, measure
from dettrack.lab.ablation.report import write_report
from dettrack.lab.ablation.rows import Row
from dettrack.lab.ablation.sources import Log, SequenceSource, SimulatedSource
from dettrack.lab.ablation.study import Study

__all__ = ["open_source", "run_study"]


def open_source(study: Study) -> SequenceSource:
    """The study's sequences; reads annotations, runs nothing.

    Raises:
        InputError: The data cannot be read.
    """
    if study.data.kind == "simulated":
        return SimulatedSource(study)
    from dettrack.lab.ablation.frames import FrameSource  # imports torch

    return FrameSource(study)


def run_study(
    study: Study, only: tuple[str, ...] = (), *, jobs: int = 1, log: Log = lambda line: None, plots: bool = True
) -> list[Path]:
    """Measure the wanted tables and write it into `study.out`.

    Args:
        study: What to run.
        only: Keys of tables; () takes the study's list. "calibration" is one too.
        jobs: Processes for linking, merging and evaluating.
        log: Called with a line for everything that was done.
        plots: Draw them too.

    Returns:
        The files written.

    Raises:
        UsageError: An unknown table.
        InputError: Data or weights cannot be used; or, when everything is written, some images could not be read.
        MissingExtraError: Plots need matplotlib.
        OutputError: Results cannot be written.
    """
    tables = tables_of(study, tuple(key for key in only if key != "calibration"))
    if only == ("calibration",):
        tables = []
    source = open_source(study)
    rows = [row for table in tables for row in table.rows]
    source.prepare(rows, log)
    results = _measured(study, source, rows, jobs, log)
    calibration = _calibrated(study, source, log) if not only or "calibration" in only else None
    found = [(table, [results[row_key(study, source, row)] for row in table.rows]) for table in tables]
    written = write_report(study, source.label, found, calibration)
    if plots:
        from dettrack.lab.ablation.plots import write_plots  # matplotlib is an extra

        written += write_plots(study.out, found, calibration)
    unread = source.notes(rows)
    for note in unread:
        log(f"could not be read: {note}")
    if unread:
        raise InputError(
            f"{study.out} is written, but {len(unread)} images could not be read (a neighbour stood in for each): "
            f"{unread[0]}; mend the data set and run again"
        )
    return written


def row_key(study: Study, source: SequenceSource, row: Row) -> str:
    """Content key of a row's figures.

    Args:
        study: The study.
        source: Sequences and tubes.
        row: The setting.

    Returns:
        The same for the same figures.
    """
    return content_key("row", source.digest(row), row.settings(), study.seeds, study.bootstrap, str(source.rules))


def _measured(study: Study, source: SequenceSource, rows: Sequence[Row], jobs: int, log: Log) -> dict[str, Result]:
    wanted = {row_key(study, source, row): row for row in rows}
    results = {}
    for key in wanted:
        cached = read_json(_path(study, key))
        if cached is not None:
            results[key] = Result(**cached)
    missing = {key: row for key, row in wanted.items() if key not in results}
    log(f"{len(wanted)} rows, {len(results)} of them from the cache")
    for key, result in _compute(study, source, missing, jobs):
        write_json(_path(study, key), asdict(result))
        results[key] = result
        figures = ", ".join(f"{name} {result.figures[name]:.1f}" for name in ("AP", "MOTA", "recall"))
        log(f"{len(results)}/{len(wanted)} {wanted[key].name}: {figures}")
    return results


def _path(study: Study, key: str) -> Path:
    return study.cache / "rows" / f"{key}.json"


def _compute(study: Study, source: SequenceSource, rows: dict[str, Row], jobs: int) -> Iterator[tuple[str, Result]]:
    if jobs <= 1 or len(rows) <= 1:
        for key, row in rows.items():
            yield key, measure(source, row, seeds=study.seeds, bootstrap=study.bootstrap)
        return
    with ProcessPoolExecutor(
        min(jobs, len(rows)), mp_context=get_context("spawn"), initializer=_open_in_worker, initargs=(study,)
    ) as pool:
        futures = {pool.submit(_measure_in_worker, row): key for key, row in rows.items()}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


# A worker process reads the annotations once and keeps them for all its rows.
_WORKER: list[tuple[Study, SequenceSource]] = []


def _open_in_worker(study: Study) -> None:
    _WORKER[:] = [(study, open_source(study))]


def _measure_in_worker(row: Row) -> Result:
    study, source = _WORKER[0]
    return measure(source, row, seeds=study.seeds, bootstrap=study.bootstrap)


def _calibrated(study: Study, source: SequenceSource, log: Callable[[str], None]) -> Calibration | None:
    row = next((row for table in all_tables(study) for row in table.rows if row.name == FULL_METHOD), None)
    if row is None:
        return None
    source.prepare([row], log)
    key = content_key("calibration", source.digest(row), row.settings(), study.seeds)
    cached = read_json(_path(study, key))
    if cached is not None:
        return Calibration(**cached)
    found = calibrate(source, row, study.seeds)
    write_json(_path(study, key), asdict(found))
    log("calibration of spread and score")
    return found
