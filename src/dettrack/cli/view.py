"""`dettrack view`: results in a browser."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from dettrack.errors import UsageError

__all__ = ["ViewArgs", "run"]


@dataclass(frozen=True)
class ViewArgs:
    """Look at results in a browser: video, skeletons, a lane for every track, suspects, corrections.

    dettrack view match.dettrack
    dettrack view match.dettrack other/match.dettrack     two runs side by side

    Attributes:
        inputs: Result folders, or videos (with their results where these stand beside them).
        video: The video of the result, where it has moved.
        html: Write one self-contained page with the video inside, instead of opening a browser.
        port: Port on this machine; 0 takes a free one.
        user: Name that corrections are signed with; that of the account if not given.
        no_browser: Print the address only.
    """

    inputs: tyro.conf.Positional[Annotated[tuple[Path, ...], tyro.conf.arg(metavar="RUN|VIDEO...")]]
    video: Path | None = None
    html: Path | None = None
    port: int = 0
    user: str = ""
    no_browser: bool = False


def run(args: Sequence[str]) -> int:
    """Entry point; see `dettrack.cli.main` for the exit codes."""
    options = tyro.cli(ViewArgs, args=list(args), prog="dettrack view")
    if not 1 <= len(options.inputs) <= 2:
        raise UsageError("name one result folder or video, or two to see them side by side")
    if not 0 <= options.port <= 65535:
        raise UsageError(f"--port {options.port}: expected 0 to 65535")
    from dettrack.view.opened import open_result
    from dettrack.view.server import ViewServer, default_user

    opened = [open_result(path, options.video) for path in options.inputs]
    if options.html is not None:
        from dettrack.view.page import write_page

        size = write_page(opened, options.html)
        sys.stdout.write(f"{options.html}: {size / 1e6:.1f} MB\n")
        return 0
    server = ViewServer(opened, options.port, options.user or default_user())
    sys.stdout.write(f"{server.address}\nCtrl-C ends it\n")
    sys.stdout.flush()
    if not options.no_browser:
        webbrowser.open(server.address)
    try:
        server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        sys.stdout.write("\n")
    finally:
        server.server_close()
    return 0
