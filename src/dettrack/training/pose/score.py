"""How good a pose network is on people that it was not trained on: PCKh@0.5 over the limbs, by crop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import nn

from dettrack.errors import InputError
from dettrack.geometry import crop_affines, to_image
from dettrack.models.pose.checkpoint import NetworkSpec
from dettrack.models.pose.crops import cut_crop
from dettrack.models.pose.heatmap import decode_heatmaps, flip_averaged
from dettrack.skeleton import JointSet
from dettrack.training.labels.people import PeopleSet, read_image

__all__ = ["LIMBS", "Poses", "head_sizes", "leave_out", "limb_head_sizes", "limb_pck", "predict", "to_input"]

LIMBS = tuple(
    f"{side}_{part}" for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right")
)


@dataclass(frozen=True)
class Poses:
    """What a network says of people: positions in pixels of their images, and scores."""

    xy: Float[np.ndarray, "people joints 2"]
    scores: Float[np.ndarray, "people joints"]


def to_input(crops: torch.Tensor, spec: NetworkSpec) -> torch.Tensor:
    """Crops to what a network takes.

    Args:
        crops: `(..., h, w, 3)`, uint8, RGB.
        spec: Of the network.

    Returns:
        `(..., 3, h, w)`, normalised.
    """
    mean = torch.tensor(spec.mean, device=crops.device)[:, None, None]
    std = torch.tensor(spec.std, device=crops.device)[:, None, None]
    return (crops.movedim(-1, -3).float() / 255 - mean) / std


@torch.no_grad()
def predict(
    network: nn.Module,
    people: PeopleSet,
    spec: NetworkSpec,
    *,
    rows: Int[np.ndarray, " chosen"] | None = None,
    offset: int = 0,
    enlarge: float = 1.25,
    flip: bool = True,
    batch: int = 16,
) -> Poses:
    """Joints of every person of a set, from tubes cut at their boxes.

    Args:
        network: `(n, clip, 3, h, w)` to heatmaps `(n, clip, joints, h / 4, w / 4)`.
        people: The people.
        spec: What the network takes; a network without temporal filters sees single frames.
        rows: Whose joints are wanted; None for everybody's. The others are needed too: with `offset` the tube is cut
            at the same person's box in another frame.
        offset: The tube is cut at the person's box `offset` frames earlier, and read `offset` frames from its
            keyframe; people without such a frame are NaN. 0 reads the keyframe.
        enlarge: Factor on the boxes.
        flip: Average over the mirror image.
        batch: Tubes in one pass; with `flip` their mirror images are half of them.

    Returns:
        The joints, and scores, of `rows`.
    """
    wanted = np.arange(len(people)) if rows is None else rows
    clip_length = spec.clip_length if spec.variant != "none" else 1
    device = next(network.parameters()).device
    most = max(batch // 2, 1) if flip else batch

    def run(tubes: np.ndarray) -> np.ndarray:
        return network(to_input(torch.from_numpy(tubes).to(device), spec)).float().cpu().numpy()

    xy = np.full((len(wanted), len(people.joint_set), 2), np.nan)
    scores = np.zeros(xy.shape[:2])
    places: list[int] = []
    crops: list[np.ndarray] = []
    affines: list[np.ndarray] = []
    for place, cut in enumerate(_tubes(people, wanted, spec.size, offset, clip_length, enlarge)):
        if cut is not None:
            places.append(place)
            crops.append(cut[0])
            affines.append(cut[1])
        if crops and (len(crops) == most or place == len(wanted) - 1):
            stack = np.stack(crops)
            maps = flip_averaged(run, stack, people.joint_set.flip_permutation, stride=4) if flip else run(stack)
            found, score = decode_heatmaps(maps[:, (clip_length // 2 + offset) if clip_length > 1 else 0], "dark")
            xy[places], scores[places] = to_image(found, np.stack(affines)), score
            places, crops, affines = [], [], []
    return Poses(xy, scores)


def _tubes(
    people: PeopleSet,
    wanted: Int[np.ndarray, " chosen"],
    size: tuple[int, int],
    offset: int,
    clip_length: int,
    enlarge: float,
) -> Iterator[tuple[np.ndarray, np.ndarray] | None]:
    """Each person's tube and its affine; None where the video has no such frames or no one to cut the tube at."""
    where = {(int(v), int(f)): i for i, (v, f) in enumerate(zip(people.video, people.frame, strict=True)) if v >= 0}
    rows = {(int(t), int(i)): p for p, (t, i) in enumerate(zip(people.track, people.person_image, strict=True))}
    cache: dict[int, np.ndarray] = {}
    reach = range(-(clip_length // 2), clip_length // 2 + 1)
    for track, image in zip(people.track[wanted], people.person_image[wanted], strict=True):
        video, frame = int(people.video[image]), int(people.frame[image]) - offset
        key = int(image) if offset == 0 else where.get((video, frame), -1)
        keyed = rows.get((int(track), key), -1)
        if clip_length == 1:  # the read frame alone, in the keyframe's crop
            frames = [int(image)]
        elif video < 0:
            frames = [key] * clip_length
        else:
            frames = [where.get((video, frame + d), -1) for d in reach]
        if keyed < 0 or min(frames) < 0 or not np.isfinite(people.boxes[keyed]).all():
            yield None
            continue
        affine = crop_affines(people.boxes[[keyed]], size, enlarge)[0]
        cache = {i: cache[i] if i in cache else read_image(people.images[i]) for i in set(frames)}
        yield np.stack([cut_crop(cache[i], affine, size) for i in frames]), affine


def head_sizes(people: PeopleSet) -> Float[np.ndarray, " people"]:
    """Head size in pixels where no head box is at hand (see `limb_head_sizes`), from the known joints."""
    return limb_head_sizes(np.where(people.weight[..., None] > 0, people.xy, np.nan), people.joint_set)


def leave_out(people: PeopleSet, parts: Sequence[str]) -> PeopleSet:
    """The set without labels of some parts of the body, on both sides.

    Args:
        people: The set.
        parts: "hip", "wrist" ...

    Returns:
        The new set.

    Raises:
        InputError: The joint set has no such part.
    """
    weight = people.weight.copy()
    for part in parts:
        columns = [c for c, joint in enumerate(people.joint_set.joints) if joint.rpartition("_")[2] == part]
        if not columns:
            raise InputError(f"no joint of {people.joint_set.name} is called left_{part}")
        weight[:, columns] = 0
    return replace(people, weight=weight)


def limb_head_sizes(xy: Float[np.ndarray, "people joints 2"], joints: JointSet) -> Float[np.ndarray, " people"]:
    """Head size in pixels from a pose: 0.42 of the torso, at least 0.12 of the pose's extent.

    PCKh's head size (0.6 of the head box's diagonal) is about 0.42 torso lengths of an adult; the extent stands in
    for torsos seen from above or below. Missing joints are NaN; 0 where all are.

    Args:
        xy: Pixels; NaN where missing.
        joints: Their joint set.

    Returns:
        Pixels; 0 where all joints are missing.
    """
    middle = lambda part: (xy[:, joints.index(f"left_{part}")] + xy[:, joints.index(f"right_{part}")]) / 2  # noqa: E731
    torso = np.nan_to_num(np.linalg.norm(middle("shoulder") - middle("hip"), axis=-1))
    low = np.where(np.isnan(xy), np.inf, xy).min(1)
    high = np.where(np.isnan(xy), -np.inf, xy).max(1)
    return np.maximum(0.42 * torso, 0.12 * np.clip(high - low, 0, 1e6).max(-1))


def limb_pck(
    poses: Float[np.ndarray, "people joints 2"],
    people: PeopleSet,
    sizes: Float[np.ndarray, " people"],
    *,
    reach: float = 0.5,
) -> tuple[Bool[np.ndarray, "people limbs"], Bool[np.ndarray, "people limbs"]]:
    """Which limb joints lie within `reach` head sizes of the label, and which of them count.

    A joint counts where its label has full weight and the network answered (not NaN).

    Args:
        poses: Pixels; NaN where the network did not answer.
        people: With labels.
        sizes: Head size of each person in pixels.
        reach: In head sizes.

    Returns:
        Whether each limb joint is right, and whether it counts.
    """
    columns = limb_columns(people.joint_set)
    gap = np.linalg.norm(poses[:, columns] - people.xy[:, columns], axis=-1)
    counted = (people.weight[:, columns] >= 1) & (people.height[:, columns] >= 1) & ~np.isnan(gap)
    return (gap <= reach * sizes[:, None]) & counted, counted


def limb_columns(joints: JointSet) -> list[int]:
    """Positions of the twelve limb joints."""
    return [joints.index(joint) for joint in LIMBS]
