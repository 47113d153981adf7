"""Tubes cut by `grid_sample` are those that OpenCV cuts on the host."""

import cv2
import numpy as np
import pytest
import torch

from dettrack.cut.clips import make_tubes
from dettrack.models.pose.crops import sample_tubes
from dettrack.models.pose.device_tubes import FramesOnDevice, sample_on_device
from dettrack.models.runtime.buckets import Bucketed, bucket_sizes
from dettrack.structures import Boxes, Clip, Frame

CPU = torch.device("cpu")
DEVICES = [CPU, pytest.param(torch.device("cuda"), marks=pytest.mark.gpu)]


def clip_of(start: int, length: int, seed: int = 0) -> Clip:
    """Smooth moving pictures 90x70."""
    rng = np.random.default_rng(seed)
    large = cv2.GaussianBlur(rng.integers(0, 255, (70, 90 + 4 * (start + length), 3), dtype=np.uint8), (0, 0), 1.5)
    large = cv2.normalize(large, None, 0, 255, cv2.NORM_MINMAX)
    frames = [np.ascontiguousarray(large[:, 4 * i : 4 * i + 90]) for i in range(start, start + length)]
    return Clip(tuple(Frame(start + i, 0.0, image) for i, image in enumerate(frames)), length // 2)


BOXES = Boxes(
    np.array([[10.0, 5.0, 40.0, 60.0], [-20.0, -10.0, 30.0, 40.0], [70.0, 30.0, 120.0, 90.0], [200.0, 5, 220, 40]]),
    np.ones(4),
)


@pytest.mark.parametrize("size", [(64, 48), (32, 64)])
@pytest.mark.parametrize("device", DEVICES)
def test_the_device_cuts_what_the_host_cuts(size, device):
    clip, tubes = clip_of(0, 5), make_tubes(BOXES, size)
    host = sample_tubes(clip, tubes).astype(int)
    there = FramesOnDevice(device).sample(clip, tubes)
    assert there.dtype == torch.uint8
    assert there.shape == host.shape
    off = np.abs(there.cpu().numpy().astype(int) - host)
    # OpenCV places samples on a grid of 1/32 pixel: a few grey levels on a steep edge.
    assert off.mean() < 0.5
    assert off.max() <= 8
    assert (there[3] == 0).all(), "a box beside the picture is black"


def test_a_crop_of_whole_pixels_is_exact():
    frames = np.random.default_rng(0).integers(0, 255, (2, 40, 50, 3), dtype=np.uint8)
    affines = np.array([[[1.0, 0, -7], [0, 1, -3]], [[1.0, 0, 0], [0, 1, 0]]])
    crops = sample_on_device(torch.from_numpy(frames), affines, (20, 30)).numpy()
    np.testing.assert_array_equal(crops[0], frames[:, 3:23, 7:37])
    np.testing.assert_array_equal(crops[1], frames[:, :20, :30])


def test_frames_are_uploaded_once_and_forgotten():
    cutter, tubes = FramesOnDevice(CPU), make_tubes(BOXES, (32, 32))
    whole = clip_of(0, 12)
    for start in range(4):
        clip = Clip(whole.frames[start : start + 9], 4)
        np.testing.assert_array_equal(cutter.sample(clip, tubes), FramesOnDevice(CPU).sample(clip, tubes))
    assert cutter.uploads == 12
    assert len(cutter._held) == 9
    other = clip_of(3, 9, seed=1)  # another video: the same indices, other pictures
    np.testing.assert_array_equal(cutter.sample(other, tubes), FramesOnDevice(CPU).sample(other, tubes))


def test_no_tube():
    tubes = make_tubes(Boxes.empty(), (32, 64))
    assert FramesOnDevice(CPU).sample(clip_of(0, 3), tubes).shape == (0, 3, 32, 64, 3)


def test_sizes_of_batches():
    assert bucket_sizes(1) == [1]
    assert bucket_sizes(8) == [1, 2, 4, 8]
    assert bucket_sizes(12) == [1, 2, 4, 8, 12]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 19])
def test_filled_up_batches_change_nothing(n, device):
    seen = []

    def function(tubes):
        seen.append(len(tubes))
        return tubes.float().permute(0, 1, 4, 2, 3) * 2

    run = Bucketed(function, (3, 8, 8, 3), 8, device)
    tubes = torch.randint(0, 255, (n, 3, 8, 8, 3), dtype=torch.uint8, device=device)
    expected = tubes.float().permute(0, 1, 4, 2, 3) * 2
    for _ in range(2):
        torch.testing.assert_close(run(tubes), expected)
    assert set(seen) <= {1, 2, 4, 8}
