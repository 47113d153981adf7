"""Pose networks (HRNet and its temporal inflation), heatmaps, checkpoints, and estimators behind one protocol."""

from dettrack.network.estimator import Estimator
from dettrack.network.load import load_estimator

__all__ = ["Estimator", "load_estimator"]
