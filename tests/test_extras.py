"""What pyproject.toml asks for is enough: a run with the built-in weights and one extra's packages, and no others."""

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from dot_people import draw_scene
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dettrack.errors import MissingExtraError
from dettrack.models.runtime.to_onnx import to_onnx

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_RUN = """
import importlib.util, sys
class Hide:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError("No module named " + name, name=name)
def find_spec(name, package=None, find=importlib.util.find_spec):
    return None if name in {hidden!r} else find(name, package)
importlib.util.find_spec = find_spec
sys.meta_path.insert(0, Hide)
from dettrack.cli import main
sys.exit(main({args!r}))
"""


def _needed(requirements):
    """Distributions that are installed with these, and with what they need."""
    found, left = set(), [(Requirement(each), "") for each in requirements]
    seen = set()
    while left:
        requirement, extra = left.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        found.add(name)
        for each in {"", *requirement.extras} - {extra for one, extra in seen if one == name}:
            seen.add((name, each))
            try:
                left += [(Requirement(one), each) for one in importlib.metadata.requires(name) or ()]
            except importlib.metadata.PackageNotFoundError:
                found.discard(name)  # of an option that is not installed here
    return found


def _hidden(extra):
    """Modules of all other distributions that are installed here."""
    needed = _needed([*_PROJECT["dependencies"], *_PROJECT["optional-dependencies"].get(extra, ())]) | {"dettrack"}
    return sorted(
        module
        for module, owners in importlib.metadata.packages_distributions().items()
        if not needed & {canonicalize_name(owner) for owner in owners} and re.fullmatch(r"\w+", module)
    )


@pytest.mark.parametrize(("extra", "runtime"), [("", "PyTorch"), ("openvino", "OpenVINO"), ("onnx", "ONNX Runtime")])
def test_an_extra_alone_is_enough_for_a_run(tmp_path, extra, runtime):
    if extra:
        pytest.importorskip({"openvino": "openvino", "onnx": "onnxruntime"}[extra])
    hidden = _hidden(extra)
    assert "pytest" in hidden
    assert ("openvino" in hidden) == (extra != "openvino")
    draw_scene(tmp_path / "walkers", np.array([[40.0, 30.0]]), np.array([[2.0, 0]]), 6)
    options = ["--fps", "25", "--render", "--precision", "fp32", "--quiet", "--out"]
    args = ["track", str(tmp_path / "walkers"), *options, str(tmp_path)]
    code = _RUN.format(hidden=hidden, args=args)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = tmp_path / "walkers.dettrack"
    assert runtime in json.loads((result / "summary.json").read_text())["model"]
    assert (result / "render.mp4").stat().st_size > 0


def test_the_exporter_says_what_it_lacks(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"another runtime .*pip install 'dettrack\[openvino\]'"):
        to_onnx(torch.nn.Identity(), torch.zeros(1), ("a", "b"), {})
