"""The order of an epoch: a permutation, so that everybody is seen once before anybody is seen again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np

__all__ = ["Epochs"]

T = TypeVar("T")


class Epochs(Generic[T]):
    """Item `i` of an endless sequence of permutations; a function of the seed and `i` alone."""

    def __init__(self, items: Sequence[T], seed: int) -> None:
        """Take the items.

        Args:
            items: What is permuted.
            seed: Of the permutations.
        """
        self._items, self._seed = items, seed
        self._epoch, self._order = -1, np.zeros(0, np.int64)

    def __getitem__(self, index: int) -> T:
        epoch, place = divmod(index, len(self._items))
        if epoch != self._epoch:
            self._order = np.random.default_rng((self._seed, epoch, 3)).permutation(len(self._items))
            self._epoch = epoch
        return self._items[self._order[place]]
