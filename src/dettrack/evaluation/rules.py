"""The rules of evaluation, each in one named place with its reason.

Two modes, and one for PoseTrack21. `OFFICIAL` reproduces the PoseTrack organisers' evaluator of 2017 and 2018 to the
last digit, accidents included, so that a figure may stand beside a published one. `CLEAN` does better where a rule is
an accident of that code; `Rules` lists what differs. What both share are the constants below and the definitions in
`prepare` (which frames, people and joints count), `persons` (distance, who is whose prediction), `precision` (AP) and
`tracking` (MOTA).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dettrack.errors import UsageError
from dettrack.formats.posetrack.year2017 import JOINTS
from dettrack.skeleton import JointSet

__all__ = [
    "CLEAN",
    "EVALUATION15",
    "GROUPS",
    "HOTA_RULES",
    "MATCH_DISTANCE",
    "MAX_TRACK_ID",
    "MISSING_SCORE",
    "OFFICIAL",
    "POSETRACK21",
    "Mode",
    "Rules",
    "rules_of",
]

Mode = Literal["official", "clean", "posetrack21"]

EVALUATION15 = JointSet("posetrack_evaluation15", JOINTS)
"""The 15 joints in the order of PoseTrack17's ids, which is the order of all per-joint figures. Ears do not count."""

GROUPS: dict[str, tuple[int, ...]] = {
    "Head": (14, 12, 13),  # head top, neck, nose: a plain mean of three, where the other groups have two
    "Sho": (8, 9),
    "Elb": (7, 10),
    "Wri": (6, 11),
    "Hip": (2, 3),
    "Kne": (1, 4),
    "Ank": (0, 5),
}
"""Columns of the published tables: positions in `EVALUATION15`."""

MATCH_DISTANCE = 0.5
"""A joint is right within this many head sizes, the border included."""

MISSING_SCORE = -9999.0
"""A predicted joint without a score counts last; the person's own score is never used."""

MAX_TRACK_ID = 10000
"""Track ids must be smaller: the official evaluator adds this much per file to keep sequences apart."""


@dataclass(frozen=True)
class Rules:
    """What the two modes do differently; the first value of each is the official one.

    Attributes:
        name: Name of the mode.
        by_flag: Which frames count. False: those with an annotated person, because the official evaluator never reads
            `is_labeled`; people predicted in frames without annotated people go unpunished. True: those that
            `is_labeled` says, and only where a file has no such flag, those with an annotated person.
        last_frame: Whether the last of these frames counts for tracking. The official evaluator leaves it out (an
            index that stops one short, since its first version); a sequence with one frame has no MOTA then.
        singly: How a frame without annotated, or without predicted, people counts for tracking. False: as one object
            missed and one false positive for each joint, whatever the number of people. True: one by one.
        zero_is_missing: Whether a joint at exactly (0, 0) is missing whatever its visibility flag says. Officially
            it is missing only if the flag is 0 too, which punishes files that write the score there.
        ties_together: How equal scores enter the precision-recall curve. False: one after the other, in the order in
            which NumPy's default sort leaves them, which is not defined. True: together.
        unseen_is_zero: Whether a joint that is never predicted has AP 0 even if it is never annotated either, and
            stays in the mean. Officially yes; else such a joint is left out.
        group_skips_nan: Whether a group's mean skips a joint without a figure, as the total does. Officially not.
        positive_only: Whether a joint needs x > 0 and y > 0 to exist: a rule of PoseTrack21's HOTA.
    """

    name: str
    by_flag: bool = False
    last_frame: bool = False
    singly: bool = False
    zero_is_missing: bool = False
    ties_together: bool = False
    unseen_is_zero: bool = True
    group_skips_nan: bool = False
    positive_only: bool = False


OFFICIAL = Rules("official")

CLEAN = Rules(
    "clean",
    by_flag=True,
    last_frame=True,
    singly=True,
    zero_is_missing=True,
    ties_together=True,
    unseen_is_zero=False,
    group_skips_nan=True,
)

POSETRACK21 = Rules("posetrack21", by_flag=True, positive_only=True)
"""AP as PoseTrack21's kit measures it. It has no MOTA of joints: ours is then that of 2017 and 2018 in these frames."""

HOTA_RULES = Rules("hota", by_flag=True, last_frame=True, singly=True, positive_only=True)
"""HOTA is PoseTrack21's: it has its own rules, the same in both modes."""


def rules_of(mode: str) -> Rules:
    """The rules called `mode`; raises `UsageError` for another name."""
    for rules in (OFFICIAL, CLEAN, POSETRACK21):
        if rules.name == mode:
            return rules
    raise UsageError(f"--mode is {mode!r}: expected official, clean or posetrack21")
