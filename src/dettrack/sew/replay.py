"""Saved tracklets as a run with a shorter clip or fewer keyframes would have made them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from dettrack.config import CutConfig
from dettrack.errors import UsageError
from dettrack.structures import TrackletBatch

__all__ = ["narrow", "with_keyframes"]


def narrow(batches: Iterable[TrackletBatch], saved: CutConfig, wanted: CutConfig) -> Iterator[TrackletBatch]:
    """Batches as a run with a shorter clip or fewer keyframes would have made them from the same tubes.

    Args:
        batches: Batches of a run with the settings `saved`.
        saved: |C| and S of these batches.
        wanted: |C| and S to imitate. (A temporal network would give slightly other joints in a shorter clip; a
            network without temporal filters gives the same.) Of adaptive keyframes the grid can be
            had alone; which ones a shorter clip or other thresholds would have added is not known.

    Returns:
        The batches, one by one.

    Raises:
        UsageError: `wanted` needs frames or keyframes that were not saved; raised at once, not with the first batch.
    """
    if wanted.clip_length > saved.clip_length or wanted.step % saved.step:
        raise UsageError(
            f"--clip-length {wanted.clip_length} --step {wanted.step} cannot be made from tracklets of clip length "
            f"{saved.clip_length} and step {saved.step}: choose a clip no longer, and a multiple of the step"
        )
    same = replace(wanted, enlarge=saved.enlarge, shots=saved.shots) == saved
    if not same and wanted.adds_keyframes:
        raise UsageError(
            "adaptive keyframes cannot be made from tracklets that were saved with other settings of [cut] "
            f"({saved}): keep them as saved, or track again"
        )
    if same or (not saved.adds_keyframes and (wanted.clip_length, wanted.step) == (saved.clip_length, saved.step)):
        return iter(batches)
    return with_keyframes(batches, wanted.step, wanted.clip_length // 2, wanted.clip_length // 2)


def with_keyframes(batches: Iterable[TrackletBatch], every: int, reach: int, keep: int) -> Iterator[TrackletBatch]:
    """Batches with the keyframes that a run with a larger S has, their tubes cut short.

    Args:
        batches: Of a run with an S that divides `every`.
        every: S.
        reach: Frames on either side of a keyframe in that run's clips: the last keyframe of a shot stays where more
            follow the one before (`cut.keyframe_indices`).
        keep: Frames of a tube to keep on either side of its keyframe; 0 is what a frame-by-frame tracker sees.

    Yields:
        The batches; one may be without tracklets.
    """
    shot_start = None
    for batch in batches:
        kept = []
        for i, tracklets in enumerate(batch.tracklets):
            key = tracklets.keyframe
            shot_start = key if shot_start is None else shot_start
            since_regular = (key - shot_start) % every
            last = batch.shot_ended and i == len(batch.tracklets) - 1
            if since_regular == 0 or (last and since_regular > reach):
                near = np.abs(tracklets.frames - key) <= keep
                xy, scores = tracklets.xy[:, near], tracklets.scores[:, near]
                kept.append(replace(tracklets, frames=tracklets.frames[near], xy=xy, scores=scores))
        shot_start = None if batch.shot_ended else shot_start
        yield replace(batch, tracklets=tuple(kept))
