"""All settings together: sections, single settings by name, presets, and files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar

from dettrack.config.presets import DEFAULT_PRESET, PRESETS
from dettrack.config.sections import CutConfig, DetectConfig, EstimateConfig, FinishConfig, PolishConfig, SewConfig
from dettrack.errors import UsageError
from dettrack.files import load_json, parsing
from dettrack.files.toml import fit, option_name, read_table, read_toml

__all__ = ["SECTIONS", "TrackConfig", "load_config", "preset_config"]


@dataclass(frozen=True, init=False)
class TrackConfig:
    """All settings of a run; hashable, written whole into `summary.json`.

    Made of sections, of settings by their names, or of both: `TrackConfig(step=4, smooth="savgol")`,
    `TrackConfig(preset="paper", cut=CutConfig(step=2))`.

    Attributes:
        cut: Keyframes and tubes.
        detect: The detector.
        estimate: The pose network.
        sew: Tracklets into tracks.
        polish: Several hypotheses into one pose.
        finish: What is removed, filled or smoothed at the end.
    """

    cut: CutConfig = field(default_factory=CutConfig)
    detect: DetectConfig = field(default_factory=DetectConfig)
    estimate: EstimateConfig = field(default_factory=EstimateConfig)
    sew: SewConfig = field(default_factory=SewConfig)
    polish: PolishConfig = field(default_factory=PolishConfig)
    finish: FinishConfig = field(default_factory=FinishConfig)

    RENAMED: ClassVar[Mapping[str, str]] = {"after": "finish"}

    def __init__(
        self,
        cut: CutConfig | None = None,
        detect: DetectConfig | None = None,
        estimate: EstimateConfig | None = None,
        sew: SewConfig | None = None,
        polish: PolishConfig | None = None,
        finish: FinishConfig | None = None,
        *,
        preset: str | None = None,
        **settings: Any,
    ) -> None:
        """Sections, and single settings over them.

        Args:
            cut: Section; None takes the preset's.
            detect: Likewise.
            estimate: Likewise.
            sew: Likewise.
            polish: Likewise.
            finish: Likewise.
            preset: What holds where nothing else is said; None is the defaults, which are those of "balanced".
            **settings: Any field of any section, by its name.

        Raises:
            UsageError: An unknown name, or a value out of range.
        """
        given: dict[str, Any] = {"cut": cut, "detect": detect, "estimate": estimate}
        given |= {"sew": sew, "polish": polish, "finish": finish}
        chosen = PRESETS[_known_preset(preset)] if preset is not None else {}
        split = _by_section(settings)
        for name, kind in SECTIONS.items():
            section: Any = given[name]
            if section is None:
                section = kind(**chosen.get(name, {}))
            else:
                section = fit(kind, section, option_name(name))
            object.__setattr__(self, name, replace(section, **split[name]) if split[name] else section)

    def with_settings(self, **settings: Any) -> TrackConfig:
        """The same with some settings changed, by their names; raises `UsageError` for names that are none."""
        return TrackConfig(**{name: getattr(self, name) for name in SECTIONS}, **settings)


SECTIONS: Mapping[str, Any] = {
    "cut": CutConfig,
    "detect": DetectConfig,
    "estimate": EstimateConfig,
    "sew": SewConfig,
    "polish": PolishConfig,
    "finish": FinishConfig,
}
"""Name of each section of `TrackConfig` -> its class."""


def _by_section(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Settings by their names -> section -> settings."""
    homes = {field.name: name for name, kind in SECTIONS.items() for field in fields(kind)}
    former: list[Mapping[str, str]] = [getattr(kind, "REMOVED", {}) for kind in SECTIONS.values()]
    split: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
    for name, value in settings.items():
        if name not in homes:
            removed = next((gone[name] for gone in former if name in gone), "")
            near = get_close_matches(name, [*homes, *SECTIONS, "preset"], 1)
            why = f"it was removed in {removed}" if removed else f"did you mean {near[0]}?" if near else ""
            raise UsageError(f"unknown setting {name!r}" + (f": {why}" if why else "; docs/settings.md has them all"))
        split[homes[name]][name] = value
    return split


def preset_config(name: str = DEFAULT_PRESET) -> TrackConfig:
    """The settings of a preset; raises `UsageError` if there is none of that name."""
    return TrackConfig(preset=name)


def _known_preset(name: str) -> str:
    if name not in PRESETS:
        raise UsageError(f"--preset is {name!r}: expected one of {', '.join(PRESETS)}")
    return name


def load_config(path: Path, defaults: TrackConfig | None = None) -> TrackConfig:
    """Settings from a TOML file with a table for each section of `TrackConfig`, or from the summary of a run.

    Args:
        path: The file; one that ends in .json is a `summary.json`.
        defaults: What holds where the file says nothing; `TrackConfig()` if not given.

    Returns:
        The settings.

    Raises:
        InputError: The file cannot be read or is not TOML.
        UsageError: An unknown section or key, or a value out of range.
    """
    if path.suffix == ".json":
        with parsing(f"{path}", "the summary of a run, with its settings"):
            table = load_json(path)["settings"]
        return read_table(TrackConfig, table, str(path), defaults or TrackConfig(), option_name)
    return read_table(TrackConfig, read_toml(path), str(path), defaults or TrackConfig(), option_name)
