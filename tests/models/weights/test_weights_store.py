from __future__ import annotations

import hashlib
import subprocess
import zipfile

import pytest
import torch

from dettrack.cli import main
from dettrack.config import EstimateConfig
from dettrack.errors import InputError
from dettrack.files import file_sha256
from dettrack.models.pose.checkpoint import NetworkSpec, build_network, save_checkpoint
from dettrack.models.pose.hrnet import HRNet
from dettrack.models.pose.load import find_model
from dettrack.models.weights import SHIPPED, fetch, list_weights, metadata
from dettrack.models.weights.catalogue import External, ExternalFile, catalogue


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DETTRACK_WEIGHTS", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "mine.safetensors"
    spec = NetworkSpec(architecture="lite", width=16, variant="none", clip_length=1, size=(64, 64))
    save_checkpoint(path, build_network(spec), spec, metrics={"PCKh": 0.5})
    return path


def test_shipped_weights_are_the_ones_written_down():
    """After new weights: run `sha256sum *.safetensors > SHA256SUMS` in src/dettrack/weights."""
    shipped = [each for each in list_weights() if each.shipped]
    assert {each.path.name for each in shipped} == {path.name for path in SHIPPED.glob("*.safetensors")}
    assert all(each.intact for each in shipped), [each.name for each in shipped if not each.intact]


def test_import_then_use_by_name(checkpoint, folder, capsys):
    assert main(["weights", "import", str(checkpoint), "--name", "other"]) == 0
    assert find_model("other") == folder / "other.safetensors"
    assert main(["weights", "list"]) == 0
    assert "other" in capsys.readouterr().out
    assert main(["weights", "verify", "other"]) == 0
    assert main(["weights", "info", "other"]) == 0
    said = capsys.readouterr().out
    assert file_sha256(checkpoint) in said
    assert '"PCKh": 0.5' in said
    # The sums are in the form that coreutils checks.
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0


def test_verify_notices_a_changed_file(checkpoint, folder, capsys):
    assert main(["weights", "import", str(checkpoint)]) == 0
    with (folder / "mine.safetensors").open("ab") as file:
        file.write(b"x")
    assert main(["weights", "verify"]) == 1
    assert "mine" in capsys.readouterr().err


def test_an_official_file_becomes_ours(tmp_path, folder, capsys):
    torch.save(HRNet(16, 17).state_dict(), tmp_path / "a.pth")
    command = ["weights", "import", str(tmp_path / "a.pth"), "--name", "w16", "--size", "128x96"]
    assert main([*command, "--joints", "posetrack17"]) == 0
    assert "HRNet-W16, 96x128, posetrack17" in capsys.readouterr().out
    assert metadata(folder / "w16.safetensors")["dettrack"]["spec"]["joints"] == "posetrack17"
    assert sorted(path.name for path in folder.iterdir()) == ["SHA256SUMS", "w16.safetensors"]
    assert main([*command[:-1], "big"]) == 2


def test_an_xml_takes_its_bin_along(tmp_path, folder):
    (tmp_path / "a.xml").write_text("<net/>")
    assert main(["weights", "import", str(tmp_path / "a.xml")]) == 1
    (tmp_path / "a.bin").write_bytes(b"1")
    assert main(["weights", "import", str(tmp_path / "a.xml")]) == 0
    assert (folder / "a.bin").is_file()


def test_fetch_from_a_mirror_folder(checkpoint, folder):
    kept = fetch(str(checkpoint), "got", file_sha256(checkpoint).upper())
    assert kept.path == folder / "got.safetensors"
    assert kept.intact


def test_fetch_keeps_nothing_unexpected(checkpoint, folder, tmp_path, capsys):
    wrong = hashlib.sha256(b"").hexdigest()
    with pytest.raises(InputError, match=f"expected {wrong}: not kept"):
        fetch(str(checkpoint), "got", wrong)
    assert not list(folder.iterdir())
    with pytest.raises(InputError, match=r"cannot get .*copy the file over"):
        fetch(str(tmp_path / "absent.onnx"), "got", wrong)
    with pytest.raises(InputError, match="cannot get http"):
        fetch("http://127.0.0.1:9/a.onnx", "got", wrong)
    assert main(["weights", "fetch", str(checkpoint)]) == 2
    assert "--sha256" in capsys.readouterr().err


def test_unknown_names_are_said(capsys):
    assert main(["weights", "info", "nobody"]) == 1
    assert "no weights called 'nobody'" in capsys.readouterr().err
    with pytest.raises(InputError, match="nobody"):
        find_model(EstimateConfig("nobody").model)


