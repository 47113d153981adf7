"""Poses from elsewhere in place of a pose network of ours: found together with the boxes, or by the user's function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from dettrack.errors import InputError, UsageError
from dettrack.geometry import extents
from dettrack.models.given.boxes import as_array, as_boxes
from dettrack.models.pose.estimator import Estimator, describe_lacks, output_map
from dettrack.skeleton import JointMap, JointSet, joint_set, joint_set_of
from dettrack.structures import Boxes, Clip, Frame, Tracklets, Tubes

__all__ = ["BoxPoses", "CallableEstimator", "GivenPoses", "as_estimator", "as_poses"]

_MARGIN = 0.1  # of a pose's extent, on each side, where it comes without a box
_ASPECT = (256, 192)  # of the crops that an estimator without crops pretends to have


def as_poses(found: Any, where: str) -> Float[np.ndarray, "n joints 3"]:
    """What a program calls its poses of one frame.

    Args:
        found: `(n, joints, 3)` with x, y and score; `(n, joints, 2)`, with score 1; a pair (positions, scores); None
            for nobody. A joint that is NaN, or whose score is 0, is missing.
        where: For messages.

    Returns:
        Positions in pixels and scores.

    Raises:
        InputError: None of these, or a score outside [0, 1].
    """
    if found is None:
        return np.zeros((0, 0, 3))
    try:
        if isinstance(found, tuple) and len(found) == 2:
            xy, scores = as_array(found[0]), as_array(found[1])
            poses = np.concatenate([xy, scores.reshape(*xy.shape[:-1], 1)], -1)
        else:
            poses = as_array(found)
    except (TypeError, ValueError) as error:
        raise _no_poses(found, where) from error
    if not poses.size:
        return np.zeros((0, poses.shape[1] if poses.ndim == 3 else 0, 3))
    if poses.ndim != 3 or poses.shape[-1] not in (2, 3):
        raise _no_poses(found, where)
    if poses.shape[-1] == 2:
        poses = np.concatenate([poses, np.isfinite(poses[..., :1]).astype(float)], -1)
    poses[~np.isfinite(poses).all(-1) | (poses[..., 2] == 0)] = (np.nan, np.nan, 0.0)
    if not ((poses[..., 2] >= 0) & (poses[..., 2] <= 1)).all():
        raise InputError(f"{where}: scores from {poses[..., 2].min():g} to {poses[..., 2].max():g}: expected 0 to 1")
    return poses


def _no_poses(found: Any, where: str) -> InputError:
    seen = f"shape {tuple(found.shape)}" if hasattr(found, "shape") else f"a {type(found).__name__}"
    return InputError(f"{where}: {seen} is no poses: expected (n, joints, 3) with x, y, score, or (n, joints, 2)")


class GivenPoses:
    """A `Detector` of people whose poses are known: one item for each frame, or a mapping from frame index to item."""

    def __init__(self, poses: Any, joints: str = "auto", detections: Any = None) -> None:
        """Check the poses.

        Args:
            poses: Items as `as_poses` takes them.
            joints: Name or file of their joint set; "auto" takes the usual one of so many joints.
            detections: Their boxes, item by item; None takes a little more than the poses' extent.

        Raises:
            InputError: The items are no poses, or of several numbers of joints.
        """
        if not isinstance(poses, Mapping | Sequence | np.ndarray):
            raise InputError(f"poses is a {type(poses).__name__}: expected one item for each frame, or a mapping")
        pairs = poses.items() if isinstance(poses, Mapping) else enumerate(poses)
        items = {int(index): as_poses(item, f"poses[{index}]") for index, item in pairs}
        self._frames = None if isinstance(poses, Mapping) else len(poses)
        counts = sorted({item.shape[1] for item in items.values() if len(item)})
        if len(counts) > 1:
            raise InputError(f"poses have {' and '.join(map(str, counts))} joints: expected one joint set")
        self.joint_set = joints_of(counts[0] if counts else 0, joints, "poses")
        self._boxes = {}
        for index, item in items.items():
            boxes = None if detections is None else as_boxes(detections[index], f"detections[{index}]")
            self._boxes[index] = with_poses(item, boxes, f"poses[{index}]")
        self.description = f"{sum(map(len, items.values()))} given poses in {len(items)} frames ({self.joint_set.name})"

    def detect(self, frames: Sequence[Frame]) -> list[Boxes]:
        """See `Detector.detect`; raises `InputError` for a frame behind the last item of a list."""
        beyond = [frame.index for frame in frames if self._frames is not None and frame.index >= self._frames]
        if beyond:
            raise InputError(
                f"poses has {self._frames} entries, and frame {beyond[0]} comes: expected one for each frame"
            )
        return [self._boxes.get(frame.index, Boxes.empty()) for frame in frames]


def joints_of(count: int, joints: str, what: str) -> JointSet:
    """The joint set of so many joints.

    Args:
        count: How many; 0 where there are none to count.
        joints: Name or file of the set, or "auto" or "own": the usual one.
        what: What has them, for messages.

    Returns:
        The set.

    Raises:
        InputError: It has another number of joints, or "auto" and there is no usual one.
    """
    if joints in ("auto", "own"):
        usual = joint_set_of(count or 17)
        if usual is None:
            raise InputError(
                f"{what}: {count} joints are no usual set: name theirs, joints= (--joints) NAME or FILE.toml"
            )
        return usual
    named = joint_set(joints)
    if count and len(named) != count:
        raise InputError(f"{what}: {count} joints, and {named.name} has {len(named)}: name another joint set")
    return named


def with_poses(poses: Float[np.ndarray, "n joints 3"], boxes: Boxes | None, where: str) -> Boxes:
    """Boxes that carry their poses.

    Args:
        poses: Of one frame.
        boxes: Theirs, in their order; None takes the poses' extent and a margin, and the mean of the joints' scores.
        where: For messages.

    Returns:
        The boxes.

    Raises:
        InputError: Another number of boxes than of poses.
    """
    if boxes is None:
        corners = extents(poses[..., :2], np.isfinite(poses[..., :2]).all(-1))
        margin = _MARGIN * np.tile(corners[:, 2:] - corners[:, :2], 2) * np.array([-1, -1, 1, 1])
        boxes = Boxes(corners + margin, poses[..., 2].mean(-1) if len(poses) else np.zeros(0))
    if len(boxes) != len(poses):
        raise InputError(f"{where}: {len(poses)} poses and {len(boxes)} boxes: expected as many, in one order")
    return Boxes(boxes.xyxy, boxes.scores, poses if len(poses) else None)


class BoxPoses:
    """An `Estimator` of poses that came with the boxes; another estimator, where there is one, sees the other frames.

    Without another one nothing is known between the keyframes: |C| is 1 then, and every frame a keyframe.
    """

    def __init__(self, source: JointSet, joints: str = "auto", other: Estimator | None = None) -> None:
        """Prepare.

        Args:
            source: Joints of the poses.
            joints: Joint set of the results; "auto" keeps theirs, or takes the other estimator's.
            other: Estimates tubes; its poses of keyframes are replaced.
        """
        self._other = other
        if other is None:
            self._map = JointMap(source, source) if joints in ("auto", "own") else output_map(joints, source)
        else:
            self._map = JointMap(source, other.joint_set)
        self.joint_set, self.approximated = self._map.target, self._map.approximated
        self.size = _ASPECT if other is None else other.size
        self.temporal = False if other is None else other.temporal
        self.batch: int = getattr(other, "batch", 1)
        between = "nothing between keyframes" if other is None else other.description
        self.description = f"poses that come with the boxes{describe_lacks('they', self._map)}; {between}"

    def estimate(self, work: Sequence[tuple[Clip, Tubes]]) -> list[Tracklets]:
        """See `Estimator.estimate`."""
        if self._other is not None:
            return [
                self._on_keyframes(made, tubes)
                for made, (_, tubes) in zip(self._other.estimate(work), work, strict=True)
            ]
        return [self._on_keyframes(self._empty(clip, tubes), tubes) for clip, tubes in work]

    def _empty(self, clip: Clip, tubes: Tubes) -> Tracklets:
        shape = (len(tubes), len(clip.frames), len(self.joint_set))
        return Tracklets(clip.keyframe.index, clip.indices, tubes.boxes, np.full((*shape, 2), np.nan), np.zeros(shape))

    def _on_keyframes(self, tracklets: Tracklets, tubes: Tubes) -> Tracklets:
        poses = tubes.boxes.poses
        if poses is not None:  # an added keyframe has boxes that nobody detected, and no poses with them
            key = tracklets.keyframe - int(tracklets.frames[0])
            xy, scores = self._map(poses[..., :2], poses[..., 2])
            tracklets.xy[:, key], tracklets.scores[:, key] = xy, scores
        return tracklets


class CallableEstimator:
    """A function of a picture and the boxes in it that gives their poses, as an `Estimator` that sees single frames."""

    def __init__(self, function: Callable[[np.ndarray, np.ndarray], Any], joints: str = "auto") -> None:
        """Ask it once, about an empty picture, how many joints it has.

        Args:
            function: (height, width, 3; RGB, uint8), `(n, 4)` corners -> poses as `as_poses` takes them, in pixels.
            joints: Joint set of the poses and of the results; "auto" takes the function's `joint_set`, where it has
                one, or else the usual one of so many joints.

        Raises:
            InputError: What it gives is no poses, or of an unusual number of joints.
        """
        self._function = function
        self._name = getattr(function, "__qualname__", type(function).__name__)
        stated = getattr(function, "joint_set", None)
        if isinstance(stated, JointSet):
            self._map = output_map(joints, stated)
        else:
            blank, whole = np.zeros((*_ASPECT, 3), np.uint8), np.array([[0.0, 0.0, 191.0, 255.0]])
            probe = self._ask(blank, whole, "an empty picture")
            source = joints_of(probe.shape[1], joints, self._name)
            self._map = output_map("own" if joints != "auto" else "auto", source)
        self.joint_set, self.approximated = self._map.target, self._map.approximated
        self.size, self.temporal = _ASPECT, False
        self.description = f"{self._name} (Python{describe_lacks(self._name, self._map)})"

    def estimate(self, work: Sequence[tuple[Clip, Tubes]]) -> list[Tracklets]:
        """See `Estimator.estimate`: one call for each frame of each clip, with the keyframe's boxes."""
        return [self._estimate(clip, tubes) for clip, tubes in work]

    def _estimate(self, clip: Clip, tubes: Tubes) -> Tracklets:
        shape = (len(tubes), len(clip.frames), len(self._map.source))
        xy, scores = np.full((*shape, 2), np.nan), np.zeros(shape)
        for t, frame in enumerate(clip.frames if len(tubes) else ()):
            poses = self._ask(frame.image, tubes.boxes.xyxy.copy(), f"frame {frame.index}")
            if poses.shape[1] != shape[2]:
                raise InputError(f"{self._name}, frame {frame.index}: {poses.shape[1]} joints, and {shape[2]} before")
            xy[:, t], scores[:, t] = poses[..., :2], poses[..., 2]
        mapped, mapped_scores = self._map(xy, scores)
        return Tracklets(clip.keyframe.index, clip.indices, tubes.boxes, mapped, mapped_scores)

    def _ask(self, image: np.ndarray, boxes: np.ndarray, where: str) -> Float[np.ndarray, "n joints 3"]:
        poses = as_poses(self._function(image, boxes), f"{self._name}, {where}")
        if len(poses) != len(boxes):
            raise InputError(f"{self._name}, {where}: {len(poses)} poses for {len(boxes)} boxes: expected as many")
        return poses


def as_estimator(given: Any, joints: str = "auto") -> Estimator:
    """An estimator of the user's: an object with the protocol, or a function of a picture and boxes.

    Args:
        given: Either.
        joints: Joint set of the results, for a function.

    Returns:
        The estimator.

    Raises:
        UsageError: Neither.
    """
    if isinstance(given, Estimator):
        return given
    if callable(given):
        return CallableEstimator(given, joints)
    raise UsageError(
        f"model is a {type(given).__name__}: expected a file or name, a function of a picture and boxes, or an object "
        "with estimate(work) (dettrack.Estimator)"
    )
