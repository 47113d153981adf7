from dataclasses import fields, is_dataclass

import pytest

from dettrack.cli.settings import load_config
from dettrack.config import (
    CutConfig,
    DetectConfig,
    EstimateConfig,
    FinishConfig,
    PolishConfig,
    SewConfig,
    TrackConfig,
)
from dettrack.errors import InputError, UsageError


def test_the_papers_values_are_the_defaults():
    config = TrackConfig()
    assert (config.cut.clip_length, config.cut.step, config.cut.enlarge) == (9, 1, 1.25)
    assert (config.polish.lam, config.polish.radius, config.polish.merge) == (0.1, 0.5, "spatial-temporal")
    assert (config.finish.min_track_frames, config.detect.min_box_area) == (5, 3200.0)
    assert config.sew.linking == "tubes"
    assert config.estimate.flip


def test_names_are_unique_across_sections_and_documented():
    seen: dict[str, str] = {}
    for section in fields(TrackConfig()):
        settings = getattr(TrackConfig(), section.name)
        assert is_dataclass(settings)
        for setting in fields(settings):
            assert setting.name not in seen, f"{setting.name} in {section.name} and {seen[setting.name]}"
            assert f"{setting.name}:" in (type(settings).__doc__ or "")
            seen[setting.name] = section.name


@pytest.mark.parametrize(
    ("section", "values", "words"),
    [
        (CutConfig, {"clip_length": 8}, "odd"),
        (CutConfig, {"clip_length": 0}, "odd"),
        (CutConfig, {"clip_length": 5, "step": 5}, "smaller than the"),
        (CutConfig, {"step": 0}, "at least 1"),
        (CutConfig, {"enlarge": 0.5}, "at least 1"),
        (DetectConfig, {"detector_threshold": -0.1}, "between 0 and 1"),
        (DetectConfig, {"detector_size": 16}, "at least 32"),
        (EstimateConfig, {"device": "tpu"}, "cuda:N"),
        (EstimateConfig, {"batch": -1}, "positive"),
        (SewConfig, {"min_similarity": 2.0}, "between 0 and 1"),
        (SewConfig, {"memory": 0}, "at least 1"),
        (PolishConfig, {"lam": -1.0}, "negative"),
        (PolishConfig, {"radius": 0.0}, "positive"),
        (PolishConfig, {"max_lag": 0}, "at least 1"),
        (FinishConfig, {"min_track_frames": 0}, "at least 1"),
        (FinishConfig, {"fill_gaps": -1}, "negative"),
        (FinishConfig, {"smooth_window_s": 0.0}, "positive"),
    ],
)
def test_values_out_of_range_are_told(section, values, words):
    with pytest.raises(UsageError, match=words):
        section(**values)


def test_one_frame_clips_have_step_one():
    assert CutConfig(clip_length=1).step == 1


def test_a_toml_file_sets_what_it_names(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('[cut]\nclip_length = 5\n[polish]\nlam = 1\nmerge = "baseline"\n')
    config = load_config(path)
    assert config.cut.clip_length == 5
    assert config.polish.lam == 1.0
    assert config.polish.merge == "baseline"
    assert config.sew == SewConfig()


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("[cut\n", InputError, "not valid TOML"),
        ("[cat]\n", UsageError, r"\[cat\]"),
        ("cut = 3\n", UsageError, r"\[cut\]"),
        ("[cut]\nclip = 9\n", UsageError, "'clip'"),
        ('[cut]\nclip_length = "9"\n', UsageError, "expected a int"),
        ("[cut]\nshots = 1\n", UsageError, "expected a bool"),
        ("[cut]\nclip_length = 4\n", UsageError, "odd"),
    ],
)
def test_a_wrong_toml_file_is_told(tmp_path, text, error, words):
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(error, match=words):
        load_config(path)


def test_no_toml_file_is_told(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        load_config(tmp_path / "none.toml")
