"""Calibration at run time: every estimator gives probabilities, from the model itself or from a file beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.config import EstimateConfig
from dettrack.cut.clips import make_tubes
from dettrack.errors import InputError
from dettrack.models.pose import load_estimator
from dettrack.models.pose.calibration import Calibration, read_calibration, write_calibration
from dettrack.models.pose.checkpoint import (
    NetworkSpec,
    build_network,
    load_checkpoint,
    save_checkpoint,
    write_calibrated,
)
from dettrack.models.pose.export import export_network
from dettrack.models.weights import SHIPPED
from dettrack.structures import Boxes, Clip, Frame

TABLE = ((0.0, 0.0), (0.4, 0.6), (1.0, 0.9))


def one_clip(length: int = 3) -> Clip:
    rng = np.random.default_rng(3)
    frames = [Frame(i, i / 25, rng.integers(0, 255, (120, 160, 3), np.uint8)) for i in range(length)]
    return Clip(tuple(frames), length // 2)


BOXES = Boxes(np.array([[40.0, 20.0, 100.0, 110.0]]), np.array([0.9]))


def scores_of(path: Path, **options: object) -> np.ndarray:
    config = EstimateConfig(str(path), threads=1, precision="fp32", **options)
    estimator = load_estimator(config)
    return estimator.estimate([(one_clip(), make_tubes(BOXES, estimator.size))])[0].scores


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_order_is_kept_and_missing_stays(scores: list[float]) -> None:
    values = np.array([*scores, np.nan])
    out = Calibration(TABLE)(values)
    assert np.isnan(out[-1])
    assert (np.argsort(out[:-1], kind="stable") == np.argsort(values[:-1], kind="stable")).all()
    assert Calibration(TABLE)(np.array([0.2, 0.7])) == pytest.approx([0.3, 0.75])


@pytest.mark.parametrize(
    "bad", [(), ((0.1, 0.1),), ((0.0, 0.0), (0.0, 1.0)), ((0.0, 0.5), (1.0, 0.4)), ((0.0, 0.0), (1.0, 1.2))]
)
def test_tables_that_are_none_are_refused(bad: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(InputError, match="both rising"):
        Calibration(bad)


def test_a_checkpoint_carries_it_and_so_does_what_is_exported(tmp_path: Path) -> None:
    spec = NetworkSpec(architecture="lite", width=8, variant="none", clip_length=1, size=(64, 64))
    plain, known = tmp_path / "plain.safetensors", tmp_path / "known.safetensors"
    save_checkpoint(plain, build_network(spec), spec)
    write_calibrated(plain, TABLE, known)
    assert load_checkpoint(known).spec == replace(spec, calibration=TABLE)
    raw = scores_of(plain)
    assert scores_of(known) == pytest.approx(Calibration(TABLE)(raw), abs=1e-6)
    assert scores_of(known, calibration="none") == pytest.approx(raw)
    exported = tmp_path / "net.onnx"
    export_network(load_checkpoint(known), exported, "onnx", 1)
    assert scores_of(exported) == pytest.approx(Calibration(TABLE)(raw), abs=1e-4)


def test_a_file_beside_another_model_explains_its_scores(tmp_path: Path, tiny_models: Path) -> None:
    model = tmp_path / "heatmaps.onnx"
    model.write_bytes((tiny_models / "heatmaps.onnx").read_bytes())
    raw = scores_of(model)
    write_calibration(tmp_path / "heatmaps.calibration.toml", TABLE, model)
    assert scores_of(model) == pytest.approx(Calibration(TABLE)(raw))
    assert scores_of(model, calibration="none") == pytest.approx(raw)
    elsewhere = tmp_path / "elsewhere.toml"
    elsewhere.write_text("table = [[0.0, 0.0], [1.0, 0.5]]\n")
    assert scores_of(model, calibration=str(elsewhere)) == pytest.approx(raw / 2)
    model.write_bytes((tiny_models / "fixed.onnx").read_bytes())
    with pytest.raises(InputError, match="explains the scores of another model"):
        scores_of(model)


@pytest.mark.parametrize(
    "text", ["table = 3", "tables = []", "table = [[0.0, 0.0, 1.0]]", "table = [[0.0, 0.0]]", "tab"]
)
def test_a_broken_file_is_one_line_with_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"broken\.toml"):
        read_calibration(path, tmp_path / "model.onnx")


def test_the_built_in_weights_say_what_their_scores_mean() -> None:
    assert load_checkpoint(SHIPPED / "pose.safetensors").spec.calibration
