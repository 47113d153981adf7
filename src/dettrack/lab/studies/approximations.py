"""How far `skeleton.APPROXIMATIONS` are from annotated heads, and what least squares would choose instead.

    python -m dettrack.lab.studies.approximations --data DATA/annotated --model tinypose_256_192.xml [--images 800]

A COCO model finds nose, ears and shoulders of annotated athletes (LSP-Extended) and of the annotated PoseTrack18 and
MPII people; head bottom and head top are approximated from what it finds and compared with the annotation, and the nose
that an MPII-like model lacks is approximated from the annotated head and compared with the COCO model's. Errors are
fractions of the annotated head (top to bottom). People on whom model and annotation disagree about shoulders and hips
(mean distance over 0.2 of the torso) are left out: there one of both is wrong. Where PoseTrack18's few people have all
that is needed annotated, no model is used either.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.io import loadmat

from dettrack.config import CutConfig, EstimateConfig
from dettrack.cut.clips import make_tubes
from dettrack.lab.studies import run_command
from dettrack.models.pose import Estimator, load_estimator
from dettrack.skeleton import APPROXIMATIONS, COCO17, LSP14, MPII16, POSETRACK17, JointSet
from dettrack.structures import Boxes, Clip, Frame

TRUNK = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
FOUND = ("nose", "left_shoulder", "right_shoulder")


@dataclass(frozen=True)
class Person:
    """One annotated person: joints by name, NaN where not annotated, and the image."""

    image: Path
    joints: dict[str, np.ndarray]


def _person(image: Path, names: JointSet, xy: np.ndarray, seen: np.ndarray) -> Person:
    """A person from arrays in the order of a joint set."""
    xy = np.where(seen[:, None], xy, np.nan)
    return Person(image, dict(zip(names.joints, xy, strict=True)))


def _lsp_extended(root: Path, count: int, seed: int) -> list[Person]:
    """A random sample of the athletes."""
    joints = loadmat(root / "joints.mat")["joints"]
    files = sorted((root / "images").glob("im*.jpg"))
    picked = np.random.default_rng(seed).permutation(len(files))[:count]
    people = []
    for i in picked:
        row = joints[:, :, int(files[i].stem[2:]) - 1]
        people.append(_person(files[i], LSP14, row[:, :2], row[:, 2] > 0))
    return people


def mpii(root: Path) -> list[Person]:
    """The sample people of MPII; its joints are one-based."""
    entries = json.loads((root / "test_mpii.json").read_text())
    return [
        _person(root / e["image"], MPII16, np.array(e["joints"]) - 1, np.array(e["joints_vis"]) > 0) for e in entries
    ]


def posetrack18(root: Path) -> list[Person]:
    """The sample people of PoseTrack18."""
    content = json.loads((root / "annotations" / "test_posetrack18_val.json").read_text())
    images = {image["id"]: root / image["file_name"] for image in content["images"]}
    people = []
    for entry in content["annotations"]:
        triplets = np.reshape(entry["keypoints"], (-1, 3))
        people.append(_person(images[entry["image_id"]], POSETRACK17, triplets[:, :2], triplets[:, 2] > 0))
    return people


def _coco_joints(someone: Person, estimator: Estimator) -> dict[str, np.ndarray] | None:
    """What the model finds on the person; None where it disagrees with the annotation or is not sure."""
    image = cv2.imread(str(someone.image))
    known = np.array([xy for xy in someone.joints.values() if np.isfinite(xy).all()])
    if image is None or len(known) < 8:
        return None
    box = np.concatenate([known.min(0), known.max(0)])[None].astype(float)
    clip = Clip((Frame(0, 0.0, np.ascontiguousarray(image[..., ::-1])),), 0)
    tubes = make_tubes(Boxes(box, np.ones(1)), estimator.size)
    (found,) = estimator.estimate([(clip, tubes)])
    joints = dict(zip(COCO17.joints, found.xy[0, 0], strict=True))
    torso = np.linalg.norm(someone.joints["left_shoulder"] - someone.joints["right_hip"])
    distance = np.mean([np.linalg.norm(joints[name] - someone.joints[name]) for name in TRUNK])
    sure = min(found.scores[0, 0, COCO17.index(name)] for name in FOUND) > 0.4
    return joints if sure and distance < 0.2 * torso else None


def _report(title: str, target: str, sources: list[dict[str, np.ndarray]], truth: list[dict[str, np.ndarray]]) -> None:
    """Median error of the stated weights and of the least-squares ones (fitted on one half, measured on the other)."""
    names = list(APPROXIMATIONS[target])
    x = np.array([[s[name] for name in names] for s in sources])
    y = np.array([t[target] for t in truth])
    head = np.array([np.linalg.norm(t["head_top"] - t["head_bottom"]) for t in truth])
    good = np.isfinite(x).all((1, 2)) & np.isfinite(y).all(1) & (head > 4)
    x, y, head = x[good], y[good], head[good]
    stated = np.einsum("s,nsd->nd", list(APPROXIMATIONS[target].values()), x)
    print(f"{title}: {target}, {len(x)} people: {_summary(stated - y, head)}")
    if len(x) < 100:
        return
    half = len(x) // 2
    weights = fit(x[:half], y[:half], head[:half], names)
    other = np.einsum("s,nsd->nd", weights, x[half:])
    told = ", ".join(f"{name} {weight:.3f}" for name, weight in zip(names, weights, strict=True))
    print(f"    second half, stated: {_summary(stated[half:] - y[half:], head[half:])}")
    print(f"    second half, fitted: {_summary(other - y[half:], head[half:])}  ({told})")


def _summary(error: np.ndarray, head: np.ndarray) -> str:
    """Median and 90th percentile of the error in heads."""
    share = np.linalg.norm(error, axis=-1) / head
    return f"median {np.median(share):.3f}, 90 % {np.quantile(share, 0.9):.3f} heads"


def fit(x: np.ndarray, y: np.ndarray, head: np.ndarray, names: list[str]) -> np.ndarray:
    """Weights of least (reweighted: about absolute) error that sum to 1, left and right alike.

    Args:
        x: Joints that the weights join, pixels: people, joints, 2.
        y: The joint that is wanted.
        head: Head size of each person, pixels.
        names: Of the joints in `x`.

    Returns:
        A weight for each joint.
    """
    parts = [name.removeprefix("left_").removeprefix("right_") for name in names]
    pairs = [[i for i, part in enumerate(parts) if part == one] for one in dict.fromkeys(parts)]
    # The first part's weight is what the others leave of 1.
    middles = np.stack([x[:, pair].mean(1) for pair in pairs], -1)
    columns, goal = middles[..., 1:] - middles[..., :1], y - middles[..., 0]
    scale = np.ones(len(x))
    for _ in range(20):
        weight = (scale / head)[:, None]
        solution = np.linalg.lstsq(
            (columns * weight[..., None]).reshape(-1, len(pairs) - 1), (goal * weight).ravel(), rcond=None
        )[0]
        left = np.linalg.norm(columns @ solution - goal, axis=1) / head
        scale = 1 / np.sqrt(np.maximum(left, 0.02))
    weights = np.zeros(len(names))
    for pair, value in zip(pairs, [1 - solution.sum(), *solution], strict=True):
        weights[pair] = value / len(pair)
    return weights


def _pairs_of(found: list[dict[str, np.ndarray]], truth: list[dict[str, np.ndarray]]) -> list[tuple[dict, dict]]:
    """The model's nose over the annotated head."""
    return [({"nose": f["nose"]}, t) for f, t in zip(found, truth, strict=True)]


