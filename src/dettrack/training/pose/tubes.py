"""Training tubes: |C| frames around an annotated person, cut and labelled as tracking will cut them (paper 3.1)."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from dettrack.errors import InputError
from dettrack.models.pose.heatmap import gaussian_heatmaps
from dettrack.training.labels.people import PeopleSet, read_image
from dettrack.training.pose.augment import AugmentConfig, degrade
from dettrack.training.pose.crossings import Labels, Walker, cross
from dettrack.training.pose.distractors import lay_over
from dettrack.training.pose.framing import draw_framing

__all__ = ["Tube", "TubeConfig", "TubeMaker"]

_LOG = logging.getLogger("dettrack.training")
_MAX_SKIPS = 100


@dataclass(frozen=True)
class TubeConfig:
    """The shape of a sample.

    Attributes:
        size: Height and width of the crop in pixels.
        clip_length: |C|; 1 for image networks.
        enlarge: Factor on boxes (paper: 1.25).
        sigma: Of the target Gaussians, in heatmap pixels.
        stride: Crop pixels per heatmap pixel.
        targets: Where the Gaussians are: "exact", or "rounded" to whole heatmap pixels, as in HRNet's code.
        absent: Target of labelled frames in which the person is not found: "empty" (the paper's: the network learns
            to give no answer), or "unknown" (no loss) for sets labelled by machines that miss people.
        augment: How samples are varied.
    """

    size: tuple[int, int] = (256, 192)
    clip_length: int = 1
    enlarge: float = 1.25
    sigma: float = 2.0
    stride: int = 4
    targets: Literal["exact", "rounded"] = "exact"
    absent: str = "empty"
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        if self.absent not in ("empty", "unknown"):
            raise InputError(f"absent is {self.absent!r}: expected empty or unknown")


@dataclass(frozen=True)
class Tube:
    """One sample.

    Attributes:
        crops: Pixels.
        targets: Heatmaps.
        weight: Weight of each heatmap in the loss.
        xy: Joints in crop pixels, NaN where unknown.
        skipped: Broken people that were passed over on the way to this one.
    """

    crops: UInt8[np.ndarray, "clip h w 3"]
    targets: Float[np.ndarray, "clip joints h4 w4"]
    weight: Float[np.ndarray, "clip joints"]
    xy: Float[np.ndarray, "clip joints 2"]
    skipped: int


class TubeMaker:
    """Cuts tube `i` of a set: the same for the same seed and `i`, in whichever process."""

    def __init__(
        self, people: PeopleSet, config: TubeConfig, share: Float[np.ndarray, " people"] | None = None
    ) -> None:
        """Prepare.

        Args:
            people: What to cut from.
            config: How.
            share: How often each person is drawn, relative to the others; None for equally often.
        """
        if not len(people):
            raise InputError("the set has no people to train on")
        self.people, self.config = people, config
        shares = np.ones(len(people)) if share is None else share
        self._draw = np.cumsum(shares) / shares.sum()
        self._image = {
            (int(v), int(f)): i for i, (v, f) in enumerate(zip(people.video, people.frame, strict=True)) if v >= 0
        }
        self._person = {
            (int(t), int(i)): p for p, (t, i) in enumerate(zip(people.track, people.person_image, strict=True))
        }

    def __call__(self, seed: int, index: int, first: int | None = None) -> Tube:
        """Tube `index`; a person whose image or labels are broken is reported, counted and replaced by another.

        Args:
            seed: Of the samples.
            index: Of the tube.
            first: Whose it is; None draws somebody.

        Returns:
            The tube.

        Raises:
            InputError: Nobody can be used.
        """
        rng = np.random.default_rng((seed, index))
        for skipped in range(_MAX_SKIPS):
            drawn = int(np.searchsorted(self._draw, rng.random(), side="right"))
            person = drawn if first is None or skipped else first
            try:
                return self._cut(person, rng, skipped)
            except InputError as error:
                _LOG.warning("person %d skipped: %s", person, error)
        raise InputError(f"{_MAX_SKIPS} people in a row cannot be used: check the set with `dettrack data check`")

    def _cut(self, person: int, rng: np.random.Generator, skipped: int) -> Tube:
        people, config = self.people, self.config
        xy, known = people.xy[person], people.weight[person] > 0
        box = people.boxes[person]
        if not np.isfinite(box).all() or (box[2:] <= box[:2]).any():
            raise InputError(f"its box is {box.tolist()}")
        framing = draw_framing(xy, known, people.joint_set, box, config.size, config.enlarge, config.augment, rng)
        frames = self._frames(person, rng)
        still = len(set(frames)) == 1 and config.clip_length > 1
        motions = _walk(config, rng) if still else [np.eye(3)] * config.clip_length
        height, width = config.size
        images = {i: read_image(people.images[i]) for i in set(frames) if i >= 0}
        crops, joints, heights, weights = [], [], [], []
        for image, motion in zip(frames, motions, strict=True):
            move = framing.map(motion)
            crops.append(
                cv2.warpAffine(images[image], move, (width, height), flags=cv2.INTER_LINEAR)
                if image >= 0
                else np.zeros((height, width, 3), np.uint8)
            )
            place, peak, weight = self._labels(person, image)
            if framing.edge:  # as where a picture really ends: black, and nothing is known of what lies there
                crops[-1][framing.beyond(_pixels(move, config.size))] = 0
                weight = weight * ~framing.beyond(place)
            joints.append(place @ move[:, :2].T + move[:, 2])
            heights.append(peak)
            weights.append(weight)
        pixels = np.stack(crops)
        if config.augment.distractor and rng.random() < config.augment.distractor:
            pixels, found = lay_over(pixels, np.stack(joints), np.stack(weights), people, rng)
            weights = list(found)
        labels = Labels(np.stack(joints), np.stack(heights), np.stack(weights))
        if len(frames) > 1 and config.augment.crossing and rng.random() < config.augment.crossing:
            pixels, labels = cross(pixels, labels, self._walker(rng), people.joint_set, rng)
        out = labels.xy, labels.height, labels.weight
        if framing.mirrored:
            out = tuple(part[:, people.joint_set.flip_permutation] for part in out)  # type: ignore[assignment]
        return self._tube(degrade(pixels, config.augment, rng), *out, skipped)

    def _frames(self, person: int, rng: np.random.Generator) -> list[int]:
        """Image of each frame of the tube; -1 beyond the video. Beyond the border the last frame is repeated."""
        people, config = self.people, self.config
        key = int(people.person_image[person])
        if people.video[key] < 0 or config.clip_length == 1:
            return [key] * config.clip_length
        step = int(rng.integers(1, config.augment.max_stride + 1)) * (
            -1 if rng.random() < config.augment.reverse else 1
        )
        offsets = step * (np.arange(config.clip_length) - config.clip_length // 2)
        video, frame = int(people.video[key]), int(people.frame[key])
        found = [self._image.get((video, frame + int(offset)), -1) for offset in offsets]
        middle = config.clip_length // 2
        for i in range(middle - 1, -1, -1):  # as the estimator does it: a border frame stands for what is missing
            found[i] = found[i] if found[i] >= 0 else found[i + 1]
        for i in range(middle + 1, config.clip_length):
            found[i] = found[i] if found[i] >= 0 else found[i - 1]
        return found

    def _walker(self, rng: np.random.Generator) -> Walker:
        """Somebody of the set, in as many frames as a tube has; where their video has no more, the last one stays."""
        person = int(np.searchsorted(self._draw, rng.random(), side="right"))
        frames = self._frames(person, rng)
        images = {i: read_image(self.people.images[i]) for i in set(frames)}
        xy: list[np.ndarray] = []
        for image in frames:
            place, _, weight = self._labels(person, image)
            missing = not np.isfinite(place[weight > 0]).any()
            xy.append(xy[-1] if missing and xy else np.where(weight[:, None] > 0, place, np.nan))
        return Walker([images[i] for i in frames], np.stack(xy))

    def _labels(self, person: int, image: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Joints, heights of the peaks and weights of a person in an image."""
        people = self.people
        row = self._person.get((int(people.track[person]), image))
        if row is not None:
            return people.xy[row], people.height[row], people.weight[row]
        joints = len(people.joint_set)
        empty = bool(people.labelled[image]) and self.config.absent == "empty"
        return np.full((joints, 2), np.nan), np.zeros(joints), np.full(joints, float(empty))

    def _tube(self, crops: np.ndarray, xy: np.ndarray, height: np.ndarray, weight: np.ndarray, skipped: int) -> Tube:
        config = self.config
        size = (config.size[0] // config.stride, config.size[1] // config.stride)
        places = xy / config.stride if config.targets == "exact" else np.floor(xy / config.stride + 0.5)
        targets, inside = gaussian_heatmaps(places, height > 0, size, sigma=config.sigma)
        targets = targets * height[..., None, None]
        if config.clip_length > 1:  # a person who has left the crop must not be found in another one (paper 3.1)
            inside = np.isfinite(xy).all(-1) | np.asarray(inside, bool)
        return Tube(crops, targets.astype(np.float32), (weight * inside).astype(np.float32), xy, skipped)


def _pixels(move: Float[np.ndarray, "2 3"], size: tuple[int, int]) -> Float[np.ndarray, "h w 2"]:
    """Where each pixel of a crop lies in the image."""
    grid = np.stack(np.meshgrid(np.arange(size[1]), np.arange(size[0])), -1)
    back = cv2.invertAffineTransform(move)
    return grid @ back[:, :2].T + back[:, 2]


def _walk(config: TubeConfig, rng: np.random.Generator) -> list[np.ndarray]:
    """Small motions of the crop that turn a still into a tube: a smooth random walk of shift, turn and zoom."""
    height, width = config.size
    middle = config.clip_length // 2
    speed = rng.normal(0, config.augment.walk, 4) * rng.choice([0, 0.5, 1, 2])
    steps = speed + rng.normal(0, config.augment.walk / 3, (config.clip_length, 4))
    path = np.cumsum(steps, 0)
    path -= path[middle]
    out = []
    for dx, dy, turn, zoom in path:
        scale, angle = np.exp(zoom * 0.5), turn
        cos, sin = scale * np.cos(angle), scale * np.sin(angle)
        centre = np.array([width - 1, height - 1]) / 2
        linear = np.array([[cos, -sin], [sin, cos]])
        shift = centre - linear @ centre + [dx * width, dy * height]
        out.append(np.vstack([np.column_stack([linear, shift]), [0, 0, 1]]))
    return out
