"""The official evaluator's own figures on generated cases: equal to 1e-9, counts exactly."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dettrack.evaluation import Evaluation, evaluate
from dettrack.formats.posetrack.files import pair_files, read_sequence
from dettrack.skeleton import POSETRACK15

pytestmark = pytest.mark.data

CASES = (1, 2, 3, 4, 5, 6, 7, 13)
HOTA_NAMES = (
    *("HOTA", "DetA", "AssA", "DetRe", "DetPr", "AssRe", "AssPr", "LocA", "FragA", "FA-HOTA"),
    *("HOTA_TP", "HOTA_FN", "HOTA_FP"),
)


def run(folder: Path, **options) -> Evaluation:
    pairs, _ = pair_files(folder / "gt", folder / "pred")
    return evaluate((read_sequence(p.gt) for p in pairs), (read_sequence(p.pred) for p in pairs), **options)


def check(found: object, expected: object, where: str, exact: bool = False) -> int:
    """Compare everything that `expected` has; returns the number of figures compared."""
    if isinstance(expected, dict):
        return sum(check(found[k], v, f"{where}/{k}", k.startswith("num_")) for k, v in expected.items())
    if isinstance(expected, list):
        assert len(found) == len(expected), where
        return sum(check(a, b, f"{where}[{i}]", exact) for i, (a, b) in enumerate(zip(found, expected, strict=True)))
    if expected is None or exact:
        assert found == expected, where
    else:
        assert found == pytest.approx(expected, abs=1e-9), where
    return 1


@pytest.mark.parametrize("case", CASES)
def test_equal_to_the_official_evaluator(shared: Path, case: int) -> None:
    folder = shared / "evaluator" / "cases" / f"case_{case:02d}"
    expected = json.loads((folder / "expected.json").read_text())
    found = run(folder).to_json()
    assert found["joint_order"] == [{"neck": "head_bottom"}.get(joint, joint) for joint in expected["joint_order"]]
    patched = expected["patched"]
    compared = sum(check(found[part], patched[part], part) for part in ("AP", "MOT", "per_sequence"))
    assert compared > 250
    assert found["per_sequence"].keys() == patched["per_sequence"].keys()


@pytest.mark.parametrize("case", [1, 3, 5, 7])
def test_hota_and_ap_equal_to_posetrack21(shared: Path, case: int) -> None:
    # Everything that PoseTrack21's evaluator gives for these cases is right: no frame is empty on one side.
    folder = shared / "evaluator" / "cases" / f"case_{case:02d}"
    expected = json.loads((folder / "expected_pt21.json").read_text())
    result = run(folder, hota=True)
    order = (*POSETRACK15.joints[:3], *POSETRACK15.joints[3:])  # nose, neck, head top, then left and right pairs
    columns = [result.to_json()["joint_order"].index(joint) for joint in order] + [15]
    for name in HOTA_NAMES:
        expected_values = np.array(expected["tracking"][name], float)
        np.testing.assert_allclose(result.HOTA[name][columns], expected_values, atol=1e-9, err_msg=name)
    assert result.ap == pytest.approx(expected["pose_estim"]["map"]["Total"], abs=1e-9)


def test_the_modes_differ_on_the_cases_as_documented(shared: Path) -> None:
    table = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()
    for case in CASES:
        folder = shared / "evaluator" / "cases" / f"case_{case:02d}"
        official, clean = (run(folder, mode=mode) for mode in ("official", "clean"))
        figures = (official.ap, clean.ap, official.mota, clean.mota)
        row = f"| {case:02d} | " + " | ".join(f"{figure:.2f}" for figure in figures) + " |"
        assert row in table, row
