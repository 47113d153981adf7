import subprocess
import sys

import pytest


@pytest.mark.slow
def test_the_demo_tracks_its_scene_with_the_built_in_weights(tmp_path):
    command = [sys.executable, "-m", "dettrack", "demo", "--out", str(tmp_path / "demo"), "--step", "8"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    assert "MOTA" in done.stdout
    assert list(tmp_path.glob("demo/*.dettrack/render.mp4"))
