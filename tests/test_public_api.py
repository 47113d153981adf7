"""What `import dettrack` offers, and what it does not import before it is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import dettrack
from dettrack.cli import COMMANDS

HEAVY = ("av", "cv2", "matplotlib", "numpy", "onnxruntime", "openvino", "pandas", "pyarrow", "rich", "scipy", "torch")
_HELP = """
from dettrack.cli import main
try:
    main({args!r})
except SystemExit as ended:
    assert not ended.code
"""


def imported_by(code: str) -> set[str]:
    """Modules, submodules too, that are loaded in a fresh interpreter after `code`."""
    code = f"import sys\n{code}\nimport json\nprint('\\n' + json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_every_public_name_resolves_and_is_listed() -> None:
    for name in dettrack.__all__:
        assert getattr(dettrack, name) is not None
    assert dir(dettrack) == sorted(dettrack.__all__)
    assert len(set(dettrack.__all__)) == len(dettrack.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        dettrack.nothing  # noqa: B018


def test_public_names_are_known_to_type_checkers() -> None:
    """Each is imported under TYPE_CHECKING, too, or editors and mypy would take it for Any."""
    text = Path(dettrack.__file__).read_text(encoding="utf-8")
    for name in dettrack.__all__:
        if name != "__version__":
            assert f" import {name} as {name}\n" in text


def test_the_package_imports_nothing_heavy() -> None:
    loaded = imported_by("import dettrack")
    assert not loaded & set(HEAVY)
    assert {name for name in loaded if name.startswith("dettrack")} == {"dettrack"}


def test_the_pipeline_loads_no_runtime_and_no_filter_before_they_are_needed() -> None:
    assert not imported_by("import dettrack.pipeline") & {"torch", "onnxruntime", "openvino", "pandas", "scipy.signal"}


def test_networks_load_without_the_compiler_of_pytorch() -> None:
    """It would take 70 MiB and a second at every start."""
    loaded = imported_by("import dettrack; dettrack.Pipeline(threads=1)")
    assert not loaded & {"sympy", "torch._dynamo"}


def test_who_gives_out_the_videos_of_a_batch_loads_nothing_that_tracks() -> None:
    modules = ("inputs", "manifest", "processes", "schedule", "status", "tables")
    loaded = imported_by(f"import dettrack.cli.batch, {', '.join(f'dettrack.runs.batch.{name}' for name in modules)}")
    assert not loaded & {"torch", "scipy", "dettrack.pipeline", "dettrack.associate"}


def test_help_needs_no_numerical_library() -> None:
    assert not imported_by(_HELP.format(args=["--help"])) & set(HEAVY)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_the_help_of_every_command_is_free_of_torch(command: str) -> None:
    assert not imported_by(_HELP.format(args=[command, "--help"])) & {"torch", "onnxruntime", "openvino"}
