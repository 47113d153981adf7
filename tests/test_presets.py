"""Presets: the paper's configuration value by value, the default, and which of several options counts."""

import re
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import get_args

import pytest

from dettrack.cli import main
from dettrack.cli.settings import config_option
from dettrack.cli.track import TrackArgs, parse
from dettrack.config import DEFAULT_PRESET, PRESETS, Preset, TrackConfig, preset_config
from dettrack.errors import UsageError

PAPER = {
    # cut
    "clip_length": (9, "4.2: |C| = 9"),
    "step": (1, "4.2: S = 1"),
    "enlarge": (1.25, "3.1: every box is enlarged by 25 % in both dimensions"),
    "shots": (False, "3.2: a video is one shot"),
    "adaptive": (False, "3.2: a keyframe every S frames"),
    "finest_step": (2, "none: with adaptive keyframes only"),
    "agreement": (0.8, "none: with adaptive keyframes only"),
    "box_agreement": (0.5, "none: with adaptive keyframes only"),
    "overlap": (0.7, "none: with adaptive keyframes only"),
    # detect
    "detector": ("default", "4.2: SNIPER with ResNet-101, whose weights are the user's to name"),
    "detector_layout": ("auto", "none: file formats"),
    "detector_size": (0, "none: no number given"),
    "detector_scales": ((), "none: no number given"),
    "detector_threshold": (0.3, "none: no number given"),
    "detector_nms": (0.65, "none: no number given"),
    "min_box_area": (3200.0, "4.1: W x H < 3200 is dropped"),
    "scale_min_area": (False, "4.1: the same number for every video"),
    "max_people": (0, "3.1: all boxes"),
    # estimate
    "model": ("default", "4.2: HRNet-W48, whose weights are the user's to name"),
    "model_layout": ("auto", "none: the file's own"),
    "variant": ("auto", "3.1: early; a trained checkpoint holds its own"),
    "joints": ("auto", "4.1: PoseTrack's 15"),
    "calibration": ("none", "4.2: the peak of the heatmap"),
    "model_joints": ("auto", "none: what a file of weights is"),
    "flip": (True, "4.2: heatmaps of the crop and of its mirror image are averaged"),
    "small_crops_below": (0.0, "4.2: one input size"),
    "decoding": ("quarter", "4.2: the procedure of HRNet and Simple Baselines"),
    "device": ("auto", "none: hardware"),
    "runtime": ("auto", "none: software"),
    "precision": ("fp32", "4.2: the procedure of HRNet"),
    "batch": (0, "none: hardware"),
    "threads": (0, "none: hardware"),
    # sew
    "linking": ("tubes", "3.2"),
    "min_similarity": (0.3, "3.2 names no floor; our reproduction's"),
    "nms_similarity": (0.7, "3.2 names no number; our reproduction's"),
    "joint_confidence": (0.2, "none: no number given"),
    "min_joints": (3, "none: no number given"),
    "link_to": ("all", "3.2, figure 3"),
    "memory": (16, "none: of a comparison linker"),
    "bridge": (0, "3.2: tubes alone join"),
    # polish
    "merge": ("spatial-temporal", "3.3"),
    "lam": (0.1, "4.2"),
    "radius": (0.5, "4.2: 50 % of the head size"),
    "spatial_form": ("count", "3.3, a reading"),
    "temporal_form": ("l2", "3.3, a reading"),
    "distance_unit": ("pixel", "4.2, a reading"),
    "max_lag": (256, "none: bounds memory"),
    "joint_score": ("mean", "none: no number given"),
    "presence": (0.2, "3.1: no prediction where the person has left; no number given"),
    # finish
    "min_track_frames": (5, "4.1: tracklets of fewer than 5 frames are dropped"),
    "min_track_detections": (1, "3.2: every tube has a detection"),
    "min_track_score": (0.0, "4.1: all frames count"),
    "min_joint_score": (0.0, "4.1: AP is computed on all joints"),
    "joint_thresholds": ("", "4.1: learned ones, before MOTA only"),
    "fill_gaps": (0, "3.2: nothing is filled"),
    "smooth": ("none", "3.3: the merge alone smooths"),
    "smooth_window_s": (0.3, "none: with smoothing only"),
}
"""Setting -> its value in the preset "paper", and the section of the paper that says so."""


def flat(config):
    return {name: value for section in asdict(config).values() for name, value in section.items()}


def test_the_papers_preset_has_the_papers_values():
    assert flat(preset_config("paper")) == {name: value for name, (value, _) in PAPER.items()}
    assert all(re.match(r"(3\.[123]|4\.[12])\b|none: ", where) for _, where in PAPER.values())


def test_the_papers_preset_names_every_value_that_the_paper_gives():
    named = {name for section in PRESETS["paper"].values() for name in section}
    from_the_paper = {name for name, (_, where) in PAPER.items() if not where.startswith("none")}
    left_to_the_user = {"detector", "model", "variant", "joints"}
    implied = {"max_people", "min_track_detections"}
    assert named == from_the_paper - left_to_the_user - implied


