"""One video to one result folder: tracks in the requested formats, a rendered video, and a summary of the run."""

from __future__ import annotations

import json
import os
import platform
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dettrack import __version__
from dettrack.associate import associate
from dettrack.config import TrackConfig
from dettrack.cut.known import KnownBatches
from dettrack.edit import read as read_edits
from dettrack.edit import write_edits
from dettrack.errors import DettrackError, MismatchError
from dettrack.files import base_name, output_error, parsing, write_json
from dettrack.finish.stages import check_finish
from dettrack.formats import Writer, open_writers
from dettrack.formats.exports import command_line
from dettrack.formats.read import read_rows
from dettrack.formats.result import video_entry, video_info
from dettrack.formats.tracklets import TrackletFile, TrackletWriter
from dettrack.pipeline import Pipeline, Video
from dettrack.runs.beside import Beside
from dettrack.runs.evidence import carried, links_of
from dettrack.runs.fingerprint import fingerprint, weights_hashes
from dettrack.runs.options import RunOptions
from dettrack.runs.result import RENDER, SUMMARY, TRACKLETS, NewResult
from dettrack.runs.watch import WatchedVideo
from dettrack.sew.replay import narrow
from dettrack.structures import Segment, TrackletBatch
from dettrack.structures.report import Report
from dettrack.video import VideoReader, choose_encoder, open_video
from dettrack.video.isolated import IsolatedReader, Limits
from dettrack.video.sources import VideoSource, content_hash, content_key
from dettrack.view.drawing.blur import FaceBlur
from dettrack.view.drawing.render import RenderWriter

__all__ = ["associate_to_folder", "open_source", "run_fingerprint", "track_to_folder"]

Progress = Callable[[int, int | None], None]


def run_fingerprint(source: VideoSource, config: TrackConfig, options: RunOptions) -> str:
    """Hash of everything that decides a result folder (see `fingerprint.fingerprint`).

    Args:
        source: As of `track_to_folder`.
        config: All settings.
        options: What to write.

    Returns:
        Hexadecimal.
    """
    return fingerprint(content_key(source), config, options.deciding)


def track_to_folder(
    pipeline: Pipeline,
    source: VideoSource,
    out: Path,
    options: RunOptions | None = None,
    progress: Progress | None = None,
    known: KnownBatches | None = None,
    limits: Limits | None = None,
) -> dict[str, Any]:
    """Track one video into the folder `out`.

    Files are written while frames become final, in a folder that takes the place of `out` in the end (see `NewResult`).
    When the run breaks off, what was tracked so far is kept with `"complete": false` in its summary, beside a finished
    result if there is one.

    Args:
        pipeline: Loaded models and settings.
        source: Video file, folder of frames, or a list of image files.
        out: Result folder; an earlier result in it is replaced.
        options: What to write.
        progress: Called with the number of finished frames and the number expected (None if unknown).
        known: See `Pipeline.track`.
        limits: Decode in a process of its own, within these limits.

    Returns:
        What was written to `summary.json`.

    Raises:
        InputError: The source, or the detector's file of boxes, cannot be used (nothing is written then).
        OutputError: `out` cannot be written, or holds something else.
    """
    options = options or RunOptions()
    if options.render:
        choose_encoder()  # fails now rather than after the models were loaded
    config, start = pipeline.config, time.perf_counter()
    blur = FaceBlur() if options.blur_faces else None
    content = content_key(source)  # of the input as it is read, not as it is hours later
    history = _history_entry(content, config, options)
    with open_source(source, config, options, limits) as video, NewResult(out) as result:
        about = {"video": video_entry(video.info), "content": content_hash(content), **_models_entry(pipeline)}
        with ExitStack() as stack:
            writers = open_writers(options.formats, result.path, video.info, pipeline.joint_set)
            save = stack.enter_context(_tracklets(result.path, pipeline, about)) if options.save_tracklets else None
            watched: Video = video
            if options.render:
                render = RenderWriter(result.path / RENDER, video.info, blur=blur)
                writers, watched = [*writers, render], WatchedVideo(video, render.add)
            run = stack.enter_context(pipeline.track(watched, save=save, known=known))
            beside = Beside(result.path, pipeline.joint_set)
            failure = _write(run, writers, beside, run.report, video.info.n_frames, progress)
        summary = {
            "complete": failure is None and run.complete,
            **about,
            **_report_entry(run.report, time.perf_counter() - start),
            "notes": [*run.notes, *_failure_note(failure)],
            **({"blurred_heads": blur.counts} if blur else {}),
            **history,
            **_settings_entry(config),
        }
        return _finish(result, summary, failure)


