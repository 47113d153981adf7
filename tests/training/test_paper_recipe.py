"""The recipes of PoseTrack, resolved to their last value, against a table of sources.

Sources: "paper" is Wang, Tighe and Modolo (CVPR 2020) by section; "HRNet code" is the training code of Sun et al. (CVPR
2019), experiments/coco/hrnet/w48_384x288_adam_lr1e-3.yaml and lib/dataset/JointsDataset.py; "Xiao 2018" is Simple
Baselines (ECCV 2018), whose PoseTrack procedure HRNet takes over; "ours" is a choice that none of them makes.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dettrack.files.toml import read_toml
from dettrack.geometry import crop_affines
from dettrack.skeleton import POSETRACK15
from dettrack.training.loop import learning_rate
from dettrack.training.pose.augment import AugmentConfig
from dettrack.training.pose.framing import draw_framing
from dettrack.training.pose.recipe import StageConfig, stages

CONFIGS = Path(__file__).parents[2] / "configs"

COMMON: dict[str, tuple[Any, str]] = {
    "network.architecture": ("hrnet", "paper 3.1"),
    "network.width": (48, "paper 4.2: the model of [30], HRNet-W48"),
    "network.joints": ("posetrack15", "paper 4.1: 15 joints"),
    "network.size": ((384, 288), "HRNet code: IMAGE_SIZE"),
    "network.time_padding": ("replicate", "ours: the paper does not say"),
    "network.mean": ((0.485, 0.456, 0.406), "HRNet code: ImageNet's, of RGB"),
    "network.std": ((0.229, 0.224, 0.225), "HRNet code: ImageNet's, of RGB"),
    "network.decoding": ("quarter", "HRNet code: POST_PROCESS"),
    "network.sigma": (3.0, "HRNet code: SIGMA at 384x288"),
    "network.calibration": ((), "ours: the scores as the network gives them"),
    "network.stride": (4, "HRNet code: HEATMAP_SIZE"),
    "start.joints": ("auto", "ours"),
    "start.trunk": ("", "ours"),
    "start.inflation": ("mean", "paper 4.2"),
    "start.differences": (False, "paper 3.1: plain filters"),
    "start.frozen": ((), "HRNet code: everything learns"),
    "start.frozen_norms": (False, "HRNet code"),
    "augment.crossing": (0.0, "ours: off"),
    "augment.rule": ("hrnet", "HRNet code: JointsDataset"),
    "augment.rotation": (45.0, "HRNet code: ROT_FACTOR"),
    "augment.scale": (0.35, "HRNet code: SCALE_FACTOR"),
    "augment.flip": (0.5, "HRNet code: FLIP"),
    "augment.half_body": (0.3, "HRNet code: PROB_HALF_BODY"),
    "augment.shift": (0.0, "HRNet code: nothing of the kind"),
    "augment.colour": (0.0, "HRNet code: nothing of the kind"),
    "augment.blur": (0.0, "HRNet code: nothing of the kind"),
    "augment.jpeg": (0.0, "HRNet code: nothing of the kind"),
    "augment.occluder": (0.0, "HRNet code: nothing of the kind"),
    "augment.reverse": (0.0, "paper: nothing of the kind"),
    "augment.max_stride": (1, "paper 3.1: consecutive frames"),
    "augment.walk": (0.0, "paper: nothing of the kind"),
    "augment.truncate": (0.0, "HRNet code: nothing of the kind"),
    "augment.upright": (0.0, "HRNet code: nothing of the kind"),
    "augment.distractor": (0.0, "HRNet code: nothing of the kind"),
    "loss.hardest": (0, "paper eq. 1, 2: all joints"),
    "loss.teacher": ("", "paper: none"),
    "loss.teacher_share": (0.5, "without a teacher nothing"),
    "loop.steps": (1000, "replaced by epochs"),
    "loop.batch": (32, "ours: HRNet's 24 on each GPU, the paper gives none"),
    "loop.optimizer": ("adam", "HRNet code: OPTIMIZER"),
    "loop.lr": (1e-4, "paper 4.2"),
    "loop.warmup": (0, "HRNet code: none"),
    "loop.schedule": ("steps", "paper 4.2"),
    "loop.milestones": ((0.5, 0.75), "paper 4.2: after 10 and 15 of 20 epochs"),
    "loop.weight_decay": (0.0, "HRNet code: Adam is made without its WD"),
    "loop.ema": (0.0, "HRNet code: none"),
    "loop.autocast": ("none", "HRNet code: fp32"),
    "loop.clip_grad": (0.0, "HRNet code: none"),
    "loop.workers": (8, "hardware"),
    "loop.checkpoint_every": (1000, "no part in the result"),
    "loop.validate_every": (5000, "ours"),
    "loop.log_every": (20, "no part in the result"),
    "loop.seed": (0, "ours"),
    "loop.max_hours": (0.0, "no part in the result"),
    "loop.keep": ("best", "HRNet code: model_best"),
    "loop.compact": (False, "ours: checkpoints that resume exactly"),
    "loop.device": ("auto", "hardware"),
    "sizes": ((), "HRNet code: one size"),
    "epochs": (20.0, "paper 4.2; for the 2D stage HRNet's on PoseTrack"),
    "order": ("epochs", "HRNet code: SHUFFLE"),
    "enlarge": (1.25, "paper 3.1; HRNet code: _xywh2cs"),
    "targets": ("rounded", "HRNet code: generate_target"),
    "checkpointing": (True, "memory; no part in the result"),
}
DATA: dict[str, tuple[Any, str]] = {
    "format": ("posetrack", "paper 4.1"),
    "share": (1.0, "one set"),
    "behind": (1.0, "HRNet code: no such weights"),
    "absent": ("empty", "paper 3.1: no prediction where the person has left"),
    "boxes": ("own", "HRNet code: the set's boxes"),
    "margin": (0.15, "Xiao 2018, 4.2: joints' extent and 15 %, where the set has no boxes"),
}
STAGES: dict[str, tuple[str, int, int, str, str]] = {
    # name: variant, |C|, pieces, weights, stage that it starts from
    "2d": ("none", 1, 1, "data/weights/pose_hrnet_w48_384x288.pth", ""),
    "early": ("early", 9, 2, "", "2d"),  # paper 4.2
    "early_light": ("early", 3, 1, "", "2d"),  # paper table 8; |C| is our reading
    "last_light": ("last", 3, 1, "", "2d"),
    "all_light": ("all", 3, 1, "", "2d"),
}


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in values.items():
        out |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return out


def planned(year: int) -> list[StageConfig]:
    return stages(read_toml(CONFIGS / f"posetrack{year}_w48.toml"), "recipe")


@pytest.mark.parametrize("year", [17, 18])
def test_every_value_has_its_source(year: int) -> None:
    found = planned(year)
    assert [stage.name for stage in found] == list(STAGES)
    for stage in found:
        values = flat(asdict(stage))
        variant, clip, pieces, weights, start = STAGES[str(values.pop("name"))]
        own = {
            "network.variant": variant,
            "network.clip_length": clip,
            "loop.accumulation": pieces,
            "start.weights": weights,
            "start.stage": start,
        }
        data, held_out = values.pop("data"), values.pop("held_out")
        expected = {name: value for name, (value, _) in COMMON.items()} | own
        assert values == expected
        for (one,), split, every, least in ((data, "fit", 1, 1), (held_out, "held_out", 5, 3)):
            root = f"data/posetrack{year}"
            place = {"path": f"{root}/annotations/{split}", "images": root, "every": every, "least_joints": least}
            place["name"] = "" if split == "fit" else split
            assert one == {name: value for name, (value, _) in DATA.items()} | place


def test_the_rates_by_epoch() -> None:
    """4.2: 1e-4, 1e-5 after 10 epochs, 1e-6 after 15."""
    loop = planned(17)[1].loop
    rates = [learning_rate(loop, int(epoch / 20 * loop.steps)) for epoch in (0, 9.9, 10, 14.9, 15, 19.9)]
    assert rates == pytest.approx([1e-4, 1e-4, 1e-5, 1e-5, 1e-6, 1e-6])


HRNET = planned(17)[0].augment
BOX = np.array([100.0, 100.0, 190.0, 220.0])  # 3:4, as the network's crops


def drawn(config: AugmentConfig, known: int = 15, n: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scales relative to no augmentation, angles in degrees, and mirrored or not, of many crops."""
    rng = np.random.default_rng(0)
    xy = np.stack([np.linspace(110, 180, 15), np.linspace(110, 210, 15)], 1)
    plain = crop_affines(BOX[None], (384, 288), 1.25)[0]
    scales, angles, mirrored = [], [], []
    for _ in range(n):
        framing = draw_framing(xy, np.arange(15) < known, POSETRACK15, BOX, (384, 288), 1.25, config, rng)
        linear = framing.affine[:, :2]
        scales.append(np.sqrt(abs(np.linalg.det(linear)) / np.linalg.det(plain[:, :2])))
        turn = linear.copy()
        turn[0] *= -1 if framing.mirrored else 1
        angles.append(np.degrees(np.arctan2(turn[1, 0], turn[0, 0])))
        mirrored.append(framing.mirrored)
    return np.array(scales), np.array(angles), np.array(mirrored)


