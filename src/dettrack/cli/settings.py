"""Settings from a TOML file: one table for each section of `TrackConfig`, checked key by key."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from dettrack.config import TrackConfig
from dettrack.errors import UsageError
from dettrack.presets import preset_config
from dettrack.settings import RENAMED_SECTIONS, read_toml

__all__ = ["config_option", "format_names", "load_config"]


def load_config(path: Path, defaults: TrackConfig | None = None) -> TrackConfig:
    """A `TrackConfig` from a TOML file; what the file leaves out keeps its default.

    Raises:
        InputError: The file cannot be read or is not TOML.
        UsageError: An unknown section or key, or a value out of range.
    """
    defaults = defaults or TrackConfig()
    known = [f.name for f in fields(defaults)]
    sections: dict[str, Any] = {}
    for given, table in read_toml(path).items():
        name = RENAMED_SECTIONS.get(given, given)
        if name not in known or not isinstance(table, dict):
            raise UsageError(f"{path}: unknown section [{given}]; expected some of {', '.join(known)}")
        section = getattr(defaults, name)
        kinds = {f.name: type(getattr(section, f.name)) for f in fields(section)}
        for key, value in table.items():
            if key not in kinds:
                raise UsageError(f"{path}: unknown key {key!r} in [{name}]; expected some of {', '.join(kinds)}")
            if kinds[key] is float and type(value) is int:
                table[key] = float(value)
            elif type(value) is not kinds[key]:
                raise UsageError(f"{path}: {key} in [{name}] is {value!r}: expected a {kinds[key].__name__}")
        sections[name] = replace(section, **table)
    return replace(defaults, **sections)


def config_option(args: list[str]) -> TrackConfig:
    """Defaults for the command line: those of `--preset NAME`, and over them those of `--config FILE`."""
    defaults = preset_config(_value(args, "--preset"))
    path = _value(args, "--config")
    return load_config(Path(path), defaults) if path else defaults


def _value(args: list[str], option: str) -> str:
    """What is given for an option that decides on the defaults of the others; "" where it is not given."""
    for i, arg in enumerate(args):
        if arg == option and i + 1 < len(args):
            return args[i + 1]
        if arg.startswith(f"{option}="):
            return arg.partition("=")[2]
    return ""


def format_names(text: str) -> tuple[str, ...]:
    """Names in a comma-separated list, as `--formats` takes them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