def _tracklets(folder: Path, pipeline: Pipeline, about: dict[str, Any]) -> TrackletWriter:
    return TrackletWriter(folder / TRACKLETS, pipeline.joint_set, pipeline.config.cut, about)


def open_source(
    source: VideoSource, config: TrackConfig, options: RunOptions, limits: Limits | None = None
) -> VideoReader | IsolatedReader:
    """The part of a video that a run reads.

    Args:
        source: As of `track_to_folder`.
        config: All settings.
        options: What to read.
        limits: As of `track_to_folder`.

    Returns:
        Its frames.

    Raises:
        InputError: The source cannot be used.
    """
    part: dict[str, Any] = {name: getattr(options, name) for name in ("start_s", "end_s", "fps", "max_pixels")}
    part["shots"] = config.cut.shots
    return open_video(source, **part) if limits is None else IsolatedReader(source, **part, limits=limits)


def associate_to_folder(
    saved: TrackletFile, out: Path, config: TrackConfig, formats: tuple[str, ...], *, edits: bool = False
) -> dict[str, Any]:
    """Link and merge the saved tracklets of a run again, without its video or network.

    Args:
        saved: Tracklets of a run.
        out: Result folder to write; may be the run's own.
        config: Settings; a shorter clip or larger step than saved is imitated (see `sew.replay.narrow`).
        formats: Names of `dettrack.formats.FORMATS`.
        edits: Take the corrections beside the tracklets as links that hold and links that do not, and carry over the
            rest of them (see `evidence`).

    Returns:
        What was written to `summary.json`.

    Raises:
        InputError: The file of joint thresholds, or the corrected result, cannot be used.
        UsageError: The settings need tubes that were not saved.
        OutputError: `out` cannot be written.
    """
    start, report = time.perf_counter(), Report()
    check_finish(config.finish, saved.joints)
    batches: Iterable[TrackletBatch] = narrow(saved.batches(), saved.cut, config.cut)
    corrected, links = None, None
    if edits:
        corrected, batches = read_rows(saved.path.parent, edits=False).table, list(batches)
        links = links_of(corrected, read_edits(saved.path.parent), batches)
    with parsing(f"{saved.path}", "saved tracklets that say what their video was"):
        info = video_info(saved.about["video"])
        base_name(info.name, f"{saved.path}")
    fps = None if info.fps is None else float(info.fps)
    with NewResult(out) as result:
        if saved.path.resolve().parent == result.out:  # tracklets of an earlier result in the same place stay with it
            _keep(saved.path, result.path / TRACKLETS)
        writers = open_writers(formats, result.path, info, saved.joints)
        with closing(associate(batches, saved.joints, config, fps=fps, report=report, links=links)) as segments:
            failure = _write(segments, writers, Beside(result.path, saved.joints), report, None, None)
        if corrected is not None and failure is None:
            lines = carried(
                corrected, read_edits(saved.path.parent), read_rows(result.path).table, config.cut.clip_length // 2
            )
            write_edits(result.path, lines)
        summary = {
            "complete": failure is None,
            **saved.about,
            "associated_from": str(saved.path),
            **_report_entry(report, time.perf_counter() - start),
            "notes": _failure_note(failure),
            **_settings_entry(config),
        }
        return _finish(result, summary, failure)


def _finish(result: NewResult, summary: dict[str, Any], failure: BaseException | None) -> dict[str, Any]:
    """Write the summary last, put the result in its place, and raise what stopped the run."""
    if isinstance(failure, MismatchError) or (failure is not None and not summary["counts"].get("frames")):
        raise failure  # nothing was tracked: nothing to keep
    result.free_reserve()
    write_json(result.path / SUMMARY, summary, indent=2)
    place = result.commit(whole=failure is None)
    if isinstance(failure, KeyboardInterrupt):
        raise KeyboardInterrupt(f"what was tracked so far is in {place}") from failure
    if failure is not None:
        raise failure
    return summary


