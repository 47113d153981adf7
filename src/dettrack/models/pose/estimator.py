"""What every pose model offers the pipeline: tubes in, tracklets out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from dettrack.geometry import to_image
from dettrack.models.pose.heatmap import concatenate
from dettrack.skeleton import JOINT_SETS, POSETRACK15, JointMap, JointSet, joint_set
from dettrack.structures import Clip, Tracklets, Tubes

__all__ = ["Estimator", "describe_lacks", "output_map", "rebatch", "to_tracklets"]


@runtime_checkable
class Estimator(Protocol):
    """Finds the joints of one person per tube, in every frame of the tube (paper 3.1)."""

    joint_set: JointSet
    """Joints of the tracklets that `estimate` gives."""
    size: tuple[int, int]
    """Height and width of the crops, in pixels."""
    temporal: bool
    """Whether it needs all frames of a tube; a 2D network can run on single frames."""
    description: str
    """One line for people: file, architecture, runtime."""
    approximated: tuple[str, ...]
    """Joints that are computed from others because the model lacks them."""

    def estimate(self, work: Sequence[tuple[Clip, Tubes]]) -> list[Tracklets]:
        """Joints of all tubes of some keyframes, batched together.

        Args:
            work: Clips with the tubes of their keyframes' people; memory grows with all crops of the call.

        Returns:
            One `Tracklets` per item, in displayed pixels.
        """
        ...


def output_map(wanted: str, source: JointSet) -> JointMap:
    """How a model's joints become those of the results.

    Args:
        wanted: Name or file of a joint set; "own": the model's; "auto": PoseTrack's 15 for a model of the body alone,
            the model's own for one with feet, hands, a face or markers.
        source: Joints of the model.

    Returns:
        The conversion.
    """
    if wanted == "auto":
        wanted = POSETRACK15.name if source in JOINT_SETS.values() else "own"
    return JointMap(source, source if wanted == "own" else joint_set(wanted))


def to_tracklets(
    clip: Clip,
    tubes: Tubes,
    xy: Float[np.ndarray, "n clip joints 2"],
    scores: Float[np.ndarray, "n clip joints"],
    joint_map: JointMap,
) -> Tracklets:
    """Joints in crop pixels, in the model's own joint set -> tracklets in displayed pixels, in the results' joint set.

    Args:
        clip: The frames.
        tubes: Their crops.
        xy: Crop pixels.
        scores: In [0, 1].
        joint_map: From the model's joints to the results'.

    Returns:
        One tracklet for each tube.
    """
    image_xy = to_image(xy.astype(np.float64), tubes.affines)
    mapped_xy, mapped_scores = joint_map(image_xy, scores.astype(np.float64))
    return Tracklets(clip.keyframe.index, clip.indices, tubes.boxes, mapped_xy, mapped_scores)


def rebatch(parts: Iterable[UInt8[Any, "_ ..."]], step: int) -> Iterator[UInt8[Any, "rows ..."]]:
    """The rows of all parts, in order, in batches of `step`; parts are taken up only as they are needed.

    Args:
        parts: Arrays of any numbers of rows.
        step: Rows of a batch; the last one may have fewer.

    Yields:
        Batches.
    """
    held: list[Any] = []
    count = 0
    for part in parts:
        held.append(part)
        count += len(part)
        if count >= step:
            rows = concatenate(held)
            whole = count - count % step
            yield from (rows[start : start + step] for start in range(0, whole, step))
            held, count = [rows[whole:]], count - whole
    if count:
        yield concatenate(held)


def describe_lacks(name: str, joint_map: JointMap) -> str:
    """What a model lacks of the results' joints, as the end of a description; empty if nothing.

    Args:
        name: Of the model.
        joint_map: From its joints to the results'.

    Returns:
        Text.
    """
    said = [f"{', '.join(joint_map.approximated)} approximated"] if joint_map.approximated else []
    said += [f"{', '.join(joint_map.missing)} missing"] if joint_map.missing else []
    return f"; {name} has {joint_map.source.name}: {' and '.join(said)}" if said else ""
