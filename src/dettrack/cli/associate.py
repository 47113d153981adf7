"""`dettrack associate`: another linking or merging for saved tracklets, in seconds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import tyro

from dettrack.cli.settings import config_option, format_names
from dettrack.config import FinishConfig, PolishConfig, SewConfig

__all__ = ["AssociateArgs", "run"]


@dataclass(frozen=True)
class AssociateArgs:
    """Link and merge the tracklets of a run again (made with `dettrack track --save-tracklets`).

    Attributes:
        run: Result folder that holds tracklets.parquet.
        out: Result folder to write; RUN itself if not given.
        clip_length: Use a shorter |C| than saved; 0 keeps it.
        step: Use fewer keyframes than saved; 0 keeps them.
        formats: Comma-separated: jsonl, parquet, csv, posetrack18, coco, mot, trc, openpose.
        edits: Take the swaps, merges and splits of edits.jsonl as links that hold and links that do not, sew the whole
            video with them, and carry the other corrections over: one correction often mends more.
        config: TOML file of settings ([sew], [polish], [finish]); options given here win.
        quiet: Print errors only.
    """

    run: tyro.conf.Positional[Path]
    out: Path | None = None
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
    parsed = tyro.cli(
        AssociateArgs,
        args=list(args),
        prog="dettrack associate",
        default=AssociateArgs(tyro.MISSING, sew=defaults.sew, polish=defaults.polish, finish=defaults.finish),
        config=(tyro.conf.OmitArgPrefixes,),
    )
    from dettrack.formats.tracklets import TrackletFile
    from dettrack.runs.folder import associate_to_folder, check_formats
    from dettrack.runs.result import TRACKLETS

    formats = format_names(parsed.formats)
    check_formats(formats)
    saved = TrackletFile.open(parsed.run / TRACKLETS if parsed.run.is_dir() else parsed.run)
    cut = replace(
        saved.cut,
        clip_length=parsed.clip_length or saved.cut.clip_length,
        step=parsed.step or saved.cut.step,
        adaptive=saved.cut.adds_keyframes,
    )
    config = replace(defaults, cut=cut, sew=parsed.sew, polish=parsed.polish, finish=parsed.finish)
    out = parsed.out or (parsed.run if parsed.run.is_dir() else parsed.run.parent)
    summary = associate_to_folder(saved, out, config, formats, edits=parsed.edits)
    if not parsed.quiet:
        counts = summary["counts"]
        sys.stdout.write(f"{out}: {counts['frames']} frames, {counts['tracks']} tracks\n")
    return 0
