"""Scores that mean something: from a model's own score to the probability that the joint is where the model says.

A joint counts as right within half a head (PCKh@0.5). The table is fitted on annotated people that the model was not
trained on (`dettrack weights calibrate`); checkpoints of ours carry it, other people's models have it in a file beside
them. It rises everywhere, so no order of scores changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from dettrack.errors import InputError, UsageError
from dettrack.files import file_sha256, write_text
from dettrack.files.toml import read_table, read_toml
from dettrack.models.weights import CALIBRATION

__all__ = ["Calibration", "calibrated", "find_calibration", "read_calibration", "weights_file", "write_calibration"]

Table = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Calibration:
    """What a model's scores mean.

    Attributes:
        table: Pairs of a score and the probability that a joint with it is right; both rise from pair to pair. Between
            pairs it is linear, outside them constant.
        sha256: Of the file of weights that it belongs to; "" for any.
    """

    table: Table
    sha256: str = ""

    LEAST: ClassVar[int] = 2

    def __post_init__(self) -> None:
        pairs = np.array(self.table, float).reshape(-1, 2)
        risen = (np.diff(pairs, axis=0) > 0).all()
        if len(pairs) < self.LEAST or not risen or not ((pairs >= 0) & (pairs <= 1)).all():
            raise InputError(
                f"a calibration of {len(pairs)} pairs: expected at least {self.LEAST} pairs of a score and a "
                "probability, within [0, 1] and both rising from pair to pair"
            )

    def __call__(self, scores: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """Probabilities; NaN stays."""
        known, probabilities = np.array(self.table).T
        return np.interp(scores, known, probabilities).astype(scores.dtype)


def calibrated(scores: Float[np.ndarray, "*n"], calibration: Calibration | None) -> Float[np.ndarray, "*n"]:
    """Probabilities where a calibration is known, else the scores as they are.

    Args:
        scores: In [0, 1].
        calibration: What they mean.

    Returns:
        In [0, 1].
    """
    return scores if calibration is None else calibration(scores)


def find_calibration(model: Path, option: str, own: Table = ()) -> Calibration | None:
    """The calibration that `estimate.calibration` names.

    Args:
        model: The model's file.
        option: "auto" for the model's own, or the file NAME.calibration.toml beside it; "none"; or a file.
        own: What the model carries.

    Returns:
        None where there is none, and scores stay what the model gives.

    Raises:
        InputError: A file is unreadable, or was made for another model.
    """
    if option == "none":
        return None
    if option != "auto":
        return read_calibration(Path(option), model)
    if own:
        return Calibration(own)
    beside = model.with_suffix(CALIBRATION)
    return read_calibration(beside, model) if beside.is_file() else None


def weights_file(model: Path) -> Path:
    """Where the weights of a model's file lie: OpenVINO's are in the `.bin` beside its `.xml`."""
    return model.with_suffix(".bin") if model.suffix == ".xml" else model


def read_calibration(path: Path, model: Path) -> Calibration:
    """Read what `write_calibration` wrote.

    Args:
        path: The file.
        model: The model whose scores it shall explain.

    Returns:
        The calibration.

    Raises:
        InputError: Unreadable, or made for another model.
    """
    try:
        found = read_table(Calibration, read_toml(path), str(path))
    except UsageError as error:
        raise InputError(str(error)) from error
    except InputError as error:
        raise InputError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from error
    if found.sha256 and weights_file(model).is_file() and file_sha256(weights_file(model)) != found.sha256:
        raise InputError(
            f"{path} explains the scores of another model than {model.name}: make it again with dettrack weights "
            "calibrate, or give --calibration none"
        )
    return found


def write_calibration(path: Path, table: Table, model: Path) -> None:
    """Write a calibration file.

    Args:
        path: The file.
        table: See `Calibration`.
        model: The model that it belongs to.

    Raises:
        OutputError: It cannot be written.
    """
    pairs = "".join(f"    [{score:.4f}, {probability:.4f}],\n" for score, probability in table)
    write_text(
        path,
        "# From a model's score to the probability that a joint lies within half a head: dettrack weights calibrate.\n"
        f'sha256 = "{file_sha256(weights_file(model))}"\ntable = [\n{pairs}]\n',
    )
