"""Settings and times on the command line: presets and files under the options, one message for a wrong value."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro

from dettrack.config import (
    DEFAULT_PRESET,
    CutConfig,
    DetectConfig,
    EstimateConfig,
    FinishConfig,
    PolishConfig,
    SewConfig,
    TrackConfig,
    load_config,
    preset_config,
)
from dettrack.errors import UsageError
from dettrack.files.toml import field_types, from_texts, option_name

__all__ = ["SettingsOptions", "config_option", "format_names", "parse_options", "seconds"]


@dataclass(frozen=True)
class SettingsOptions:
    """The options of a command that takes all settings of a run."""

    cut: CutConfig = field(default_factory=CutConfig)
    detect: DetectConfig = field(default_factory=DetectConfig)
    estimate: EstimateConfig = field(default_factory=EstimateConfig)
    sew: SewConfig = field(default_factory=SewConfig)
    polish: PolishConfig = field(default_factory=PolishConfig)
    finish: FinishConfig = field(default_factory=FinishConfig)

    @property
    def settings(self) -> TrackConfig:
        """The settings alone."""
        return TrackConfig(self.cut, self.detect, self.estimate, self.sew, self.polish, self.finish)


_Options = TypeVar("_Options", bound=SettingsOptions)


def parse_options(kind: type[_Options], args: Sequence[str], prog: str) -> _Options:
    """The options of such a command, over those of `--config` and `--preset`; the last one of each counts.

    Args:
        kind: Class of its options.
        args: What follows the command.
        prog: What the help calls it.

    Returns:
        The options.

    Raises:
        InputError: The settings file cannot be read.
        UsageError: A wrong setting, at whichever place.
    """
    defaults = config_option(args)
    unnamed: Any = Annotated[kind, tyro.conf.arg(name="")]
    options: _Options = tyro.cli(
        unnamed,
        args=list(args),
        prog=prog,
        default=kind(**{name: getattr(defaults, name) for name in field_types(TrackConfig)}),
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
    )
    return options


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


def seconds(text: str, option: str) -> float:
    """A time on the command line: seconds, minutes:seconds or hours:minutes:seconds.

    Args:
        text: Such as 90, 1:30 or 0:01:30.5.
        option: For the message.

    Returns:
        Seconds.

    Raises:
        UsageError: None of these.
    """
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", text, re.ASCII):
        raise UsageError(f"{option} is {text!r}: expected seconds, or minutes:seconds, such as 90 or 1:30")
    return sum(float(part) * 60**place for place, part in enumerate(reversed(text.split(":"))))
