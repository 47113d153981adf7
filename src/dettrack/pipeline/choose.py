"""Which detector and which pose model a pipeline runs: those that the settings name, or the user's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dettrack.config import TrackConfig
from dettrack.errors import UsageError
from dettrack.models.detector import Detector, load_detector
from dettrack.models.given.boxes import GivenBoxes, as_detector
from dettrack.models.given.poses import BoxPoses, GivenPoses, as_estimator
from dettrack.models.pose import Estimator, load_estimators
from dettrack.models.pose.load import find_model
from dettrack.skeleton import JointSet

__all__ = ["Chosen", "choose", "named", "settled"]

FROM_DETECTOR = "detector"
"""Name of the pose model that is none: poses come with the boxes."""


@dataclass(frozen=True)
class Chosen:
    """What a pipeline runs.

    Attributes:
        config: Settings that go with it.
        detector: Finds people on keyframes.
        estimator: Finds joints in tubes.
        small: The same with smaller crops; None where there is none.
    """

    config: TrackConfig
    detector: Detector
    estimator: Estimator
    small: Estimator | None


def settled(config: TrackConfig | None, preset: str | None, settings: Mapping[str, Any]) -> TrackConfig:
    """Settings, or those of a preset, with single ones changed.

    Args:
        config: Settings.
        preset: Name of others.
        settings: Single ones by their names.

    Returns:
        The settings.

    Raises:
        UsageError: Both are given, or a setting is wrong.
    """
    if config is not None and preset is not None:
        raise UsageError("config and preset are both given: expected one of them, and single settings beside it")
    if config is not None and not isinstance(config, TrackConfig):
        raise UsageError(
            f"config is a {type(config).__name__}: expected a TrackConfig (dettrack.load_config reads files)"
        )
    return (config or TrackConfig(preset=preset)).with_settings(**settings)


def named(config: TrackConfig, **given: Any) -> tuple[TrackConfig, dict[str, Any]]:
    """Settings with the parts that are given by name or file, and the parts that are objects.

    Args:
        config: Settings.
        **given: Setting -> name, file or object; None leaves the setting.

    Returns:
        Settings, and objects by setting.
    """
    names = {key: os.fspath(one) for key, one in given.items() if isinstance(one, str | os.PathLike)}
    objects = {key: one for key, one in given.items() if one is not None and key not in names}
    return config.with_settings(**names) if names else config, objects


def choose(config: TrackConfig, *, detector: Any, model: Any, detections: Any, poses: Any) -> Chosen:
    """Load what is named, and wrap what is given.

    Args:
        config: Settings.
        detector: The user's own detector, or None.
        model: The user's own pose model, or None.
        detections: Boxes in place of a detector, or None.
        poses: Poses in place of both networks, or None.

    Returns:
        The models, and the settings that go with them.

    Raises:
        UsageError: Two things are given in each other's place.
        InputError: Something given, or a file, cannot be used.
        MissingExtraError: A file needs an optional dependency.
    """
    options = config.estimate
    if model is None and poses is None and options.model != FROM_DETECTOR and not options.model.startswith("hf:"):
        find_model(options.model)  # a wrong name is said at once, not after a detector was loaded
    if detector is not None and not (detections is None and poses is None):
        raise UsageError("detector= is given together with detections= or poses=, which take its place")
    if poses is not None:
        finder: Detector = GivenPoses(poses, options.joints if model is None else "auto", detections)
    elif detections is not None:
        finder = GivenBoxes(detections)
    elif detector is not None:
        finder = as_detector(detector)
    else:
        finder = load_detector(config.detect, device=options.device, threads=options.threads)
    found = getattr(finder, "joint_set", None)  # of a detector that gives poses with its boxes
    alone = options.model == FROM_DETECTOR or (poses is not None and options.model == "default")
    if model is None and alone:
        if not isinstance(found, JointSet):
            raise UsageError(f"--model {FROM_DETECTOR}: {finder.description} gives boxes only; name a pose model")
        # Poses that come one frame at a time have nothing to overlap with: every frame is a keyframe and a clip.
        config = config.with_settings(clip_length=1, step=1, model=FROM_DETECTOR)
        return Chosen(config, finder, BoxPoses(found, options.joints), None)
    if model is not None:
        estimator, small = as_estimator(model, options.joints), None
    else:
        estimator, small = load_estimators(options, config.cut)
    if isinstance(found, JointSet):
        estimator = BoxPoses(found, options.joints, estimator)
        small = None if small is None else BoxPoses(found, options.joints, small)
    return Chosen(config, finder, estimator, small)
