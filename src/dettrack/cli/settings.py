"""Settings on the command line: presets and files under the options, and one message for a wrong value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

from dettrack.config import DEFAULT_PRESET, TrackConfig, load_config, preset_config
from dettrack.files.toml import field_types, from_texts, option_name

__all__ = ["config_option", "format_names"]


def config_option(args: Sequence[str], sections: Sequence[str] = ()) -> TrackConfig:
    """Defaults for the command line: those of `--preset NAME`, and over them those of `--config FILE`.

    Settings among the arguments are checked too, before the parser sees them: a wrong one then has the message that it
    has in a file. Of an option that is given several times the last one counts, as for all options.

    Args:
        args: What follows the command.
        sections: Sections of `TrackConfig` whose settings the command has as options; all if not given.

    Returns:
        The defaults.

    Raises:
        InputError: The file cannot be read or is not TOML.
        UsageError: An unknown preset, section or key, or a wrong value.
    """
    settings = {
        option_name(name): (section, name, kind)
        for section, cls in field_types(TrackConfig).items()
        if not sections or section in sections
        for name, kind in field_types(cls).items()
        if kind is not bool  # --flip and --no-flip have no value
    }
    chosen, changes = {"--preset": DEFAULT_PRESET, "--config": ""}, defaultdict[str, dict[str, Any]](dict)
    for option, texts in _given(args):
        if option in chosen:
            chosen[option] = texts[0]
        elif option in settings:
            section, name, kind = settings[option]
            changes[section][name] = from_texts(kind, texts)
    config = preset_config(chosen["--preset"])
    if chosen["--config"]:
        config = load_config(Path(chosen["--config"]), config)
    for section, values in changes.items():
        replace(getattr(config, section), **values)
    return config


def _given(args: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Options that have a value, each with the arguments up to the next option."""
    for i, arg in enumerate(args):
        name, equals, text = arg.partition("=")
        texts = [text] if equals else list(takewhile(lambda one: not one.startswith("--"), args[i + 1 :]))
        if name.startswith("--") and texts:
            yield "--" + name[2:].replace("_", "-"), texts


def format_names(text: str) -> tuple[str, ...]:
    """Names in a comma-separated list, as `--formats` takes them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
