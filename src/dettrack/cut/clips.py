"""Cut (paper 3.1): keyframes, the clips around them, and the tubes cut out of a clip at each detected box.

A clip holds the keyframe and δ frames on either side, |C| = 2δ + 1. Every box of the keyframe gives one tube: the
same crop, standing still, in each frame of the clip.

Conventions that the paper leaves open, stated here once:

* **Pixels.** Integer coordinates are pixel centres, in the frame and in the crop. The crop's outer edges
  (-0.5 and width - 0.5) lie on the enlarged box's edges, so its centre (width - 1) / 2 is the box's centre.
* **Shape.** The box grows in its shorter direction to the network's aspect, then by `enlarge` in both dimensions
  (1.25 in the paper); nothing is ever squeezed.
* **Beyond the picture** a crop is black.
* **Beyond the video or shot** a tube has no frames: the first keyframe of a shot has δ + 1 frames, none repeated.
  Nothing is predicted, hence nothing has to be ignored, for frames that do not exist.
* **The end of a shot.** Where more than δ frames follow a shot's last regular keyframe, which happens for
  S > δ + 1, the shot's last frame is a keyframe too; without it no person could be found there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from dettrack.config import CutConfig
from dettrack.errors import InputError
from dettrack.geometry import crop_affines
from dettrack.structures import Boxes, Clip, Frame, FrameTimes, Tubes
from dettrack.structures.report import Report, Tally

__all__ = [
    "KEYFRAMES_AT_ONCE",
    "KeyframeGroup",
    "earliest_later_frame",
    "group_keyframes",
    "iter_clips",
    "keyframe_indices",
    "keyframes_at_once",
    "make_clip",
    "make_tubes",
]

KEYFRAMES_AT_ONCE = 4
"""Keyframes whose tubes share a pass of the networks: enough to fill a batch, few enough to bound delay and memory."""

# Pixels that the frames of one group may hold; up to three groups are under way at a time.
_GROUP_BYTES = 100 << 20


def keyframe_indices(start: int, stop: int, step: int, clip_length: int) -> Int[np.ndarray, " keyframes"]:
    """Frame indices of the keyframes of the shot `start <= index < stop`.

    Args:
        start: First frame of the shot.
        stop: One past the last frame of the shot.
        step: S, frames between keyframes.
        clip_length: |C|, odd.

    Returns:
        `start`, `start + step`, ... and the last frame where no tube would reach it; ascending.
    """
    keys = np.arange(start, stop, step)
    if len(keys) and stop - 1 - keys[-1] > clip_length // 2:
        keys = np.append(keys, stop - 1)
    return keys


def make_clip(window: Sequence[Frame], position: int, clip_length: int) -> Clip:
    """The clip around `window[position]`.

    Args:
        window: Consecutive frames; any that are further than δ from the keyframe, or of another shot, are left out.
        position: Place of the keyframe in `window`.
        clip_length: |C|, odd.

    Returns:
        The frames of the keyframe's shot that exist within δ of it.

    Raises:
        InputError: If the frames of the shot are not consecutive.
    """
    key = window[position]
    reach = clip_length // 2
    low = position
    while low > 0 and position - low < reach and window[low - 1].shot == key.shot:
        low -= 1
    high = position + 1
    while high < len(window) and high - position <= reach and window[high].shot == key.shot:
        high += 1
    frames = tuple(window[low:high])
    if any(frame.index != key.index + low + i - position for i, frame in enumerate(frames)):
        raise InputError(
            f"the frames around keyframe {key.index} are {[frame.index for frame in frames]}: "
            "a clip needs consecutive frames; give a new shot number after a gap"
        )
    return Clip(frames, position - low)


def iter_clips(frames: Iterable[Frame], clip_length: int, step: int) -> Iterator[Clip]:
    """Clips of a video in order, while it is read.

    A clip comes as soon as its last frame is read, or its shot has ended. At most |C| + S frames are held.

    Args:
        frames: Frames in order; a change of `Frame.shot` ends a shot.
        clip_length: |C|, odd.
        step: S, frames between keyframes.

    Yields:
        One clip per keyframe, as `keyframe_indices` places them in each shot.
    """
    reach = clip_length // 2
    window: list[Frame] = []
    key = 0  # index of the next regular keyframe
    for frame in frames:
        if window and frame.shot != window[-1].shot:
            yield from _last_clips(window, key, clip_length, step)
            window = []
        if not window:
            key = frame.index
        window.append(frame)
        if frame.index == key + reach:
            yield make_clip(window, key - window[0].index, clip_length)
            key += step
        # the last frame may become a keyframe, so its δ predecessors stay as well
        window = window[max(0, min(key, frame.index) - reach - window[0].index) :]
    if window:
        yield from _last_clips(window, key, clip_length, step)


def _last_clips(window: Sequence[Frame], key: int, clip_length: int, step: int) -> Iterator[Clip]:
    """Clips at the end of a shot, from the regular keyframe `key` on; the last frame may become one more."""
    first, stop = window[0].index, window[-1].index + 1
    for index in keyframe_indices(key - step, stop, step, clip_length)[1:]:
        yield make_clip(window, int(index) - first, clip_length)


def keyframes_at_once(frame_bytes: int, step: int) -> int:
    """How many keyframes share a pass: `KEYFRAMES_AT_ONCE`, fewer where frames are large and far apart; at least 1.

    Args:
        frame_bytes: Size of a frame.
        step: S.

    Returns:
        At least 1.
    """
    return max(1, min(KEYFRAMES_AT_ONCE, _GROUP_BYTES // (frame_bytes * step)))


def earliest_later_frame(keyframe: int, clip_length: int, step: int) -> int:
    """First frame that a clip after the one at `keyframe` may cover.

    The next regular keyframe's clip starts at `keyframe + step - reach`; the extra keyframe at a shot's end
    (`clips.keyframe_indices`) is at least `keyframe + reach + 1`, so its clip starts at `keyframe + 1` or later.

    Args:
        keyframe: Frame index.
        clip_length: |C|.
        step: Frames between keyframes, at the finest.

    Returns:
        Frame index.
    """
    return keyframe + min(step - clip_length // 2, 1)


@dataclass(frozen=True)
class KeyframeGroup:
    """Neighbouring keyframes of the grid, which share a pass of the networks.

    Attributes:
        clips: Around the keyframes, in order.
        frames: The frames read since the group before.
        final_before: No clip of a later keyframe, of the grid or added, covers a frame before this one.
        shot_ended: The last keyframe is the last of its shot.
        tally: Of reading.
        visit: Whether it must be looked at (see `known`).
    """

    clips: tuple[Clip, ...]
    frames: FrameTimes
    final_before: int
    shot_ended: bool
    tally: Tally
    visit: bool = True


def group_keyframes(frames: Iterable[Frame], cut: CutConfig, *, immediate: bool = False) -> Iterator[KeyframeGroup]:
    """The keyframes of the grid, a few at a time, while the frames are read.

    Args:
        frames: Consecutive frames of one video.
        cut: S and |C|; with `adaptive`, keyframes may be added between those of the grid.
        immediate: Every keyframe is a group of its own, as soon as its clip is complete: for live sources, where
            nothing may wait to learn whether a shot has ended. The frames must be of one shot.

    Yields:
        Groups, in order; together they hold every frame.
    """
    finest = 1 if cut.adds_keyframes else cut.step
    report = Report()
    read: list[tuple[int, float, int, str]] = []
    clips: list[Clip] = []

    def group(final_before: int, *, shot_ended: bool = False) -> KeyframeGroup:
        made = KeyframeGroup(tuple(clips), FrameTimes.of(read), final_before, shot_ended, report.tally())
        for taken in (clips, read, report.seconds):
            taken.clear()
        return made

    def later(clip: Clip) -> int:
        return earliest_later_frame(clip.keyframe.index, cut.clip_length, finest)

    for clip in iter_clips(_timed(frames, read, report), cut.clip_length, cut.step):
        if clips and clip.keyframe.shot != clips[-1].keyframe.shot:
            yield group(clip.frames[0].index, shot_ended=True)
        elif clips and len(clips) >= keyframes_at_once(clip.keyframe.image.nbytes, cut.step):
            yield group(later(clips[-1]))
        clips.append(clip)
        if immediate:
            yield group(later(clip))
    if clips:
        yield group(clips[-1].frames[-1].index + 1, shot_ended=True)


def _timed(frames: Iterable[Frame], read: list[tuple[int, float, int, str]], report: Report) -> Iterator[Frame]:
    """The frames; what is known of them beside their pixels goes into `read`."""
    iterator = iter(frames)
    while True:
        with report.timed("read"):
            frame = next(iterator, None)
        if frame is None:
            return
        read.append((frame.index, frame.time_s, frame.shot, frame.name))
        yield frame


def make_tubes(boxes: Boxes, size: tuple[int, int], enlarge: float = 1.25) -> Tubes:
    """One tube per box.

    Args:
        boxes: The keyframe's people. A side below one pixel is taken as one pixel about the box's centre.
        size: Height and width of the crop in pixels.
        enlarge: Factor on both dimensions.

    Returns:
        Tubes with one affine each, displayed pixels -> crop pixels: one scale for both axes, no rotation.

    Raises:
        InputError: If a corner is not finite.
    """
    return Tubes(boxes, crop_affines(boxes.xyxy, size, enlarge), size)
