"""An epoch is a permutation: everybody once before anybody again, whoever prepares the samples."""

from __future__ import annotations

import numpy as np

from dettrack.training.pose.epochs import Epochs


def test_every_epoch_is_a_permutation_of_its_own() -> None:
    order = Epochs(list("abcdefg"), seed=3)
    epochs = ["".join(order[7 * epoch + i] for i in range(7)) for epoch in range(4)]
    assert all(sorted(epoch) == list("abcdefg") for epoch in epochs)
    assert len(set(epochs)) == 4
    other = Epochs(list("abcdefg"), seed=3)
    backwards = [other[i] for i in reversed(range(28))]  # any order of asking
    assert "".join(reversed(backwards)) == "".join(epochs)
    assert "".join(Epochs(list("abcdefg"), seed=4)[i] for i in range(7)) != epochs[0]
    assert np.array([Epochs([5], 0)[i] for i in range(3)]).tolist() == [5, 5, 5]
