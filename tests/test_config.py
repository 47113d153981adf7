"""The settings: one check of their values, from Python, a TOML file or the command line."""

import json
import math
import re
from dataclasses import asdict, fields, is_dataclass
from typing import Annotated, Literal, get_args, get_origin

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.cli import main
from dettrack.cli.settings import config_option
from dettrack.config import (
    CutConfig,
    DetectConfig,
    EstimateConfig,
    FinishConfig,
    PolishConfig,
    SewConfig,
    TrackConfig,
    load_config,
)
from dettrack.errors import InputError, UsageError
from dettrack.files.toml import Range, field_types, option_name, read_table

SETTINGS = [
    (section, cls, name, kind)
    for section, cls in field_types(TrackConfig).items()
    for name, kind in field_types(cls).items()
]
BOUND_TO_OTHERS = (
    "joints",
    "clip_length",
    "step",
    "adaptive",
    "device",
)  # also checked otherwise than by their types
NUMBERS = st.one_of(
    st.integers(-(10**400), 10**400), st.floats(), st.sampled_from([math.nan, math.inf, -math.inf, -1, 1.5, 5, 1e9])
)
WORDS = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12).filter(lambda word: not word.startswith("-"))
ANYTHING = st.one_of(NUMBERS, WORDS, st.booleans(), st.none(), st.lists(NUMBERS, max_size=3), st.just(()), st.just({}))


def bounds_of(kind):
    """Plain type and range of an annotated one."""
    return get_args(kind) if get_origin(kind) is Annotated else (kind, Range())


def fits(kind, value):
    """Whether a value is right, said in another way than the code under test says it."""
    plain, bounds = bounds_of(kind)
    if get_origin(plain) is Literal:
        return isinstance(value, str) and value in get_args(plain)
    if plain in (int, float):
        if isinstance(value, bool) or not isinstance(value, (int, plain)):
            return False
        try:
            number = float(value)
        except OverflowError:
            return plain is int and (value > 0) and bounds.most == math.inf
        outside = not bounds.least <= number <= bounds.most or (bounds.above and number == bounds.least)
        return math.isfinite(number) and (not outside or (bounds.zero and number == 0))
    if get_origin(plain) is tuple:
        return isinstance(value, (list, tuple)) and all(fits(get_args(plain)[0], one) for one in value)
    return isinstance(value, plain)


def message(call):
    with pytest.raises(UsageError) as caught:
        call()
    return str(caught.value)


def toml(value):
    return str(value) if isinstance(value, float) else json.dumps(value)


def test_names_are_unique_across_sections_and_documented():
    seen: dict[str, str] = {}
    for section in fields(TrackConfig()):
        settings = getattr(TrackConfig(), section.name)
        assert is_dataclass(settings)
        for setting in fields(settings):
            assert setting.name not in seen, f"{setting.name} in {section.name} and {seen[setting.name]}"
            assert f"{setting.name}:" in (type(settings).__doc__ or "")
            seen[setting.name] = section.name


def test_every_number_has_a_range():
    for _, _, name, kind in SETTINGS:
        if get_origin(kind) is tuple:
            kind = get_args(kind)[0]
        plain, bounds = bounds_of(kind)
        assert plain not in (int, float) or bounds.least > -math.inf, name


@given(st.sampled_from(SETTINGS), ANYTHING)
def test_any_value_is_taken_or_refused_with_the_options_name(setting, value):
    _, cls, name, kind = setting
    if fits(kind, value) and name not in BOUND_TO_OTHERS:
        made = getattr(cls(**{name: value}), name)
        assert made == (tuple(value) if isinstance(value, list) else value)
        assert type(made) is type(getattr(cls(), name))
    elif not fits(kind, value):
        line = message(lambda: cls(**{name: value}))
        assert line.startswith(option_name(name))
        assert ": expected " in line


@given(st.data())
def test_a_wrong_value_has_one_message_wherever_it_comes_from(tmp_path_factory, data):
    section, cls, name, kind = data.draw(st.sampled_from(SETTINGS))
    value = data.draw(st.one_of(NUMBERS, WORDS, st.booleans()).filter(lambda one: not fits(kind, one)))
    python = message(lambda: cls(**{name: value}))
    path = tmp_path_factory.mktemp("settings") / "run.toml"
    path.write_text(f"[{section}]\n{name} = {toml(value)}\n")
    assert message(lambda: load_config(path)) == f"{path} [{section}]: {python}"
    plain = bounds_of(kind)[0]
    if plain not in (bool, str) and get_origin(plain) is not tuple and not isinstance(value, bool):
        line = message(lambda: config_option([option_name(name), str(value)]))
        assert line == (
            python if get_origin(plain) is not Literal else python.replace(f" is {value!r}:", f" is {str(value)!r}:")
        )


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"merge": "spatiall"}, "--merge is 'spatiall': expected one of spatial-temporal, spatial, temporal, baseline"),
        ({"linking": "tubez"}, "--linking is 'tubez': expected one of tubes, oks-gbm"),
        ({"smooth": "nope"}, "--smooth is 'nope': expected one of none, one-euro, savgol"),
        ({"detector_nms": 5}, "--detector-nms is 5: expected a number, from 0 to 1"),
        ({"detector_scales": [320, 8]}, "--detector-scales[1] is 8: expected a whole number, at least 32"),
        ({"detector_size": 16}, "--detector-size is 16: expected a whole number, 0 or at least 32"),
        ({"radius": 0.0}, "--radius is 0.0: expected a number, above 0"),
        ({"lam": math.nan}, "--lam is nan: expected a number, at least 0"),
        ({"max_lag": math.inf}, "--max-lag is inf: expected a whole number, at least 1"),
        ({"clip_length": 8}, "--clip-length is 8: expected an odd number"),
        ({"clip_length": 5, "step": 5}, "--step is 5 with --clip-length 5: expected at most 4"),
        ({"clip_length": 1, "step": 2}, "--step is 2 with --clip-length 1: expected at most 1"),
        ({"device": "tpu"}, "--device is 'tpu': expected auto, cpu, cuda or cuda:N"),
        ({"detector_scales": [64], "detector_size": 64}, "--detector-scales is (64,) and --detector-size 64"),
    ],
)
def test_each_mistake_is_told_wherever_it_comes_from(tmp_path, capsys, settings, says):
    section, cls = next((s, c) for s, c, name, _ in SETTINGS if name in settings)
    assert says in message(lambda: cls(**settings))
    (tmp_path / "run.toml").write_text(f"[{section}]\n" + "".join(f"{k} = {toml(v)}\n" for k, v in settings.items()))
    assert f"run.toml [{section}]: {says}" in message(lambda: load_config(tmp_path / "run.toml"))
    options = []
    for name, value in settings.items():
        options += [option_name(name), *(str(one) for one in (value if isinstance(value, list) else [value]))]
    assert main(["track", "none.mp4", *options]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"dettrack track: {says}")
    assert shown.count("\n") == 1
    assert main(["track", "none.mp4", "--config", str(tmp_path / "run.toml")]) == 2
    assert f"run.toml [{section}]: {says}" in capsys.readouterr().err


