"""`dettrack associate`: another linking or merging for saved tracklets, in seconds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from dettrack.cli.failures import one_line
from dettrack.cli.settings import config_option, format_names
from dettrack.config import DEFAULT_PRESET, FinishConfig, PolishConfig, Preset, SewConfig, TrackConfig, load_config
from dettrack.errors import DettrackError, UsageError

if TYPE_CHECKING:
    from dettrack.formats.tracklets import TrackletFile

__all__ = ["AssociateArgs", "run"]


@dataclass(frozen=True)
class AssociateArgs:
    """Link and merge the tracklets of a run again (made with `dettrack track --save-tracklets`).

    Attributes:
        run: Result folder that holds tracklets.parquet.
        out: Result folder to write; RUN itself if not given. With --posetrack: folder of the prediction files.
        posetrack: Folder of the annotation files whose frame lists were tracked (`dettrack track --posetrack
            --save-tracklets`): RUN is then the folder of those predictions, and prediction files are written.
        preset: Settings to start from; the run's own where neither this nor --config is given. Options given here win.
        clip_length: Use a shorter |C| than saved; 0 keeps it.
        step: Use fewer keyframes than saved; 0 keeps them.
        formats: Comma-separated: jsonl, parquet, csv, posetrack18, coco, mot, trc, openpose.
        edits: Take the swaps, merges and splits of edits.jsonl as links that hold and links that do not, sew the whole
            video with them, and carry the other corrections over: one correction often mends more.
        config: TOML file of settings ([sew], [polish], [finish]); options given here win.
        quiet: Print errors only.
    """

    run: tyro.conf.Positional[Path | None] = None
    out: Path | None = None
    posetrack: Path | None = None
    preset: Preset = DEFAULT_PRESET
    clip_length: int = 0
    step: int = 0
    formats: str = "jsonl,parquet"
    edits: bool = False
    config: Path | None = None
    quiet: bool = False
    sew: SewConfig = field(default_factory=SewConfig)
    polish: PolishConfig = field(default_factory=PolishConfig)
    finish: FinishConfig = field(default_factory=FinishConfig)


def run(args: Sequence[str]) -> int:
    """Entry point; see `dettrack.cli.main` for the exit codes."""
    defaults = config_option(args, ("sew", "polish", "finish"))
    parsed = _parse(args, defaults)
    if parsed.run is None:
        raise UsageError("nothing to associate: name the result folder of a run with --save-tracklets; see --help")
    if parsed.posetrack is not None:
        return _associate_dataset(parsed, parsed.run, defaults)
    from dettrack.formats.tracklets import TrackletFile
    from dettrack.runs.folder import associate_to_folder
    from dettrack.runs.options import check_formats
    from dettrack.runs.result import SUMMARY, TRACKLETS

    folder = parsed.run
    own = folder / SUMMARY
    if own.is_file() and not {"--preset", "--config"} & {arg.partition("=")[0] for arg in args}:
        defaults = load_config(own, defaults)
        parsed = _parse(args, defaults)
    formats = format_names(parsed.formats)
    check_formats(formats)
    saved = TrackletFile.open(folder / TRACKLETS if folder.is_dir() else folder)
    config = _settings(parsed, defaults, saved)
    out = parsed.out or (folder if folder.is_dir() else folder.parent)
    summary = associate_to_folder(saved, out, config, formats, edits=parsed.edits)
    if not parsed.quiet:
        counts = summary["counts"]
        sys.stdout.write(f"{out}: {counts['frames']} frames, {counts['tracks']} tracks\n")
    return 0


def _parse(args: Sequence[str], defaults: TrackConfig) -> AssociateArgs:
    return tyro.cli(
        AssociateArgs,
        args=list(args),
        prog="dettrack associate",
        default=AssociateArgs(sew=defaults.sew, polish=defaults.polish, finish=defaults.finish),
        config=(tyro.conf.OmitArgPrefixes,),
    )


def _settings(parsed: AssociateArgs, defaults: TrackConfig, saved: TrackletFile) -> TrackConfig:
    """The settings of a run that starts from saved tracklets."""
    cut = replace(
        saved.cut,
        clip_length=parsed.clip_length or saved.cut.clip_length,
        step=parsed.step or saved.cut.step,
        adaptive=saved.cut.adds_keyframes,
    )
    return replace(defaults, cut=cut, sew=parsed.sew, polish=parsed.polish, finish=parsed.finish)


def _associate_dataset(parsed: AssociateArgs, run: Path, defaults: TrackConfig) -> int:
    """Link and merge the saved tracklets of every sequence of a data set again; one that cannot be is said."""
    from dettrack.formats.posetrack.files import sequence_files
    from dettrack.formats.tracklets import TrackletFile
    from dettrack.runs.dataset import associate_sequence

    if parsed.posetrack is None or parsed.out is None:
        raise UsageError("--posetrack needs --out DIR (for the predictions)")
    files = sequence_files(parsed.posetrack)
    folder = run / "tracklets" if (run / "tracklets").is_dir() else run
    failed = 0
    for path in files:
        try:
            saved = TrackletFile.open(folder / f"{path.stem}.parquet")
            notes = associate_sequence(
                path, saved, parsed.out / f"{path.stem}.json", _settings(parsed, defaults, saved)
            )
        except DettrackError as error:
            sys.stderr.write(f"dettrack associate: {path.stem}: {one_line(error)}\n")
            failed += 1
            continue
        for note in notes:
            sys.stderr.write(f"{path.stem}: note: {note}\n")
    if not parsed.quiet or failed:
        sys.stdout.write(f"{parsed.out}: {len(files) - failed} of {len(files)} sequences\n")
    return 1 if failed else 0
