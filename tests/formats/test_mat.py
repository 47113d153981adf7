"""MATLAB's files are read in a process of their own, which may die."""

import os
import signal

import numpy as np
import pytest
from scipy.io import savemat

from dettrack.errors import InputError
from dettrack.formats import mat


def test_numbers_come_as_they_are_and_structs_as_lists(tmp_path):
    numbers = np.random.default_rng(0).uniform(size=(14, 3, 5))
    frame = np.zeros((1, 2), [("name", object), ("score", object)])
    frame[0, 0] = ("a.jpg", np.array([[0.5]]))
    frame[0, 1] = ("b.jpg", np.zeros((0, 0)))
    savemat(tmp_path / "a.mat", {"joints": numbers, "annolist": frame})
    np.testing.assert_array_equal(mat.load_mat(tmp_path / "a.mat", "joints"), numbers)
    assert mat.load_mat(tmp_path / "a.mat", "annolist") == [{"name": "a.jpg", "score": [0.5]}, {"name": "b.jpg"}]
    with pytest.raises(InputError, match="no variable 'other' in it, only joints, annolist"):
        mat.load_mat(tmp_path / "a.mat", "other")
    with pytest.raises(InputError, match="no such file"):
        mat.load_mat(tmp_path / "b.mat", "other")


def test_a_child_that_dies_is_one_line_and_is_replaced(tmp_path):
    savemat(tmp_path / "a.mat", {"joints": np.ones((2, 2))})
    mat.load_mat(tmp_path / "a.mat", "joints")
    os.kill(mat._child.pid, signal.SIGSTOP)  # so that it dies of the next question, not before
    os.kill(mat._child.pid, signal.SIGKILL)
    mat._child.poll = lambda: None  # as if it were not known yet
    with pytest.raises(InputError, match=r"a\.mat: damaged: the process that read it died of it"):
        mat.load_mat(tmp_path / "a.mat", "joints")
    np.testing.assert_array_equal(mat.load_mat(tmp_path / "a.mat", "joints"), np.ones((2, 2)))
