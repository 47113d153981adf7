"""Mutants of every file that we read: each is read, or refused in one line; never a traceback, a crash, a hang.

    python tests/fuzz/fuzz.py boxes config --count 10000     # a few kinds; all without a name
    pytest tests/fuzz                                        # the same, a few mutants of each

A mutant is one of a reader's seeds with bytes or, in text, numbers, words and brackets changed. Where a reader dies,
the mutant that it died of is the file that is named last.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import re
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import cv2
import numpy as np

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "video")]

from sample_videos import numbered, write_video

from dettrack.config import CutConfig, load_config
from dettrack.errors import DettrackError
from dettrack.formats import FORMATS, open_writers, read_tracks
from dettrack.formats.posetrack.files import read_image_list, read_sequence
from dettrack.formats.tracklets import TrackletFile, TrackletWriter
from dettrack.skeleton import POSETRACK15
from dettrack.structures import Boxes, FrameTimes, TrackletBatch, Tracklets, TrackTable, VideoInfo
from dettrack.threads import tune_process
from dettrack.video import open_video

_SECONDS = 60
_MOST_PIXELS = 1_000_000
_TOKENS = [b"[", b"]", b"{", b"}", b",", b"null", b"true", b"-1", b"1e999", b"9" * 40, b"1.5", b'"a"', b"NaN", b"\x00"]


@dataclass(frozen=True)
class Reader:
    """One kind of file: how its seeds are made in a folder, and what reads a mutant."""

    seeds: Callable[[Path], list[Path]]
    read: Callable[[Path], object]


def _watch(path: Path) -> int:
    with open_video(path, shots=False, max_pixels=_MOST_PIXELS) as video:
        return sum(1 for _ in video)


def _videos(*names: str, **options: object) -> Callable[[Path], list[Path]]:
    def make(folder: Path) -> list[Path]:
        images = [numbered(i, 48, 32) for i in range(8)]
        return [write_video(folder / name, images, **options) for name in names]  # type: ignore[arg-type]

    return make


def _pictures(folder: Path) -> list[Path]:
    paths = [folder / f"a.{ending}" for ending in ("png", "jpg", "bmp", "webp", "tif", "ppm", "jp2")]
    for path in paths:
        assert cv2.imwrite(str(path), numbered(3, 48, 36))
    deep, animated = folder / "deep.png", folder / "moving.webp"
    assert cv2.imwrite(str(deep), numbered(3, 48, 36).astype(np.uint16) * 16)
    frames = cv2.Animation()
    frames.frames = [np.dstack([numbered(i, 48, 36), np.full((36, 48), 255, np.uint8)]) for i in range(3)]
    frames.durations = np.array([100] * 3)
    assert cv2.imwriteanimation(str(animated), frames)
    return [*paths, deep, animated]


def _table(n: int = 6) -> TrackTable:
    chance = np.random.default_rng(0)
    joints = len(POSETRACK15)
    return TrackTable(
        POSETRACK15,
        frame=np.repeat(np.arange(n // 2), 2),
        time_s=np.repeat(np.arange(n // 2) / 25, 2),
        track_id=np.tile([1, 2], n // 2),
        box=np.tile([1.0, 2, 30, 40], (n, 1)),
        score=chance.uniform(size=n),
        xy=chance.uniform(0, 40, (n, joints, 2)),
        joint_scores=chance.uniform(size=(n, joints)),
        spread=chance.uniform(size=(n, joints)),
        support=np.ones((n, joints), np.int64),
        source=np.zeros(n, np.int64),
    )


def _results(*names: str) -> Callable[[Path], list[Path]]:
    def make(folder: Path) -> list[Path]:
        info = VideoInfo("a", "a.mp4", 64, 48, Fraction(25), 3)
        writers = open_writers(names, folder, info, POSETRACK15)
        for index, rows in _table().rows_by_frame():
            for writer in writers:
                writer.write(index, index / 25, rows)
        for writer in writers:
            writer.close()
        return [folder / FORMATS[name] for name in names]

    return make


def _tracklets(folder: Path) -> list[Path]:
    path = folder / "tracklets.parquet"
    boxes, shape = Boxes(np.tile([1.0, 2, 30, 40], (2, 1)), np.ones(2)), (2, 3, len(POSETRACK15))
    tracklets = Tracklets(1, np.arange(3), boxes, np.ones((*shape, 2)), np.ones(shape))
    with TrackletWriter(path, POSETRACK15, CutConfig(), {"video": {"name": "a"}}) as out:
        out.write(TrackletBatch(FrameTimes.of([(i, i / 50, 0, "") for i in range(3)]), (tracklets,), 3, True))
    return [path]


def _text(name: str, *contents: str) -> Callable[[Path], list[Path]]:
    def make(folder: Path) -> list[Path]:
        paths = [folder / f"{i}_{name}" for i in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_text(content)
        return paths

    return make


_BOXES = [{"image_id": i, "category_id": 1, "bbox": [1, 2, 30, 40], "score": 0.5} for i in range(3)]
_COCO = {
    "images": [{"id": i, "file_name": f"frame_{i:06d}.png"} for i in range(3)],
    "categories": [{"id": 1, "name": "person"}],
    "annotations": _BOXES,
}
_MOT = "".join(f"{frame},{i},10,20,30,40,0.9,1,1\n" for frame in range(1, 4) for i in range(2))
_CONFIG = '[cut]\nclip_length = 9\nstep = 4\n[detect]\ndetector_threshold = 0.3\n[finish]\nsmooth = "none"\n'
_THRESHOLDS = "[thresholds]\n" + "".join(f"{joint} = 0.4\n" for joint in POSETRACK15.joints)


def _read_boxes(path: Path) -> object:
    from dettrack.models.detector.file_boxes import FileBoxes

    return FileBoxes(path)


def _read_detections(path: Path) -> object:
    from dettrack.evaluation.boxes import read_detections

    return read_detections(path)


def _read_thresholds(path: Path) -> object:
    from dettrack.files.toml import read_joint_thresholds

    return read_joint_thresholds(path, POSETRACK15.joints)


def _people(folder: Path) -> list[Path]:
    from dettrack.training.labels.people import PeopleSet, save_people

    joints = len(POSETRACK15)
    people = PeopleSet(
        POSETRACK15,
        [cv2.imencode(".png", numbered(0, 48, 36))[1].tobytes()],
        video=np.full(1, -1),
        frame=np.zeros(1, np.int64),
        labelled=np.ones(1, bool),
        person_image=np.zeros(1, np.int64),
        track=np.zeros(1, np.int64),
        boxes=np.array([[1.0, 2, 30, 40]]),
        xy=np.ones((1, joints, 2)),
        height=np.ones((1, joints)),
        weight=np.ones((1, joints)),
    )
    save_people(people, folder / "people.npz")
    return [folder / "people.npz"]


def _read_people(path: Path) -> object:
    from dettrack.training.labels.people import load_people

    return load_people(path)


def _checkpoints(folder: Path) -> list[Path]:
    from dettrack.models.pose.checkpoint import NetworkSpec, build_network, save_checkpoint

    spec = NetworkSpec("lite", 8, "none", 3, size=(64, 64))
    save_checkpoint(folder / "pose.safetensors", build_network(spec), spec, half=True)
    return [folder / "pose.safetensors"]


def _read_checkpoint(path: Path) -> object:
    from dettrack.models.pose.checkpoint import load_checkpoint

    return load_checkpoint(path)


def _pth(folder: Path) -> list[Path]:
    import torch

    torch.save({"state_dict": {"a.weight": torch.zeros(3, 2), "b": torch.ones(2)}}, folder / "a.pth")
    return [folder / "a.pth"]


def _read_pth(path: Path) -> object:
    from dettrack.models.pose.official import open_checkpoint

    return open_checkpoint(path)


def _onnx(folder: Path) -> list[Path]:
    from dot_people import write_model

    write_model(folder / "dots.onnx")
    return [folder / "dots.onnx"]


def _read_onnx(path: Path) -> object:
    from dettrack.models.runtime.open_file import open_file
    from dettrack.models.runtime.runner import SessionOptions

    return open_file(path, str(path), SessionOptions(device="cpu", threads=1))


def _mat(folder: Path) -> list[Path]:
    from scipy.io import savemat

    savemat(folder / "joints.mat", {"joints": np.ones((14, 3, 4)), "annolist": np.array([{"a": 1}], object)})
    return [folder / "joints.mat"]


def _read_mat(path: Path) -> object:
    from dettrack.formats.mat import load_mat

    return load_mat(path, "joints")


READERS = {
    "mp4": Reader(_videos("a.mp4", "a.mov"), _watch),
    "matroska": Reader(_videos("a.mkv"), _watch),
    "webm": Reader(_videos("a.webm", codec="libvpx-vp9"), _watch),
    "avi": Reader(_videos("a.avi", codec="mpeg4"), _watch),
    "ts": Reader(_videos("a.ts"), _watch),
    "flv": Reader(_videos("a.flv"), _watch),
    "mpeg": Reader(_videos("a.mpg", codec="mpeg2video", rate=25), _watch),
    "gif": Reader(_videos("a.gif", codec="gif", pix_fmt="rgb8"), _watch),
    "picture": Reader(_pictures, _watch),
    "posetrack18": Reader(_results("posetrack18"), read_sequence),
    "image_list": Reader(_results("posetrack18"), read_image_list),
    "detections": Reader(_text("a.json", json.dumps(_BOXES)), _read_detections),
    "boxes": Reader(_text("a.json", json.dumps(_COCO), json.dumps(_BOXES)), _read_boxes),
    "mot": Reader(_text("a.txt", _MOT), _read_boxes),
    "jsonl": Reader(_results("jsonl"), read_tracks),
    "csv": Reader(_results("csv"), read_tracks),
    "parquet": Reader(_results("parquet"), read_tracks),
    "tracklets": Reader(_tracklets, lambda path: list(TrackletFile.open(path).batches())),
    "config": Reader(_text("a.toml", _CONFIG), load_config),
    "thresholds": Reader(_text("a.toml", _THRESHOLDS), _read_thresholds),
    "people": Reader(_people, _read_people),
    "checkpoint": Reader(_checkpoints, _read_checkpoint),
    "pth": Reader(_pth, _read_pth),
    "onnx": Reader(_onnx, _read_onnx),
    "mat": Reader(_mat, _read_mat),
}


@cache
def _seeds(name: str) -> list[Path]:
    return READERS[name].seeds(Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-")))


def mutate(data: bytes, chance: random.Random) -> bytes:
    """One to four changes: bytes, numbers and words, a part removed, doubled or zeroed, the end cut off."""
    changed = bytearray(data)
    for _ in range(chance.choice([1, 1, 1, 1, 2, 4])):
        a = chance.randrange(len(changed) + 1) if chance.random() < 0.5 else min(len(changed), chance.randrange(400))
        b = min(len(changed), a + chance.choice([1, 2, 4, 8, 64, 1000]))
        kind = chance.choice((0, 1, 1, 1, 2, 3, 4, 5, 6, 6, 6, 6, 7))
        if kind == 0 and a < b:
            changed[a:b] = chance.randbytes(b - a)
        elif kind == 1 and a < b:
            changed[a] ^= 1 << chance.randrange(8)
        elif kind == 2:
            del changed[a:b]
        elif kind == 3:
            changed[a:a] = changed[a:b]
        elif kind == 4:
            changed[a:b] = bytes(b - a)
        elif kind == 5:
            del changed[a:]
        elif kind == 6:
            numbers = list(re.finditer(rb"-?\d+(\.\d+)?|true|null|\"[^\"]*\"", bytes(changed[:20_000])))
            if numbers:
                place = chance.choice(numbers)
                changed[place.start() : place.end()] = chance.choice(_TOKENS)
        else:
            changed[a:a] = chance.choice(_TOKENS) * chance.choice([1, 1, 1, 2000])
    return bytes(changed)


def try_mutants(name: str, count: int, seed: int = 0) -> Counter[str]:
    """Read mutants.

    Args:
        name: Key of `READERS`.
        count: How many.
        seed: Of the random numbers.

    Returns:
        How many were "read" and "refused"; anything else is a fault, by what it said, with the mutant's file.
    """
    chance, reader, found = random.Random(f"{name} {seed}"), READERS[name], Counter[str]()
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    with contextlib.suppress(DettrackError):
        reader.read(_seeds(name)[0])  # what is imported at the first call takes its own time
    for number in range(count):
        origin = chance.choice(_seeds(name))
        path = folder / f"mutant{origin.suffix}"
        path.write_bytes(mutate(origin.read_bytes(), chance))
        outcome = _outcome(reader, path)
        if outcome not in ("read", "refused"):
            kept = folder / f"{seed}_{number}{origin.suffix}"
            if not found[outcome]:
                path.rename(kept)
                sys.stderr.write(f"{name}: {outcome}: {kept}\n")
        found[outcome] += 1
    return found


class _TooLongError(BaseException):
    pass


def _outcome(reader: Reader, path: Path) -> str:
    def late(*_: object) -> None:
        raise _TooLongError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(_SECONDS)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            reader.read(path)
    except DettrackError as error:
        said = str(error)
        return "refused" if "\n" not in said and said else f"more than a line: {said[:80]!r}"
    except _TooLongError:
        return f"more than {_SECONDS} s"
    except Exception as error:  # noqa: BLE001 (this is what is looked for)
        return f"{type(error).__name__}: {str(error)[:120]!r}"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return "read"


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readers", nargs="*", help=f"of {', '.join(READERS)}")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tune_process()
    failed = 0
    for name in options.readers or READERS:
        start = time.monotonic()
        found = try_mutants(name, options.count, options.seed)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        failed += sum(found.values()) - found["read"] - found["refused"]
        print(f"{name}: {dict(found)}, {time.monotonic() - start:.0f} s, peak {peak} MiB", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(_main())
