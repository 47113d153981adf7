"""What a program calls: any source, any detector, pose model and linker, on people made of dots."""

from __future__ import annotations

import threading
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch
from dot_people import COLOURS, draw_scene, write_boxes, write_model

import dettrack
from dettrack.errors import InputError, UsageError
from dettrack.skeleton import COCO17
from dettrack.structures import Boxes, Frame, Source
from dettrack.structures.report import Tally

N_FRAMES = 24
SETTINGS = {
    "step": 4,
    "adaptive": False,
    "flip": False,
    "joints": "coco17",
    "precision": "fp32",
    "min_track_frames": 3,
    "small_crops_below": 0,
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("track")
    start = np.array([[40.0, 30.0], [420.0, 50.0]])
    scene = draw_scene(folder / "walkers", start, np.array([[4.0, 0.0], [-3.0, 0.5]]), N_FRAMES)
    write_model(folder / "dots.onnx")
    write_boxes(folder / "boxes.json", scene)
    return scene


@pytest.fixture(scope="module")
def images(scene):
    return [cv2.imread(str(path))[..., ::-1] for path in sorted(scene.folder.glob("*.png"))]


@pytest.fixture(scope="module")
def options(scene):
    return {"model": scene.folder.parent / "dots.onnx", "detections": list(scene.boxes), **SETTINGS}


@pytest.fixture(scope="module")
def expected(scene):
    parts = {"detector": scene.folder.parent / "boxes.json", "model": scene.folder.parent / "dots.onnx"}
    return dettrack.track_all(scene.folder, fps=25, **parts, **SETTINGS)


def same(table, expected):
    for name in ("frame", "time_s", "track_id", "xy", "joint_scores", "source"):
        np.testing.assert_array_equal(getattr(table, name), getattr(expected, name), err_msg=name)


def finds_dots(image):
    """A detector: the frames of people who are drawn in bright colours on black."""
    columns = np.flatnonzero(image.max((0, 2)) > 40)
    people = np.split(columns, np.flatnonzero(np.diff(columns) > 40) + 1)
    boxes = []
    for part in people:
        rows = np.flatnonzero(image[:, part].max((1, 2)) > 40)
        boxes.append([part[0], rows[0], part[-1], rows[-1], 0.9])
    return np.array(boxes, float)


def dots_of(image, boxes):
    """A pose model: where each colour is, within the box and a little around it."""
    found = np.full((len(boxes), 17, 3), np.nan)
    for person, (x1, y1, x2, y2) in enumerate(boxes):
        left, top = max(int(x1) - 25, 0), max(int(y1) - 10, 0)
        part = image[top : int(y2) + 10, left : int(x2) + 25].astype(int)
        for joint, colour in enumerate(COLOURS):
            rows, columns = np.nonzero(np.abs(part - colour).sum(-1) < 40)
            if len(rows):
                found[person, joint] = columns.mean() + left, rows.mean() + top, 0.9
    return found


# Sources.

SOURCES = {
    "list of arrays": lambda images: images,
    "array": np.stack,
    "generator": lambda images: (image for image in images),
    "tensor, channels first": lambda images: torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2),
    "tensor of fractions": lambda images: torch.from_numpy(np.stack(images) / np.float32(255)),
    "batches": lambda images: [np.stack(images[:10]), np.stack(images[10:])],
}


@pytest.mark.parametrize("kind", SOURCES)
def test_pictures_in_any_form_are_the_same_video(images, options, expected, kind):
    same(dettrack.track_all(SOURCES[kind](images), fps=25, **options), expected)


def test_times_replace_a_rate_and_bgr_is_said(images, options, expected):
    times = [10 + i / 50 for i in range(N_FRAMES)]
    table = dettrack.track_all([image[..., ::-1] for image in images], times=times, bgr=True, **options)
    np.testing.assert_array_equal(table.xy, expected.xy)
    np.testing.assert_allclose(table.time_s, 10 + expected.frame / 50)
    part = dettrack.track_all(images, times=times, start_s=10.1, end_s=10.3, **options)
    assert part.frame.tolist() == [frame for frame in range(5, 15) for _ in range(2)]


def test_without_a_rate_times_are_unknown(images, options):
    assert np.isnan(dettrack.track_all(images, **options).time_s).all()
    with pytest.raises(InputError, match="needs fps= or times="):
        dettrack.track_all(images, end_s=1.0, **options)


def test_frames_of_our_own_reader_are_taken_as_they_are(scene, options, expected):
    with dettrack.open_video(scene.folder) as video:
        table = dettrack.track_all(iter(list(video)), **options)
    np.testing.assert_array_equal(table.xy, expected.xy)


