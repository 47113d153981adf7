"""The documentation names only what exists: links, anchors, commands, options, modules, files."""

from __future__ import annotations

import importlib
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from dettrack import __version__
from dettrack.cli import COMMANDS

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "dettrack"
PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *PACKAGE.rglob("*.md"))
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)
HISTORY = {"CHANGELOG.md", "docs/log.md"}  # they speak of what was: names in them may be gone

FENCE = re.compile(r"^(```|~~~).*?^\1", re.M | re.S)
INDENTED = re.compile(r"(?<=\n\n)((?: {4}.*\n)+)")
SPAN = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PLACEHOLDER = re.compile(r"[*<>{}…]|\.\.\.|\b[A-Z]{3,}\b")


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def code(page: Path) -> list[str]:
    """Everything set as code: spans, fenced blocks and indented ones, each with continued lines joined."""
    text = page.read_text(encoding="utf-8")
    blocks = [match.group(0) for match in FENCE.finditer(text)] + INDENTED.findall(prose(page))
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [" ".join(line.split("#")[0].split()) for line in lines] + [
        " ".join(span.split()) for span in SPAN.findall(prose(page))
    ]


def anchors(page: Path) -> set[str]:
    """Of every heading, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+?) *$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name(page)}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{name(page)}: {link}"


@pytest.mark.parametrize("page", [page for page in PAGES if name(page) not in HISTORY], ids=name)
def test_every_module_and_file_exists(page: Path) -> None:
    for text in code(page):
        for module in re.findall(r"python -m (dettrack[\w.]*)", text):
            path = ROOT / "src" / module.replace(".", "/")
            assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), f"{name(page)}: {module}"
        for dotted in re.findall(r"\bdettrack(?:\.\w+)+", text):
            assert exists(dotted), f"{name(page)}: {dotted}"
        for path in re.findall(
            r"(?<![\w/.])[\w.-]+(?:/[\w.-]+)*\.(?:py|toml|md|csv|png|jpg)\b|(?<![\w/])[\w-]+/(?=\s|$)", text
        ):
            if is_ours(path):
                assert is_there(path, page), f"{name(page)}: {path}"


def is_ours(path: str) -> bool:
    """Whether a path in the documentation is one of this repository: Python, or in one of its folders."""
    first = path.split("/")[0]
    # What is no Python below runs/ is what training and tracking write.
    known = first in ("src", "docs", "configs", "tests") or ((PACKAGE / first).is_dir() and first != "runs")
    return not PLACEHOLDER.search(path) and (path.endswith(".py") or ("/" in path.rstrip("/") and known))


def is_there(path: str, page: Path) -> bool:
    if "/" in path:
        return any((base / path).exists() for base in (ROOT, PACKAGE, page.parent))
    return any(PACKAGE.rglob(path)) or any((ROOT / "tests").rglob(path)) or (page.parent / path).exists()


def exists(dotted: str) -> bool:
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        path = ROOT / "src" / "/".join(parts[:end])
        if path.is_dir() or path.with_suffix(".py").exists():
            found = importlib.import_module(".".join(parts[:end]))
            for part in parts[end:]:
                if not hasattr(found, part) and part not in getattr(found, "__annotations__", ()):
                    return False
                found = getattr(found, part, None)
            return True
    return False


def test_every_command_and_option_exists() -> None:
    options: dict[str, dict[str, str]] = {}
    for page in PAGES:
        for text in code(page) if name(page) not in HISTORY else ():
            for command, rest in re.findall(r"(?<![\w.-])(?<!from )dettrack ([a-z]+)\b([^|;]*)", text):
                assert command in COMMANDS, f"{name(page)}: dettrack {command}"
                used = options.setdefault(command, {})
                used.update({option: name(page) for option in re.findall(r"(?<![\w-])(--[a-z][a-z0-9-]*)", rest)})
    assert {"track", "evaluate", "train"} <= set(options)
    known = help_texts()
    for command, used in options.items():
        for option, page in used.items():
            assert re.search(rf"(?<![\w-]){option}(?![\w-])", known[command]), f"{page}: dettrack {command} {option}"


def help_texts() -> dict[str, str]:
    """Of each command, its sub-commands with it."""
    words = [[command] for command in COMMANDS] + [
        [command, sub]
        for command, subs in {
            "data": ("check", "pack", "score", "thin", "split", "boxes", "ap"),
            "evaluate": ("thresholds", "compare", "oracles", "submission"),
            "weights": ("calibrate",),
        }.items()
        for sub in subs
    ]
    script = f"""
import contextlib, io, json
from dettrack.cli import main
texts = {{}}
for words in {words!r}:
    with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.suppress(SystemExit):
        main([*words, "--help-all" if words == ["track"] else "--help"])
    texts[words[0]] = texts.get(words[0], "") + text.getvalue()
texts["track"] += " --help-all "  # which `dettrack track --help` names
print(json.dumps(texts))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, encoding="utf-8", check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_python_examples_are_python_and_import_what_exists(page: Path) -> None:
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
        compile(block, name(page), "exec")
        for module, names in re.findall(r"^from (dettrack[\w.]*) import (.+)$", block, re.M):
            for imported in names.split(","):
                assert hasattr(importlib.import_module(module), imported.strip()), f"{name(page)}: {module} {imported}"


def test_the_changelog_is_of_this_version_and_the_citation_of_the_last_release() -> None:
    releases = re.findall(r"^## (\S+) \(([\w-]+)\)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    newest = __version__.partition(".dev")[0]
    assert releases[0] == (newest, "unreleased") if ".dev" in __version__ else releases[0][0] == newest
    released = next(version for version, date in releases if date != "unreleased")
    assert f"\nversion: {released}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert 'dynamic = ["version"]' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_drawing_of_the_architecture_can_be_made_and_shows_every_entry() -> None:
    drawn = ElementTree.fromstring(runpy.run_path(str(ROOT / "docs" / "draw_architecture.py"))["draw"]())
    shown = {element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")}
    entries = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert entries - {"__init__", "__main__"} <= shown
    ElementTree.parse(ROOT / "docs" / "images" / "architecture.svg")
