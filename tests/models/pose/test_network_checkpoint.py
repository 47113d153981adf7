from __future__ import annotations

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from dettrack.errors import InputError, OutputError
from dettrack.models.pose.checkpoint import (
    FORMAT_VERSION,
    NetworkSpec,
    build_network,
    fit_state,
    load_checkpoint,
    save_checkpoint,
)

SPEC = NetworkSpec(width=16, variant="early", clip_length=5, size=(128, 96), time_padding="zero", sigma=1.5)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build_network(SPEC).eval()


@pytest.mark.parametrize("half", [False, True])
def test_there_and_back(tmp_path, network, half):
    path = tmp_path / "new folder" / "a.safetensors"
    save_checkpoint(path, network, SPEC, metrics={"PCKh": 0.7, "seen": ["LSPET"]}, half=half, source="our training")
    loaded = load_checkpoint(path)
    assert loaded.spec == SPEC
    assert loaded.metrics == {"PCKh": 0.7, "seen": ["LSPET"]}
    assert loaded.source == "our training"
    assert not loaded.network.training
    tubes = torch.randn(1, 5, 3, 64, 32)
    with torch.inference_mode():
        expected, found = network(tubes), loaded.network(tubes)
    assert found.dtype == torch.float32
    assert (found - expected).abs().max() <= (1e-2 if half else 0) * expected.abs().max()
    assert list(path.parent.iterdir()) == [path]  # no part of a file is left


def test_half_is_half_the_size(tmp_path, network):
    for half in (False, True):
        save_checkpoint(tmp_path / f"{half}.safetensors", network, SPEC, half=half)
    full, small = ((tmp_path / f"{half}.safetensors").stat().st_size for half in (False, True))
    assert 0.48 < small / full < 0.55


def rewrite(source, target, change_state=lambda state: None, change_about=lambda about: None):
    with safe_open(source, framework="pt") as file:
        about = json.loads(file.metadata()["dettrack"])
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change_state(state)
    change_about(about)
    save_file(state, target, metadata={"dettrack": json.dumps(about)})


@pytest.mark.parametrize(
    ("change_state", "change_about", "message"),
    [
        (lambda s: s.pop("conv1.weight"), None, r"1 missing \(conv1\.weight\)"),
        (lambda s: s.update(spare=torch.zeros(1)), None, r"1 left over \(spare\)"),
        (
            lambda s: s.update({"final_layer.bias": torch.zeros(17)}),
            None,
            r"1 of another shape \(final_layer\.bias \(17,\) for \(15,\)\)",
        ),
        (None, lambda a: a["spec"].update(width=18), r"of another shape \(.*, \.\.\.\)"),
        (None, lambda a: a["spec"].update(variant="none"), "of another shape"),
        (None, lambda a: a["spec"].update(colour="red"), "unknown key 'colour'"),
        (None, lambda a: a["spec"].update(joints="mine"), "unknown joint set 'mine'"),
        (None, lambda a: a.update(format=FORMAT_VERSION + 1), "newer dettrack"),
        (None, lambda a: a.pop("spec"), "not one of dettrack's"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, network, change_state, change_about, message):
    good, bad = tmp_path / "good.safetensors", tmp_path / "bad.safetensors"
    save_checkpoint(good, network, SPEC)
    rewrite(good, bad, change_state or (lambda _: None), change_about or (lambda _: None))
    with pytest.raises(InputError, match=message):
        load_checkpoint(bad)


def test_other_safetensors_files_are_refused(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="not one of dettrack's"):
        load_checkpoint(tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "absent.safetensors")


def test_a_file_in_the_way_is_said(tmp_path, network):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        save_checkpoint(tmp_path / "file" / "a.safetensors", network, SPEC)


def test_counters_of_batch_norms_may_be_absent(network):
    state = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    fit_state(build_network(SPEC), state, "these")