class Capture:
    """Used like OpenCV's."""

    def __init__(self, images):
        self._images = iter(images)

    def read(self):
        image = next(self._images, None)
        return image is not None, None if image is None else np.ascontiguousarray(image[..., ::-1])

    grab = retrieve = read

    def get(self, number):
        assert number == cv2.CAP_PROP_FPS
        return 25.0


def test_an_opencv_capture_states_its_rate_and_has_its_own_colours(images, options, expected):
    same(dettrack.track_all(Capture(images), **options), expected)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (lambda images: [], "no frame"),
        (lambda images: iter(()), "no frame"),
        (lambda images: images[0], "one picture"),
        (lambda images: [np.zeros((6, 5, 7), np.uint8)], "shape"),
        (lambda images: [images[0] / 1.0], "fractions from 0 to 255"),
        (lambda images: [np.full((8, 8, 3), -1)], "expected uint8"),
        (lambda images: 3.5, "no video"),
        (lambda images: "nowhere.mp4", "no such file"),
        (lambda images: ["nowhere.png"], "no such image"),
    ],
)
def test_what_is_no_video_is_refused_in_one_line(images, options, source, said):
    with pytest.raises(InputError, match=said) as error:
        dettrack.track(source(images), **options)
    assert "\n" not in str(error.value)


def test_grey_and_transparent_pictures_are_taken(images, options):
    grey = [image.mean(-1).astype(np.uint8) for image in images]
    assert dettrack.track(grey, **options).video.info.width == 640
    clear = [np.dstack([image, np.full(image.shape[:2], 255, np.uint8)]) for image in images]
    assert len(dettrack.track_all(clear, **options)) == 2 * N_FRAMES


# Own parts.

DETECTIONS = {
    "mapping": lambda boxes: dict(enumerate(boxes)),
    "rows": lambda boxes: np.concatenate(
        [np.column_stack([np.full(len(b), i), b, np.full(len(b), 0.9)]) for i, b in enumerate(boxes)]
    ),
    "tensors": lambda boxes: [torch.tensor(b) for b in boxes],
    "pairs": lambda boxes: [(b, np.ones(len(b))) for b in boxes],
    "dicts": lambda boxes: [{"boxes": b, "scores": np.ones(len(b))} for b in boxes],
    "Boxes": lambda boxes: [Boxes(b, np.ones(len(b))) for b in boxes],
}


@pytest.mark.parametrize("kind", DETECTIONS)
def test_boxes_in_any_form(scene, images, options, expected, kind):
    same(dettrack.track_all(images, fps=25, **{**options, "detections": DETECTIONS[kind](scene.boxes)}), expected)


def test_a_data_frame_of_boxes_and_a_table_of_tracks(scene, images, options, expected):
    import pandas as pd

    rows = pd.DataFrame(DETECTIONS["rows"](scene.boxes), columns=["frame", "x1", "y1", "x2", "y2", "score"])
    same(dettrack.track_all(images, fps=25, **{**options, "detections": rows}), expected)
    again = dettrack.track_all(images, fps=25, **{**options, "detections": expected})
    assert len(again) == len(expected)


def test_a_function_of_a_picture_is_a_detector_and_one_of_boxes_a_pose_model(scene, images, expected):
    table = dettrack.track_all(images, fps=25, detector=finds_dots, model=dots_of, **SETTINGS)
    assert len(table) == 2 * N_FRAMES
    assert table.joint_set == COCO17
    first = {track: i for i, track in enumerate(np.unique(table.track_id).tolist())}
    person = [first[track] for track in table.track_id.tolist()]
    # A tube's crop stands still: in the frames around the keyframe a function sees the keyframe's box.
    assert np.nanmedian(np.linalg.norm(table.xy - scene.joints[table.frame, person], axis=-1)) < 1


def test_poses_alone_are_linked(scene, images):
    poses = [np.dstack([xy, np.full(xy.shape[:2], 0.8)]) for xy in scene.joints]
    poses[11] = poses[11][:1]
    pipeline = dettrack.Pipeline(poses=poses, min_track_frames=3)
    assert pipeline.config.cut.clip_length == pipeline.config.cut.step == 1
    table = pipeline.track(images, fps=25).gather()
    assert len(table) == 2 * N_FRAMES
    assert len(table.people) == 2
    assert (table.source == Source.INTERPOLATED).sum() == 1
    np.testing.assert_allclose(table.xy[0], scene.joints[0, 0], atol=1e-9)


