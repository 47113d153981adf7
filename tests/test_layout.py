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
MOST_TOP_LEVEL_ENTRIES = 28

# Longer ones, each with its reason. A line here that is no longer needed fails the test as well.
LONG_FUNCTIONS = {
    "lab/bench/race.py:race": "pairs of runs in turn, with one place that keeps their order",
}


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def public_functions(tree: ast.AST, owner: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """Public functions, and public methods of public classes, with the names of the classes before their own."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node, f"{owner}{node.name}.")
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield owner + node.name, node


def undocumented(function: ast.FunctionDef) -> list[str]:
    """The sections that a function of two or more parameters lacks."""
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    text = ast.get_docstring(function) or ""
    nothing = isinstance(function.returns, ast.Constant) and function.returns.value is None
    lacks = [] if "Args:" in text else ["Args"]
    lacks += [] if nothing or "Returns:" in text or "Yields:" in text else ["Returns or Yields"]
    return lacks if len([name for name in names if name not in ("self", "cls")]) > 1 else []


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


def test_public_functions_say_what_they_take_and_give() -> None:
    found, documented = {}, set()
    for module in MODULES:
        for name, function in public_functions(ast.parse((SOURCES / module).read_text(encoding="utf-8"))):
            if lacks := undocumented(function):
                found[f"{module}:{name}"] = lacks
            elif "." in name:
                documented.add(function.name)
    # A method that a protocol describes need not repeat it.
    left = {name: lacks for name, lacks in found.items() if "." not in name.split(":")[1]}
    left |= {name: lacks for name, lacks in found.items() if name.rsplit(".", 1)[-1] not in documented}
    assert not left


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
