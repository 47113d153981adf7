"""Draws docs/images/architecture.svg: the layers of src/dettrack, the way of a frame, and who imports whom.

    python docs/draw_architecture.py

The imports are read from the source (`ast`; nothing is imported), the layers from the contract in pyproject.toml. Only
the sentences and colours are of this file. Needs Python 3.11 or newer, or tomli.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from html import escape
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "dettrack"
PICTURE = ROOT / "docs" / "images" / "architecture.svg"

ABOUT = {
    "cli": "one file per command, imported when it is called",
    "lab": "experiments, benchmarks, drawn scenes",
    "training": "pose, detector, labels",
    "runs": "folder, data set, live",
    "pipeline": "loads the models; track(video) is a Run",
    "associate": "batches of tracklets to finished segments",
    "evaluation": "AP, MOTA, HOTA",
    "view": "the viewer, drawing",
    "edit": "corrections",
    "measure": "angles, metres",
    "video": "frames, shots",
    "models": "detectors, networks",
    "cut": "keyframes, tubes",
    "sew": "identities",
    "polish": "the best path",
    "finish": "bridges, rules",
    "formats": "files of tracks",
}
STAGES = {  # the way of a frame: folder, colour, what it gives to the next
    "video": ("#5b6b82", "frames"),
    "models": ("#7d5fa8", ""),
    "cut": ("#c8641b", "tracklets"),
    "sew": ("#1f7a5c", "tracks"),
    "polish": ("#2a66b0", "rows"),
    "finish": ("#a8355f", "rows"),
    "formats": ("#5b6b82", ""),
}
ORDER = list(STAGES)
INK, SOFT, LINE, PAPER, BAND = "#1d2633", "#66758a", "#cfd8e3", "#ffffff", "#f4f6f9"
FONT = "Inter, 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
MONO = "'SF Mono', Consolas, 'DejaVu Sans Mono', monospace"
WIDTH, MARGIN, GAP = 1120, 32, 12


def modules() -> dict[str, Path]:
    """Every module by its dotted name below `dettrack`."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


def imported(path: Path, known: set[str]) -> set[str]:
    """Modules of the package that a file imports, anywhere in it, those for type checkers too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    inside = {name.removeprefix("dettrack.") for name in names if name.startswith("dettrack.")}
    return {name for name in inside if name in known}


def read() -> tuple[list[list[str]], dict[str, tuple[int, int]], Counter[tuple[str, str]]]:
    """Layers from the top; files and lines of each entry; how many files of one entry import another entry."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    listed = next(each["layers"] for each in contracts["contracts"] if each["type"] == "layers")
    all_modules = modules()
    entries = {name.split(".")[0] for name in all_modules} - {"", "__main__"}
    layers = [[name for name in re.findall(r"\w+", layer) if name in entries] for layer in listed]
    sizes = dict.fromkeys(entries, (0, 0))
    edges: Counter[tuple[str, str]] = Counter()
    for name, path in all_modules.items():
        entry = name.split(".")[0]
        if entry not in entries:
            continue
        files, lines = sizes[entry]
        sizes[entry] = files + 1, lines + len(path.read_text(encoding="utf-8").splitlines())
        for other in {other.split(".")[0] for other in imported(path, set(all_modules))} - {entry, ""}:
            edges[entry, other] += 1
    return [layer for layer in layers if layer], sizes, edges