def test_numbers_and_lists_become_what_the_field_says():
    config = DetectConfig(detector_scales=[320, np.int64(640)], min_box_area=100, detector_nms=np.float32(0.5))
    assert config == DetectConfig(detector_scales=(320, 640), min_box_area=100.0, detector_nms=0.5)
    assert [type(one) for one in (config.min_box_area, config.detector_nms, *config.detector_scales)] == [
        float,
        float,
        int,
        int,
    ]
    assert hash(TrackConfig(detect=config)) == hash(TrackConfig(detect=config))
    assert "--step is 1.0" in message(lambda: CutConfig(step=1.0))
    assert "--flip is 1" in message(lambda: EstimateConfig(flip=1))
    assert "--batch is True" in message(lambda: EstimateConfig(batch=True))


def test_one_frame_clips_have_step_one():
    assert CutConfig(clip_length=1, step=1).step == 1


def test_a_toml_file_sets_what_it_names(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(
        '[cut]\nfinest_step = 3\n[detect]\ndetector_scales = [320, 640]\n[polish]\nlam = 1\nmerge = "baseline"\n'
    )
    config = load_config(path)
    assert config.cut.finest_step == 3
    assert config.detect.detector_scales == (320, 640)
    assert config.polish == PolishConfig(lam=1.0, merge="baseline")
    assert config.sew == SewConfig()
    assert load_config(path, TrackConfig(sew=SewConfig(bridge=3))).sew.bridge == 3


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("[cut\n", InputError, "not valid TOML"),
        ("[cat]\n", UsageError, "unknown section [cat]; expected some of cut, detect, estimate, sew, polish, finish"),
        ("cut = 3\n", UsageError, "[cut] is 3: expected a table of clip_length"),
        ("cat = 3\n", UsageError, "unknown key 'cat'"),
        ("[cut]\nclip = 9\n", UsageError, "[cut]: unknown key 'clip'; expected some of clip_length"),
        ('[cut]\nclip_length = "9"\n', UsageError, "--clip-length is '9': expected a whole number, at least 1"),
        ("[cut]\nshots = 1\n", UsageError, "--shots is 1: expected true or false"),
        ("[detect]\ndetector_scales = 320\n", UsageError, "--detector-scales is 320: expected a list"),
    ],
)
def test_a_wrong_toml_file_is_told(tmp_path, text, error, words):
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(error, match=re.escape(words)):
        load_config(path)


def test_no_toml_file_is_told(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        load_config(tmp_path / "none.toml")


def test_the_old_name_of_a_section_is_read_in_files_and_summaries(tmp_path):
    (tmp_path / "old.toml").write_text("[after]\nmin_track_frames = 7\n")
    assert load_config(tmp_path / "old.toml").finish == FinishConfig(min_track_frames=7)
    (tmp_path / "old.toml").write_text("[after]\nmin_track_frames = 0\n")
    assert "old.toml [after]: --min-track-frames is 0" in message(lambda: load_config(tmp_path / "old.toml"))


@pytest.mark.parametrize(
    "line",
    [
        "[detect]\ndrop_boxes = 0.5",
        "[detect]\ndetect_every = 1",
        "[cut]\ntube_stride = 2",
        "[sew]\nhalf_life = 0.0",
        "[polish]\nhypothesis_confidence = 0.1",
    ],
)
def test_a_setting_that_is_no_more_says_why(tmp_path, line):
    (tmp_path / "old.toml").write_text(line)
    assert re.search(
        r"old.toml \[\w+\]: \w+ was removed in 0.2: .+; delete", message(lambda: load_config(tmp_path / "old.toml"))
    )


def test_settings_of_a_summary_make_the_same_settings():
    config = TrackConfig(detect=DetectConfig(detector_scales=(320, 640)), finish=FinishConfig(fill_gaps=3))
    saved = json.loads(json.dumps(asdict(config)), parse_constant=pytest.fail)  # holds no infinity
    assert read_table(TrackConfig, saved, "summary.json") == config
    saved["after"] = saved.pop("finish")
    assert read_table(TrackConfig, saved, "summary.json") == config


def test_a_section_of_another_kind_is_refused():
    assert "--cut is 3" in message(lambda: TrackConfig(cut=3))
    assert "--cut is SewConfig" in message(lambda: TrackConfig(cut=SewConfig()))
