"""What runs write and read again: tracks, tracklets, the files of a result folder, the state of a batch."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
from reader import Make, Reader, text, within

from dettrack import edit
from dettrack.config import CutConfig, TrackConfig, load_config
from dettrack.formats import FORMATS, open_writers, read_tracks
from dettrack.formats.exports import export, list_file
from dettrack.formats.frames import FrameListWriter
from dettrack.formats.posetrack.files import read_image_list, read_sequence
from dettrack.formats.read import read_result
from dettrack.formats.result import Result, video_entry
from dettrack.formats.tracklets import TrackletFile, TrackletWriter
from dettrack.skeleton import POSETRACK15
from dettrack.structures import Boxes, FrameTimes, TrackletBatch, Tracklets, TrackTable, VideoInfo

_INFO = VideoInfo("a", "a.mp4", 64, 48, Fraction(25), 3)


def table(n: int = 6) -> TrackTable:
    """Two people in three frames."""
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


def _write(folder: Path, *names: str) -> None:
    writers = open_writers(names, folder, _INFO, POSETRACK15)
    for index, rows in table().rows_by_frame():
        for writer in writers:
            writer.write(index, index / 25, rows)
    for writer in writers:
        writer.close()


def _results(*names: str) -> Make:
    def make(folder: Path) -> list[Path]:
        _write(folder, *names)
        return [folder / FORMATS[name] for name in names]

    return make


def _exported(name: str) -> Make:
    def make(folder: Path) -> list[Path]:
        times = FrameTimes.of([(i, i / 25, 0, "") for i in range(3)])
        return export(Result(folder, table(), times, _INFO), [name], folder)

    return make


def _batch() -> TrackletBatch:
    boxes, shape = Boxes(np.tile([1.0, 2, 30, 40], (2, 1)), np.ones(2)), (2, 3, len(POSETRACK15))
    tracklets = Tracklets(1, np.arange(3), boxes, np.ones((*shape, 2)), np.ones(shape))
    return TrackletBatch(FrameTimes.of([(i, i / 50, 0, "") for i in range(3)]), (tracklets,), 3, True)


def _tracklets(folder: Path) -> list[Path]:
    path = folder / "tracklets.parquet"
    with TrackletWriter(path, POSETRACK15, CutConfig(), {"video": {"name": "a"}}) as out:
        out.write(_batch())
    return [path]


_SUMMARY = {"complete": True, "video": video_entry(_INFO), "settings": {"finish": {"smooth": "one-euro"}}}
_EDITS = (
    {"op": "rename", "track": 1, "name": "Ann"},
    {"op": "split", "track": 2, "from": 0.04, "other": 3},
    {"op": "move_joint", "track": 1, "frame": 1, "joint": "nose", "xy": [3.5, 4]},
    {"op": "undo", "undoes": 1},
)


def _result_folder(folder: Path) -> None:
    _write(folder, "parquet", "jsonl")
    _tracklets(folder)
    (folder / "summary.json").write_text(json.dumps(_SUMMARY, indent=2))
    for operation in _EDITS:
        edit.append(folder, operation, by="A")
    suspect = {
        "rank": 1,
        "frame": 1,
        "reason": "link",
        "track": 1,
        "other": 2,
        "from_frame": 0,
        "to_frame": 2,
        "time_s": 0.04,
    }
    (folder / "suspects.jsonl").write_text("".join(json.dumps({**suspect, "rank": rank}) + "\n" for rank in (1, 2)))
    frames = FrameListWriter(folder / "frames.parquet")
    frames.write(FrameTimes.of([(i, i / 25, 0, "") for i in range(3)]))
    frames.close()
    (folder / "export").mkdir()
    (folder / "export" / "export.json").write_text(json.dumps({"files": ["a.csv", "b.csv"]}))


def _without_frames(folder: Path) -> None:
    _result_folder(folder)
    (folder / "frames.parquet").unlink()


def _read_folder(folder: Path) -> object:
    from dettrack.cli import show
    from dettrack.runs.result import is_complete
    from dettrack.view.opened import open_result

    is_complete(folder)
    open_result(folder).describe()
    return show.run([str(folder)])


def _read_exports(folder: Path) -> object:
    from dettrack.runs.result import exported_files

    return exported_files(folder / "export"), list_file(folder / "export" / "c.csv", read_result(folder))


def _openpose(folder: Path) -> None:
    _write(folder, "openpose")
    for path in (folder / "openpose").iterdir():
        path.rename(folder / path.name)


def _log(folder: Path) -> None:
    state = folder / "batch.state"
    for name in ("log", "running", "spans"):
        (state / name).mkdir(parents=True)
    now = time.time()
    lines: Iterable[dict[str, object]] = (
        {"t": now, "run": {"videos": 2}},
        {"t": now, "video": "a.mp4", "source": "/a.mp4", "state": "running", "stamp": [12, 3], "since": now},
        {"t": now, "video": "a.mp4", "state": "done", "ended": now, "frames": 3, "seconds": 1.5, "complete": True},
        {"t": now, "video": "b.mp4", "state": "failed", "ended": now, "reason": "no video in it"},
    )
    (state / "log" / "all.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    running = {"worker": "0", "video": "c.mp4", "frame": 3, "of": 10, "since": now, "pid": 1, "host": "here"}
    (state / "running" / "0.json").write_text(json.dumps(running))


def _read_log(folder: Path) -> object:
    from dettrack.runs.batch.status import read_status, status_lines, write_page

    status = read_status(folder)
    write_page(folder, status)
    return status_lines(status)


def _checkpoint(folder: Path) -> None:
    from dettrack.runs.checkpoint import Checkpoint

    saved = Checkpoint(folder, every_s=0.0)
    saved.add(0, _batch())


def _read_checkpoint(folder: Path) -> object:
    from dettrack.runs.checkpoint import Checkpoint

    saved = Checkpoint(folder)
    return saved.find(0) if 0 in saved else None


def _owned(folder: Path) -> None:
    from dettrack.runs.owner import take_folder

    take_folder(folder / "lock", "lock", "wait")
    (folder / "owner.json").write_bytes(next((folder / "lock").iterdir()).read_bytes())


def _read_owner(path: Path) -> object:
    from dettrack.runs.owner import OWNER, living_owner

    place = path.parent / "locked"
    place.mkdir(exist_ok=True)
    (place / OWNER).write_bytes(path.read_bytes())
    return living_owner(place)


def _batch_inputs(path: Path) -> object:
    from dettrack.runs.batch.inputs import find_entries

    (path.parent / "a.mp4").touch()
    (path.parent / "b.mp4").touch()
    return find_entries([str(path)], TrackConfig(), path.parent / "out")


_VIDEO_TABLE = "video,name,start,end,step,detector_threshold\na.mp4,a,1,2.5,4,0.3\nb.mp4,b,,,,\n"
READERS = {
    "jsonl": Reader(_results("jsonl"), read_tracks),
    "csv": Reader(_results("csv"), read_tracks),
    "parquet": Reader(_results("parquet"), read_tracks),
    "posetrack18": Reader(_results("posetrack18"), read_sequence),
    "image_list": Reader(_results("posetrack18"), read_image_list),
    "coco_poses": Reader(_results("coco"), read_tracks),
    "openpose": within(_openpose, "a_000000000001_keypoints.json", read_tracks),
    "cvat": Reader(_exported("cvat"), read_tracks),
    "sleap": Reader(_exported("sleap"), read_tracks),
    "tracklets": Reader(_tracklets, lambda path: list(TrackletFile.open(path).batches())),
    "summary": within(_result_folder, "summary.json", _read_folder),
    "summary_as_settings": Reader(text("summary.json", json.dumps({"settings": {"cut": {"step": 4}}})), load_config),
    "edits": within(_result_folder, "edits.jsonl", _read_folder),
    "suspects": within(_result_folder, "suspects.jsonl", _read_folder),
    "frames": within(_result_folder, "frames.parquet", _read_folder),
    "stamps": within(_without_frames, "tracklets.parquet", _read_folder),
    "export_list": within(_result_folder, "export/export.json", _read_exports),
    "batch_log": within(_log, "batch.state/log/all.jsonl", _read_log),
    "batch_worker": within(_log, "batch.state/running/0.json", _read_log),
    "batch_table": Reader(text("a.csv", _VIDEO_TABLE), _batch_inputs),
    "batch_list": Reader(text("a.txt", "# two\na.mp4\nb.mp4\n"), _batch_inputs),
    "batch_checkpoint": within(_checkpoint, "0000000000.npz", _read_checkpoint),
    "owner": within(_owned, "owner.json", lambda folder: _read_owner(folder / "owner.json")),
}
