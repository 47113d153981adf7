"""Every way to run a network of ours gives the joints of PyTorch in fp32, wherever it is installed."""

import importlib.util
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from lively import lively_network

from dettrack.config import CutConfig, EstimateConfig
from dettrack.cut.clips import make_tubes
from dettrack.errors import InputError, MissingExtraError
from dettrack.lab.synth import Renderer, SceneConfig, draw_scene
from dettrack.models.pose import load_estimator
from dettrack.models.pose.checkpoint import (
    NetworkSpec,
    build_network,
    load_checkpoint,
    save_checkpoint,
)
from dettrack.models.pose.device_tubes import FramesOnDevice
from dettrack.models.pose.export import compare, probe_crops
from dettrack.models.pose.exported import ExportedSpec, pack_engine, read_engine, read_exported_spec
from dettrack.models.pose.tube_network import TubeNetwork, open_network
from dettrack.models.runtime.precision import cpu_has_bf16
from dettrack.models.runtime.runner import Runner
from dettrack.models.weights import SHIPPED
from dettrack.structures import Boxes, Clip, Frame

SIZE = (96, 64)
CPU = EstimateConfig(device="cpu", threads=1, precision="fp32")
RUNTIMES = {"pytorch": "torch", "onnxruntime": "onnxruntime", "openvino": "openvino"}
SPECS = {
    "lite 2D": NetworkSpec(architecture="lite", width=32, variant="none", clip_length=1, size=SIZE),
    "lite 3D": NetworkSpec(architecture="lite", width=32, variant="early", clip_length=3, size=SIZE),
    "W16 3D": NetworkSpec(width=16, variant="early", clip_length=3, size=SIZE),
    "W32 2D": NetworkSpec(width=32, variant="none", clip_length=1, size=SIZE),
    "W32 3D": NetworkSpec(width=32, variant="early", clip_length=3, size=SIZE),
}
FP32_HEATMAP, FP32_JOINT = 1e-3, 0.1
BF16_HEATMAP, BF16_JOINT = 0.05, 0.2  # of the heatmaps' spread; median shift in crop pixels (a heatmap pixel is 4)


@pytest.fixture(
    scope="module",
    params=[
        "lite 2D",
        "lite 3D",
        "W16 3D",
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("W32 2D", "W32 3D")),
    ],
)
def checkpoint(request, tmp_path_factory):
    """A network with random weights and lively, peaked heatmaps, as a file."""
    spec = SPECS[request.param]
    path = tmp_path_factory.mktemp("networks") / "a.safetensors"
    save_checkpoint(path, lively_network(spec), spec)
    return path


class PlainRunner:
    """The reference: the network as it was built, without folding, layout or batch."""

    runtime, device = "PyTorch, as built", "cpu"

    def __init__(self, network, spec):
        self.network = network
        self.mean, self.std = (255 * torch.tensor(v).view(3, 1, 1) for v in (spec.mean, spec.std))

    def run(self, batch):
        tubes = [(torch.from_numpy(tube).permute(0, 3, 1, 2) - self.mean) / self.std for tube in batch]
        with torch.no_grad():
            return [torch.cat([self.network(tube[None].contiguous()) for tube in tubes])]


def plain_network(path):
    loaded = load_checkpoint(path)
    runner = PlainRunner(loaded.network, loaded.spec)
    assert isinstance(runner, Runner)
    return TubeNetwork(runner, ExportedSpec.of(asdict(loaded.spec), loaded.spec.clip_length), "plain", 1)


def network_of(checkpoint, runtime, precision):
    pytest.importorskip(RUNTIMES[runtime])
    return open_network(load_checkpoint(checkpoint), "a", replace(CPU, runtime=runtime, precision=precision))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_fp32_gives_the_plain_networks_joints(checkpoint, runtime):
    model, plain = network_of(checkpoint, runtime, "fp32"), plain_network(checkpoint)
    assert "bf16" not in model.runtime
    parity = compare(model, plain, probe_crops(SIZE, 3 if plain.temporal else 1, tubes=3))
    assert parity.heatmap < FP32_HEATMAP
    assert parity.joint < FP32_JOINT


@pytest.mark.parametrize("runtime", ["pytorch", "openvino"])
def test_bf16_stays_near(checkpoint, runtime):
    """Root mean square difference of the heatmaps from fp32, as a share of their own spread."""
    if not cpu_has_bf16():
        pytest.skip("this CPU has no bf16 arithmetic")
    if load_checkpoint(checkpoint).spec.architecture == "lite":
        pytest.skip("random weights of the light network amplify every rounding; its trained ones are below")
    model, plain = network_of(checkpoint, runtime, "bf16"), plain_network(checkpoint)
    assert "bf16" in model.runtime
    crops = probe_crops(SIZE, 3 if plain.temporal else 1, tubes=3)
    exact = plain.run(crops).numpy()
    off = np.asarray(model.run(crops), np.float32) - exact
    assert 1e-5 < off.std() / exact.std() < BF16_HEATMAP, "it is bf16 indeed, and near"


