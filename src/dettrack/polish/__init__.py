"""Polish (paper 3.3): the several hypotheses of each joint in each frame into one position."""

from dettrack.polish.polisher import Polisher

__all__ = ["Polisher"]