def test_scale_and_angle_are_drawn_as_in_hrnets_code() -> None:
    """Box size: N(1, .35) within 0.65 and 1.35; angle: N(0, 45 degrees) within 90, in three of five; mirrored: half."""
    rng = np.random.default_rng(1)
    n = 200_000
    size = np.clip(rng.normal(size=n) * 0.35 + 1, 0.65, 1.35)
    angle = np.where(rng.random(n) <= 0.6, np.clip(rng.normal(size=n) * 45, -90, 90), 0)
    scales, angles, mirrored = drawn(replace(HRNET, half_body=0.0))
    quantiles = np.linspace(0.05, 0.95, 10)
    np.testing.assert_allclose(np.quantile(1 / scales, quantiles), np.quantile(size, quantiles), atol=0.03)
    np.testing.assert_allclose(np.quantile(angles, quantiles), np.quantile(angle, quantiles), atol=4)
    assert np.abs(angles).max() <= 90 + 1e-6
    assert (angles == 0).mean() == pytest.approx(0.4, abs=0.03)
    assert mirrored.mean() == pytest.approx(0.5, abs=0.03)


def test_half_bodies_as_in_hrnets_code() -> None:
    """Of people with more than eight known joints, three in ten; the crop is half again the half's extent."""
    config = replace(HRNET, rotation=0.0, scale=0.0, flip=0.0)
    scales, _, _ = drawn(config)
    assert (np.abs(scales - 1) > 1e-9).mean() == pytest.approx(0.3, abs=0.03)
    few, _, _ = drawn(config, known=8, n=200)
    np.testing.assert_allclose(few, 1.0)
    # upper: nose to wrists, 9 joints from (110, 110); its box grows to the crop's 3:4, then by 1.5
    xy = np.stack([np.linspace(110, 180, 15), np.linspace(110, 210, 15)], 1)
    halves = [xy[:9], xy[9:]]
    expected = []
    for half in halves:
        extent = half.max(0) - half.min(0)
        height = 1.5 * max(extent[1], extent[0] * 384 / 288)
        expected.append(384 / height / (384 / (1.25 * 120)))
    found = scales[np.abs(scales - 1) > 1e-9]
    shares = [np.isclose(found, value, rtol=1e-6).mean() for value in expected]
    assert sum(shares) == pytest.approx(1.0)
    assert shares[0] == pytest.approx(0.69, abs=0.04)  # a normal number below one half