def main(data: Path, model: str, images: int = 800, seed: int = 0) -> None:
    """Errors of every approximation on every set.

    Args:
        data: Folder with lspet_subset and mmpose_tests.
        model: A 2D COCO model.
        images: Athletes to take.
        seed: Of the choice.
    """
    options = EstimateConfig(model=model, joints="coco17", flip=False, threads=1, precision="auto")
    estimator = load_estimator(options, CutConfig(clip_length=1, step=1))
    cases = data / "mmpose_tests"
    sets = {
        "LSP-Extended": _lsp_extended(data / "lspet_subset", images, seed),
        "MPII": mpii(cases / "mpii"),
        "PoseTrack18": posetrack18(cases / "posetrack18"),
    }
    for name, people in sets.items():
        pairs = [(joints, p) for p in people if (joints := _coco_joints(p, estimator)) is not None]
        found, truth = [joints for joints, _ in pairs], [p.joints for _, p in pairs]
        for target in ("head_bottom", "head_top"):
            _report(f"{name}, COCO model -> annotation", target, found, truth)
        _report(
            f"{name}, annotated head -> COCO model", "nose", truth, [{**t, **f} for f, t in _pairs_of(found, truth)]
        )
    annotated = [p.joints for p in sets["PoseTrack18"]]
    for target in ("head_bottom", "nose"):  # ears are not annotated
        _report("PoseTrack18, annotation -> annotation", target, annotated, annotated)


if __name__ == "__main__":
    run_command(main, __doc__)
