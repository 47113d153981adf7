"""The viewer as one file: page, tracks and video in it, to be opened anywhere without a server or a network.

A video of more than `INSIDE_BYTES` is put beside the page instead. Corrections need the server; the page shows them.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import shutil
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dettrack.errors import InputError
from dettrack.files import NewFile, output_error
from dettrack.view.opened import Opened

__all__ = ["INSIDE_BYTES", "page_text", "write_page"]

INSIDE_BYTES = 48 << 20


def write_page(opened: Sequence[Opened], path: Path, inside: int = INSIDE_BYTES) -> int:
    """Write results as one page.

    Args:
        opened: One result, or two to be shown side by side.
        path: HTML file to write.
        inside: Size in bytes up to which a video is put into the page; a larger one is copied beside it.

    Returns:
        Bytes of the page.

    Raises:
        InputError: A video cannot be read.
        OutputError: The page cannot be written.
    """
    videos: list[str | bytes | None] = []
    for number, one in enumerate(opened):
        video = _video(one)
        if video is not None and video.stat().st_size > inside:
            beside = path.with_name(f"{path.stem}{number or ''}{video.suffix.lower()}")
            try:
                with NewFile(beside) as new:
                    shutil.copyfile(video, new.part)
            except OSError as error:
                raise output_error(beside, error) from error
            videos.append(beside.name)
        else:
            videos.append(None if video is None else video.read_bytes())
    text = page_text(opened, videos).encode()
    with NewFile(path) as new:
        new.part.write_bytes(text)
    return len(text)


def page_text(opened: Sequence[Opened], videos: Sequence[bytes | str | None]) -> str:
    """The page.

    Args:
        opened: Results.
        videos: For each its video's bytes, or the name of a file beside the page; None for none.

    Returns:
        HTML.
    """
    app = files("dettrack.view") / "app"
    page, style, script = ((app / name).read_text(encoding="utf-8") for name in ("index.html", "app.css", "app.js"))
    style, script = f"\n{style}", f"\n{script}"
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; img-src blob: data:; "
        "media-src 'self' blob: file:; connect-src 'self' blob:; base-uri 'none'; form-action 'none'"
    )
    page = page.replace('<meta charset="utf-8">', f'<meta charset="utf-8">\n{_policy_element(policy)}')
    page = page.replace('<link rel="stylesheet" href="/app.css">', f"<style>{style}</style>")
    data = "\n".join(_elements(opened, videos))
    return page.replace('<script src="/app.js" defer></script>', f"{data}\n<script>{script}</script>")


def _policy_element(policy: str) -> str:
    return f'<meta http-equiv="Content-Security-Policy" content="{policy}">'


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _elements(opened: Sequence[Opened], videos: Sequence[bytes | str | None]) -> Iterator[str]:
    runs: list[dict[str, Any]] = []
    for number, (one, video) in enumerate(zip(opened, videos, strict=True)):
        about = one.describe() | {"video": "none" if video is None else "file"}
        about["folder"] = None if about["folder"] is None else Path(about["folder"]).name  # no path of this machine
        runs.append(about | {"zero": 0.0 if one.plays else float(one.times[0]) if len(one.times) else 0.0})
        for name, content in one.packed.files.items():
            yield _element(f"{name}-{number}", gzip.compress(content, 6, mtime=0), "gzip")
        if isinstance(video, bytes):
            yield _element(f"video-{number}", video, "")
        elif video is not None:
            yield f'<script type="text/plain" id="video-{number}" data-href="{html.escape(quote(video))}"></script>'
    session = json.dumps({"runs": runs, "user": "", "downloads": []}, allow_nan=False).replace("<", "\\u003c")
    yield f'<script type="application/json" id="session">{session}</script>'


def _element(name: str, content: bytes, coding: str) -> str:
    coded = base64.b64encode(content).decode()
    return f'<script type="text/plain" id="{name}" data-coding="{coding}">{coded}</script>'


def _video(one: Opened) -> Path | None:
    """The video that a browser plays, made if need be."""
    if one.copy is None or one.source is None:
        return None
    if one.plays:
        return one.source
    one.copy.wait()
    state = one.copy.state()
    if state["state"] != "ready":
        raise InputError(f"{one.source}: no copy for the page: {state.get('reason', 'it was not made')}")
    return one.copy.path
