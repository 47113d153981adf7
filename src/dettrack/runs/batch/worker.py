"""One worker: holds the models, and tracks one video after the other."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import sys
import threading
import time
import traceback
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from dettrack import __version__
from dettrack.cut.known import Span
from dettrack.errors import DettrackError, InputError, OutputError
from dettrack.files import file_sha256
from dettrack.pipeline import Pipeline
from dettrack.runs.batch.tables import add_tracks
from dettrack.runs.batch.tasks import Outcome, Task, spans_of
from dettrack.runs.checkpoint import Checkpoint
from dettrack.runs.folder import open_source, run_fingerprint, track_to_folder
from dettrack.runs.result import SUMMARY, is_complete, read_summary
from dettrack.skeleton import joint_set
from dettrack.threads import tune_process
from dettrack.video.isolated import DIED, Limits

__all__ = ["Worker", "out_of_memory"]

_BEAT_S = 1.0
_LIMITS = Limits()
_NO_MEMORY = ("outofmemory", "out of memory", "bad_alloc", "can't allocate memory", "cannot allocate memory")


class Worker:
    """Tracks the videos that it is given; a context manager.

    Attributes:
        name: What the manifest calls it.
    """

    def __init__(self, name: str, folder: Path) -> None:
        """Nothing is loaded before the first task.

        Args:
            name: What the manifest calls it.
            folder: `OUT/batch.state`.
        """
        self.name = name
        self._pipeline: Pipeline | None = None
        self._heart = _Heart(folder / "running" / f"{name}.json", name)

    def run(self, task: Task) -> Outcome:
        """Track a video; whatever is wrong with it is in the answer."""
        self._heart.begin(task.video)
        try:
            return self._run(task)
        except OutputError as error:
            return Outcome("blocked", str(error))
        except DettrackError as error:
            return _failed(task, str(error))
        except Exception as error:  # noqa: BLE001 (a fault in one video must not end ten thousand others)
            _say(f"{task.video}: {traceback.format_exc()}")
            return _failed(task, f"{type(error).__name__}: {error}".splitlines()[0])
        finally:
            self._heart.rest()

    def _run(self, task: Task) -> Outcome:
        key = run_fingerprint(task.source, task.config, task.options)
        summary = read_summary(task.result) if is_complete(task.result) else None
        if summary is not None and summary.get("fingerprint") == key:  # its run was killed before it could say so
            return self._answer(task, summary, adopted=True)
        if task.split_s and (frames := _long(task)):
            return Outcome("long", frames=frames)
        tune_process(task.config.estimate.threads)
        self._pipeline = Pipeline(task.config) if self._pipeline is None else self._pipeline.with_config(task.config)
        if task.span is not None:
            return self._find(self._pipeline, task, task.span, self._known(task, key))
        summary, said = self._track(self._pipeline, task, key)
        return self._answer(task, summary, said)

    def _known(self, task: Task, key: str) -> Checkpoint:
        return Checkpoint(spans_of(task.folder, task.video) / f"{key[:32]}-{__version__}")

    def _track(self, pipeline: Pipeline, task: Task, key: str) -> tuple[dict[str, Any], str]:
        """The summary, and what there is to say: once more after the decoder died, with less after memory ran out."""
        said, tries = "", 2
        while True:
            known = self._known(task, key)
            try:
                summary = track_to_folder(
                    pipeline, task.source, task.result, task.options, self._heart.progress, known, _LIMITS
                )
                if tries == 1 or not any(DIED in note for note in summary["notes"]):
                    return summary, said
            except Exception as error:
                if out_of_memory(error):
                    pipeline, said = _halved(pipeline, task, error), "out of memory: tracked with a smaller batch"
                    self._pipeline = pipeline  # the next video has no more memory than this one
                    known.flush()
                    continue
                if tries == 1 or DIED not in str(error):
                    raise
            known.flush()
            tries -= 1  # the system may have killed the decoder: once more, to see whether it is the file

    def _answer(self, task: Task, summary: dict[str, Any], said: str = "", *, adopted: bool = False) -> Outcome:
        shutil.rmtree(spans_of(task.folder, task.video), ignore_errors=True)  # those of other settings, too
        smooth = task.config.finish.smooth != "none"
        problem = add_tracks(task.folder, task.video, task.result, joint_set(summary["joint_set"]), smooth)
        answer = _outcome(task, summary, adopted=adopted)
        return replace(answer, reason="; ".join(filter(None, (answer.reason, said, problem))))

    def _find(self, pipeline: Pipeline, task: Task, span: Span, known: Checkpoint) -> Outcome:
        frames = 0
        with (
            open_source(task.source, task.config, task.options, _LIMITS) as video,
            closing(pipeline.tracklets(video, known=known, span=span)) as batches,
        ):
            for batch in batches:
                frames += len(batch.frames)
                self._heart.progress(int(batch.frames.index[-1]) + 1, span.stop)
        known.flush()
        return Outcome("done", frames=frames)

    def close(self) -> None:
        """Stop showing that it is alive."""
        self._heart.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def out_of_memory(error: Exception) -> bool:
    """Whether this is how Python, PyTorch or a runtime says that there is no memory left, of the host or of a GPU."""
    said = f"{type(error).__name__} {error}".lower()
    return isinstance(error, MemoryError) or any(words in said for words in _NO_MEMORY)


def _halved(pipeline: Pipeline, task: Task, error: Exception) -> Pipeline:
    half = pipeline.with_half_batch()
    if half is None:
        raise InputError(f"{task.source}: out of memory, even with one crop in a pass") from error
    _say(f"{task.video}: out of memory: trying again with half the batch\n")
    return half


def _say(text: str) -> None:
    with suppress(OSError, ValueError, AttributeError):  # nobody reads it any more: no reason to die
        sys.stderr.write(text)


def _failed(task: Task, reason: str) -> Outcome:
    if task.span is None:
        shutil.rmtree(spans_of(task.folder, task.video), ignore_errors=True)
    return Outcome("failed", reason)


def _long(task: Task) -> int:
    """Number of frames that a video announces, if it is longer than `split_s`; else 0."""
    with open_source(task.source, task.config, task.options, _LIMITS) as video:
        frames, fps = video.info.n_frames, video.info.fps
    return frames if frames and fps and frames / fps > task.split_s else 0


def _outcome(task: Task, summary: dict[str, Any], *, adopted: bool = False) -> Outcome:
    counts, fps = summary["counts"], summary["video"]["fps"]
    frames = counts.get("frames", 0)
    return Outcome(
        "done",
        "; ".join(summary["notes"]),
        adopted,
        summary["fingerprint"],
        summary["complete"],
        frames,
        counts.get("tracks", 0),
        sum(number for name, number in counts.items() if name.startswith("poses_")),
        summary["seconds"]["all"],
        _length_s(frames, fps),
        result_hash(task.result),
    )


def _length_s(frames: int, fps: str | None) -> float | None:
    over, _, under = (fps or "").partition("/")
    return round(frames * int(under or 1) / int(over), 3) if over else None


def result_hash(result: Path) -> str:
    """Hash of all files of a result but its summary, which has times in it that are never the same twice."""
    digest = hashlib.sha256()
    for path in sorted(path for path in result.rglob("*") if path.is_file() and path.name != SUMMARY):
        digest.update(f"{path.relative_to(result).as_posix()} {file_sha256(path)}\n".encode())
    return digest.hexdigest()


class _Heart:
    """Shows every second, in a file of its own, what a worker is doing."""

    def __init__(self, path: Path, worker: str) -> None:
        self._path, self._worker = path, worker
        self._video, self._frame = "", 0
        self._of: int | None = None
        self._since, self._host = 0.0, socket.gethostname()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="dettrack heart", daemon=True)
        self._thread.start()

    def begin(self, video: str) -> None:
        self._video, self._frame, self._of, self._since = video, 0, None, time.time()

    def progress(self, frame: int, of: int | None) -> None:
        self._frame, self._of = frame, of

    def rest(self) -> None:
        self._video = ""

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._stop.wait(_BEAT_S):
            video = self._video
            content = {"worker": self._worker, "video": video, "frame": self._frame, "of": self._of}
            part = self._path.with_suffix(".part")
            with suppress(OSError):  # a full disk stops the results; not this
                if video:
                    part.write_text(
                        json.dumps({**content, "since": self._since, "pid": os.getpid(), "host": self._host})
                    )
                    part.replace(self._path)
                else:
                    self._path.unlink(missing_ok=True)
