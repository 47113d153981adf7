"""Sew (paper 3.2): tracklets into tracks."""

from dettrack.sew.linker import Linker, gap_frames, make_linker

__all__ = ["Linker", "gap_frames", "make_linker"]