def test_poses_on_keyframes_and_a_model_between_them(scene, images, options):
    poses = {index: scene.joints[index] + 1.5 for index in range(0, N_FRAMES, 4)}
    model = {"model": options["model"], "merge": "keyframe", **SETTINGS}
    table = dettrack.track_all(images, fps=25, poses=poses, **model)
    assert len(table) == 2 * N_FRAMES
    at_key = table[table.frame == 8]
    np.testing.assert_allclose(at_key.xy, scene.joints[8] + 1.5, atol=1e-9)
    between = table[table.frame == 10]
    assert np.nanmax(np.abs(between.xy - scene.joints[10])) < 1.5


def test_a_function_is_a_linker_and_its_answers_are_checked(images, options):
    def by_place(tracklets):
        return np.argsort(np.argsort(tracklets.boxes.xyxy[:, 0]))

    table = dettrack.track_all(images, fps=25, linker=by_place, **options)
    assert table.people.tolist() == [0, 1]
    with pytest.raises(InputError, match="expected one whole number for each"):
        dettrack.track_all(images, fps=25, linker=lambda tracklets: [3, 3], **options)
    with pytest.raises(InputError, match="expected one whole number for each"):
        dettrack.track_all(images, fps=25, linker=lambda tracklets: [0.5, 1], **options)


def test_each_run_has_its_own_copy_of_a_linker(images, options):
    class Counting:
        tally = Tally()

        def __init__(self):
            self.keyframes = 0

        def add(self, tracklets):
            self.keyframes += 1
            return np.arange(len(tracklets))

        def end_shot(self):
            pass

    mine = Counting()
    pipeline = dettrack.Pipeline(linker=mine, **options)
    for _ in range(2):
        assert pipeline.track(images).gather().people.tolist() == [0, 1]
    assert mine.keyframes == 0
    assert dettrack.Pipeline(linker=Counting, **options).track(images).gather().people.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"detections": [np.zeros((2, 3))]}, "is no boxes"),
        ({"detections": [np.array([[0, 0, 9, 9, 70.0]])]}, "expected 0 to 1"),
        ({"detections": [None]}, "1 entries, and frame"),
        ({"detections": 3}, "expected a list, a mapping, an array or a table"),
        ({"detections": None, "detector": lambda image: "nothing"}, "is no boxes"),
        ({"model": lambda image, boxes: np.zeros((len(boxes), 23, 3))}, "23 joints are no usual set|has 17"),
        ({"model": lambda image, boxes: np.zeros((3, 17, 3))}, "3 poses for 1 boxes"),
        ({"model": None, "poses": [np.zeros((1, 17, 3)), np.zeros((1, 15, 3))]}, "15 and 17 joints"),
    ],
)
def test_wrong_parts_are_refused_in_one_line(images, options, given, said):
    with pytest.raises(InputError, match=said) as error:
        dettrack.track_all(images, **{**options, **given})
    assert "\n" not in str(error.value)


def test_parts_that_contradict_each_other_are_refused(options):
    with pytest.raises(UsageError, match="take its place"):
        dettrack.Pipeline(detector=finds_dots, **options)
    with pytest.raises(UsageError, match="one of them"):
        dettrack.Pipeline(dettrack.TrackConfig(), preset="fast")
    with pytest.raises(UsageError, match="boxes only"):
        dettrack.Pipeline(detector=finds_dots, model="detector")
    with pytest.raises(UsageError, match="did you mean step"):
        dettrack.Pipeline(setp=3, **options)
    with pytest.raises(UsageError, match="expected a file or name"):
        dettrack.Pipeline(detector=3)


def test_a_part_is_not_replaced_behind_a_pipelines_back(options):
    pipeline = dettrack.Pipeline(**options)
    with pytest.raises(AttributeError):
        pipeline.estimator = pipeline.estimator  # type: ignore[misc]
    with pytest.raises(AttributeError):
        pipeline.detector = pipeline.detector  # type: ignore[misc]


# Runs.


def test_one_pipeline_tracks_from_several_threads(images, options, expected):
    pipeline = dettrack.Pipeline(**options)
    found = {}

    def work(number):
        found[number] = pipeline.track(images, fps=25).gather()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(3):
        same(found[number], expected)


def test_progress_and_what_a_run_says_of_itself(images, options, capfd):
    seen = []
    run = dettrack.track(
        images, fps=Fraction(25), progress=lambda done, expected: seen.append((done, expected)), **options
    )
    assert "not begun" in repr(run)
    table = run.gather()
    assert seen[-1] == (N_FRAMES, N_FRAMES)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert repr(run) == "Run(frames, ended, 24 frames, 2 tracks)"
    assert "frames 24" in run._repr_html_()
    assert dettrack.track_all(images, progress=True, **options).report.counts["frames"] == len(np.unique(table.frame))


def test_a_frame_is_what_it_was(images):
    with pytest.raises(InputError, match="is no video"):
        dettrack.track(Frame(0, 0.0, images[0]), poses=[[]])
