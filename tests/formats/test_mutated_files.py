"""Whatever is written into a file that we read: it is read, or refused in one line; never a traceback."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dettrack.config import CutConfig
from dettrack.errors import DettrackError, InputError
from dettrack.evaluation.boxes import read_detections
from dettrack.formats import read_tracks
from dettrack.formats.jsonl import frame_line
from dettrack.formats.posetrack import ImageInfo, People, PoseSequence
from dettrack.formats.posetrack.files import read_image_list, read_sequence
from dettrack.formats.posetrack.year2017 import annolist
from dettrack.formats.posetrack.year2018 import sequence_entries
from dettrack.formats.tracklets import TrackletFile, TrackletWriter
from dettrack.models.detector.file_boxes import FileBoxes
from dettrack.skeleton import POSETRACK15, POSETRACK17
from dettrack.structures import Boxes, FrameTimes, TrackletBatch, Tracklets

_odd = st.sampled_from(
    [None, True, -1, 3, 1.5, 10**400, float("inf"), float("nan"), "", "a", "\x00é", [], [[[]]], {}, {"a": 1}, [0], "12"]
)


def _sequence(joints) -> PoseSequence:
    region = np.array([[1.0, 2.0], [9, 2], [9, 9]])
    images = tuple(
        ImageInfo(f"images/val/000342_mpii_test/{i:06d}.jpg", 10003420000 + i, True, None, (region,)) for i in range(2)
    )
    xy = np.random.default_rng(0).uniform(1, 99, (3, len(joints), 2))
    boxes = np.tile([1.0, 2, 50, 60], (3, 1))
    return PoseSequence(
        "000342_mpii_test",
        "posetrack18",
        joints,
        images,
        People.build([0, 0, 1], xy, scores=np.full(xy.shape[:2], 0.5), track_id=[0, 1, 0], head_box=boxes, box=boxes),
    )


_DETECTIONS = [{"image_id": i, "category_id": 1, "bbox": [1, 2, 30, 40], "score": 0.5} for i in range(3)]
CONTENTS = {
    "year2018": (sequence_entries(_sequence(POSETRACK17)), read_sequence),
    "year2017": (annolist(_sequence(POSETRACK15)), read_sequence),
    "images2018": (sequence_entries(_sequence(POSETRACK17)), read_image_list),
    "images2017": (annolist(_sequence(POSETRACK15)), read_image_list),
    "detections": (_DETECTIONS, read_detections),
    "boxes": (
        {
            "images": [{"id": i, "file_name": f"frame_{i:06d}.png", "frame_index": i} for i in range(3)],
            "categories": [{"id": 1, "name": "person"}],
            "annotations": _DETECTIONS,
        },
        FileBoxes,
    ),
}


def _places(content, path=()):
    """Paths of all values in lists and dictionaries."""
    entries = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in entries:
        yield (*path, key)
        yield from _places(value, (*path, key))


def _changed(content, path, value):
    content = copy.deepcopy(content)
    *outer, last = path
    inner = content
    for key in outer:
        inner = inner[key]
    if value == "gone":
        del inner[last]
    else:
        inner[last] = value
    return content


def _read_or_refused(read, path: Path) -> None:
    said = path.name
    try:
        read(path)
    except DettrackError as error:
        said = str(error)
    assert "\n" not in said
    assert path.name in said


@pytest.mark.parametrize("name", CONTENTS)
@settings(max_examples=60)
@given(data=st.data())
def test_json_with_one_odd_value(name, data, tmp_path_factory):
    content, read = CONTENTS[name]
    place = data.draw(st.sampled_from(list(_places(content))))
    path = tmp_path_factory.mktemp("odd") / "000342_mpii_test.json"
    path.write_text(json.dumps(_changed(content, place, data.draw(_odd | st.just("gone")))))
    _read_or_refused(read, path)


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize(
    "text", ["", "[", "[" * 100_000, "{}", "[]", "null", "[1]", '{"annolist": null}', "1" * 5000, "\x00"]
)
def test_json_that_is_something_else(name, text, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(text)
    _read_or_refused(CONTENTS[name][1], path)


@settings(max_examples=60)
@given(data=st.data())
def test_lines_with_one_odd_value(data, random_video, tmp_path_factory):
    lines = [json.loads(frame_line(*frame)) for frame in random_video(3, POSETRACK15)]
    place = data.draw(st.sampled_from(list(_places(lines))))
    lines = _changed(lines, place, data.draw(_odd | st.just("gone")))
    path = tmp_path_factory.mktemp("odd") / "tracks.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    _read_or_refused(read_tracks, path)


@settings(max_examples=60)
@given(data=st.data())
def test_saved_tracklets_with_one_odd_value(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("odd") / "tracklets.parquet"
    boxes = Boxes(np.tile([1.0, 2, 30, 40], (2, 1)), np.ones(2))
    shape = (2, 3, len(POSETRACK15))
    tracklets = Tracklets(1, np.arange(3), boxes, np.ones((*shape, 2)), np.ones(shape))
    with TrackletWriter(path, POSETRACK15, CutConfig(), {"video": {"name": "a"}}) as out:
        out.write(TrackletBatch(FrameTimes.of([(i, i / 50, 0, "") for i in range(3)]), (tracklets,), 3, True))
    table = pq.read_table(path)
    if data.draw(st.booleans()):
        (key,) = table.schema.metadata
        header = json.loads(table.schema.metadata[key])
        place = data.draw(st.sampled_from(list(_places(header))))
        header = _changed(header, place, data.draw(_odd | st.just("gone")))
        table = table.replace_schema_metadata({key: json.dumps(header).encode()})
    else:
        rows = table.to_pylist()
        name = data.draw(st.sampled_from(["boxes", "box_scores", "xy", "scores", "n_frames"]))
        odd = st.integers(-2, 5) if name == "n_frames" else st.sampled_from([None, [], [None], [1.0]])
        rows[0]["keyframes"][0][name] = data.draw(odd)
        table = type(table).from_pylist(rows, table.schema)
    pq.write_table(table, path)
    _read_or_refused(lambda file: list(TrackletFile.open(file).batches()), path)


READERS = {
    "eval_gt": read_sequence,
    "eval_pred": read_sequence,
    "eval_detections": read_detections,
    "thresh_": read_sequence,
    "imglist": read_image_list,
    "jsonl_picture": read_tracks,
}


@pytest.mark.data
@pytest.mark.parametrize("prefix", READERS)
def test_files_that_others_broke_are_refused_in_one_line(cases, prefix):
    files = sorted((cases / "mutants").glob(f"{prefix}*"))
    assert files
    for path in files:
        with pytest.raises(InputError) as error:
            READERS[prefix](path)
        assert "\n" not in str(error.value)
