"""The page in a real Chromium: the frame that is asked for is the one that is shown, corrections reach every export."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from viewer_results import CELL, people, write_result, write_video

from dettrack.finish.suspects import SuspectFinder, suspect_lines
from dettrack.formats import read_tracks
from dettrack.formats.exports import export
from dettrack.formats.frames import read_frames
from dettrack.formats.read import read_result
from dettrack.pipeline import Pipeline
from dettrack.runs.folder import track_to_folder
from dettrack.structures import Segment
from dettrack.view.opened import open_result
from dettrack.view.page import write_page
from dettrack.view.server import ViewServer

VIEWER = Path(__file__).parents[2] / "viewer"
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}
# Reads the number that a frame carries in its pixels (see `viewer_results.numbered_frame`).
READ = f"""() => {{
  const canvas = viewer.active.canvas;
  window.probe ??= new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", {{ willReadFrequently: true }});
  probe.drawImage(canvas, 0, 0);
  const {{ data, width }} = probe.getImageData(0, 0, {6 * CELL}, {2 * CELL});
  let number = 0;
  for (let bit = 0; bit < 12; bit++) {{
    const x = (bit % 6) * {CELL} + {CELL // 2}, y = Math.floor(bit / 6) * {CELL} + {CELL // 2};
    if (data[(y * width + x) * 4 + 1] > 128) number |= 1 << bit;
  }}
  return number;
}}"""
# Seeks to each frame in turn and returns those at which another picture was shown.
SEEKS = f"""async (frames) => {{
  const read = {READ}, wrong = [];
  for (const frame of frames) {{
    viewer.seek(frame);
    const end = performance.now() + 20000;
    while ((viewer.active.frame !== frame || viewer.active.busy) && performance.now() < end)
      await new Promise((done) => setTimeout(done, 0));
    const shown = read();
    if (shown !== frame || viewer.active.frame !== frame) wrong.push([frame, viewer.active.frame, shown]);
  }}
  return wrong;
}}"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@contextmanager
def served(*paths: Path) -> Iterator[ViewServer]:
    with ViewServer([open_result(path) for path in paths], user="tester") as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def until(page: Any, condition: str, seconds: float = 60) -> None:
    """Wait for a condition on the page; Playwright's own way to do so is what the page's policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(f"() => Boolean({condition})"):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(10)


@contextmanager
def page_at(browser: Any, address: str, size: dict[str, int] = DESKTOP, **context: Any) -> Iterator[Any]:
    """A page that has shown its first frame; nothing may go wrong on it."""
    troubles: list[str] = []
    opened = browser.new_context(viewport=size, accept_downloads=True, **context)
    page = opened.new_page()
    page.on("console", lambda m: troubles.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("dialog", lambda dialog: troubles.append(f"dialog: {dialog.message}"))
    page.goto(address)
    until(page, "window.viewer && viewer.panes.every((pane) => pane.frame >= 0)")
    yield page
    opened.close()
    assert troubles == []


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    with ExitStack() as stack:

        def open_it(*paths: Path, **options: Any) -> Any:
            server = stack.enter_context(served(*paths))
            return stack.enter_context(page_at(browser, server.address, **options))

        yield open_it


def numbered_result(folder: Path, times: np.ndarray, suffix: str = ".mp4", **video: Any) -> Path:
    """A result with people, over a numbered video that the page decodes itself."""
    write_video(folder / f"numbered{suffix}", times, **video)
    return write_result(folder / "numbered.dettrack", people(times), times, folder / f"numbered{suffix}")


def variable_times(n: int) -> np.ndarray:
    """From 12 to 90 frames a second, from 1.5 s on."""
    steps = np.random.default_rng(5).integers(1000, 7500, n)
    return 1.5 + np.cumsum(steps) / 90_000


KINDS: dict[str, Callable[[int], tuple[np.ndarray, dict[str, Any]]]] = {
    "constant rate": lambda n: (np.arange(n) / 30, {}),
    "variable rate": lambda n: (variable_times(n), {"gop": 48}),
    "rotated 90": lambda n: (np.arange(n) / 25, {"rotation": 90}),
    "rotated 180": lambda n: (np.arange(n) / 25, {"rotation": 180, "frames": 0}),
    "rotated 270": lambda n: (np.arange(n) / 25, {"rotation": 270}),
}
SOME = [pytest.param(kind, marks=[pytest.mark.slow] * (kind in ("rotated 180", "rotated 270"))) for kind in KINDS]


@pytest.mark.parametrize("count", [50, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", SOME)
def test_seeks_show_the_frame_that_was_asked_for(open_page: Any, tmp_path: Path, kind: str, count: int) -> None:
    n = 260
    times, video = KINDS[kind](n)
    page = open_page(numbered_result(tmp_path, times, **video))
    assert page.evaluate("viewer.active.picture.kind") == "webcodecs"
    frames = np.random.default_rng(1).integers(0, n, count).tolist()
    assert page.evaluate(SEEKS, [0, n - 1, *frames]) == []


def test_steps_both_ways_and_play_show_what_they_say(open_page: Any, tmp_path: Path) -> None:
    page = open_page(numbered_result(tmp_path, np.arange(90) / 30))
    page.evaluate("viewer.seek(40)")
    for key, by in [("ArrowRight", 1)] * 5 + [("ArrowLeft", -1)] * 30 + [("Shift+ArrowRight", 10)] * 3:
        before = page.evaluate("viewer.frame")
        page.keyboard.press(key)
        until(page, f"viewer.active.frame === {before + by}")
        assert page.evaluate(READ) == before + by
    page.keyboard.press("Home")
    until(page, "viewer.active.frame === 0")
    page.keyboard.press("Space")
    for _ in range(12):
        page.wait_for_timeout(60)
        assert page.evaluate(f"({READ})() === viewer.active.frame")
    page.keyboard.press("Space")
    assert page.evaluate("viewer.playing") is False
    assert page.evaluate("viewer.active.frame") > 3


@pytest.mark.parametrize("suffix", [pytest.param(".avi", marks=pytest.mark.slow), ".mkv"])
def test_what_browsers_do_not_read_is_copied_with_the_same_frames(
    open_page: Any, tmp_path: Path, cache: Path, suffix: str
) -> None:
    times = np.arange(60) / 25
    page = open_page(numbered_result(tmp_path, times, suffix=suffix, frames=0))
    assert page.evaluate("viewer.active.run.video") == "copy"
    frames = np.random.default_rng(2).integers(0, 60, 100).tolist()
    assert page.evaluate(SEEKS, frames) == []
    assert len(list(cache.rglob("*.mp4"))) == 1


def test_a_result_whose_times_are_not_the_files_gets_a_copy(open_page: Any, tmp_path: Path, cache: Path) -> None:
    times = np.arange(50) / 25
    write_video(tmp_path / "numbered.mp4", times)
    page = open_page(write_result(tmp_path / "a.dettrack", people(times), times + 0.013, tmp_path / "numbered.mp4"))
    assert page.evaluate(SEEKS, [0, 49, 20, 7]) == []
    assert list(cache.rglob("*.mp4"))


def test_an_element_shows_the_frame_where_there_is_no_webcodecs(browser: Any, tmp_path: Path) -> None:
    result = numbered_result(tmp_path, np.arange(60) / 25)
    with served(result) as server:
        opened = browser.new_context(viewport=DESKTOP)
        opened.add_init_script("delete window.VideoDecoder")
        page = opened.new_page()
        page.goto(server.address)
        until(page, "window.viewer && viewer.active.frame >= 0")
        assert page.evaluate("viewer.active.picture.kind") == "element"
        assert page.evaluate(SEEKS, np.random.default_rng(3).integers(0, 60, 40).tolist()) == []
        opened.close()


def add_suspects(folder: Path) -> None:
    table = read_tracks(folder)
    finder = SuspectFinder(table.joint_set)
    finder.add(Segment(read_frames(folder / "frames.parquet"), table))
    (folder / "suspects.jsonl").write_text(suspect_lines(finder.finish()))


@pytest.fixture
def swapped(tmp_path: Path) -> Path:
    """A result in which persons 0 and 2 are exchanged from frame 30 on."""
    times = np.arange(60) / 30
    table = people(times)
    late = table.frame >= 30
    was = table.track_id.copy()
    table.track_id[late & (was == 0)], table.track_id[late & (was == 2)] = 2, 0
    write_video(tmp_path / "numbered.mp4", times)
    folder = write_result(tmp_path / "numbered.dettrack", table.sorted(), times, tmp_path / "numbered.mp4")
    add_suspects(folder)
    return folder


def left_edges(page: Any, tmp_path: Path, track: int) -> set[int]:
    """Where a person's box begins in all frames of an exported CSV."""
    with page.expect_download() as download:
        page.select_option("#export", "csv")
    path = tmp_path / "export.csv"
    download.value.save_as(path)
    with path.open(newline="") as file:
        return {round(float(row["box_x1"])) for row in csv.DictReader(file) if int(row["track_id"]) == track}


def wait_version(page: Any, version: int) -> None:
    until(page, f"viewer.active.run.version === {version} && !viewer.correcting")


def test_a_swap_is_among_the_suspects_and_mended_with_one_key_and_undone(
    open_page: Any, swapped: Path, tmp_path: Path
) -> None:
    page = open_page(swapped)
    assert left_edges(page, tmp_path, 0) == {8, 108}
    page.keyboard.press("]")
    until(page, "viewer.active.frame === 30")
    assert page.evaluate("[viewer.look.selected, viewer.look.other].sort()") == [0, 2]
    assert "exchanged" in page.inner_text("#suspects-list [aria-current=true]")
    page.click("#inspector button:has-text('Swap with')")
    wait_version(page, 1)
    assert left_edges(page, tmp_path, 0) == {8}
    assert left_edges(page, tmp_path, 2) == {108}
    page.keyboard.press("Control+z")
    wait_version(page, 2)
    assert left_edges(page, tmp_path, 0) == {8, 108}
    page.keyboard.press("Control+Shift+z")
    wait_version(page, 3)
    assert left_edges(page, tmp_path, 0) == {8}
    ops = [json.loads(line)["op"] for line in (swapped / "edits.jsonl").read_text().splitlines()]
    assert ops == ["swap", "undo", "undo"]


def test_suspects_are_settled_by_corrections_and_by_confirming(open_page: Any, swapped: Path) -> None:
    lines = [json.loads(line) for line in (swapped / "suspects.jsonl").read_text().splitlines()]
    later = {**lines[0], "kind": "sides", "track": 0, "other": None, "frame": 45, "from_frame": 44, "to_frame": 45}
    later |= {"rank": len(lines) + 1, "reason": "left and right of track 0 are exchanged"}
    with (swapped / "suspects.jsonl").open("a") as file:
        file.write(json.dumps(later) + "\n")
    page = open_page(swapped)
    still_open = "viewer.active.run.suspects.filter((each) => !each.settled).length"
    assert page.evaluate(still_open) == len(lines) + 1
    page.keyboard.press("]")
    page.click("#inspector button:has-text('Swap with')")
    wait_version(page, 1)
    assert page.evaluate("viewer.active.run.suspects[0].settled")
    assert "(settled)" in page.inner_text("#suspects-list [aria-current=true]")
    while (
        page.evaluate("viewer.active.frame") != 45
    ):  # the swap moved the last one to track 2; `]` goes on to what is open
        page.keyboard.press("]")
        until(page, "viewer.active.run.suspects[viewer.suspect].frame === viewer.active.frame")
    assert page.evaluate("viewer.look.selected") == 2
    assert "track 2" in page.inner_text("#suspects-list [aria-current=true]")
    page.keyboard.press("c")
    wait_version(page, 2)
    assert page.evaluate("viewer.active.run.suspects.at(-1).settled")
    assert page.inner_text("#tab-suspects .count") == str(page.evaluate(still_open))


@pytest.mark.slow
@pytest.mark.data
def test_a_swap_in_a_real_run_is_found_mended_and_right_in_every_export(
    open_page: Any, videos: Path, tmp_path: Path, cache: Path
) -> None:
    original = tmp_path / "original.dettrack"
    track_to_folder(Pipeline(), str(videos / "intel_aisle_preview.gif"), original)
    true = read_result(original)
    a, b = true.tracks[:2].tolist()
    middle = int(true.times.index[len(true.times) // 2])
    ids, late = true.table.track_id.copy(), true.table.frame >= middle
    ids[late & (true.table.track_id == a)], ids[late & (true.table.track_id == b)] = b, a
    wrong = tmp_path / "wrong.dettrack"
    shutil.copytree(original, wrong)
    (wrong / "tracks.jsonl").unlink()
    export(replace(true, table=replace(true.table, track_id=ids).sorted()), ["parquet"], wrong)
    add_suspects(wrong)

    page = open_page(wrong)
    page.keyboard.press("]")
    until(page, f"viewer.active.frame === {middle}")
    assert sorted(page.evaluate("[viewer.look.selected, viewer.look.other]")) == [a, b]
    page.click("#inspector button:has-text('Swap with')")
    wait_version(page, 1)

    formats = ("csv", "mot", "coco", "posetrack18", "cvat")
    expected = export(true, formats, tmp_path / "expected")
    for name, path in zip(formats, expected, strict=True):
        with page.expect_download() as download:
            page.select_option("#export", name)
        download.value.save_as(tmp_path / "got")
        if (
            name == "csv"
        ):  # where there are corrections, it has a column more for each joint: whether a person placed it
            with (tmp_path / "got").open(newline="") as got, path.open(newline="") as other:
                pairs = list(zip(csv.DictReader(got), csv.DictReader(other), strict=True))
            assert all(row.items() >= wanted.items() for row, wanted in pairs)
            assert len(pairs) == len(true.table)
        else:
            assert (tmp_path / "got").read_text().replace("wrong", "original") == path.read_text(), name


def test_every_correction_by_key_and_click(open_page: Any, swapped: Path) -> None:
    page = open_page(swapped)
    page.evaluate("viewer.seek(10)")
    until(page, "viewer.active.frame === 10 && viewer.active.people.length === 3")
    x, y = page.evaluate("viewer.active.pagePoint(1, null)")
    page.mouse.click(x, y)
    assert page.evaluate("viewer.look.selected") == 1
    page.keyboard.press("x")
    wait_version(page, 1)
    assert page.evaluate("viewer.active.run.tracks.map((t) => t.id)") == [0, 1, 2, 3]
    page.keyboard.press("m")
    page.select_option("#ask-value", "3")
    page.click("#ask button:has-text('Merge')")
    wait_version(page, 2)
    assert page.evaluate("viewer.active.run.tracks.map((t) => t.id)") == [0, 1, 2]
    page.keyboard.press("r")
    page.fill("#ask-value", "<b>Anna</b>")
    page.keyboard.press("Enter")
    wait_version(page, 3)
    assert "<b>Anna</b>" in page.inner_text("#people-list")
    page.keyboard.press("f")
    wait_version(page, 4)
    page.keyboard.press("i")
    page.keyboard.press("Shift+ArrowRight")
    until(page, "viewer.active.frame === 20")
    page.keyboard.press("o")
    page.keyboard.press("w")
    wait_version(page, 5)
    page.evaluate("viewer.seek(40)")
    until(page, "viewer.active.frame === 40 && viewer.active.people.length === 3")
    x, y = page.evaluate("viewer.active.pagePoint(1, 0)")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y + 20, steps=4)
    page.mouse.up()
    wait_version(page, 6)
    moved = page.evaluate("viewer.active.pagePoint(1, 0)")
    assert abs(moved[0] - x - 30) < 1.5
    assert abs(moved[1] - y - 20) < 1.5
    page.keyboard.press("Backspace")
    wait_version(page, 7)
    page.keyboard.press("Delete")
    wait_version(page, 8)
    assert page.evaluate("viewer.active.run.tracks.map((t) => t.id)") == [0, 2]
    lines = [json.loads(line) for line in (swapped / "edits.jsonl").read_text().splitlines()]
    assert [line["op"] for line in lines] == [
        *("split", "merge", "rename", "flip_sides", "mark_bad", "move_joint", "drop_joint", "delete")
    ]
    assert {line["by"] for line in lines} == {"tester"}
    assert lines[4]["from"] == pytest.approx(10 / 30)
    assert lines[4]["to"] == pytest.approx(21 / 30)  # both marked frames belong to the stretch


def test_alone_zoom_and_layers(open_page: Any, swapped: Path) -> None:
    page = open_page(swapped)
    until(page, "viewer.active.people.length === 3")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("a")
    assert page.evaluate("viewer.look.alone")
    page.keyboard.press("z")
    page.keyboard.press("h")
    page.keyboard.press("t")
    page.keyboard.press("p")
    page.wait_for_timeout(200)
    assert page.is_visible("#plot")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.is_visible("#help")
    assert "undo" in page.inner_text("#help")


@pytest.fixture(scope="session")
def axe() -> str:
    path = VIEWER / "node_modules" / "axe-core" / "axe.min.js"
    if not path.is_file():
        if shutil.which("npm") is None:
            pytest.skip("axe-core comes by npm, which is not on this machine")
        done = subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=VIEWER, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"npm ci in viewer/ failed: {done.stderr[-200:]}")
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("size", "scheme"),
    [
        pytest.param(DESKTOP, "light", id="light-desktop"),
        pytest.param(PHONE, "dark", id="dark-phone"),
        pytest.param(PHONE, "light", id="light-phone", marks=pytest.mark.slow),
        pytest.param(DESKTOP, "dark", id="dark-desktop", marks=pytest.mark.slow),
    ],
)
def test_nothing_that_axe_knows_is_in_anybodys_way(
    open_page: Any, swapped: Path, axe: str, size: dict[str, int], scheme: str
) -> None:
    page = open_page(swapped, size=size, color_scheme=scheme, bypass_csp=True)
    page.evaluate(axe)

    def violations() -> list[str]:
        found = page.evaluate("axe.run().then((r) => r.violations.map((v) => [v.id, v.nodes.map((n) => n.html)]))")
        return [f"{rule}: {nodes}" for rule, nodes in found]

    assert violations() == []
    page.keyboard.press("]")
    until(page, "viewer.active.frame === 30")
    assert violations() == []
    page.keyboard.press("?")
    assert violations() == []
    page.keyboard.press("Escape")
    page.evaluate("viewer.mark = [null, null]; document.getElementById('tab-history').click()")
    assert violations() == []


