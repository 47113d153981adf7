"""The server refuses what does not come from its own page, and answers ranges exactly."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from viewer_results import J, people, write_result, write_video

from dettrack.errors import UsageError
from dettrack.view.opened import open_result
from dettrack.view.packing import row_dtype
from dettrack.view.server import ViewServer, parse_range


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("view")
    times = np.arange(20) / 30
    write_video(folder / "numbered.mp4", times)
    return write_result(folder / "numbered.dettrack", people(times), times, folder / "numbered.mp4")


@pytest.fixture
def server(result: Path) -> Iterator[ViewServer]:
    (result / "edits.jsonl").unlink(missing_ok=True)
    with ViewServer([open_result(result)], user="tester") as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(
    server: ViewServer, path: str, *, method: str = "GET", body: object = None, drop: str = "", **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    """A request as the page sends it, with some headers changed or left out."""
    host = f"127.0.0.1:{server.server_address[1]}"
    sent = {"Host": host, "X-Token": server.token}
    if method == "POST":
        sent |= {"Origin": f"http://{host}", "Content-Type": "application/json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection(host, timeout=20)
    connection.putrequest(method, path, skip_host=True)
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    if method == "POST" and "Content-Length" not in sent:
        sent["Content-Length"] = str(len(data))
    for name, value in sent.items():
        if name != drop:
            connection.putheader(name, value)
    connection.endheaders(data)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content, {name.lower(): value for name, value in answer.getheaders()}


SWAP = {"op": "swap", "track": 0, "other": 1, "from": 0.2}


def test_the_page_is_served_and_needs_no_secret(server: ViewServer) -> None:
    for path in ("/", "/app.js", "/app.css"):
        status, content, headers = ask(server, path, drop="X-Token")
        assert status == 200
        assert content
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    assert b"token" not in ask(server, "/")[1]


@pytest.mark.parametrize(
    "path", ["/api/session", "/data/0/0/rows", "/video/0/file", "/download/0/csv", "/api/series/0/1"]
)
def test_everything_else_needs_the_token(server: ViewServer, path: str) -> None:
    assert ask(server, path)[0] == 200
    assert ask(server, path, drop="X-Token")[0] == 403
    assert ask(server, path, X_Token="x" * 32)[0] == 403
    assert ask(server, f"{path}?token={server.token}", drop="X-Token")[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost.evil:{port}", ""]
)
def test_another_host_is_refused(server: ViewServer, host: str) -> None:
    host = host.format(port=server.server_address[1])
    assert ask(server, "/", Host=host)[0] == 421
    assert ask(server, "/api/session", Host=host)[0] == 421
    assert ask(server, "/api/edits/0", method="POST", body=SWAP, Host=host)[0] == 421


def test_no_host_is_refused(server: ViewServer) -> None:
    assert ask(server, "/api/session", drop="Host")[0] == 421


def test_localhost_is_this_server(server: ViewServer) -> None:
    assert ask(server, "/api/session", Host=f"localhost:{server.server_address[1]}")[0] == 200


@pytest.mark.parametrize("origin", ["null", "http://evil.example", "https://127.0.0.1:{port}", "http://127.0.0.1", ""])
def test_only_its_own_page_may_write(server: ViewServer, result: Path, origin: str) -> None:
    origin = origin.format(port=server.server_address[1])
    assert ask(server, "/api/edits/0", method="POST", body=SWAP, Origin=origin)[0] == 403
    assert ask(server, "/api/edits/0", method="POST", body=SWAP, drop="Origin")[0] == 403
    assert ask(server, "/api/edits/0", method="POST", body=SWAP, drop="X-Token")[0] == 403
    assert ask(server, "/api/edits/0", method="POST", body=SWAP, Content_Type="text/plain")[0] == 415
    assert not (result / "edits.jsonl").exists()


@pytest.mark.parametrize("length", ["-1", "99999999999", "", "x", "0"])
def test_absurd_bodies_are_refused(server: ViewServer, result: Path, length: str) -> None:
    assert ask(server, "/api/edits/0", method="POST", body=SWAP, Content_Length=length)[0] == 413
    assert not (result / "edits.jsonl").exists()


@pytest.mark.parametrize(
    "body", [b"[]", b"nonsense", b'{"op": "burn"}', b'{"op":"swap","track":0,"other":77}', b'"\xff"']
)
def test_bad_edits_say_why_and_change_nothing(server: ViewServer, result: Path, body: bytes) -> None:
    status, content, _ = ask(server, "/api/edits/0", method="POST", body=body)
    assert status == 400
    assert json.loads(content)["error"]
    assert not (result / "edits.jsonl").exists() or not (result / "edits.jsonl").read_text()


@pytest.mark.parametrize(
    "path",
    [
        "/../summary.json",
        "/%2e%2e/summary.json",
        "/app/../opened.py",
        "/video/0/../../../../etc/passwd",
        "/video/0/%2e%2e%2fetc%2fpasswd",
        "/data/0/0/../../summary.json",
        "/data/9/0/rows",
        "/data/0/0/rows/",
        "//etc/passwd",
        "/download/0/..%2f..%2fetc",
        "/download/0/nothing",
        "/video/00000/file",
        "/api/session%00",
    ],
)
def test_no_path_leads_out(server: ViewServer, path: str) -> None:
    status, content, _ = ask(server, path)
    assert status in (400, 404)
    assert b"root:" not in content
    assert b"dettrack.view" not in content


def test_ranges_are_exact(server: ViewServer) -> None:
    whole = ask(server, "/data/0/0/rows")[1]
    assert len(whole) == 60 * row_dtype(J, False).itemsize
    status, part, headers = ask(server, "/data/0/0/rows", Range="bytes=100-299")
    assert (status, part) == (206, whole[100:300])
    assert headers["content-range"] == f"bytes 100-299/{len(whole)}"
    assert ask(server, "/data/0/0/rows", Range="bytes=-40")[1] == whole[-40:]
    assert ask(server, "/data/0/0/rows", Range=f"bytes={len(whole) - 8}-")[1] == whole[-8:]
    for absurd in (f"bytes={len(whole)}-", "bytes=99999999999999999-", "bytes=-0"):
        status, content, headers = ask(server, "/data/0/0/rows", Range=absurd)
        assert (status, content, headers["content-range"]) == (416, b"", f"bytes */{len(whole)}")
    for meaningless in ("bytes=9-3", "bytes=a-b", "lines=0-1", "bytes=", "bytes=0-1,5-6", "bytes=" + "9" * 400 + "-"):
        assert ask(server, "/data/0/0/rows", Range=meaningless)[1] == whole


@given(size=st.integers(0, 500), start=st.integers(0, 600), stop=st.integers(0, 600))
def test_a_range_is_what_a_slice_is(size: int, start: int, stop: int) -> None:
    content = bytes(i % 251 for i in range(size))
    span = parse_range(f"bytes={start}-{stop}", size)
    if stop < start and start < size:
        assert span == parse_range(None, size)
    elif start >= size:
        assert span is None
    else:
        assert span is not None
        assert content[span.start : span.stop] == content[start : stop + 1]


def test_an_edit_gives_a_new_version_of_the_tracks(server: ViewServer, result: Path) -> None:
    before = np.frombuffer(ask(server, "/data/0/0/rows")[1], row_dtype(J, False))
    status, content, _ = ask(server, "/api/edits/0", method="POST", body=SWAP)
    assert (status, json.loads(content)["version"]) == (200, 1)
    assert ask(server, "/data/0/0/rows")[0] == 410
    after = np.frombuffer(ask(server, "/data/0/1/rows")[1], row_dtype(J, False))
    late = before["frame"] >= 6
    assert (after["track"][~late] == before["track"][~late]).all()
    np.testing.assert_array_equal(
        after["box"][late & (before["track"] == 2)], before["box"][late & (before["track"] == 2)]
    )
    np.testing.assert_array_equal(
        after["box"][(after["frame"] >= 6) & (after["track"] == 0)], before["box"][late & (before["track"] == 1)]
    )
    line = json.loads((result / "edits.jsonl").read_text())
    assert (line["op"], line["by"], line["from"]) == ("swap", "tester", 0.2)
    assert ask(server, "/api/edits/0", method="POST", body={"op": "undo", "undoes": 1})[0] == 200
    undone = np.frombuffer(ask(server, "/data/0/2/rows")[1], row_dtype(J, False))
    np.testing.assert_array_equal(undone, before)


def test_downloads_have_the_corrections(server: ViewServer) -> None:
    ask(server, "/api/edits/0", method="POST", body={"op": "delete", "track": 1})
    lines = ask(server, "/download/0/csv")[1].decode().splitlines()
    column = lines[0].split(",").index('"track_id"' if '"' in lines[0] else "track_id")
    assert {line.split(",")[column] for line in lines[1:]} == {"0", "2"}
    status, content, headers = ask(server, "/download/0/openpose")
    assert (status, content[:2]) == (200, b"PK")
    assert headers["content-disposition"] == 'attachment; filename="numbered_openpose.zip"'


def test_script_in_names_stays_text(tmp_path: Path) -> None:
    times = np.arange(4) / 30
    name = '"><script>alert(1)<'
    folder = write_result(tmp_path / f"{name[2:9]}.dettrack", people(times), times)
    summary = json.loads((folder / "summary.json").read_text())
    summary["video"]["name"] = name
    (folder / "summary.json").write_text(json.dumps(summary))
    with ViewServer([open_result(folder)]) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        rename = {"op": "rename", "track": 0, "name": name}
        assert ask(server, "/api/edits/0", method="POST", body=rename)[0] == 200
        session = json.loads(ask(server, "/api/session")[1])["runs"][0]
        assert session["name"] == session["tracks"][0]["name"] == name
        header = ask(server, "/download/0/csv")[2]["content-disposition"]
        assert header == 'attachment; filename="_script_alert_1__tracks.csv"'
        server.shutdown()
        thread.join()


def test_a_taken_port_is_one_line() -> None:
    with ViewServer([]) as server, pytest.raises(UsageError, match="name another port"):
        ViewServer([], port=server.server_address[1])
