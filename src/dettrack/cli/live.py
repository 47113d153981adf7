"""`dettrack track SOURCE --live`: a line of JSON for every frame while a camera, stream or file plays."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

from dettrack.cli.interrupts import INTERRUPTED, UNREAD
from dettrack.config import TrackConfig
from dettrack.errors import OutputError
from dettrack.threads import tune_process

__all__ = ["run_live"]


def run_live(source: str, config: TrackConfig, out: Path | None, *, quiet: bool = False) -> int:
    """Track until the source ends or Ctrl-C; remarks go to stderr, lines to `out` or to stdout.

    Args:
        source: See `video.live.open_live`.
        config: Settings; what cannot be had live is changed, and said.
        out: File for the lines; None is stdout.
        quiet: Say nothing but errors.

    Returns:
        The exit code.

    Raises:
        OutputError: The lines cannot be written.
    """
    from dettrack.pipeline import Pipeline
    from dettrack.runs.live import live_settings, track_live, waiting_frames
    from dettrack.video.live import open_live

    def say(line: str) -> None:
        if not quiet:
            sys.stderr.write(line + "\n")

    settings, notes = live_settings(config)
    for note in notes:
        say(f"live: {note}")
    tune_process(settings.estimate.threads)
    pipeline = Pipeline(settings, ahead=0)
    say(f"detector: {pipeline.detector.description}")
    say(f"model: {pipeline.estimator.description}")
    with ExitStack() as stack:
        try:
            file = sys.stdout if out is None else stack.enter_context(out.open("w", encoding="utf-8"))
        except OSError as error:
            raise OutputError(f"cannot write {out}: {error.strerror or error}") from error

        def write(line: str) -> None:
            file.write(line)
            file.flush()

        frames = stack.enter_context(open_live(source, waiting_frames(settings)))
        report = track_live(pipeline, frames, write)
    say(str(report))
    if report.interrupted:
        return INTERRUPTED
    for note in frames.notes:
        say(f"live: {note}")
    return 0 if frames.complete else UNREAD
