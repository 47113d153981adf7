import json
from dataclasses import asdict, replace

import pytest
import tyro

from dettrack.cli.settings import config_option
from dettrack.cli.track import TrackArgs
from dettrack.config import TrackConfig
from dettrack.errors import UsageError
from dettrack.presets import PRESETS, preset_config


def test_without_a_preset_the_settings_are_the_papers():
    assert preset_config("") == TrackConfig()


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_changes_what_it_says_and_nothing_else(name):
    made, plain = asdict(preset_config(name)), asdict(TrackConfig())
    for section, settings in plain.items():
        for setting, value in settings.items():
            assert made[section][setting] == PRESETS[name].get(section, {}).get(setting, value)
    json.loads(json.dumps(made), parse_constant=pytest.fail)  # a summary holds no infinity


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="accurate, balanced, fast"):
        preset_config("quick")


def test_a_file_wins_over_the_preset_and_an_option_over_both(tmp_path):
    (tmp_path / "own.toml").write_text("[cut]\nfinest_step = 3\n[estimate]\nflip = true\n")
    args = ["--preset=fast", "--config", str(tmp_path / "own.toml"), "--finest-step", "1"]
    defaults = config_option(args)
    fast = preset_config("fast")
    expected = replace(fast, cut=replace(fast.cut, finest_step=3), estimate=replace(fast.estimate, flip=True))
    assert defaults == expected
    parsed = tyro.cli(
        tyro.conf.OmitArgPrefixes[TrackArgs],
        args=args,
        default=TrackArgs(cut=defaults.cut, detect=defaults.detect, estimate=defaults.estimate),
    )
    assert parsed.preset == "fast"
    assert parsed.settings == replace(expected, cut=replace(expected.cut, finest_step=1))


def test_presets_get_faster_by_looking_less_often():
    steps = [preset_config(name).cut.step for name in ("accurate", "balanced", "fast")]
    assert steps == sorted(steps)
    assert preset_config("balanced").estimate.flip
    assert not preset_config("fast").estimate.flip
