"""Loss and score, against slow and obvious versions and networks that know the answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from training_scenes import JOINTS, make_set

from dettrack.errors import InputError
from dettrack.models.pose.checkpoint import NetworkSpec
from dettrack.training.pose.loss import heatmap_loss
from dettrack.training.pose.score import head_sizes, leave_out, limb_columns, limb_pck, predict, to_input

SPEC = NetworkSpec(variant="early", clip_length=3, size=(128, 96))


class Colours(nn.Module):
    """Finds each joint by the colour of its dot (see training_scenes); `broken` joints are put in the corner."""

    def __init__(self, broken: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.dummy = nn.Parameter(torch.zeros(1))
        self.broken = broken

    def forward(self, tubes: Tensor) -> Tensor:
        pixels = tubes * torch.tensor(SPEC.std)[:, None, None] + torch.tensor(SPEC.mean)[:, None, None]
        red, blue = 255 * pixels[:, :, 0], pixels[:, :, 2]
        maps = torch.stack([(blue > 0.95) * torch.exp(-(((red - 100 - 10 * j) / 3) ** 2)) for j in range(15)], 2)
        for joint in self.broken:
            maps[:, :, joint] = 0
            maps[:, :, joint, 0, 0] = 1
        blurred = nn.functional.avg_pool2d(maps.flatten(0, 1), 5, 1, 2)[..., ::4, ::4]
        return blurred.unflatten(0, tubes.shape[:2])


def test_loss_is_the_papers_sum() -> None:
    torch.manual_seed(0)
    maps, targets, weight = torch.rand(2, 3, 4, 5, 6), torch.rand(2, 3, 4, 5, 6), torch.rand(2, 3, 4).round()
    total = 0.0
    for n in range(2):
        for t in range(3):
            for j in range(4):
                for y in range(5):
                    for x in range(6):
                        total += float(weight[n, t, j] * (maps[n, t, j, y, x] - targets[n, t, j, y, x]) ** 2)
    assert float(heatmap_loss(maps, targets, weight)) == pytest.approx(1000 * total / (2 * 3 * 4 * 5 * 6), rel=1e-5)
    error = ((maps - targets) ** 2).mean((-1, -2)) * weight
    hard = error.sort(-1, descending=True).values[..., :2].mean()
    assert float(heatmap_loss(maps, targets, weight, hardest=2)) == pytest.approx(1000 * float(hard), rel=1e-5)
    assert float(heatmap_loss(maps, targets, torch.zeros_like(weight))) == 0


def test_input_is_normalised_as_the_spec_says() -> None:
    crops = torch.tensor([0, 127, 255], dtype=torch.uint8).expand(1, 2, 4, 5, 3)
    x = to_input(crops, replace(SPEC, mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 2.0)))
    assert x.shape == (1, 2, 3, 4, 5)
    np.testing.assert_allclose(x[0, 0, :, 0, 0], [0, (127 / 255 - 0.5) / 0.5, 0], atol=1e-6)


@pytest.mark.parametrize(("offset", "flip"), [(0, False), (0, True), (1, True), (-1, True)])
def test_a_network_that_knows_scores_full(offset: int, flip: bool) -> None:
    """At the keyframe and beside it, mirrored too: positions are those of the frame that is read."""
    people = make_set(videos=1, frames=5, people=1, step=3.0)
    # The mirror image's dots keep their colours, so this network cannot tell mirrored sides: only the middle counts.
    poses = predict(Colours(), people, SPEC, offset=offset, flip=flip)
    asked = ~np.isnan(poses.xy[:, 0, 0])
    assert asked.sum() == 3  # five frames hold three whole clips
    middle = [JOINTS.index("nose"), JOINTS.index("head_bottom"), JOINTS.index("head_top")]
    gap = np.linalg.norm(poses.xy[asked][:, middle] - people.xy[asked][:, middle], axis=-1)
    assert gap.max() < 2.5
    if not flip:
        right, counted = limb_pck(poses.xy, people, head_sizes(people))
        assert counted.sum() == 12 * asked.sum()
        assert right.sum() == counted.sum()


def test_wrong_joints_are_counted_wrong() -> None:
    people = make_set(videos=1, frames=5, people=1)
    wrist = JOINTS.index("left_wrist")
    poses = predict(Colours((wrist,)), people, SPEC, flip=False)
    right, counted = limb_pck(poses.xy, people, head_sizes(people))
    column = limb_columns(JOINTS).index(wrist)
    assert not right[:, column].any()
    assert counted[1:4, column].all()
    assert (right | ~counted).sum() == right.size - counted[:, column].sum()


def test_a_2d_network_reads_one_frame_in_the_keyframes_crop() -> None:
    people = make_set(videos=1, frames=4, people=1, step=3.0)
    flat = replace(SPEC, variant="none", clip_length=9)
    poses = predict(Colours(), people, flat, offset=2, flip=False)
    assert np.isnan(poses.xy[:2]).all()  # nobody two frames earlier to cut at
    assert np.linalg.norm(poses.xy[2:] - people.xy[2:], axis=-1).max() < 2.5


def test_head_sizes() -> None:
    people = make_set(people=1)
    torso = 0.32 * 60
    assert head_sizes(people) == pytest.approx(np.full(3, max(0.42 * torso, 0.12 * 60)))
    hidden = replace(people, weight=np.where(np.arange(15) == JOINTS.index("left_hip"), 0, people.weight))
    assert head_sizes(hidden) == pytest.approx(np.full(3, 0.12 * 60))


def test_parts_that_are_marked_elsewhere_are_left_out() -> None:
    people = make_set()
    some = leave_out(people, ("hip", "wrist"))
    gone = [joint for joint, weight in zip(JOINTS.joints, some.weight[0], strict=True) if weight == 0]
    assert sorted(gone) == ["left_hip", "left_wrist", "right_hip", "right_wrist"]
    assert limb_pck(people.xy, some, head_sizes(some))[1].sum() == 8 * len(people)
    assert (head_sizes(some) > 0).all()  # from the pose's extent, as the torso is not known
    assert (leave_out(people, ()).weight == people.weight).all()
    with pytest.raises(InputError, match="left_thumb"):
        leave_out(people, ("thumb",))
