import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import table

from dettrack.skeleton import JOINT_SETS, POSETRACK15
from dettrack.structures import Source, TrackTable
from dettrack.view.drawing.colours import pale, track_colour
from dettrack.view.drawing.draw import Style, box_strokes, draw_people, draw_text, line_unit

BOX = (100.0, 60.0, 300.0, 660.0)


def drawn(rows, size=(1280, 720), **options):
    canvas = np.full((size[1], size[0], 3), 90, np.uint8)
    draw_people(canvas, rows, **options)
    return canvas


def touched(canvas):
    return np.abs(canvas.astype(int) - 90).max(-1) > 45


def close_to(canvas, colour):
    return np.abs(canvas.astype(int) - colour).max(-1) < 30


def test_nobody_changes_nothing():
    assert not touched(drawn(TrackTable.empty(POSETRACK15))).any()


def test_every_limb_and_joint_is_where_it_belongs_in_its_sides_colour():
    rows = table([0], [BOX], [0])
    canvas = drawn(rows, style=Style(boxes=False, ids=False))
    for a, b in POSETRACK15.limbs:
        middle = np.round((rows.xy[0, a] + rows.xy[0, b]) / 2).astype(int)
        right = any(POSETRACK15.joints[joint].startswith("right_") for joint in (a, b))
        around = canvas[middle[1] - 3 : middle[1] + 4, middle[0] - 3 : middle[0] + 4]
        assert close_to(around, pale(track_colour(0)) if right else track_colour(0)).any()
    for (x, y), joint in zip(np.round(rows.xy[0]).astype(int), POSETRACK15.joints, strict=True):
        assert close_to(canvas[y, x], pale(track_colour(0)) if joint.startswith("right_") else track_colour(0))


def test_absent_and_doubtful_joints_are_not_drawn_and_unsure_ones_are_thin():
    sure, unsure, doubtful, absent = (table([0], [BOX], [0]) for _ in range(4))
    unsure.joint_scores[:] = 0.25
    doubtful.joint_scores[:] = 0.05
    absent.xy[:] = np.nan
    style = Style(boxes=False, ids=False)
    areas = [touched(drawn(rows, style=style)).sum() for rows in (sure, unsure, doubtful, absent)]
    assert areas[0] > 1.8 * areas[1] > 0
    assert areas[2:] == [0, 0]


@pytest.mark.parametrize("name", JOINT_SETS)
def test_every_joint_set_can_be_drawn(name):
    assert touched(drawn(table([0], [BOX], [3], joint_set=JOINT_SETS[name]))).any()


def share_of_side_drawn(source):
    canvas = drawn(table([0], [BOX], [0], [source]), style=Style(skeletons=False, ids=False))
    side = canvas[200:600, 97:104]  # the left side of the box, away from its corners
    return close_to(side, track_colour(0)).any(1).mean()


def test_detected_is_solid_recovered_dotted_and_interpolated_in_between():
    solid, dotted, dashed = (share_of_side_drawn(s) for s in (Source.DETECTED, Source.RECOVERED, Source.INTERPOLATED))
    assert solid == 1
    assert 0.2 < dotted < 0.7
    assert dotted < dashed < 0.9


@given(
    st.floats(-50, 500), st.floats(-50, 500), st.floats(0, 800), st.floats(0, 800),
    st.sampled_from(Source), st.floats(0.1, 6),
)  # fmt: skip
def test_strokes_lie_on_the_outline_and_cover_all_four_sides(x, y, width, height, source, unit):
    box = np.array([x, y, x + width, y + height])
    lines, dots = box_strokes(box, source, unit)
    points = np.concatenate([lines.reshape(-1, 2), dots])
    to_sides = np.abs(
        np.stack([points[:, 0] - box[0], points[:, 0] - box[2], points[:, 1] - box[1], points[:, 1] - box[3]])
    )
    assert to_sides.min(0).max() < 1e-6
    assert (to_sides.min(1) < 1e-6).all()
    assert (points >= box[:2] - 1e-6).all()
    assert (points <= box[2:] + 1e-6).all()
    starts = lines[:, 0] if len(lines) else dots
    for corner in ((box[0], box[1]), (box[2], box[1]), (box[2], box[3]), (box[0], box[3])):
        assert np.abs(starts - corner).max(-1).min() < 1e-6


@pytest.mark.parametrize("box", [(-500, -500, 5000, 5000), (2000, 2000, 2100, 2100), (-1e9, 0, 1e9, 10), (5, 5, 5, 5)])
def test_boxes_and_joints_outside_the_picture_do_no_harm(box):
    for source in Source:
        canvas = drawn(table([0], [box], [12345], [source]))
        assert canvas.shape == (720, 1280, 3)


def test_a_box_or_joints_that_are_missing_leave_the_rest():
    rows = table([0], [BOX], [0])
    rows.box[:] = np.nan
    assert touched(drawn(rows)).any()
    rows.xy[:] = np.nan
    assert not touched(drawn(rows)).any()


@pytest.mark.parametrize("size", [(1280, 720), (3840, 2160)])
def test_sizes_follow_the_picture(size):
    zoom = size[1] / 720
    canvas = drawn(table([0], [BOX], [0]), size, zoom=zoom)
    share = touched(canvas).mean()
    assert share == pytest.approx(touched(drawn(table([0], [BOX], [0]))).mean(), rel=0.2)
    # The label is as tall as a line of text: 3 % of the picture.
    above = touched(canvas)[: round(57 * zoom), round(100 * zoom)]
    assert 0.02 < above.sum() / size[1] < 0.05


def test_zoom_maps_pixel_centres():
    rows = table([0], [(10.0, 10.0, 10.0, 10.0)], [0])
    rows.xy[:] = np.nan
    rows.xy[0, 0] = (10, 20)
    canvas = drawn(rows, (1280, 720), zoom=4.0, style=Style(boxes=False, ids=False))
    y, x = np.nonzero(touched(canvas))
    # Pixel 10 covers 40 to 44 of the enlarged picture: its centre lies at 41.5 in the numbering of pixel centres.
    assert (x.mean(), y.mean()) == pytest.approx((41.5, 81.5), abs=0.3)


def test_text_has_a_dark_outline_on_white_and_on_black():
    for background in (0, 255):
        canvas = np.full((60, 300, 3), background, np.uint8)
        draw_text(canvas, "frame 12", (10, 40), 2.0)
        assert (canvas == 255).any()
        assert (canvas == 0).any()
    assert line_unit(1280, 720) == line_unit(720, 1280) == 1
