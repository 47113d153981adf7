"""Sew (paper 3.2): tracklets into tracks."""
