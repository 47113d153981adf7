"""Every setting of a tracking run, and the presets.

One definition serves the command line (`--clip-length`), a TOML file (`[cut] clip_length = 9`) and the API
(`CutConfig(clip_length=9)`). Nothing here imports torch, so that `--help` answers at once. Names are unique
across the sections: the command line shows them without a prefix.

The defaults are those of the preset "balanced"; `docs/settings.md` says which of them differ from the paper's, and
which measurement decided so.
"""

from dettrack.config.presets import DEFAULT_PRESET, PRESETS, Preset
from dettrack.config.sections import CutConfig, DetectConfig, EstimateConfig, FinishConfig, PolishConfig, SewConfig
from dettrack.config.track import SECTIONS, TrackConfig, load_config, preset_config

__all__ = [
    "DEFAULT_PRESET",
    "PRESETS",
    "SECTIONS",
    "CutConfig",
    "DetectConfig",
    "EstimateConfig",
    "FinishConfig",
    "PolishConfig",
    "Preset",
    "SewConfig",
    "TrackConfig",
    "load_config",
    "preset_config",
]
