"""Named choices of settings: points on the measured curve of accuracy over cost, and the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

__all__ = ["DEFAULT_PRESET", "PRESETS", "Preset"]

Preset = Literal["balanced", "fast", "accurate", "paper"]
DEFAULT_PRESET: Preset = "balanced"

PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "balanced": {},
    "fast": {"cut": {"finest_step": 4}, "estimate": {"flip": False}},
    "accurate": {
        "cut": {"step": 2, "adaptive": False},
        "estimate": {"small_crops_below": 0.0, "precision": "auto"},
    },
    "paper": {
        "cut": {
            "clip_length": 9,  # 4.2
            "step": 1,  # 4.2
            "adaptive": False,  # 3.2: every S-th frame, whatever is in it
            "enlarge": 1.25,  # 3.1
            "shots": False,  # 3.2 knows none: a video is one shot
        },
        "detect": {"min_box_area": 3200.0, "scale_min_area": False},  # 4.1
        "estimate": {
            "calibration": "none",  # 4.2: the peak of the heatmap
            "flip": True,  # 4.2
            "small_crops_below": 0.0,  # 4.2: one input size
            "decoding": "quarter",  # 4.2: "the procedure of [30, 34]", HRNet's and Simple Baselines'
            "precision": "fp32",  # 4.2, likewise
        },
        "sew": {
            "linking": "tubes",  # 3.2
            "link_to": "all",  # 3.2, figure 3
            "min_similarity": 0.3,  # 3.2 names no floor; that of our reproduction
            "nms_similarity": 0.7,  # 3.2 names no number; that of our reproduction
            "bridge": 0,  # 3.2: tubes alone
        },
        "polish": {
            "merge": "spatial-temporal",  # 3.3
            "lam": 0.1,  # 4.2
            "radius": 0.5,  # 4.2
            "spatial_form": "count",  # 3.3, our reading
            "temporal_form": "l2",  # 3.3, our reading
            "distance_unit": "pixel",  # 4.2, our reading
            "presence": 0.2,  # 3.1 names no score; that of our reproduction, of a heatmap's peak
        },
        "finish": {
            "min_track_frames": 5,  # 4.1
            "min_track_score": 0.0,  # 4.1: all frames count
            "min_joint_score": 0.0,  # 4.1: AP keeps all joints
            "joint_thresholds": "",  # 4.1: learned ones for MOTA only; name the file there
            "fill_gaps": 0,
            "smooth": "none",
        },
    },
}
"""Name -> section of `TrackConfig` -> settings that the preset chooses; the others are the defaults.

"balanced", "fast" and "accurate" are points on the measured curve of accuracy over cost (docs/keyframes.md). "paper" is
the paper's configuration (the section stands beside each value), whatever the defaults are; its detector and weights
are no settings of it.
"""
