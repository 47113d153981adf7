"""The tracklets of a video under way, so that a run that is killed goes on where it was.

One file every few seconds of work, each with the batches found since the last one, whole or absent. They hold the
numbers as they are, to the last bit: a run that goes on writes the same results as one that was never interrupted.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from dettrack.errors import InputError, OutputError
from dettrack.files import NewFile, load_arrays, parsing
from dettrack.structures import Boxes, FrameTimes, TrackletBatch, Tracklets
from dettrack.structures.report import Tally

__all__ = ["Checkpoint"]

_EVERY_S = 20.0
_META = "meta"


class Checkpoint:
    """Batches of one video in a folder of files (`cut.known.KnownBatches`); used by several threads.

    Several workers may each add batches of their own part of the video to the same folder.
    """

    def __init__(self, folder: Path, every_s: float = _EVERY_S) -> None:
        """Find what is there.

        Args:
            folder: Belongs to this video, its settings and the weights; made when it is first written.
            every_s: Seconds of work that may be lost; files are written no more often.
        """
        self._folder, self._every_s = folder, every_s
        self._lock = threading.Lock()
        self._files: dict[int, Path] = {}  # by the first keyframe of a group
        self._loaded: tuple[Path | None, Mapping[int, TrackletBatch]] = None, {}
        self._waiting: dict[int, TrackletBatch] = {}
        self._last = time.monotonic()
        for path in sorted(folder.glob("*.npz")):
            with suppress(InputError):  # what it holds is found, and written, again
                self._files.update(dict.fromkeys(_read(path), path))

    def __contains__(self, first: int) -> bool:
        return first in self._files

    def find(self, first: int) -> TrackletBatch:
        """See `KnownBatches.find`."""
        with self._lock:
            path = self._files[first]
            if self._loaded[0] != path:
                self._loaded = path, _read(path)
            return self._loaded[1][first]

    def add(self, first: int, batch: TrackletBatch) -> None:
        """See `KnownBatches.add`."""
        self._waiting[first] = batch
        if time.monotonic() - self._last >= self._every_s:
            self.flush()

    def flush(self) -> None:
        """Write what waits; a disk that does not take it costs only what could have been spared later."""
        if not self._waiting:
            return
        try:
            with NewFile(self._folder / f"{min(self._waiting):010d}.npz") as new, new.part.open("wb") as file:
                np.savez(file, allow_pickle=False, **_pack(self._waiting))
        except OutputError:
            pass
        self._waiting, self._last = {}, time.monotonic()

    def remove(self) -> None:
        """The video is done: nothing of it is needed any more."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _pack(batches: Mapping[int, TrackletBatch]) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    meta: list[dict[str, Any]] = []
    for i, (first, batch) in enumerate(batches.items()):
        for name in ("index", "time_s", "shot"):
            arrays[f"{i}.{name}"] = getattr(batch.frames, name)
        for j, one in enumerate(batch.tracklets):
            named = {"frames": one.frames, "boxes": one.boxes.xyxy, "box_scores": one.boxes.scores}
            named |= {"xy": one.xy, "scores": one.scores}
            named |= {} if one.detected is None else {"detected": one.detected}
            arrays.update({f"{i}.{j}.{name}": array for name, array in named.items()})
        tally = {name: dict(getattr(batch.tally, name)) for name in ("counts", "dropped", "seconds")}
        meta.append(
            {
                "first": first,
                "names": list(batch.frames.name) if any(batch.frames.name) else None,
                "keyframes": [one.keyframe for one in batch.tracklets],
                "final_before": batch.final_before,
                "shot_ended": batch.shot_ended,
                "tally": tally,
            }
        )
    arrays[_META] = np.array(json.dumps(meta))
    return arrays


def _read(path: Path) -> dict[int, TrackletBatch]:
    with parsing(f"{path}", "tracklets of a run under way"):
        arrays = load_arrays(path)
        return {
            about["first"]: _unpack(arrays, str(i), about) for i, about in enumerate(json.loads(str(arrays[_META])))
        }


def _unpack(arrays: Mapping[str, np.ndarray], i: str, about: dict[str, Any]) -> TrackletBatch:
    index, time_s, shot = (arrays[f"{i}.{name}"] for name in ("index", "time_s", "shot"))
    tracklets = []
    for j, keyframe in enumerate(about["keyframes"]):
        frames, boxes, box_scores, xy, scores = (
            arrays[f"{i}.{j}.{name}"] for name in ("frames", "boxes", "box_scores", "xy", "scores")
        )
        detected = arrays.get(f"{i}.{j}.detected")
        tracklets.append(Tracklets(keyframe, frames, Boxes(boxes, box_scores), xy, scores, detected))
    return TrackletBatch(
        FrameTimes(index, time_s, shot, tuple(about["names"] or [""] * len(index))),
        tuple(tracklets),
        about["final_before"],
        about["shot_ended"],
        Tally(**about["tally"]),
    )
