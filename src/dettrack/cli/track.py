"""`dettrack track`: videos in, result folders out; or a PoseTrack data set in, prediction files out."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from dettrack.cli.failures import one_line
from dettrack.cli.interrupts import UNREAD
from dettrack.cli.settings import SettingsOptions, format_names, parse_options, seconds
from dettrack.config import DEFAULT_PRESET, Preset, TrackConfig
from dettrack.errors import DettrackError, UsageError
from dettrack.files import IMAGE_SUFFIXES, plain_name
from dettrack.threads import tune_process

if TYPE_CHECKING:
    from dettrack.pipeline import Pipeline
    from dettrack.runs.options import RunOptions

__all__ = ["TrackArgs", "parse", "run"]

_STRONGER = {
    "detector": (
        "rtmdet-nano-person finds {:.0%} of the people in everyday photos, the built-in detector {:.0%}",
        0.59,
        0.31,
    ),
    "model": ("tinypose places {:.0%} of their joints within half a head, the built-in network {:.0%}", 0.832, 0.661),
}
"""What would change with other people's models, and by how much: figures of the cards of the built-in weights."""
_SURE_AFTER_S, _LONG_S = 60.0, 1800.0  # when the rest of a run can be estimated, and what is long


@dataclass(frozen=True)
class TrackArgs(SettingsOptions):
    """Find every person in a video, follow each one, and write their joints in every frame.

    Each INPUT gives a folder <name>.dettrack with the tracks in the formats of --formats, and summary.json.

    Attributes:
        inputs: Videos, GIFs, folders of frames; several image files are the frames of one video.
        out: Folder that receives the result folders; beside the input if not given. With --posetrack: the folder of
            the prediction files. With --live: the file of the lines; stdout if not given.
        formats: Comma-separated: jsonl, parquet, csv, posetrack18, coco, mot, trc, openpose.
        render: Write render.mp4: skeletons and ids on the video; detected boxes solid, recovered ones dotted.
        blur_faces: Make the heads of all people unrecognisable in render.mp4, the only pictures that a run writes; also
            where the detector missed a person. summary.json and `dettrack report` say how many heads were covered.
        save_tracklets: Write tracklets.parquet (100 to 250 kB a minute of video), from which `dettrack associate` links
            and merges again in seconds. With --posetrack: a file for each sequence in the folder tracklets of --out.
        start: Skip what comes before this time from the first frame: seconds, or minutes:seconds.
        end: Stop at this time from the first frame, likewise.
        fps: Frames per second of folders and lists of images, which have no clock: their times are missing without it.
        max_pixels: Largest picture, in pixels, that is decoded; one that a header announces to be larger is refused.
        resume: Leave out inputs whose result is complete, and of the same input, settings, weights and formats. With
            --posetrack: sequences whose predictions are there and were made of images that could all be read.
        posetrack: Folder of PoseTrack17 or 18 annotation files: their frame lists are tracked (poses and boxes in
            them are never read).
        images: With --posetrack: folder that the image names in the annotation files start from.
        preset: Settings from a measured curve (docs/keyframes.md), or the paper's; --config and options given here win.
            Processor time a frame of vtest.avi (768x576, 4-9 people), AP and MOTA on hard synthetic scenes: fast 36 ms,
            47.2, 38.4; balanced 69 ms, 48.8, 40.0; accurate 330 ms, 48.8, 39.0. paper: exactly the paper's
            configuration (S = 1, no bridging, every joint and track), twice the time of accurate.
        config: TOML file of settings ([cut], [detect], [estimate], [sew], [polish], [finish]); options given here win.
        live: INPUT is a camera (0, 1 ...), the address of a stream, or a file that is played at its own pace: one line
            of JSON for each frame, at most --clip-length frames later; frames that it is too slow for are dropped and
            counted.
        quiet: Print errors only.
    """

    inputs: tyro.conf.Positional[tuple[str, ...]] = ()
    out: Path | None = None
    formats: str = "jsonl,parquet"
    render: bool = False
    blur_faces: bool = False
    save_tracklets: bool = True
    start: str = "0"
    end: str = ""
    fps: float | None = None
    max_pixels: int = 100_000_000
    resume: bool = False
    posetrack: Path | None = None
    images: Path | None = None
    preset: Preset = DEFAULT_PRESET
    config: Path | None = None
    live: bool = False
    quiet: bool = False

    @property
    def start_s(self) -> float:
        """`start` in seconds."""
        return seconds(self.start, "--start")

    @property
    def end_s(self) -> float | None:
        """`end` in seconds."""
        return seconds(self.end, "--end") if self.end else None