def test_the_catalogue_says_what_it_is(capsys):
    for name, one in catalogue().items():
        assert one.name == name
        assert one.kind in ("detector", "model")
        assert one.licence
        assert name in one.use
        for file in one.files:
            assert len(bytes.fromhex(file.sha256)) == 32
            assert file.url.startswith("https://")
            assert file.bytes > 100_000 or not file.bytes
        assert one.sums == "file" or one.trained_on
        assert [file.ending for file in one.files] in ([".onnx"], [".xml", ".bin"])
    assert main(["weights", "list"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in catalogue())
    assert main(["weights", "info", "tinypose"]) == 0
    said = capsys.readouterr().out
    assert "Apache-2.0" in said
    assert "computed from the file" in said
    assert main(["weights", "info", "rtmpose-m-halpe26"]) == 0
    said = capsys.readouterr().out
    assert "PoseTrack18" in said  # whoever evaluates there must know
    assert "was not run here" in said


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_fetch_takes_the_one_onnx_out_of_a_zip(tmp_path, folder, monkeypatch):
    data = bytes(range(256)) * 9
    place = zipped(tmp_path / "a-1.zip", {"20230831/a/end2end.onnx": data, "20230831/a/deploy.json": b"{}"})
    sum = hashlib.sha256(data).hexdigest()
    assert fetch(str(place), "one", sum).path.read_bytes() == data
    one = External("two", "model", "a test", "none", "--model two", (ExternalFile("https://example.org/a-1.zip", sum),))
    monkeypatch.setitem(catalogue(), "two", one)
    assert main(["weights", "fetch", "two", "--mirror", str(tmp_path)]) == 0
    assert find_model("two") == folder / "two.onnx"
    assert sorted(path.name for path in folder.iterdir()) == ["SHA256SUMS", "one.onnx", "two.onnx"]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"deploy.json": b"{}"}, "expected a .zip with one .onnx file"),
        ({"a.onnx": b"1", "b.onnx": b"2"}, "expected a .zip with one .onnx file"),
        ({"a.onnx": b"1"}, "SHA-256 is .*: not kept"),
        ({"a.onnx": bytes(1 << 20)}, "packed into far fewer"),
        (None, "a.zip: .*expected a .zip with one .onnx file"),
    ],
)
def test_fetch_keeps_nothing_of_an_unexpected_zip(tmp_path, folder, members, message):
    place = tmp_path / "a.zip"
    place.write_bytes(b"PK no zip") if members is None else zipped(place, members)
    with pytest.raises(InputError, match=message):
        fetch(str(place), "one", "0" * 64)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("own_names", [False, True])
def test_fetch_by_name_from_a_mirror(tmp_path, folder, monkeypatch, capsys, own_names):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    contents = {".xml": b"<net/>", ".bin": b"numbers"}
    files = tuple(
        ExternalFile(f"https://example.org/a/model{end}", hashlib.sha256(data).hexdigest(), len(data))
        for end, data in contents.items()
    )
    one = External("theirs", "model", "a test", "none", "--model theirs", files)
    monkeypatch.setitem(catalogue(), "theirs", one)
    for end, data in contents.items():
        (mirror / f"{'theirs' if own_names else 'model'}{end}").write_bytes(data)
    assert main(["weights", "fetch", "theirs", "--mirror", str(mirror)]) == 0
    assert "dettrack track VIDEO --model theirs" in capsys.readouterr().out
    assert find_model("theirs") == folder / "theirs.xml"
    assert (folder / "theirs.bin").read_bytes() == b"numbers"
    assert main(["weights", "verify", "theirs"]) == 0
    (mirror / f"{'theirs' if own_names else 'model'}.bin").write_bytes(b"other")
    for path in folder.iterdir():
        path.unlink()
    assert main(["weights", "fetch", "theirs", "--mirror", str(mirror)]) == 1
    assert not list(folder.glob("theirs*"))  # all files or none
    assert "theirs" not in (folder / "SHA256SUMS").read_text()
    assert main(["weights", "fetch", "theirs", "--sha256", "0" * 64]) == 2
    (folder / "theirs.xml").write_bytes(contents[".xml"])  # there already: a failure elsewhere does not take it away
    assert main(["weights", "fetch", "theirs", "--mirror", str(mirror)]) == 1
    assert (folder / "theirs.xml").is_file()
    assert main(["weights", "fetch", "nobody", "--mirror", str(mirror)]) == 1
    assert "rtmdet-nano-person" in capsys.readouterr().err


@pytest.mark.data
def test_the_catalogue_knows_the_files_at_hand(weights):
    """The real files, as a mirror has them: kept under their names, by their sums."""
    for name, source in (("rtmdet-nano-person", "rtmdet_nano_person"), ("tinypose", "tinypose_256_192")):
        one = catalogue()[name]
        for file in one.files:
            path = weights / f"{source}{file.ending}"
            assert file_sha256(path) == file.sha256
            assert path.stat().st_size == file.bytes
