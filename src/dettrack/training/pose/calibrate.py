"""What the scores of a pose model mean, from annotated people that it was not trained on.

The share of right joints rises with the score, but not along the diagonal. Isotonic regression over the mean of each
twentieth of the joints gives the table of `models.pose.calibration`; each set counts the same, however large it is.
A network's scores mean less on harder pictures, so the check must be made on people of other sets.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import isotonic_regression

from dettrack.config import EstimateConfig
from dettrack.errors import InputError
from dettrack.geometry import crop_affines, to_image
from dettrack.models.pose.calibration import Table
from dettrack.models.pose.checkpoint import load_checkpoint
from dettrack.models.pose.crops import cut_crop
from dettrack.models.pose.frame_estimator import FrameEstimator
from dettrack.skeleton import JointMap
from dettrack.training.labels.people import PeopleSet, read_image
from dettrack.training.pose.score import Poses, head_sizes, predict

__all__ = ["Answers", "answer", "calibration_error", "fit_table", "judge", "reliability"]

_LEAST_JOINTS = 200  # a table of fewer says little
_SURE = 0.002  # no group is said to be nearer to never or always


@dataclass(frozen=True)
class Answers:
    """Joints that a model found and that are labelled.

    Attributes:
        scores: The model's own, in [0, 1].
        right: Whether each lies within half a head of its label.
        weight: How much each counts: every set as much as every other.
    """

    scores: Float[np.ndarray, " n"]
    right: Bool[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"]

    @staticmethod
    def join(parts: Sequence[Answers]) -> Answers:
        """The answers of several sets."""
        columns = ("scores", "right", "weight")
        return Answers(*(np.concatenate([getattr(part, name) for part in parts]) for name in columns))


def answer(model: Path, people: PeopleSet) -> Poses:
    """Joints of people in their annotated boxes with flip, and the model's own scores.

    Args:
        model: A checkpoint of ours, or a 2D model (.onnx, .xml).
        people: The people.

    Returns:
        In the joint set of the people; NaN where the model lacks a joint.

    Raises:
        InputError: The model or a picture cannot be read.
    """
    if model.suffix == ".safetensors":
        checkpoint = load_checkpoint(model)
        return predict(checkpoint.network, people, checkpoint.spec)
    options = EstimateConfig(model=str(model), calibration="none", device="cpu", threads=1)
    estimator = FrameEstimator.from_file(model, options)
    convert = JointMap(estimator.own_joint_set, people.joint_set, approximate=False)
    xy = np.full((len(people), len(people.joint_set), 2), np.nan)
    scores = np.zeros(xy.shape[:2])
    affines = crop_affines(people.boxes, estimator.size, 1.25)
    for image in np.unique(people.person_image):
        rows = np.flatnonzero(people.person_image == image)
        picture = read_image(people.images[image])
        crops = np.stack([cut_crop(picture, affines[row], estimator.size) for row in rows])
        found, score = estimator.joints([crops])
        xy[rows], scores[rows] = convert(to_image(found, affines[rows]), score)
    return Poses(xy, scores)


def judge(poses: Poses, people: PeopleSet) -> Answers:
    """Which joints lie within half a head of their label, of those whose label has full weight.

    Args:
        poses: What a model found.
        people: With labels.

    Returns:
        The joints that count.

    Raises:
        InputError: None does.
    """
    sizes = head_sizes(people)[:, None]
    gap = np.linalg.norm(poses.xy - people.xy, axis=-1)
    counted = (people.weight >= 1) & (people.height >= 1) & np.isfinite(gap) & (sizes > 0)
    count = int(counted.sum())
    if not count:
        raise InputError("no joint of the set has a label of full weight that the model answers")
    return Answers(poses.scores[counted], (gap <= 0.5 * sizes)[counted], np.full(count, 1 / count))


def fit_table(answers: Answers, *, groups: int = 20) -> Table:
    """A rising table from scores to probabilities.

    Args:
        answers: Of annotated people.
        groups: Groups of equal weight, in order of their scores.

    Returns:
        See `calibration.Calibration`.

    Raises:
        InputError: Too few joints, or higher scores are not more often right.
    """
    if len(answers.scores) < _LEAST_JOINTS:
        raise InputError(f"{len(answers.scores)} labelled joints: expected at least {_LEAST_JOINTS} to calibrate")
    order = np.argsort(answers.scores, kind="stable")
    weight = answers.weight[order]
    share = np.cumsum(weight) / weight.sum()
    group = np.minimum((share * groups - 1e-9).astype(int), groups - 1)
    mass = np.bincount(group, weight, groups)
    full = mass > 0
    mass = mass[full]
    score, right = (
        np.bincount(group, weight * part[order], groups)[full] / mass
        for part in (answers.scores, answers.right.astype(float))
    )
    blocks = isotonic_regression(right, weights=mass).blocks
    if len(blocks) < 3:
        raise InputError("higher scores of this model are not more often right on these people")
    pairs = [(0.0, 0.0)]
    for start, stop in itertools.pairwise(blocks):  # ties become one pair: between pairs it rises
        inside = slice(start, stop)
        means = [np.average(part[inside], weights=mass[inside]) for part in (score, right)]
        pair = tuple(np.clip(means, _SURE, 1 - _SURE).round(4).tolist())
        if min(np.subtract(pair, pairs[-1])) > 0:
            pairs.append((pair[0], pair[1]))
    return (*pairs, (1.0, 1.0))


def reliability(
    probability: Float[np.ndarray, " n"], answers: Answers, *, bins: int = 10
) -> tuple[Float[np.ndarray, " bins"], Float[np.ndarray, " bins"], Float[np.ndarray, " bins"]]:
    """What is said and what is true, bin by bin.

    Args:
        probability: Of each joint.
        answers: Whether they were right.
        bins: Of equal width over [0, 1].

    Returns:
        Mean probability and share of right joints (NaN in empty bins), and the bin's share of the weight.
    """
    place: Int[np.ndarray, " n"] = np.minimum((probability * bins).astype(int), bins - 1)
    mass = np.bincount(place, answers.weight, bins)
    with np.errstate(invalid="ignore"):
        said = np.bincount(place, answers.weight * probability, bins) / mass
        true = np.bincount(place, answers.weight * answers.right, bins) / mass
    return said, true, mass / mass.sum()


def calibration_error(probability: Float[np.ndarray, " n"], answers: Answers, *, bins: int = 10) -> float:
    """Expected calibration error (ECE): the mean distance between what is said and what is true, over bins.

    Args:
        probability: Of each joint.
        answers: Whether they were right.
        bins: Of equal width over [0, 1].

    Returns:
        In [0, 1]; a perfect model has some hundredths with a few hundred joints.
    """
    said, true, mass = reliability(probability, answers, bins=bins)
    return float(np.nansum(mass * np.abs(said - true)))
