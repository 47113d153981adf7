"""Hard cuts between shots, found while reading.

The paper's clips come from single shots; real videos do not, and a tube across a cut would join two people who never
met. Two consecutive frames are compared as 64x36 thumbnails in two ways: how badly the small blocks of one can be
found near their place in the other (fast motion and camera pans find them, after brightness and contrast are evened
out), and how far the colours differ. A cut is a jump in both, large against the video's own recent motion; and the
picture must not be back to what it was within the next frames, which is what a photo flash or a broken frame does.

Dissolves and fades are not cuts here: each step is small. Nor is time that was cut out under a camera that stands
still: the background stays, and only the linking of people can tell.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from dettrack.structures import Frame

__all__ = ["Thumbnail", "change", "mark_shots", "thumbnail"]

_WIDTH, _HEIGHT = 64, 36
_BLOCK_WIDTH, _BLOCK_HEIGHT = 8, 6
_REACH = 4  # thumbnail pixels that a block may move between frames: a sixteenth of the picture's width

# Measured on ten real videos without cuts and 400 splices of them (tests/video/test_shots.py repeats it): one frame
# apart, blocks differ by at most 0.18 and colours by 0.16; across splices by at least 0.37 and 0.43.
_MIN_BLOCKS = 0.28
_MIN_SUM = 0.5
_MIN_RATIO = 2.5  # against the median of the last changes, once there are some
_MEMORY = 15
_MIN_MEMORY = 5
_FLASH_FRAMES = 3  # longest disturbance that is not a cut


@dataclass(frozen=True)
class Thumbnail:
    """What is kept of a frame for comparison.

    Attributes:
        grey: Thumbnail with mean 0 and, unless the picture is flat, variance 1.
        colours: Shares of 512 colours, sum 1.
    """

    grey: Float[np.ndarray, "36 64"]
    colours: Float[np.ndarray, " 512"]


def thumbnail(image: UInt8[np.ndarray, "height width 3"]) -> Thumbnail:
    """Reduce an image to what shot detection compares."""
    stride = max(1, min(image.shape[0] // (2 * _HEIGHT), image.shape[1] // (2 * _WIDTH)))
    small = cv2.resize(image[::stride, ::stride], (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    red, green, blue = np.moveaxis(small.astype(np.int64) >> 5, -1, 0)
    counts = np.bincount((red * 64 + green * 8 + blue).ravel(), minlength=512)
    # + 4 grey levels: the noise of a black or blank picture must not be blown up to full contrast.
    return Thumbnail((grey - grey.mean()) / (grey.std() + 4), (counts / counts.sum()).astype(np.float32))


def change(before: Thumbnail, after: Thumbnail) -> tuple[float, float]:
    """How much differs between two frames.

    Args:
        before: A frame.
        after: The next one.

    Returns:
        Mean difference of blocks at their best match nearby, in units of the pictures' contrast (the easier
        direction in time counts); and the share of pixels whose colour changed, in [0, 1].
    """
    blocks = min(_unmatched(before.grey, after.grey), _unmatched(after.grey, before.grey))
    return blocks, float(np.abs(before.colours - after.colours).sum()) / 2


def _unmatched(base: Float[np.ndarray, "36 64"], blocks: Float[np.ndarray, "36 64"]) -> float:
    bordered = cv2.copyMakeBorder(base, _REACH, _REACH, _REACH, _REACH, cv2.BORDER_REPLICATE)
    shifted = np.lib.stride_tricks.sliding_window_view(bordered, (_HEIGHT, _WIDTH))[::2, ::2]
    difference = np.abs(shifted.reshape(-1, _HEIGHT, _WIDTH) - blocks)
    grid = difference.reshape(-1, _HEIGHT // _BLOCK_HEIGHT, _BLOCK_HEIGHT, _WIDTH // _BLOCK_WIDTH, _BLOCK_WIDTH)
    return float(grid.mean((2, 4)).min(0).mean())


def mark_shots(frames: Iterator[Frame]) -> Iterator[Frame]:
    """Number the shots of a video.

    Args:
        frames: Consecutive frames.

    Yields:
        The same frames with `shot` set. Frames pass at once, except behind a suspected cut, where up to three wait.
    """
    shot = 0
    before: Thumbnail | None = None
    recent: deque[float] = deque(maxlen=_MEMORY)
    waiting: deque[Frame] = deque()
    flash = 0  # frames to pass over before the old picture returns
    while (frame := waiting.popleft() if waiting else next(frames, None)) is not None:
        if flash:
            flash -= 1
            yield replace(frame, shot=shot)
            continue
        after = thumbnail(frame.image)
        blocks, colours = change(before, after) if before is not None else (0.0, 0.0)
        if before is not None and _suspicious(blocks, colours, recent):
            while len(waiting) < _FLASH_FRAMES and (ahead := next(frames, None)) is not None:
                waiting.append(ahead)
            back = [_similar(before, thumbnail(later.image)) for later in waiting]
            if any(back):
                flash = back.index(True)
                yield replace(frame, shot=shot)
                continue
            shot += 1
        elif before is not None:
            recent.append(blocks)
        before = after
        yield replace(frame, shot=shot)


def _suspicious(blocks: float, colours: float, recent: deque[float]) -> bool:
    usual = float(np.median(recent)) if len(recent) >= _MIN_MEMORY else 0.0
    return blocks > _MIN_BLOCKS and blocks + colours > _MIN_SUM and blocks > _MIN_RATIO * usual


def _similar(before: Thumbnail, later: Thumbnail) -> bool:
    blocks, colours = change(before, later)
    return blocks < _MIN_BLOCKS or blocks + colours < _MIN_SUM
