"""Conversion of poses between joint sets, by name.

What the source lacks stays NaN, except for a few stated approximations (`APPROXIMATIONS`), which a `JointMap` lists so
that users can tell them from measured joints.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from dettrack.skeleton.joints import JointSet

__all__ = ["APPROXIMATIONS", "JointMap"]

# What a COCO model cannot give, approximated linearly: joint -> {source joint: weight}. The head bottom lies on
# the line from the shoulders' middle to the nose, a quarter of the way; the head top lies beyond the ears' middle, seen
# from the shoulders' middle, by 0.7 of that distance (from the nose alone the error is 2.5 times as large: it says
# nothing of how the head is tilted). Fitted and measured by lab/studies/approximations.py; errors: docs/formats.md.
APPROXIMATIONS: dict[str, dict[str, float]] = {
    "head_bottom": {"left_shoulder": 0.375, "right_shoulder": 0.375, "nose": 0.25},
    "head_top": {"left_shoulder": -0.35, "right_shoulder": -0.35, "left_ear": 0.85, "right_ear": 0.85},
    "nose": {"head_bottom": 0.45, "head_top": 0.55},
}


@dataclass(frozen=True)
class JointMap:
    """Conversion of poses from one joint set to another, by name.

    Attributes:
        source: Joint set of the input arrays.
        target: Joint set of the output arrays.
        approximate: Whether joints that the source lacks are filled by `APPROXIMATIONS` where these apply.
    """

    source: JointSet
    target: JointSet
    approximate: bool = True

    @cached_property
    def approximated(self) -> tuple[str, ...]:
        """Target joints that are stated approximations, not measured."""
        if not self.approximate:
            return ()
        return tuple(
            joint
            for joint in self.target.joints
            if joint not in self.source.joints
            and joint in APPROXIMATIONS
            and set(APPROXIMATIONS[joint]) <= set(self.source.joints)
        )

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """Target joints that stay NaN."""
        return tuple(
            joint for joint in self.target.joints if joint not in self.source.joints and joint not in self.approximated
        )

    @cached_property
    def _weights(self) -> Float[np.ndarray, "target source"]:
        weights = np.zeros((len(self.target), len(self.source)))
        for row, joint in enumerate(self.target.joints):
            if joint in self.source.joints:
                weights[row, self.source.index(joint)] = 1.0
            elif joint in self.approximated:
                for name, weight in APPROXIMATIONS[joint].items():
                    weights[row, self.source.index(name)] = weight
        return weights

    def __call__(
        self, xy: Float[np.ndarray, "*batch source 2"], scores: Float[np.ndarray, "*batch source"]
    ) -> tuple[Float[np.ndarray, "*batch target 2"], Float[np.ndarray, "*batch target"]]:
        """Convert poses.

        Args:
            xy: Joint positions, NaN where missing.
            scores: Joint confidences in [0, 1].

        Returns:
            Positions and scores in the target's order. A joint that is not available is NaN with score 0; an
            approximated joint takes the lowest score of the joints that it is made from.
        """
        if self.source == self.target:
            return xy.copy(), scores.copy()
        out_xy = np.full((*xy.shape[:-2], len(self.target), 2), np.nan, xy.dtype)
        out_scores = np.zeros((*scores.shape[:-1], len(self.target)), scores.dtype)
        for row, weights in enumerate(self._weights):
            used = np.flatnonzero(weights)
            if used.size:
                out_xy[..., row, :] = np.einsum("s,...sd->...d", weights[used], xy[..., used, :])
                out_scores[..., row] = scores[..., used].min(-1)
        return out_xy, out_scores