def test_two_runs_stand_side_by_side_at_the_same_time(open_page: Any, swapped: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    slower = numbered_result(other, np.arange(31) / 15)
    page = open_page(swapped, slower)
    page.evaluate("viewer.seek(40)")
    until(page, "viewer.panes[0].frame === 40 && viewer.panes[1].frame === 20")


def test_one_file_shows_the_same_without_a_server(browser: Any, swapped: Path, tmp_path: Path) -> None:
    for inside in (1 << 30, 0):
        path = tmp_path / f"page{inside}.html"
        write_page([open_result(swapped)], path, inside)
        assert str(tmp_path) not in path.read_text(encoding="utf-8").replace(path.name, "")
        with page_at(browser, path.as_uri()) as page:
            kind = "webcodecs" if inside else "element"
            assert page.evaluate("viewer.active.picture.kind") == kind
            assert page.evaluate(SEEKS if inside else "() => []", [30, 59, 0, 17]) == []
            page.keyboard.press("]")
            until(page, "viewer.active.frame === 30 && viewer.active.people.length === 3")
            assert not page.is_visible("#exports")


def test_a_wrong_token_says_what_to_do(browser: Any, swapped: Path) -> None:
    with served(swapped) as server:
        page = browser.new_page()
        page.goto(server.address.split("#")[0])
        assert "dettrack view printed" in page.inner_text("[role=alert]")
        page.close()


def test_the_bundle_is_small() -> None:
    app = Path(str(files("dettrack.view"))) / "app"
    assert sum(path.stat().st_size for path in app.iterdir()) < 200_000


def test_the_bundle_is_what_its_sources_give(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not (VIEWER / "node_modules" / "esbuild").is_dir():
        pytest.skip("building the page needs node, and `npm ci` in viewer/")
    subprocess.run([node, "build.mjs", str(tmp_path)], cwd=VIEWER, check=True)
    app = Path(str(files("dettrack.view"))) / "app"
    for path in app.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), f"run `npm run build` in viewer/: {path.name}"
