"""The shape of the source tree: short modules, functions that fit a screen, few entries at the top, no circles."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import dettrack

SOURCES = Path(dettrack.__file__).parent
MODULES = sorted(path.relative_to(SOURCES).as_posix() for path in SOURCES.rglob("*.py"))

MOST_MODULE_LINES = 400
MOST_FUNCTION_LINES = 60
MOST_TOP_LEVEL_ENTRIES = 31

# Longer ones, each with its reason. A line here that is no longer needed fails the test as well.
LONG_FUNCTIONS = {
    "lab/bench/race.py:race": "pairs of runs in turn, with one place that keeps their order",
}


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_short(module: str) -> None:
    lines = (SOURCES / module).read_text(encoding="utf-8").count("\n")
    assert lines <= MOST_MODULE_LINES, f"{module} has {lines} lines: split it"


def test_functions_fit_a_screen() -> None:
    lengths = {
        f"{module}:{function.name}": (function.end_lineno or 0) - function.lineno + 1
        for module in MODULES
        for function in functions(ast.parse((SOURCES / module).read_text(encoding="utf-8")))
    }
    long = {name: lines for name, lines in lengths.items() if lines > MOST_FUNCTION_LINES}
    assert set(long) == set(LONG_FUNCTIONS), f"functions of more than {MOST_FUNCTION_LINES} lines: {long}"


def test_the_top_level_stays_small() -> None:
    entries = [
        path.name
        for path in SOURCES.iterdir()
        if not path.name.startswith(".") and path.name not in ("__pycache__", "py.typed")
    ]
    assert len(entries) <= MOST_TOP_LEVEL_ENTRIES, sorted(entries)


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {(SOURCES / module).parent for module in MODULES}
    assert not [str(folder) for folder in folders if not (folder / "__init__.py").is_file()]


def test_layers_and_circles(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlinter.cli import lint_imports

    root = Path(__file__).parents[1]
    monkeypatch.chdir(root)
    assert lint_imports(config_filename="pyproject.toml", no_cache=True) == 0, "run lint-imports"
