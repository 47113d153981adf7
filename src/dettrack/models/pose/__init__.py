"""Pose networks (HRNet and its temporal inflation), heatmaps, checkpoints, and estimators behind one protocol."""

from dettrack.models.pose.estimator import Estimator
from dettrack.models.pose.load import load_estimator, load_estimators

__all__ = ["Estimator", "load_estimator", "load_estimators"]
