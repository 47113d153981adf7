"""The server behind the viewer: this machine only, and only for the page that it printed the address of.

A page of another site can make a browser send requests to this machine. So every request must name this server in
`Host` (a site cannot point its own name here, "DNS rebinding"), everything but the empty page needs the token, what
changes something needs this server as `Origin`, and the page may load and send nothing outside (content security
policy). Files are served from a fixed table, never by a path from the request.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from io import BufferedIOBase
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dettrack.errors import DettrackError, UsageError
from dettrack.view.download import DOWNLOADS, write_download
from dettrack.view.opened import Opened
from dettrack.view.series import series

__all__ = ["SECURITY_HEADERS", "ViewServer", "parse_range"]

_APP = {"/": ("index.html", "text/html"), "/app.js": ("app.js", "text/javascript"), "/app.css": ("app.css", "text/css")}
_VIDEO_TYPES = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/mp4", ".webm": "video/webm"}
_DATA = re.compile(r"/data/(\d{1,3})/(\d{1,9})/(rows|index|lanes|times)")
_VIDEO = re.compile(r"/video/(\d{1,3})/(file|copy)")
_STATE = re.compile(r"/api/copy/(\d{1,3})")
_EDITS = re.compile(r"/api/edits/(\d{1,3})")
_SERIES = re.compile(r"/api/series/(\d{1,3})/(\d{1,12})")
_HYPOTHESES = re.compile(r"/api/hypotheses/(\d{1,3})/(\d{1,12})/(\d{1,12})")
_DOWNLOAD = re.compile(r"/download/(\d{1,3})/([a-z0-9]{1,20})")
_MOST_BODY = 1 << 16
_BLOCK = 1 << 18

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class Span:
    """Bytes `start` to `stop` (exclusive) of something `size` long."""

    start: int
    stop: int
    size: int


def parse_range(header: str | None, size: int) -> Span | None:
    """What a `Range` header asks for.

    Args:
        header: Its value; None: everything. Several ranges in one header are answered with everything.
        size: Bytes that there are.

    Returns:
        A span within the file; None where none of it exists (status 416).
    """
    everything = Span(0, size, size)
    if header is None or "," in header:
        return everything
    found = re.fullmatch(r"bytes=(\d{0,19})-(\d{0,19})", header.strip())
    if found is None or not (found[1] or found[2]):
        return everything  # not a range that HTTP knows: as if it were not there
    if not found[1]:
        length = int(found[2])
        return Span(max(0, size - length), size, size) if length and size else None
    start, stop = int(found[1]), int(found[2]) + 1 if found[2] else size
    if start >= size:
        return None
    return everything if stop <= start else Span(start, min(stop, size), size)


class ViewServer(ThreadingHTTPServer):
    """Serves some opened results until `shutdown`.

    Args:
        opened: What is shown.
        port: Port on 127.0.0.1; 0 takes a free one.
        user: Name that edits are signed with.

    Attributes:
        token: What every request must bring.

    Raises:
        UsageError: The port is taken.
    """

    daemon_threads = True
    allow_reuse_address = False

    def __init__(self, opened: Sequence[Opened], port: int = 0, user: str = "") -> None:
        self.opened, self.user = list(opened), user
        self.token = secrets.token_urlsafe(24)
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise UsageError(
                f"--port {port}: {error.strerror or error}; name another port, or 0 for a free one"
            ) from error
        names = ("127.0.0.1", "localhost")
        self.hosts = frozenset(f"{name}:{self.server_address[1]}" for name in names)
        self.origins = frozenset(f"http://{host}" for host in self.hosts)

    @property
    def address(self) -> str:
        """The page's address, with the token behind `#`, which browsers keep to themselves."""
        return f"http://127.0.0.1:{self.server_address[1]}/#{self.token}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report nothing: a browser hung up in mid-answer.

        Args:
            request: Its connection.
            client_address: Where it was.
        """


class _RefusedError(Exception):
    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: ViewServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "dettrack", ""
    timeout = 120.0

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing for each request."""

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_HEAD(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, handle: Callable[[str, dict[str, list[str]]], None]) -> None:
        try:
            if self.headers.get("Host") not in self.server.hosts:
                raise _RefusedError(HTTPStatus.MISDIRECTED_REQUEST, "this server answers to its own address only")
            parts = urlsplit(self.path)
            handle(parts.path, parse_qs(parts.query))
        except _RefusedError as refusal:
            self.close_connection = True  # a body that was not read must not be taken for the next request
            self._json({"error": str(refusal)}, refusal.status)
        except DettrackError as error:
            self._json({"error": str(error)}, HTTPStatus.BAD_REQUEST)
        except ValueError:
            self.close_connection = True
            self._json({"error": "not a request that this server knows"}, HTTPStatus.BAD_REQUEST)

    def _check_token(self, query: dict[str, list[str]]) -> None:
        given = self.headers.get("X-Token") or (query.get("token") or [""])[0]
        if not hmac.compare_digest(given.encode(), self.server.token.encode()):
            raise _RefusedError(
                HTTPStatus.FORBIDDEN, "the token is missing or wrong: open the address that was printed"
            )

    def _one(self, number: str) -> Opened:
        if int(number) >= len(self.server.opened):
            raise _RefusedError(HTTPStatus.NOT_FOUND, "no such run")
        return self.server.opened[int(number)]

    def _get(self, path: str, query: dict[str, list[str]]) -> None:
        if path in _APP:
            name, kind = _APP[path]
            self._bytes(memoryview((files("dettrack.view") / "app" / name).read_bytes()), f"{kind}; charset=utf-8")
            return
        self._check_token(query)
        if path == "/api/session":
            runs = [each.describe() for each in self.server.opened]
            self._json({"runs": runs, "user": self.server.user, "downloads": list(DOWNLOADS)})
        elif found := _DATA.fullmatch(path):
            one = self._one(found[1])
            version, packed = one.version, one.packed
            if int(found[2]) != version:
                raise _RefusedError(HTTPStatus.GONE, "the tracks were edited meanwhile")
            self._bytes(packed.files[found[3]], "application/octet-stream")
        elif found := _STATE.fullmatch(path):
            copy = self._one(found[1]).copy
            self._json(copy.state() if copy else {"state": "failed", "reason": "the video was not found"})
        elif found := _VIDEO.fullmatch(path):
            self._video(self._one(found[1]), found[2])
        elif found := _SERIES.fullmatch(path):
            self._json(series(self._one(found[1]).packed.table, int(found[2])))
        elif found := _HYPOTHESES.fullmatch(path):
            self._json(self._one(found[1]).hypotheses(int(found[2]), int(found[3])))
        elif found := _DOWNLOAD.fullmatch(path):
            self._download(self._one(found[1]), found[2])
        else:
            raise _RefusedError(HTTPStatus.NOT_FOUND, "nothing of that name")

    def _post(self, path: str, query: dict[str, list[str]]) -> None:
        self._check_token(query)
        if self.headers.get("Origin") not in self.server.origins:
            raise _RefusedError(HTTPStatus.FORBIDDEN, "only this server's own page may change something")
        if self.headers.get_content_type() != "application/json":
            raise _RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "expected JSON")
        found = _EDITS.fullmatch(path)
        if found is None:
            raise _RefusedError(HTTPStatus.NOT_FOUND, "nothing of that name")
        one, operation = self._one(found[1]), self._body()
        one.append(operation, self.server.user)
        self._json(one.describe())

    def _body(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or not 0 < int(length) <= _MOST_BODY:
            raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected a body of at most {_MOST_BODY} bytes")
        content = json.loads(self.rfile.read(int(length)))
        if not isinstance(content, dict):
            raise ValueError("not an object")
        return content

    def _video(self, one: Opened, which: str) -> None:
        path = one.source if which == "file" else one.copy.path if one.copy else None
        if path is None or not path.is_file():
            raise _RefusedError(HTTPStatus.NOT_FOUND, "no such video")
        with path.open("rb") as file:
            span = self._span(path.stat().st_size, _VIDEO_TYPES.get(path.suffix.lower(), "application/octet-stream"))
            if span is not None and self.command != "HEAD":
                _copy(file, self.wfile, span)

    def _download(self, one: Opened, name: str) -> None:
        if name not in DOWNLOADS:
            raise _RefusedError(HTTPStatus.NOT_FOUND, f"no such format; expected one of {', '.join(DOWNLOADS)}")
        with write_download(one, name) as path:
            safe = re.sub(r"[^A-Za-z0-9._-]+", "_", f"{one.name}_{path.name}")
            headers = {"Content-Disposition": f'attachment; filename="{safe}"'}
            with path.open("rb") as file:
                span = self._span(path.stat().st_size, "application/octet-stream", headers)
                if span is not None and self.command != "HEAD":
                    _copy(file, self.wfile, span)

    def _bytes(self, content: memoryview, kind: str) -> None:
        span = self._span(len(content), kind)
        if span is not None and self.command != "HEAD":
            self.wfile.write(content[span.start : span.stop])

    def _json(self, content: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        data = json.dumps(content, allow_nan=False).encode()
        self.send_response(status)
        self._headers("application/json", len(data))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _span(self, size: int, kind: str, extra: dict[str, str] | None = None) -> Span | None:
        """Send the head of an answer of `size` bytes, or of the part that is asked for."""
        span = parse_range(self.headers.get("Range"), size)
        if span is None:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{size}")
            self._headers(kind, 0)
            self.end_headers()
            return None
        part = (span.start, span.stop) != (0, size)
        self.send_response(HTTPStatus.PARTIAL_CONTENT if part else HTTPStatus.OK)
        if part:
            self.send_header("Content-Range", f"bytes {span.start}-{span.stop - 1}/{size}")
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self.send_header("Accept-Ranges", "bytes")
        self._headers(kind, span.stop - span.start)
        self.end_headers()
        return span

    def _headers(self, kind: str, length: int) -> None:
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.send_header("Cache-Control", "no-store")
        for name, value in SECURITY_HEADERS.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")


def _copy(file: BufferedIOBase, out: BufferedIOBase, span: Span) -> None:
    file.seek(span.start)
    left = span.stop - span.start
    while left > 0 and (block := file.read(min(_BLOCK, left))):
        out.write(block)
        left -= len(block)


def default_user() -> str:
    """The name that edits are signed with, where none is given."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return Path.home().name
