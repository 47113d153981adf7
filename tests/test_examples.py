"""Every block of Python and every command line of the tutorials runs as it stands, and so does the notebook."""

from __future__ import annotations

import json
import re
import shlex
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dettrack.cli import main
from dettrack.lab.synth import demo_scene
from dettrack.video import VideoWriter, open_video

DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
FRAMES = 20

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with a short video called match.mp4."""
    folder = tmp_path_factory.mktemp("examples")
    video, _ = demo_scene(folder / "scene")
    with open_video(str(video)) as frames:
        images = [frame.image for _, frame in zip(range(FRAMES), frames, strict=False)]
    with VideoWriter(folder / "match.mp4", images[0].shape[:2], Fraction(10)) as writer:
        for image in images:
            writer.write(image)
    return folder


def run_commands(block: str) -> None:
    for line in block.splitlines():
        words = shlex.split(line.split("#")[0])
        if words[:1] == ["dettrack"]:
            assert main(words[1:]) == 0, line


@pytest.mark.parametrize("page", ["first_run.md", "python.md"])
def test_a_tutorial_runs_from_its_first_block_to_its_last(world, monkeypatch, page):
    pytest.importorskip("matplotlib").use("Agg")
    monkeypatch.chdir(world)
    names: dict[str, object] = {}
    for kind, block in BLOCK.findall((DOCS / page).read_text(encoding="utf-8")):
        if kind == "python":
            exec(compile(block, page, "exec"), names)
        elif not kind:
            run_commands(block)
            # none of an earlier run stays
            assert (world / "match.dettrack" / "render.mp4").is_file() == ("--render" in block)
    if page == "first_run.md":
        assert (world / "knee.png").is_file()
    else:
        assert isinstance(names["table"].track_id, np.ndarray)  # type: ignore[attr-defined]


def test_the_notebook_runs_in_a_kernel(world):
    """As Jupyter runs it; the last expression of a cell is shown as HTML."""
    pytest.importorskip("ipykernel", reason="jupyter is not installed (pip install nbclient ipykernel)")
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.read(DOCS / "quick_start.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(world)}}).execute()
    kinds = [set(output.get("data", ())) for cell in notebook.cells for output in cell.get("outputs", ())]
    assert any("text/html" in kind for kind in kinds)
    assert any("image/png" in kind for kind in kinds)


def test_the_notebook_runs(world, monkeypatch):
    pytest.importorskip("matplotlib").use("Agg")
    monkeypatch.chdir(world)
    notebook = json.loads((DOCS / "quick_start.ipynb").read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), "quick_start.ipynb", "exec"), names)
    assert "table" in names
