"""Batches of a few fixed sizes, so that a GPU can replay a recorded graph instead of launching kernel after kernel."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

__all__ = ["Bucketed", "bucket_sizes"]

_WARM_UP = 3  # passes before recording, in which libraries choose their algorithms


def bucket_sizes(largest: int) -> list[int]:
    """1, 2, 4, ... up to and with `largest`: a batch is filled up to less than twice its size."""
    sizes = [2**i for i in range(max(largest, 1).bit_length()) if 2**i < largest]
    return [*sizes, max(largest, 1)]


class Bucketed:
    """Runs a function of tubes in batches of a few sizes; rows that fill a batch up are thrown away.

    On CUDA each size is recorded as a graph at once; elsewhere the function is called as it is, which gives the same.
    """

    def __init__(
        self, function: Callable[[Tensor], Tensor], shape: tuple[int, ...], largest: int, device: torch.device
    ) -> None:
        """Record.

        Args:
            function: uint8 batch `(n, *shape)` on the device -> one tensor.
            shape: Of a row; frames, height, width and channels of a tube.
            largest: Rows of the largest batch.
            device: Where the function runs.
        """
        self._function, self._sizes = function, bucket_sizes(largest)
        self._inputs = {n: torch.zeros((n, *shape), dtype=torch.uint8, device=device) for n in self._sizes}
        self._outputs: dict[int, Tensor] = {}
        self._graphs: dict[int, torch.cuda.CUDAGraph] = {}
        if device.type == "cuda":
            # The largest first: the smaller ones then fit into its memory.
            with torch.backends.cudnn.flags(enabled=True, benchmark=True):  # the fastest algorithms are recorded
                for n in reversed(self._sizes):
                    self._record(n)

    def _record(self, n: int) -> None:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP):
                self._function(self._inputs[n])
        torch.cuda.current_stream().wait_stream(side)
        self._graphs[n] = torch.cuda.CUDAGraph()
        pool = next(iter(self._graphs.values())).pool() if len(self._graphs) > 1 else None
        with torch.cuda.graph(self._graphs[n], pool=pool):
            self._outputs[n] = self._function(self._inputs[n])

    def __call__(self, tubes: UInt8[Tensor, "n clip h w 3"]) -> Float[Tensor, "n clip joints h4 w4"]:
        """The function's answer for every tube."""
        parts = [self._run(part) for part in tubes.split(self._sizes[-1])]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _run(self, tubes: Tensor) -> Tensor:
        n = len(tubes)
        size = next(size for size in self._sizes if size >= n)
        held = self._inputs[size]
        held[:n].copy_(tubes, non_blocking=True)
        if size not in self._graphs:
            return self._function(held)[:n]
        self._graphs[size].replay()
        return self._outputs[size][:n].clone()  # the next replay writes there
