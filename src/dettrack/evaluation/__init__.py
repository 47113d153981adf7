"""The PoseTrack evaluation and what explains its figures.

`evaluate` takes sequences in memory (or generators that read one at a time) and gives AP, MOTA, HOTA and box recall by
the official rules or the clean ones; `rules` names each rule with its reason.
"""

from __future__ import annotations

from dettrack.evaluation.rules import CLEAN, EVALUATION15, OFFICIAL
from dettrack.evaluation.summary import Evaluation, evaluate

__all__ = ["CLEAN", "EVALUATION15", "OFFICIAL", "Evaluation", "evaluate"]