class Drawing:
    """SVG elements, collected."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def box(
        self, x: float, y: float, width: float, height: float, fill: str, stroke: str = "none", r: float = 8
    ) -> None:
        """A rectangle with round corners."""
        place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
        self.parts.append(f'<rect {place} rx="{r:g}" fill="{fill}" stroke="{stroke}"/>')

    def text(
        self, x: float, y: float, text: str, size: float = 13, fill: str = INK, *, anchor: str = "start",
        weight: int = 400, mono: bool = False, turn: float = 0,
    ) -> None:  # fmt: skip
        """One line of text; `turn` in degrees about its start."""
        turned = f' transform="rotate({turn:g} {x:g} {y:g})"' if turn else ""
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{fill}" text-anchor="{anchor}" '
            f'font-weight="{weight}" font-family="{MONO if mono else FONT}"{turned}>{escape(text)}</text>'
        )

    def line(self, points: list[tuple[float, float]], stroke: str, width: float = 1.5, head: str = "") -> None:
        """Straight lines through points."""
        way = " ".join(f"{'L' if i else 'M'}{x:g} {y:g}" for i, (x, y) in enumerate(points))
        end = f' marker-end="url(#{head})"' if head else ""
        self.parts.append(f'<path d="{way}" fill="none" stroke="{stroke}" stroke-width="{width:g}"{end}/>')

    def dot(self, x: float, y: float, radius: float, fill: str) -> None:
        """A disc."""
        self.parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:.1f}" fill="{fill}"/>')

    def svg(self, height: float) -> str:
        """The whole file."""
        head = (
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto">'
            f'<path d="M0 0 L8 4 L0 8 z" fill="{SOFT}"/></marker></defs>'
        )
        body = "\n".join(self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
            f'width="{WIDTH}" height="{height:g}" role="img" aria-label="Layers and imports of dettrack">\n{head}\n'
            f"{body}\n</svg>\n"
        )


def draw() -> str:
    """The picture as SVG."""
    layers, sizes, edges = read()
    drawing = Drawing()
    drawing.box(0, 0, WIDTH, 3000, PAPER, r=0)  # cut to the picture's height by the view box
    drawing.text(MARGIN, 46, "dettrack", 24, weight=700)
    files, lines = (sum(size[i] for size in sizes.values()) for i in (0, 1))
    size = f"{len(sizes)} entries, {files} modules, {lines:,} lines."
    drawing.text(MARGIN, 70, f"{size} Each layer imports from those below it only.", 13, SOFT)
    y = draw_layers(drawing, layers, sizes, 92)
    y = draw_imports(drawing, layers, edges, y + 34)
    return drawing.svg(y + MARGIN)


def draw_layers(drawing: Drawing, layers: list[list[str]], sizes: dict[str, tuple[int, int]], y: float) -> float:
    """One band for each layer, the highest on top; returns where the last one ends."""
    for number, layer in enumerate(layers):
        if set(layer) & set(STAGES):
            y = draw_stages(drawing, layer, sizes, y)
        elif number == len(layers) - 1:
            y = draw_ground(drawing, layer, sizes, y)
        else:
            width = (WIDTH - 2 * MARGIN - GAP * (len(layer) - 1)) / len(layer)
            for i, entry in enumerate(sorted(layer)):
                x = MARGIN + i * (width + GAP)
                drawing.box(x, y, width, 38, BAND, LINE)
                drawing.text(x + 14, y + 24, entry, 14, weight=600, mono=True)
                drawing.text(x + 28 + 8.6 * len(entry), y + 24, ABOUT.get(entry, ""), 13, SOFT)
                drawing.text(x + width - 14, y + 24, f"{sizes[entry][1]:,}", 12, SOFT, anchor="end", mono=True)
            y += 38 + GAP
    return y - GAP


def draw_stages(drawing: Drawing, layer: list[str], sizes: dict[str, tuple[int, int]], y: float) -> float:
    """The folders of the stages in the order in which a frame passes them; below `cut` the models that it runs."""
    row = [entry for entry in ORDER if entry in layer and entry != "models"] + sorted(set(layer) - set(ORDER))
    height, between, models = 92, 66, 66
    band = height + models + 70
    drawing.box(MARGIN, y, WIDTH - 2 * MARGIN, band, BAND, LINE)
    width = (WIDTH - 2 * MARGIN - 28 - between * (len(row) - 1)) / len(row)
    places = {entry: MARGIN + 14 + i * (width + between) for i, entry in enumerate(row)}
    for i, (entry, x) in enumerate(places.items()):
        colour, gives = STAGES.get(entry, (SOFT, ""))
        titled(drawing, x, y + 16, width, height, entry, colour)
        drawing.text(x + width / 2, y + 66, ABOUT.get(entry, ""), 11.5, INK, anchor="middle")
        drawing.text(x + width / 2, y + 90, f"{sizes[entry][1]:,}", 12, SOFT, anchor="middle", mono=True)
        if i < len(row) - 1:
            drawing.line([(x + width + 5, y + 66), (x + width + between - 5, y + 66)], SOFT, 1.5, "head")
            drawing.text(x + width + between / 2, y + 57, gives, 11.5, INK, anchor="middle")
    if "models" in layer:
        below, colour = y + height + 54, STAGES["models"][0]
        middle = places["cut"] + width / 2
        for dx, ends in ((-7, (0, 1)), (7, (1, 0))):
            rows = (y + 16 + height + 4, below - 5)
            drawing.line([(middle + dx, rows[ends[0]]), (middle + dx, rows[ends[1]])], SOFT, 1.5, "head")
        drawing.text(middle - 18, below - 15, "frames, tubes", 11.5, INK, anchor="end")
        drawing.text(middle + 18, below - 15, "boxes, joints", 11.5, INK)
        parts = sorted(path.name for path in (PACKAGE / "models").iterdir() if (path / "__init__.py").exists())
        left, wide = places["video"], places["sew"] + width - places["video"]
        titled(drawing, left, below, wide, models, "models", colour)
        drawing.text(left + wide - 14, below + 20, f"{sizes['models'][1]:,}", 12, PAPER, anchor="end", mono=True)
        for i, part in enumerate(parts):
            drawing.text(left + wide * (i + 0.5) / len(parts), below + 52, part, 13, anchor="middle", mono=True)
        text = places["polish"]
        drawing.text(text, below + 20, "Everything streams: a stage takes rows up to a frame", 12.5, SOFT)
        drawing.text(text, below + 39, "and gives those that no later frame can change.", 12.5, SOFT)
        drawing.text(text, below + 58, "Memory does not grow with the video.", 12.5, SOFT)
    return y + band + GAP


def titled(drawing: Drawing, x: float, y: float, width: float, height: float, title: str, colour: str) -> None:
    """A box with a coloured head."""
    drawing.box(x, y, width, height, PAPER, colour)
    drawing.box(x, y, width, 30, colour)
    drawing.box(x, y + 18, width, 12, colour, r=0)
    drawing.text(x + width / 2, y + 20, title, 14, PAPER, anchor="middle", weight=700, mono=True)


def draw_ground(drawing: Drawing, layer: list[str], sizes: dict[str, tuple[int, int]], y: float) -> float:
    """The modules that everything may import."""
    rows = 2 if len(layer) <= 12 else 3
    columns = -(-len(layer) // rows)
    width = (WIDTH - 2 * MARGIN - 28) / columns
    drawing.box(MARGIN, y, WIDTH - 2 * MARGIN, rows * 24 + 40, BAND, LINE)
    drawing.text(MARGIN + 14, y + 24, "ground: imported from everywhere", 13, SOFT)
    for i, entry in enumerate(sorted(layer)):
        x, line = MARGIN + 14 + (i // rows) * width, y + 48 + (i % rows) * 24
        drawing.text(x, line, entry, 13, weight=600, mono=True)
        drawing.text(x + width - 24, line, f"{sizes[entry][1]:,}", 12, SOFT, anchor="end", mono=True)
    return y + rows * 24 + 40 + GAP


def draw_imports(drawing: Drawing, layers: list[list[str]], edges: Counter[tuple[str, str]], y: float) -> float:
    """Rows import columns. Sorted by layer, a dot on the wrong side of the diagonal is an import upward: it is red."""
    stage_order = {entry: i for i, entry in enumerate(reversed(ORDER))}
    ranked = [sorted(layer, key=lambda entry: (stage_order.get(entry, 0), entry)) for layer in layers[:-1]]
    rows = [entry for layer in ranked for entry in layer]
    level = {entry: number for number, layer in enumerate(layers) for entry in layer}
    columns = [*rows, "ground"]
    counts: Counter[tuple[str, str]] = Counter()
    for (entry, other), number in edges.items():
        counts[entry, other if other in rows else "ground"] += number
    drawing.text(MARGIN, y, "Who imports whom", 17, weight=700)
    drawing.text(
        MARGIN,
        y + 22,
        "A dot: so many modules of the row import from the column. Right of the diagonal is down; red is up.",
        13,
        SOFT,
    )
    high, left, top = 30, MARGIN + 120, y + 110
    wide = (WIDTH - MARGIN - left) / len(columns)
    for i, entry in enumerate(rows):
        bold = 700 if entry in STAGES else 400
        if i % 2 == 0:
            drawing.box(MARGIN, top + i * high, WIDTH - 2 * MARGIN, high, BAND, r=4)
        drawing.text(left - 10, top + i * high + 20, entry, 13, anchor="end", mono=True, weight=bold)
    for j, entry in enumerate(columns):
        bold = 700 if entry in STAGES else 400
        drawing.text(left + (j + 0.5) * wide, top - 10, entry, 13, mono=True, turn=-35, weight=bold)
    for i, entry in enumerate(rows):
        for j, other in enumerate(columns):
            x, line = left + (j + 0.5) * wide, top + (i + 0.5) * high
            if entry == other:
                drawing.box(x - 3, line - 3, 6, 6, LINE, r=1)
            elif number := counts[entry, other]:
                upward = other != "ground" and level[other] < level[entry]
                colour = "#d0342c" if upward else STAGES.get(entry, ("#5b6b82", ""))[0]
                drawing.dot(x, line, min(13.5, 7 + 0.9 * number**0.6), colour)
                drawing.text(x, line + 4, str(number), 11, PAPER, anchor="middle", weight=600)
    return top + len(rows) * high


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8", newline="\n")
