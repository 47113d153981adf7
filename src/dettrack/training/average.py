"""The mean of several trained networks' weights.

    python -m dettrack.training.average OUT.safetensors A.safetensors B.safetensors ...

Networks that were trained from the same weights on other samples, at the end of a run, lie in one basin: their mean is
often better than each (Wortsman et al., "Model soups", ICML 2022), and costs nothing at run time.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from dettrack.errors import DettrackError, InputError, UsageError
from dettrack.models.pose.checkpoint import load_checkpoint, save_checkpoint

__all__ = ["average", "main"]


def average(out: Path, parts: Sequence[Path]) -> None:
    """Write the mean of checkpoints of one network as a checkpoint in fp16, without their figures and calibration.

    Args:
        out: A `.safetensors` file.
        parts: At least two checkpoints of ours.

    Raises:
        InputError: A file is no checkpoint, or of another network than the first.
        OutputError: `out` cannot be written.
    """
    checkpoints = [load_checkpoint(part) for part in parts]
    first = checkpoints[0]
    spec = replace(first.spec, calibration=())  # a mean has scores of its own
    for part, checkpoint in zip(parts, checkpoints, strict=True):
        if replace(checkpoint.spec, calibration=()) != spec:
            raise InputError(f"{part}: not the network of {parts[0]}: only weights of one network have a mean")
    states = [checkpoint.network.state_dict() for checkpoint in checkpoints]
    mean = {name: torch.stack([state[name].double() for state in states]).mean(0) for name in states[0]}
    first.network.load_state_dict(mean)  # in each entry's own type
    names = ", ".join(str(part) for part in parts)
    save_checkpoint(out, first.network, spec, half=True, source=f"mean of {names}; {first.source}".rstrip("; "))


def main(args: Sequence[str]) -> int:
    """Entry point."""
    try:
        if len(args) < 3:
            raise UsageError(
                "usage: python -m dettrack.training.average OUT.safetensors A.safetensors B.safetensors ..."
            )
        average(Path(args[0]), [Path(part) for part in args[1:]])
    except DettrackError as error:
        sys.stderr.write(f"average: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