def parse(args: Sequence[str]) -> TrackArgs:
    """See `parse_options`."""
    return parse_options(TrackArgs, args, "dettrack track")


def run(args: Sequence[str]) -> int:
    """Entry point; see `dettrack.cli.main` for the exit codes."""
    parsed = parse(args)
    if parsed.posetrack is not None:
        return _run_dataset(parsed)
    if parsed.images is not None:
        raise UsageError("--images goes with --posetrack; a folder of frames is an input like a video")
    if not parsed.inputs:
        raise UsageError("nothing to track: name a video, a folder of frames, or --posetrack; see --help")
    return _run_live(parsed) if parsed.live else _run_videos(parsed)


def _run_live(parsed: TrackArgs) -> int:
    from dettrack.cli.live import run_live

    _refuse_options(parsed, "not with --live", resume=parsed.resume, several_inputs=len(parsed.inputs) > 1)
    return run_live(parsed.inputs[0], parsed.settings, parsed.out, quiet=parsed.quiet)


def _refuse_options(parsed: TrackArgs, why: str, *, resume: bool = False, several_inputs: bool = False) -> None:
    """Raise `UsageError` for options of `dettrack track` that are for video files alone."""
    given = {
        "--render": parsed.render,
        "--blur-faces": parsed.blur_faces,
        "--resume": resume,
        "--fps": parsed.fps is not None,
        "--start": parsed.start_s > 0,
        "--end": parsed.end_s is not None,
        "several inputs": several_inputs,
    }
    if used := [name for name, is_given in given.items() if is_given]:
        raise UsageError(f"{', '.join(used)}: {why}")


def _sources(parsed: TrackArgs) -> list[str | list[Path]]:
    """Several image files are one video; folders of videos are their videos; everything else stands for itself."""
    from dettrack.runs.batch.inputs import VIDEO_SUFFIXES
    from dettrack.video.sources import natural_key

    inputs = parsed.inputs
    if len(inputs) > 1 and all(Path(name).suffix.lower() in IMAGE_SUFFIXES for name in inputs):
        return [[Path(name) for name in inputs]]
    found: list[str | list[Path]] = []
    for name in inputs:
        folder = Path(name)
        inside = sorted(folder.iterdir(), key=lambda path: natural_key(path.name)) if folder.is_dir() else []
        videos = [str(path) for path in inside if path.suffix.lower() in VIDEO_SUFFIXES - {".gif"} and path.is_file()]
        pictures = any(path.suffix.lower() in IMAGE_SUFFIXES for path in inside)
        found += videos if videos and not pictures else [name]
    return found


def _result_folder(source: str | list[Path], out: Path | None) -> Path:
    if isinstance(source, str):
        first = Path(source)
    else:
        first = source[0].parent
    first = first.resolve() if first.name in ("", ".", "..") else first
    name = first.name if first.is_dir() else first.stem
    return (out if out is not None else first.parent) / f"{plain_name(name)}.dettrack"


def _run_videos(parsed: TrackArgs) -> int:
    from dettrack.runs.folder import track_to_folder
    from dettrack.runs.options import RunOptions, check_formats
    from dettrack.runs.progress import RunProgress

    formats = format_names(parsed.formats)
    check_formats(formats)
    options = RunOptions(
        formats,
        parsed.render,
        parsed.save_tracklets,
        parsed.start_s,
        parsed.end_s,
        parsed.preset,
        parsed.fps,
        parsed.max_pixels,
        parsed.blur_faces,
    )
    jobs, failed = _jobs(parsed, options)
    if not jobs:
        return failed
    pipeline = _load(parsed)
    worked = False
    for source, out in jobs:
        try:
            with RunProgress(out.name.removesuffix(".dettrack"), quiet=parsed.quiet) as progress:
                told = progress if parsed.quiet or parsed.preset == "fast" else _Hint(progress, parsed.preset)
                summary = track_to_folder(pipeline, source, out, options, told)
        except DettrackError as error:
            failed = max(failed, _refuse(error))
            continue
        if not summary["complete"] and not failed:
            failed = UNREAD
        worked = worked or summary["counts"].get("frames", 0) > 0
        if not parsed.quiet:
            _say(_result_line(out, summary))
    if worked and not parsed.quiet and (line := advice(parsed.settings)):
        _say(line)
    return failed


