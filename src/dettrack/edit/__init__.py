"""Corrections by people: an append-only list beside a result, and what it does to the rows.

The files of the run stay as they are; every reader applies the list (docs/corrections.md).
"""

from dettrack.edit.apply import active, apply, apply_traced, check, names
from dettrack.edit.journal import EDITS, append, read, write_edits
from dettrack.edit.operations import OPERATIONS, Edit, parse
from dettrack.edit.suspects import follow_suspects

__all__ = [
    "EDITS",
    "OPERATIONS",
    "Edit",
    "active",
    "append",
    "apply",
    "apply_traced",
    "check",
    "follow_suspects",
    "names",
    "parse",
    "read",
    "write_edits",
]
