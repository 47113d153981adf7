"""The command line: one file per command, each imported only when it is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from dettrack import __version__
from dettrack.cli.failures import one_line, unforeseen, writing_safely
from dettrack.cli.interrupts import INTERRUPTED, ending_by_signals
from dettrack.cli.short_help import SHORT_HELP
from dettrack.errors import DettrackError
from dettrack.threads import tune_process

__all__ = ["main"]

# command -> (module, one line for --help); a module offers `run(args: list[str]) -> int`.
COMMANDS = {
    "demo": ("dettrack.cli.demo", "draw the built-in scene, track it, measure it, render it"),
    "track": ("dettrack.cli.track", "find, follow and pose every person in videos"),
    "batch": ("dettrack.cli.batch", "many videos, by several workers or machines; a second call does what is missing"),
    "view": ("dettrack.cli.view", "results in a browser: video, skeletons, lanes, suspects, corrections"),
    "correct": ("dettrack.cli.correct", "mend a result: swap, merge, split, rename, delete, move a joint, undo"),
    "associate": ("dettrack.cli.associate", "link and merge a saved run again, without video or network"),
    "render": ("dettrack.cli.render", "a result drawn on its video: trails, some people, blurred faces, side by side"),
    "frames": ("dettrack.cli.frames", "the images that COCO and PoseTrack files of a result name"),
    "report": ("dettrack.cli.report", "one HTML page about a result: people, coverage, angles, suspects, settings"),
    "show": ("dettrack.cli.show", "what is in a result, a file of poses, or a checkpoint"),
    "ablate": ("dettrack.cli.ablate", "the experiments of the paper, and baselines beside them, as tables and plots"),
    "picture": ("dettrack.cli.picture", "frames of a video as one or several runs saw them, side by side"),
    "evaluate": ("dettrack.cli.evaluate", "AP, MOTA and HOTA by the official PoseTrack rules"),
    "synth": ("dettrack.cli.synth", "synthetic scenes with exact annotations"),
    "train": ("dettrack.cli.train", "train a pose network or detector as a recipe says"),
    "pseudo": ("dettrack.cli.pseudo", "label videos and photos by teachers that agree"),
    "weights": ("dettrack.cli.weights", "list, verify, import or fetch weights"),
    "doctor": ("dettrack.cli.doctor", "what this installation can do, a self test, and what would make it better"),
    "export": ("dettrack.cli.export", "a result in other formats, without tracking again; a pose network as ONNX file"),
    "bench": ("dettrack.cli.bench", "speed on this machine: stages, networks, whole runs beside baselines"),
    "data": ("dettrack.cli.data", "check a training set, draw its tubes; score a pose model"),
}

_USAGE = """\
usage: dettrack COMMAND [OPTIONS]     dettrack COMMAND --help says more; dettrack --version

{commands}
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 done, 1 failed input or run, 2 wrong usage, 3 done but not all of the input could be read, 130 interrupted.
    """
    with writing_safely():
        return _run(list(sys.argv[1:] if argv is None else argv))


def _run(args: list[str]) -> int:
    if args[:1] == ["--version"]:
        sys.stdout.write(f"dettrack {__version__}\n")
        return 0
    if not args or args[0] in ("-h", "--help", "help"):
        width = max(map(len, COMMANDS))
        lines = "\n".join(f"  {name:<{width}}  {about}" for name, (_, about) in COMMANDS.items())
        sys.stdout.write(_USAGE.format(commands=lines))
        return 0 if args else 2
    if args[0] not in COMMANDS:
        sys.stderr.write(f"dettrack: unknown command {args[0]!r}; expected one of {', '.join(COMMANDS)}\n")
        return 2
    if args[0] in SHORT_HELP and {"-h", "--help"} & set(args[1:]):
        sys.stdout.write(SHORT_HELP[args[0]])
        return 0
    if args[0] == "track" and "--quiet" not in args and "--help-all" not in args and sys.stderr.isatty():
        sys.stderr.write("dettrack: loading ...\n")  # at once: what follows imports for a second and more
        sys.stderr.flush()
    args = [args[0], *("--help" if arg == "--help-all" else arg for arg in args[1:])]
    tune_process()
    try:
        with ending_by_signals():
            return importlib.import_module(COMMANDS[args[0]][0]).run(args[1:])
    except DettrackError as error:
        sys.stderr.write(f"dettrack {args[0]}: {one_line(error)}\n")
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        sys.stderr.write(f"dettrack {args[0]}: interrupted{f'; {interrupt}' if str(interrupt) else ''}\n")
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 (the last resort)
        sys.stderr.write(f"dettrack {args[0]}: {unforeseen(error, args)}\n")
        return 1