def advice(settings: TrackConfig) -> str:
    """One line on what stronger models would change in a run with built-in weights; empty without them."""
    parts = {"detector": settings.detect.detector, "model": settings.estimate.model}
    changes = [text.format(*shares) for part, (text, *shares) in _STRONGER.items() if parts[part] == "default"]
    return f"with stronger models: {'; '.join(changes)} (dettrack weights list)" if changes else ""


class _Hint:
    """Progress that names the fast preset once, where a run turns out to be long."""

    def __init__(self, progress: Callable[[int, int | None], None], preset: str) -> None:
        self._progress, self._preset, self._start, self._said = progress, preset, time.perf_counter(), False

    def __call__(self, done: int, expected: int | None) -> None:
        self._progress(done, expected)
        passed = time.perf_counter() - self._start
        if self._said or not expected or passed < _SURE_AFTER_S:
            return
        self._said = True
        left = passed * (expected - done) / max(done, 1)
        if left > _LONG_S:
            sys.stderr.write(
                f"about {left / 3600:.1f} h left with --preset {self._preset}; --preset fast takes "
                "half of that (docs/keyframes.md has what it costs), --start and --end take a part\n"
            )


def _jobs(parsed: TrackArgs, options: RunOptions) -> tuple[list[tuple[str | list[Path], Path]], int]:
    """Inputs with their result folders, and the exit code for those refused: before models are loaded, which takes."""
    from dettrack.runs.folder import run_fingerprint
    from dettrack.runs.result import is_complete, read_summary
    from dettrack.video.sources import find_source

    jobs: dict[Path, str | list[Path]] = {}
    failed = 0
    for source in _sources(parsed):
        out = _result_folder(source, parsed.out)
        try:
            find_source(source, parsed.fps)
            if options.end_s is not None and options.end_s <= options.start_s:
                raise UsageError(f"--end is {parsed.end}: it must be later than --start, which is {parsed.start}")
            if parsed.resume and is_complete(out):
                made_by = (read_summary(out) or {}).get("fingerprint")
                if made_by == run_fingerprint(source, parsed.settings, options):
                    _say(f"{out}: complete, left as it is")
                    continue
                _say(f"{out}: made from another input, or with other settings, weights or formats; tracking again")
            if out in jobs:
                raise UsageError(f"{source}: {jobs[out]} has the same result folder {out}; give each its own --out")
        except DettrackError as error:
            failed = max(failed, _refuse(error))
            continue
        jobs[out] = source
    return [(source, out) for out, source in jobs.items()], failed


def _refuse(error: DettrackError) -> int:
    """One line for an input that cannot be used; the others go on."""
    sys.stderr.write(f"dettrack track: {one_line(error)}\n")
    return error.exit_code


def _load(parsed: TrackArgs) -> Pipeline:
    """Load the models and say on the first lines which ones run."""
    from dettrack.pipeline import Pipeline

    tune_process(parsed.settings.estimate.threads)
    pipeline = Pipeline(parsed.settings)
    if not parsed.quiet:
        _say(f"detector: {pipeline.detector.description}")
        _say(f"model: {pipeline.estimator.description}")
    return pipeline


def _result_line(out: Path, summary: dict) -> str:
    counts = summary["counts"]
    poses = sum(counts.get(f"poses_{name}", 0) for name in ("detected", "recovered", "interpolated"))
    share = 100 * counts.get("poses_recovered", 0) / poses if poses else 0.0
    said = (f"{counts.get(what, 0)} {what if counts.get(what, 0) != 1 else what[:-1]}" for what in ("frames", "tracks"))
    line = f"{out}: {', '.join(said)}, {poses} poses ({share:.0f} % recovered), {summary['frames_per_second']} frames/s"
    return "\n".join([line, *(f"  note: {note}" for note in summary["notes"])])


def _run_dataset(parsed: TrackArgs) -> int:
    from dettrack.cli.dataset import DatasetJob, run_dataset

    if parsed.posetrack is None or parsed.inputs:
        raise UsageError("give either inputs or --posetrack, not both")
    if parsed.images is None or parsed.out is None:
        raise UsageError("--posetrack needs --images ROOT (where the frames are) and --out DIR (for the predictions)")
    _refuse_options(parsed, "not for --posetrack, which writes prediction files of whole sequences")
    job = DatasetJob(
        parsed.posetrack,
        parsed.images,
        parsed.out,
        parsed.detect.detector,
        save_tracklets=parsed.save_tracklets,
        resume=parsed.resume,
        quiet=parsed.quiet,
    )
    return run_dataset(job, lambda: _load(parsed), _say)


def _say(line: str) -> None:
    """A line on standard output, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
