"""Boxes and poses from a Python program, in place of networks of ours."""
