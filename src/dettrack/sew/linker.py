"""How tracklets get their identities: the paper's way, or a baseline, behind one protocol."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from dettrack.config import SewConfig
from dettrack.sew.baselines import KeyframeLinker
from dettrack.sew.links import Links
from dettrack.sew.sewer import Sewer
from dettrack.skeleton import JointSet
from dettrack.structures import Tracklets
from dettrack.structures.report import Tally

__all__ = ["Linker", "gap_frames", "make_linker"]


@runtime_checkable
class Linker(Protocol):
    """Gives each tracklet the identity of its track, keyframe by keyframe.

    It may have `close_links` too: the links of the last `add` that had a close second (`structures.CloseLink`).
    """

    @property
    def tally(self) -> Tally:
        """Tracklets dropped so far, by reason."""
        ...

    def add(self, tracklets: Tracklets) -> Int[np.ndarray, " n"]:
        """Identities of the tracklets of the next keyframe.

        Args:
            tracklets: Of a later keyframe than all before.

        Returns:
            Track ids from 0, never used twice; below 0 for a tracklet that belongs to no track.
        """
        ...

    def end_shot(self) -> None:
        """End all tracks: nothing is compared across a shot cut."""
        ...


def make_linker(config: SewConfig, joint_set: JointSet, clip_length: int, links: Links | None = None) -> Linker:
    """The linker that `config.linking` names.

    At |C| = 1 tubes never overlap: "tubes" then links as "oks-gbm", the paper's 2D baseline (figure 5a).

    Args:
        config: Settings.
        joint_set: Joints of the tracklets.
        clip_length: |C|.
        links: What people said of single tracklets; only "tubes" heeds it.

    Returns:
        The linker, for one video.
    """
    if config.linking != "tubes":
        return KeyframeLinker(config, joint_set)
    if clip_length == 1:
        return KeyframeLinker(replace(config, linking="oks-gbm"), joint_set)
    return Sewer(config, joint_set, clip_length, links)


def gap_frames(config: SewConfig) -> int:
    """Longest gap inside a track, in frames, that the linking itself expects to be interpolated afterwards."""
    return config.memory if config.linking == "oks-velocity" else 0
