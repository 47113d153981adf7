"""Studies behind the figures in the documentation; run one with `python -m dettrack.lab.studies.NAME`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["run_command"]


def run_command(main: Callable[..., None] | Mapping[str, Callable[..., None]], about: str) -> None:
    """A study's command line: the parameters of its function are the options; what goes wrong is one line.

    Args:
        main: The function, or several by the name of their command.
        about: What `--help` says first.
    """
    import tyro  # NumPy comes with it: a study may set its threads first

    from dettrack.errors import DettrackError
    from dettrack.threads import tune_process

    tune_process()
    try:
        if isinstance(main, Mapping):
            commands: dict[str, Any] = dict(main)
            tyro.extras.subcommand_cli_from_dict(commands, description=about)
        else:
            tyro.cli(main, description=about)
    except DettrackError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
