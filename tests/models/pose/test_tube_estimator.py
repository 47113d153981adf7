from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dettrack.config import CutConfig, EstimateConfig
from dettrack.cut.clips import make_tubes
from dettrack.errors import InputError
from dettrack.models.pose import load_estimator
from dettrack.models.pose.checkpoint import Checkpoint, NetworkSpec, build_network, save_checkpoint
from dettrack.models.pose.crops import sample_tubes
from dettrack.models.pose.exported import ExportedSpec
from dettrack.models.pose.tube_estimator import TubeEstimator
from dettrack.models.pose.tube_network import TubeNetwork, open_network
from dettrack.models.runtime.torch import torch_device
from dettrack.skeleton import POSETRACK15
from dettrack.structures import Boxes, Clip, Frame

SIZE = (64, 48)
TORCH = EstimateConfig(runtime="pytorch", device="cpu")
BOXES = Boxes(np.array([[60.0, 40.0, 150.0, 160.0], [70.0, 30.0, 140.0, 180.0]]), np.array([0.9, 0.4]))


def spot_frames(count: int, first: int = 0) -> tuple[Frame, ...]:
    """A red spot that moves right by 3 px a frame, from (90, 100)."""
    rows, columns = np.mgrid[:240, :320]
    frames = []
    for i in range(first, first + count):
        image = np.zeros((240, 320, 3), np.uint8)
        image[..., 0] = 255 * np.exp(-((columns - 90 - 3 * i) ** 2 + (rows - 100) ** 2) / (2 * 14**2))
        frames.append(Frame(i, i / 25, image))
    return tuple(frames)


class RedRunner:
    """Every fourth pixel of the red channel, as heatmap of all joints; remembers the crops that it saw."""

    runtime, device = "a test", "cpu"

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def run(self, batch):
        self.seen.append(batch)
        red = batch[:, :, ::4, ::4, 0].astype(np.float32) / 255
        return [np.repeat(red[:, :, None], 15, axis=2)]


def red_network(*, temporal: bool, batch: int) -> tuple[TubeNetwork, RedRunner]:
    runner = RedRunner()
    spec = ExportedSpec("red", SIZE, POSETRACK15, stride=4, temporal=temporal, clip_length=9)
    return TubeNetwork(runner, spec, "red", batch), runner


@pytest.mark.parametrize("temporal", [False, True])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("batch", [1, 2, 5, 64])
def test_short_clips_and_batches(temporal, flip, batch):
    """Clips at the borders of a shot, one without people, in batches that do not fit."""
    network, runner = red_network(temporal=temporal, batch=batch)
    estimator = TubeEstimator(network, EstimateConfig(flip=flip), clip_length=9)
    frames = spot_frames(12)
    clips = [
        Clip(frames[:5], 0),
        Clip(frames[:9], 4),
        Clip(frames[2:9], 4),
        Clip(frames[3:12], 4),
        Clip(frames[4:12], 4),
    ]
    boxes = [BOXES, BOXES, Boxes.empty(), BOXES, BOXES]
    work = [(c, make_tubes(b, SIZE)) for c, b in zip(clips, boxes, strict=True)]
    for found, (clip, tubes) in zip(estimator.estimate(work), work, strict=True):
        assert found.frames.tolist() == [f.index for f in clip.frames]
        assert found.keyframe == clip.keyframe.index
        assert found.xy.shape == (len(tubes), len(clip.frames), 15, 2)
        expected = np.stack([90 + 3 * clip.indices, np.full(len(clip.frames), 100)], -1)
        assert np.abs(found.xy - expected[None, :, None]).max(initial=0) < 0.4
    assert {crops.shape[1] for crops in runner.seen} == {9 if temporal else 1}
    # A mirrored tube goes along with its tube, so one is the least.
    assert max(len(crops) for crops in runner.seen) <= max(batch, 2 if flip else 1)


def test_border_frames_are_repeated_around_the_keyframe():
    network, runner = red_network(temporal=True, batch=8)
    estimator = TubeEstimator(network, EstimateConfig(flip=False), clip_length=5)
    clip = Clip(spot_frames(3), 1)  # one frame before the keyframe instead of two, one after
    tubes = make_tubes(BOXES, SIZE)
    estimator.estimate([(clip, tubes)])
    crops = sample_tubes(clip, tubes)
    np.testing.assert_array_equal(runner.seen[0], crops[:, [0, 0, 1, 2, 2]])


def test_no_work():
    estimator = TubeEstimator(red_network(temporal=True, batch=4)[0], EstimateConfig(), clip_length=9)
    assert estimator.estimate([]) == []
    (found,) = estimator.estimate([(Clip(spot_frames(3), 1), make_tubes(Boxes.empty(), SIZE))])
    assert found.xy.shape == (0, 3, 15, 2)