@pytest.mark.parametrize("variant", ["none", "early"])
@pytest.mark.parametrize("runtime", ["pytorch", "openvino"])
def test_bf16_keeps_the_joints_of_the_built_in_network_in_place(runtime, variant):
    """On drawn people; the temporal filters are means of the 2D ones where the weights have none."""
    pytest.importorskip(RUNTIMES[runtime])
    if not cpu_has_bf16():
        pytest.skip("this CPU has no bf16 arithmetic")
    scene = Renderer(draw_scene(7, 2, SceneConfig(frames=30, scenario="apart", occluders=0)))
    drawn = [scene.frame(number) for number in range(10, 13)]
    clip = Clip(tuple(Frame(i, 0.0, one.image) for i, one in enumerate(drawn)), 1)
    whole = drawn[1].truth.boxes[np.isfinite(drawn[1].truth.boxes).all(1)]
    boxes = Boxes(whole, np.ones(len(whole)))
    trained = load_checkpoint(SHIPPED / "pose.safetensors").spec.variant
    found = []
    for name, precision in (("pytorch", "fp32"), (runtime, "bf16")):
        options = replace(CPU, runtime=name, precision=precision, variant=variant if trained == "none" else "auto")
        estimator = load_estimator(options, CutConfig(clip_length=3, step=1))
        tubes = make_tubes(boxes, estimator.size)
        found.append(estimator.estimate([(clip, tubes)])[0])
    sure = found[0].scores > 0.2
    shift = np.linalg.norm(found[1].xy - found[0].xy, axis=-1) * tubes.affines[:, 0, 0, None, None]
    assert sure.sum() > 20
    assert 0 < np.median(shift[sure]) < BF16_JOINT
    assert (shift[sure] > 1).mean() < 0.15, "few maps have two peaks of one height, which rounding may swap"


def test_tubes_cut_on_the_device_give_the_same_joints(checkpoint):
    """What a GPU does, on the CPU's device: crops stay torch tensors from the frames to the joints."""
    rng = np.random.default_rng(0)
    rough = rng.integers(0, 255, (3, 12, 16, 3), dtype=np.uint8)
    frames = tuple(Frame(i, 0.0, image.repeat(10, 0).repeat(10, 1)) for i, image in enumerate(rough))
    boxes = Boxes(np.array([[20.0, 10.0, 70.0, 100.0], [60.0, 20.0, 150.0, 90.0]]), np.ones(2))
    options = replace(CPU, model=str(checkpoint), runtime="pytorch")
    found = []
    for on_device in (False, True):
        estimator = load_estimator(options, CutConfig(clip_length=3, step=1))
        if on_device:
            estimator._network._frames = FramesOnDevice(torch.device("cpu"))
        work = [(Clip(frames, 1), make_tubes(boxes, SIZE)), (Clip(frames[:2], 0), make_tubes(boxes, SIZE))]
        found.append(estimator.estimate(work))
    for host, there in zip(*found, strict=True):
        shift = np.linalg.norm(there.xy - host.xy, axis=-1)
        assert np.median(shift) < 0.1  # crops differ by a grey level here and there
        assert np.abs(there.scores - host.scores).mean() < 0.02


def test_what_cannot_run_here_is_told(tmp_path):
    spec = SPECS["lite 2D"]
    save_checkpoint(tmp_path / "a.safetensors", build_network(spec), spec)
    options = replace(CPU, model=str(tmp_path / "a.safetensors"))
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="0 CUDA devices"):
            load_estimator(replace(options, runtime="pytorch", device="cuda"), CutConfig(clip_length=3, step=1))
    if importlib.util.find_spec("tensorrt") is None:
        with pytest.raises(MissingExtraError, match=r"tensorrt.*pip install"):
            load_estimator(replace(options, runtime="tensorrt"), CutConfig(clip_length=3, step=1))
    with pytest.raises(InputError, match="fp16"):
        open_network(
            load_checkpoint(tmp_path / "a.safetensors"), "a", replace(CPU, runtime="pytorch", precision="fp16")
        )


def test_engine_files_say_what_they_are(tmp_path):
    about = {"format": 1, "spec": asdict(SPECS["W32 3D"]), "clip_length": 5}
    (tmp_path / "a.engine").write_bytes(pack_engine(b"\n\x00{plan}\n", about))
    spec, engine = read_engine(tmp_path / "a.engine")
    assert engine == b"\n\x00{plan}\n"
    assert (spec.size, spec.clip_length, spec.temporal) == (SIZE, 5, True)
    assert read_exported_spec(tmp_path / "a.engine") == spec
    (tmp_path / "b.engine").write_bytes(b"other")
    with pytest.raises(InputError, match="what dettrack export --to tensorrt writes"):
        read_engine(tmp_path / "b.engine")
