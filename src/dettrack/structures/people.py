"""People on their way from a detector to tracks: boxes, tubes, tracklets, and batches of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from dettrack.structures.frames import FrameTimes
from dettrack.structures.report import Tally

__all__ = ["Boxes", "SewnBatch", "TrackletBatch", "Tracklets", "Tubes"]


@dataclass(frozen=True)
class Boxes:
    """People found in one frame.

    Attributes:
        xyxy: `(n, 4)` corners in pixels.
        scores: `(n,)` in [0, 1].
        poses: `(n, joints, 3)` x, y in pixels and score of each joint, where the poses were found with the boxes (a
            one-stage network, poses from elsewhere); None where they were not.
    """

    xyxy: Float[np.ndarray, "n 4"]
    scores: Float[np.ndarray, " n"]
    poses: Float[np.ndarray, "n joints 3"] | None = None

    def __len__(self) -> int:
        return len(self.xyxy)

    def __getitem__(self, keep: Int[np.ndarray, " m"] | Bool[np.ndarray, " n"] | slice) -> Boxes:
        return Boxes(self.xyxy[keep], self.scores[keep], None if self.poses is None else self.poses[keep])

    @staticmethod
    def empty() -> Boxes:
        """No box."""
        return Boxes(np.zeros((0, 4)), np.zeros(0))


@dataclass(frozen=True)
class Tubes:
    """Where the people of one keyframe are cut out of its clip (paper 3.1); the crop stands still in the clip.

    Attributes:
        boxes: The keyframe's boxes as detected, not enlarged.
        affines: `(n, 2, 3)` maps from displayed pixels to crop pixels, one per tube.
        size: Height and width of the crop in pixels.
    """

    boxes: Boxes
    affines: Float[np.ndarray, "n 2 3"]
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True)
class Tracklets:
    """The poses of the people of one keyframe in every frame of its clip.

    Attributes:
        keyframe: Frame index of the keyframe.
        frames: `(clip,)` frame indices, consecutive, containing `keyframe`.
        boxes: The keyframe's boxes as detected, not enlarged.
        xy: `(n, clip, joints, 2)` in displayed pixels, NaN where there is no prediction.
        scores: `(n, clip, joints)` in [0, 1].
        detected: `(n,)` whether the detector found the person in the keyframe itself; None: all were found.
    """

    keyframe: int
    frames: Int[np.ndarray, " clip"]
    boxes: Boxes
    xy: Float[np.ndarray, "n clip joints 2"]
    scores: Float[np.ndarray, "n clip joints"]
    detected: Bool[np.ndarray, " n"] | None = None

    def __len__(self) -> int:
        return len(self.xy)

    def __getitem__(self, keep: Int[np.ndarray, " m"] | Bool[np.ndarray, " n"] | slice) -> Tracklets:
        detected = None if self.detected is None else self.detected[keep]
        return Tracklets(self.keyframe, self.frames, self.boxes[keep], self.xy[keep], self.scores[keep], detected)


@dataclass(frozen=True)
class TrackletBatch:
    """What one pass of the networks adds to a run: all that later stages need travels in it.

    Attributes:
        frames: The frames read since the batch before.
        tracklets: One item per keyframe, in order; an item without people is empty.
        final_before: No later tracklet covers a frame before this one.
        shot_ended: The last of `tracklets` is the last of its shot.
        tally: What reading, detection and the networks counted for this batch.
    """

    frames: FrameTimes
    tracklets: tuple[Tracklets, ...]
    final_before: int
    shot_ended: bool
    tally: Tally = field(default_factory=Tally)


@dataclass(frozen=True)
class SewnBatch:
    """A batch whose tracklets have identities.

    Attributes:
        batch: The tracklets.
        ids: For each keyframe of the batch `(n,)` track ids; below 0 for a tracklet that belongs to no track.
    """

    batch: TrackletBatch
    ids: tuple[Int[np.ndarray, " _"], ...]