def test_without_a_preset_the_settings_are_those_of_the_default_one():
    assert config_option([]) == preset_config(DEFAULT_PRESET) == preset_config() == TrackConfig()
    assert TrackArgs().settings == TrackConfig()
    assert TrackArgs().preset == DEFAULT_PRESET == "balanced"
    assert TrackConfig().cut.adds_keyframes


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_changes_what_it_says_and_nothing_else(name):
    made, plain = asdict(preset_config(name)), asdict(TrackConfig())
    for section, settings in plain.items():
        for setting, value in settings.items():
            assert made[section][setting] == PRESETS[name].get(section, {}).get(setting, value)


def test_an_unknown_preset_is_refused_with_the_known_ones(capsys):
    with pytest.raises(UsageError, match="--preset is 'quick': expected one of balanced, fast, accurate, paper"):
        preset_config("quick")
    assert main(["track", "none.mp4", "--preset", "quick"]) == 2
    assert capsys.readouterr().err == (
        "dettrack track: --preset is 'quick': expected one of balanced, fast, accurate, paper\n"
    )


def test_help_lists_every_preset(capsys):
    with suppress(SystemExit):
        main(["track", "--help-all"])
    shown = capsys.readouterr().out
    assert "{" + ",".join(PRESETS) + "}" in shown
    assert get_args(Preset) == tuple(PRESETS)


def parsed(args):
    """What `dettrack track` makes of its arguments."""
    return parse(["none.mp4", *args])


@pytest.mark.parametrize(
    ("args", "preset"),
    [
        (["--preset", "fast"], "fast"),
        (["--preset=fast"], "fast"),
        (["--preset", "fast", "--preset", "paper"], "paper"),
        (["--preset=paper", "--flip", "--preset", "fast"], "fast"),
        (["--preset", "paper", "--preset=accurate"], "accurate"),
        (["--preset=paper", "--preset=paper"], "paper"),
    ],
)
def test_of_several_presets_the_last_one_counts(args, preset):
    options = parsed(args)
    assert options.preset == preset
    expected = preset_config(preset)
    if "--flip" in args:
        expected = replace(expected, estimate=replace(expected.estimate, flip=True))
    assert options.settings == expected


def test_of_several_files_and_values_the_last_one_counts(tmp_path):
    first, last = tmp_path / "first.toml", tmp_path / "last.toml"
    first.write_text("[cut]\nstep = 3\n")
    last.write_text("[cut]\nfinest_step = 3\n")
    options = parsed([f"--config={first}", "--config", str(last), "--bridge", "3", "--bridge=5"])
    assert options.settings.cut == replace(TrackConfig().cut, finest_step=3)
    assert options.settings.sew.bridge == 5


def test_a_file_wins_over_the_preset_and_an_option_over_both(tmp_path):
    (tmp_path / "own.toml").write_text("[cut]\nfinest_step = 3\n[estimate]\nflip = true\n")
    options = parsed(["--preset=fast", "--config", str(tmp_path / "own.toml"), "--finest_step", "1", "--no-shots"])
    fast = preset_config("fast")
    expected = replace(
        fast, cut=replace(fast.cut, finest_step=1, shots=False), estimate=replace(fast.estimate, flip=True)
    )
    assert options.settings == expected


@pytest.mark.parametrize("args", [["--step", "1"], ["--clip-length", "1", "--step", "1"], ["--step", "4"]])
def test_a_step_can_be_given_alone(args):
    cut = parsed(args).settings.cut
    assert cut.step == int(args[-1])
    assert cut.adaptive
    assert cut.adds_keyframes == (cut.step > 1)


def test_presets_get_faster_by_fewer_keyframes():
    steps = [preset_config(name).cut.step for name in ("paper", "accurate", "balanced", "fast")]
    assert steps == sorted(steps)
    assert preset_config("balanced").estimate.flip
    assert not preset_config("fast").estimate.flip


def test_the_table_of_defaults_lists_exactly_those_that_differ_from_the_papers():
    text = (Path(__file__).parents[1] / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `--([a-z-]+)` \| (\S+) \| (\S+) \(", text, re.MULTILINE)
    ours, paper = flat(TrackConfig()), flat(preset_config("paper"))
    listed = {name.replace("-", "_"): (default, theirs) for name, default, theirs in rows}
    expected = {name: (ours[name], paper[name]) for name in ours if ours[name] != paper[name]}
    assert len(rows) == len(listed)
    assert listed == {name: tuple(shown(value) for value in values) for name, values in expected.items()}


def shown(value):
    return (
        {True: "on", False: "off"}[value]
        if isinstance(value, bool)
        else f"{value:g}"
        if type(value) is float
        else str(value)
    )
