import pytest

from dettrack.errors import InputError, UsageError
from dettrack.lab.bench.networks import find_network, measure_networks, network_names
from dettrack.models.pose.checkpoint import NetworkSpec, build_network, save_checkpoint


def test_names():
    assert network_names("W32-early-288x384, default") == ["W32-early-288x384", "default"]
    assert network_names("") == []
    with pytest.raises(InputError, match="nobody"):
        network_names("nobody")
    with pytest.raises(UsageError, match="divisible by 32"):
        find_network("W32-none-100x100")


@pytest.mark.slow
def test_every_runtime_and_the_peak_are_measured(tmp_path):
    spec = NetworkSpec(architecture="lite", width=8, variant="early", clip_length=3, size=(32, 32))
    save_checkpoint(tmp_path / "a.safetensors", build_network(spec), spec)
    said = []
    peaks, rows = measure_networks([str(tmp_path / "a.safetensors")], "cpu", 1, 1, 3, said.append)
    assert {peak.precision for peak in peaks} >= {"fp32"}
    assert all(peak.gflops.high > 1 for peak in peaks)
    fp32 = [row for row in rows if row.precision == "fp32"]
    assert len(fp32) == 3
    for row in rows:
        if not row.skipped:
            assert row.tubes_per_s.low > 0
            assert 0 < row.share_of_peak.median < 1.5
            share = (
                row.tubes_per_s.high * row.gflop / next(p for p in peaks if p.precision == row.precision).gflops.high
            )
            assert share == pytest.approx(row.share_of_peak.high, rel=1e-6)
