"""The light clip network: still tubes, inflation, checkpoints, and the trunk's public weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dettrack.errors import InputError
from dettrack.models.pose.checkpoint import NetworkSpec, build_network, load_checkpoint, save_checkpoint
from dettrack.models.pose.inflate import TemporalConv, inflate_state_dict
from dettrack.models.pose.lite import LITE_MEAN, LITE_STD, LiteNet


def trained(joints: int = 15, **options: object) -> LiteNet:
    """A network whose heatmaps are not all near zero and whose batch norms have seen something."""
    torch.manual_seed(0)
    network = LiteNet(joints, width=16, **options)  # type: ignore[arg-type]
    torch.nn.init.normal_(network.final_layer.weight)
    network.train()
    with torch.no_grad():
        network(torch.randn(2, network.clip_length, 3, 64, 64))
    return network.eval()


@pytest.mark.parametrize("variant", ["early", "last", "all"])
@pytest.mark.parametrize("clip", [1, 3, 9])
def test_a_still_tube_gives_the_2d_heatmaps_in_every_frame(variant: str, clip: int) -> None:
    flat = trained(variant="none", clip_length=1)
    temporal = LiteNet(15, width=16, variant=variant, clip_length=clip)  # type: ignore[arg-type]
    temporal.load_state_dict(inflate_state_dict(flat.state_dict(), temporal))
    image = torch.randn(2, 1, 3, 96, 64)
    with torch.no_grad():
        expected = flat(image)
        maps = temporal.eval()(image.expand(-1, clip, -1, -1, -1))
    assert maps.shape == (2, clip, 15, 24, 16)
    torch.testing.assert_close(
        maps, expected.expand(-1, clip, -1, -1, -1), rtol=1e-3, atol=1e-4 * float(expected.std())
    )


def test_early_sees_the_frames_around_and_none_does_not() -> None:
    flat, early = trained(variant="none"), LiteNet(15, width=16, variant="early")
    early.load_state_dict(inflate_state_dict(flat.state_dict(), early))
    tube = torch.randn(1, 9, 3, 64, 64)
    other = tube.clone()
    other[:, 0] = torch.randn(3, 64, 64)
    with torch.no_grad():
        apart = [(net.eval()(tube) - net(other)).abs().amax((0, 2, 3, 4)) for net in (flat, early)]
    assert (apart[0] > 0).tolist() == [t == 0 for t in range(9)]
    assert (apart[1] > 0).all()  # ten temporal layers reach from end to end


def test_variants_inflate_their_blocks() -> None:
    counts = {
        variant: sum(isinstance(m, TemporalConv) for m in LiteNet(15, variant=variant).modules())  # type: ignore[arg-type]
        for variant in ("none", "early", "last", "all")
    }
    assert counts == {"none": 0, "early": 10, "last": 5, "all": 15}


def test_checkpoints_rebuild_it(tmp_path: Path) -> None:
    spec = NetworkSpec(
        architecture="lite", width=16, variant="early", clip_length=5, size=(96, 64), mean=LITE_MEAN, std=LITE_STD
    )
    network = build_network(spec).eval()
    save_checkpoint(tmp_path / "lite.safetensors", network, spec)
    again = load_checkpoint(tmp_path / "lite.safetensors")
    assert again.spec == spec
    tube = torch.randn(1, 5, 3, 96, 64)
    with torch.no_grad():
        torch.testing.assert_close(again.network(tube), network(tube))


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="divisible by 32"):
        LiteNet(15, width=8)(torch.zeros(1, 9, 3, 100, 64))
    with pytest.raises(InputError, match="positive"):
        LiteNet(0)


def test_centre_inflation_ignores_the_frames_around() -> None:
    flat, early = trained(variant="none"), LiteNet(15, width=16, variant="early")
    early.load_state_dict(inflate_state_dict(flat.state_dict(), early, start="centre"))
    tube = torch.randn(1, 9, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(early.eval()(tube), flat(tube), rtol=1e-3, atol=1e-3)


def test_a_larger_trunk_by_name(tmp_path: Path) -> None:
    spec = NetworkSpec(architecture="lite2", width=16, variant="early", clip_length=3, size=(64, 64))
    network = build_network(spec)
    assert sum(isinstance(m, TemporalConv) for m in network.modules()) == 14
    save_checkpoint(tmp_path / "lite2.safetensors", network, spec)
    assert load_checkpoint(tmp_path / "lite2.safetensors").spec == spec
