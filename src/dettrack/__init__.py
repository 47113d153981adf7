"""dettrack: find every person in a video, follow each one, and give their joints in every frame."""

__version__ = "0.1.0"
