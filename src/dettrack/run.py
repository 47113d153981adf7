"""One video to one result folder: tracks in the asked formats, a picture, and a summary that says how it went."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dettrack import __version__
from dettrack.associate import Report
from dettrack.errors import DettrackError, OutputError, UsageError
from dettrack.formats import FORMATS, open_writers, read_tracks
from dettrack.pipeline import Pipeline
from dettrack.structures import TrackTable, VideoInfo
from dettrack.video import VideoSource, open_video
from dettrack.visual.render import render_video

__all__ = ["RunOptions", "check_formats", "track_to_folder"]

SUMMARY = "summary.json"
RENDER = "render.mp4"
_DEFAULT_FORMATS = ("jsonl", "parquet")


@dataclass(frozen=True)
class RunOptions:
    """What to write and which part of the video to read.

    Attributes:
        formats: Names of `dettrack.formats.FORMATS`.
        render: Write `render.mp4` too, in a second pass over the video.
        start_s: Skip frames before this timestamp, in seconds.
        end_s: Stop at this timestamp, in seconds; None reads to the end.
    """

    formats: tuple[str, ...] = _DEFAULT_FORMATS
    render: bool = False
    start_s: float = 0.0
    end_s: float | None = None


def check_formats(names: Sequence[str]) -> None:
    """Raise `UsageError` unless every name is a known format."""
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        raise UsageError(f"--formats {','.join(unknown) or '(empty)'}: expected some of {', '.join(FORMATS)}")


def track_to_folder(
    pipeline: Pipeline,
    source: VideoSource,
    out: Path,
    options: RunOptions | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> dict[str, Any]:
    """Track one video into the folder `out`.

    Files are written while frames become final, under a temporary name until they are whole. When the run is
    interrupted or the video breaks off, what was tracked so far is kept and the summary says `"complete": false`.

    Args:
        pipeline: Loaded models and settings.
        source: Video file, folder of frames, or a list of image files.
        out: Result folder; an earlier result in it is replaced.
        options: What to write.
        progress: Called with the number of finished frames and the number expected (None if unknown).

    Returns:
        What was written to `summary.json`.

    Raises:
        InputError: The source cannot be used (nothing is written then).
        OutputError: `out` cannot be written, or holds something else.
    """
    options = options or RunOptions()
    config, report, start = pipeline.config, Report(), time.perf_counter()
    with open_video(source, start_s=options.start_s, end_s=options.end_s, shots=config.cut.shots) as video:
        _prepare(out)
        # The picture is drawn in a second pass, from the tracks on disk: frames are not kept.
        formats = options.formats if "jsonl" in options.formats or not options.render else (*options.formats, "jsonl")
        writers = open_writers(formats, out, video.info, pipeline.joint_set)
        failure: BaseException | None = None
        try:
            for segment in pipeline.track(video, report):
                with report.stage("write"):
                    for index, time_s, rows in segment.by_frame():
                        for writer in writers:
                            writer.write(index, time_s, rows)
                if progress:
                    progress(int(segment.frames[-1]) + 1, video.info.n_frames)
        except (KeyboardInterrupt, DettrackError) as error:
            failure = error
        finally:
            with report.stage("write"):
                for writer in writers:
                    writer.close()
        info, notes = video.info, list(video.notes)
    if failure is None and options.render:
        with report.stage("render"):
            _render(source, out, options)
    if formats != options.formats:
        (out / "tracks.jsonl").unlink(missing_ok=True)
    if failure is not None:
        notes.append(f"stopped early: {failure or type(failure).__name__}")
    summary = _summary(pipeline, info, report, notes, time.perf_counter() - start, complete=failure is None)
    _write_json(out / SUMMARY, summary)
    if failure is not None:
        raise failure
    return summary


def _prepare(out: Path) -> None:
    """Make the folder, or clear an earlier result; never touch a folder that holds something else."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        earlier = [path for path in out.iterdir() if not _is_ours(path)]
        if earlier:
            raise OutputError(f"{out} exists and holds {earlier[0].name}, which is no result: name another --out")
        (out / SUMMARY).unlink(missing_ok=True)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"cannot write to {out}: {error.strerror or error}; name another --out") from error


def _is_ours(path: Path) -> bool:
    name = path.name.removesuffix(".part")
    return name in {SUMMARY, RENDER, *FORMATS.values()} or ".part" in path.name


def _render(source: VideoSource, out: Path, options: RunOptions) -> None:
    def rows() -> Iterator[tuple[int, TrackTable]]:
        yield from read_tracks(out / "tracks.jsonl").by_frame()

    render_video(source, rows(), out / RENDER, start_s=options.start_s, end_s=options.end_s)


def _summary(
    pipeline: Pipeline, info: VideoInfo, report: Report, notes: list[str], seconds: float, *, complete: bool
) -> dict[str, Any]:
    frames = report.counts["frames"]
    return {
        "complete": complete,
        "video": {**asdict(info), "fps": None if info.fps is None else str(info.fps)},
        "detector": pipeline.detector.description,
        "model": pipeline.estimator.description,
        "joint_set": pipeline.joint_set.name,
        "joints": list(pipeline.joint_set.joints),
        "approximated_joints": list(pipeline.estimator.approximated),
        "counts": dict(sorted(report.counts.items())),
        "dropped": dict(sorted(report.dropped.items())),
        "seconds": {name: round(value, 3) for name, value in report.seconds.items()},
        "frames_per_second": round(frames / seconds, 2) if seconds > 0 else None,
        "notes": notes,
        "settings": asdict(pipeline.config),
        "versions": {"dettrack": __version__, "python": platform.python_version(), "numpy": np.__version__},
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


def is_complete(out: Path) -> bool:
    """Whether `out` holds the result of a run that came to its end."""
    try:
        return bool(json.loads((out / SUMMARY).read_text(encoding="utf-8")).get("complete"))
    except (OSError, ValueError, AttributeError):
        return False
