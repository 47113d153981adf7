"""The command builder of the documentation: all settings are in it, and what it writes is what the program reads."""

from __future__ import annotations

import runpy
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from dettrack.cli.track import parse
from dettrack.config import PRESETS, SECTIONS, TrackConfig, load_config, preset_config

BUILDER = runpy.run_path(str(Path(__file__).parent.parent / "docs" / "builder.py"))


def test_every_setting_is_in_it_with_its_value_in_every_preset() -> None:
    data = BUILDER["definitions"]()
    assert data["presets"] == list(PRESETS)
    for section in data["sections"]:
        settings = {one["name"]: one for one in section["settings"]}
        assert list(settings) == [field.name for field in fields(SECTIONS[section["name"]])]
        for name, one in settings.items():
            assert one["about"]
            for preset in PRESETS:
                assert one["values"][preset] == getattr(getattr(preset_config(preset), section["name"]), name)
    step = next(one for one in data["sections"][0]["settings"] if one["name"] == "step")
    assert (step["kind"], step["whole"], step["min"]) == ("number", True, 1)
    assert "</script>" not in BUILDER["element"]().split("</script>\n<script>")[0]


@pytest.fixture(scope="module")
def page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The builder alone, in a browser; the function opens it with a choice in its address."""
    file = tmp_path_factory.mktemp("builder") / "settings.html"
    file.write_text(f"<!doctype html><meta charset=utf-8>{BUILDER['element']()}", encoding="utf-8")
    return lambda choice="": _opened(browser, f"{file.as_uri()}{choice}")


def _opened(browser: Any, address: str) -> Any:
    page = browser.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto(address)
    return page


def _written(page: Any) -> tuple[list[str], str, str]:
    command, toml, python = (page.inner_text(f"#builder-{name}") for name in ("command", "toml", "python"))
    return shlex.split(command, comments=True), toml, python


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"preset": "paper"},
        {"preset": "fast", "step": 4, "shots": False, "detector_scales": (320, 640), "smooth": "savgol"},
        {
            "adaptive": False,
            "min_track_score": 0.0,
            "detector": "my models/a.onnx",
            "lam": 2.0,
            "decoding": "quarter",
        },
    ],
)
def test_command_file_and_call_say_what_was_chosen(page: Any, tmp_path: Path, settings: dict[str, Any]) -> None:
    opened = page()
    preset = settings.get("preset", "balanced")
    opened.select_option("#builder > p select", preset)
    for name, value in settings.items():
        if name == "preset":
            continue
        field = opened.locator(f"[name={name}]")
        opened.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        if isinstance(value, bool):
            field.set_checked(value)
        elif field.evaluate("node => node.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(" ".join(map(str, value)) if isinstance(value, tuple) else str(value))
    wanted = TrackConfig(**settings)
    command, toml, python = _written(opened)
    assert command[:2] == ["dettrack", "track"]
    assert parse(command[2:]).settings == wanted
    file = tmp_path / "chosen.toml"
    file.write_text(toml, encoding="utf-8")
    assert load_config(file, preset_config(preset)) == wanted
    given: dict[str, Any] = {}
    call = python.partition("table = dettrack.track_all")[2]
    exec(f"def taken(video, **given): return given\ngiven = taken{call}", given)
    assert TrackConfig(**given["given"]) == wanted
    # the address that it leaves behind brings the same choice back
    again = page(f"#{opened.url.partition('#')[2]}")
    assert _written(again) == (command, toml, python)


@pytest.mark.slow
def test_a_value_out_of_bounds_is_said_and_left_out(page: Any) -> None:
    opened = page("#preset=balanced&presence=7&step=4")
    assert opened.inner_text("#builder-command").splitlines() == [
        "dettrack track match.mp4 --step 4",
        "# --presence has a value that is not allowed, and is left out",
    ]
