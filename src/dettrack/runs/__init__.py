"""Drivers: one tracked video after another into folders, a data set, a live window."""