@pytest.mark.parametrize("variant", ["none", "early"])
def test_our_checkpoint_through_pytorch(tmp_path, variant):
    """Folding, batching, normalisation and flip, against the plain network."""
    torch.manual_seed(0)
    spec = NetworkSpec(width=16, variant=variant, clip_length=3, size=(64, 64))
    network = build_network(spec).eval()
    torch.nn.init.normal_(network.final_layer.weight, std=0.1)
    save_checkpoint(tmp_path / "a.safetensors", network, spec)
    options = EstimateConfig(
        str(tmp_path / "a.safetensors"), device="cpu", threads=1, flip=False, decoding="quarter", precision="fp32"
    )
    estimator = load_estimator(options, CutConfig(clip_length=3, step=1))
    clip = Clip(spot_frames(3), 1)
    tubes = make_tubes(BOXES, (64, 64))
    crops = torch.from_numpy(sample_tubes(clip, tubes)).permute(0, 1, 4, 2, 3) / 255
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (spec.mean, spec.std))
    with torch.inference_mode():
        peaks = network((crops - mean) / std).flatten(-2).max(-1).values.clip(0, 1)
    (found,) = estimator.estimate([(clip, tubes)])
    np.testing.assert_allclose(found.scores, peaks.numpy(), atol=1e-4)
    assert estimator.approximated == ()
    assert ("2D" if variant == "none" else variant) in estimator.description


def test_a_2d_checkpoint_is_inflated_on_loading(tmp_path):
    """On still tubes the inflated network answers as the 2D one; a temporal one is not inflated again."""
    torch.manual_seed(0)
    path = tmp_path / "a.safetensors"
    spec = NetworkSpec(width=16, variant="none", clip_length=1, size=(64, 64))
    network = build_network(spec).eval()
    torch.nn.init.normal_(network.final_layer.weight, std=0.1)
    save_checkpoint(path, network, spec)
    frames = tuple(replace(frame, image=spot_frames(1)[0].image) for frame in spot_frames(5))
    work = [(Clip(frames, 2), make_tubes(BOXES, (64, 64)))]
    plain = EstimateConfig(str(path), device="cpu", runtime="pytorch", threads=1, flip=False, precision="fp32")
    (expected,) = load_estimator(plain, CutConfig(clip_length=5, step=1)).estimate(work)
    for variant in ("early", "last", "all"):
        inflated = load_estimator(replace(plain, variant=variant), CutConfig(clip_length=5, step=1))
        (found,) = inflated.estimate(work)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)
        assert f"hrnet 16, {variant}" in inflated.description
        assert "not trained" in inflated.description
    moving = [(Clip(spot_frames(5), 2), make_tubes(BOXES, (64, 64)))]
    (seen,), (alone,) = (
        inflated.estimate(moving),
        load_estimator(plain, CutConfig(clip_length=5, step=1)).estimate(moving),
    )
    assert abs(seen.scores - alone.scores).max() > 1e-4
    temporal = replace(spec, variant="early", clip_length=3)
    save_checkpoint(path, build_network(temporal), temporal)
    with pytest.raises(InputError, match="temporal already"):
        load_estimator(replace(plain, variant="all"), CutConfig(clip_length=5, step=1))


def test_another_clip_length_than_trained_is_said(tmp_path):
    spec = NetworkSpec(width=16, variant="early", clip_length=3, size=(64, 64))
    save_checkpoint(tmp_path / "a.safetensors", build_network(spec), spec)
    options = EstimateConfig(str(tmp_path / "a.safetensors"), device="cpu", runtime="pytorch", threads=1)
    assert "trained with |C| = 3, run with 5" in load_estimator(options, CutConfig(clip_length=5, step=1)).description
    assert "trained with" not in load_estimator(options, CutConfig(clip_length=3, step=1)).description


def test_the_description_says_what_the_weights_reach(tmp_path):
    spec = NetworkSpec(architecture="lite", width=16, variant="none", clip_length=1, size=(64, 64))
    metrics = {"street": 0.8125, "street_ap": 0.7, "street+4": 0.75, "note": "other"}
    save_checkpoint(tmp_path / "a.safetensors", build_network(spec), spec, metrics=metrics)
    options = EstimateConfig(str(tmp_path / "a.safetensors"), device="cpu", runtime="pytorch", threads=1)
    described = load_estimator(options, CutConfig()).description
    assert "held-out PCKh@0.5: street 0.81)" in described
    assert "0.75" not in described


def test_bf16_stays_near(tmp_path):
    torch.manual_seed(0)
    spec = NetworkSpec(width=16, variant="early", clip_length=3, size=(64, 64))
    crops = np.random.default_rng(0).integers(0, 255, (2, 3, 64, 64, 3)).astype(np.uint8)
    maps = []
    for precision in ("fp32", "bf16"):
        torch.manual_seed(0)
        network = build_network(spec).eval()
        torch.nn.init.normal_(network.final_layer.weight, std=0.1)
        model = open_network(Checkpoint(network, spec), "a", replace(TORCH, precision=precision))
        maps.append(model.run(crops))
    assert maps[1].dtype == torch.float32
    assert 0 < (maps[1] - maps[0]).abs().max() < 0.05 * maps[0].abs().max()


def test_devices_and_precisions_that_are_not_there():
    if not torch.cuda.is_available():
        assert torch_device("auto").type == "cpu"
        with pytest.raises(InputError, match=r"cuda:3.*0 CUDA devices"):
            torch_device("cuda:3")
    spec = NetworkSpec(width=16, size=(64, 64))
    with pytest.raises(InputError, match="fp16"):
        open_network(Checkpoint(build_network(spec), spec), "a", replace(TORCH, precision="fp16"))
