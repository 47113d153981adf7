"""Settings of the whole process change where a command or the caller says so, and nowhere else."""

import subprocess
import sys

import pytest

STATE = """
import sys, cv2, torch
def state():
    cudnn = torch.backends.cudnn
    return torch.get_num_threads(), cudnn.benchmark, cudnn.deterministic, cv2.utils.logging.getLogLevel()
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_loading_and_tracking_change_nothing():
    code = STATE + (
        "torch.set_num_threads(2); cv2.utils.logging.setLogLevel(3); before = state()\n"
        "import numpy as np\n"
        "from dettrack.config import CutConfig, EstimateConfig, TrackConfig\n"
        "from dettrack.pipeline import Pipeline\n"
        "from dettrack.structures import Frame\n"
        "options = EstimateConfig(runtime='pytorch', device='cpu', threads=1)\n"
        "pipeline = Pipeline(TrackConfig(cut=CutConfig(clip_length=3, step=1), estimate=options))\n"
        "list(pipeline.track([Frame(i, i / 25, np.zeros((64, 64, 3), np.uint8)) for i in range(3)]))\n"
        "assert state() == before, (before, state())"
    )
    run(code)


@pytest.mark.parametrize("first", ["import cv2; ", ""], ids=["OpenCV loaded before", "OpenCV loaded after"])
def test_one_function_changes_them(first):
    code = first + "import dettrack; dettrack.tune_process(1)" + STATE + "print(*state())"
    threads, _, _, log = run(code).split()
    assert (threads, log) == ("1", "0")


def test_without_a_number_of_threads_torch_stays_out():
    run("import sys, dettrack; dettrack.tune_process(); assert 'torch' not in sys.modules")


def test_the_filter_of_scipy_is_imported_when_it_is_used():
    """It takes as long to import as all else that tracking needs."""
    run("import sys, dettrack.pipeline; assert 'scipy.signal' not in sys.modules")