def _keep(path: Path, copy: Path) -> None:
    """The same file under another name, without copying it where the file system can."""
    try:
        os.link(path, copy)
    except OSError:
        try:
            shutil.copyfile(path, copy)
        except OSError as error:
            raise output_error(copy, error) from error


def _write(
    segments: Iterable[Segment],
    writers: Sequence[Writer],
    beside: Beside,
    report: Report,
    n_frames: int | None,
    progress: Progress | None,
) -> DettrackError | KeyboardInterrupt | None:
    """Write segments while they come; what stops them is returned, after the files were closed properly.

    It is done in a thread: an interrupt, which Python gives to the main thread alone, then ends a run between two
    segments and never within one, so that all files hold the same frames, those that the report counts.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(1, thread_name_prefix="dettrack write") as thread:
        job = thread.submit(_write_until, stop, segments, writers, beside, report, n_frames, progress)
        while not job.done():
            try:
                wait([job], timeout=0.5)  # a bound, or Ctrl-C would have to wait on some systems
            except KeyboardInterrupt:  # noqa: PERF203
                stop.set()
    return job.result()


def _write_until(
    stop: threading.Event,
    segments: Iterable[Segment],
    writers: Sequence[Writer],
    beside: Beside,
    report: Report,
    n_frames: int | None,
    progress: Progress | None,
) -> DettrackError | KeyboardInterrupt | None:
    failure: DettrackError | KeyboardInterrupt | None = None
    done = 0
    try:
        for segment in segments:
            with report.timed("write"):
                for (index, time_s, rows), name in zip(segment.by_frame(), segment.names, strict=True):
                    for writer in writers:
                        writer.write(index, time_s, rows, name)
                beside.add(segment)
            done += len(segment.frames)
            if progress:
                progress(done, n_frames)
            if stop.is_set():
                raise KeyboardInterrupt
    except (KeyboardInterrupt, DettrackError) as error:
        failure = error
    finally:
        with report.timed("write"):
            closers: tuple[Writer | Beside, ...] = (*writers, beside)
            for closer in closers:  # every one of them, whatever happens to another
                try:
                    closer.close()
                except DettrackError as error:  # noqa: PERF203
                    failure = failure or error
    return failure


def _failure_note(failure: BaseException | None) -> list[str]:
    return (
        [] if failure is None else [f"stopped early: {str(failure) or 'interrupted'}; what was tracked so far is kept"]
    )


def _models_entry(pipeline: Pipeline) -> dict[str, Any]:
    return {
        "detector": pipeline.detector.description,
        "model": pipeline.estimator.description,
        "joint_set": pipeline.joint_set.name,
        "joints": list(pipeline.joint_set.joints),
        "approximated_joints": list(pipeline.estimator.approximated),
    }


def _history_entry(content: Sequence[Any], config: TrackConfig, options: RunOptions) -> dict[str, Any]:
    """What the run starts from."""
    return {
        "preset": options.preset,
        "fingerprint": fingerprint(content, config, options.deciding),
        "weights": weights_hashes(config),
        "range_s": [options.start_s, options.end_s],
        "formats": list(options.formats),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def _report_entry(report: Report, seconds: float) -> dict[str, Any]:
    frames = report.counts["frames"]
    return {
        "counts": dict(sorted(report.counts.items())),
        "dropped": {reason: number for reason, number in sorted(report.dropped.items()) if number},
        "seconds": {**{name: round(value, 3) for name, value in report.seconds.items()}, "all": round(seconds, 3)},
        "frames_per_second": round(frames / seconds, 2) if seconds > 0 else None,
    }


def _library_versions() -> dict[str, str]:
    found = {}
    for name in ("numpy", "torch", "onnxruntime", "openvino", "transformers", "av"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _settings_entry(config: TrackConfig) -> dict[str, Any]:
    versions = {"dettrack": __version__, "python": platform.python_version(), **_library_versions()}
    settings = json.loads(json.dumps(asdict(config)))  # as it will be read again: a tuple is a list
    return {"command": command_line(), "settings": settings, "versions": versions}
