from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dettrack.config import CutConfig
from dettrack.cut.clips import (
    KeyframeGroup,
    iter_clips,
    keyframe_indices,
    make_clip,
)
from dettrack.cut.compare import Seen, questions
from dettrack.cut.plan import Planner, Requested, clip_between
from dettrack.geometry import box_iou, boxes_at, boxes_with_joints
from dettrack.skeleton import POSETRACK15
from dettrack.structures import Boxes, Frame, FrameTimes, Tracklets
from dettrack.structures.report import Tally

PIXEL = np.zeros((1, 1, 3), np.uint8)
JOINTS = len(POSETRACK15)
FIGURE = np.random.default_rng(5).uniform((5, 5), (35, 95), (JOINTS, 2))
ADAPTIVE = CutConfig(step=8, adaptive=True)


def moved_boxes(tubes):
    return boxes_with_joints(tubes.boxes.xyxy, tubes.xy, tubes.scores, tubes.keyframe - int(tubes.frames[0]))


def box_at(tubes, frame):
    return boxes_at(moved_boxes(tubes), int(tubes.frames[0]), np.array([frame]))[:, 0]


class World:
    """People who walk straight on; each tube sees them with its own errors."""

    def __init__(self, start, velocity, shows, error=0.0, n=40):
        self.start, self.velocity = np.array(start, float), np.array(velocity, float)
        self.shows = shows  # (first, last) frame in which the detector finds each person
        self.error, self.n = error, n
        self.added: Counter[int] = Counter()  # visits beside those of the grid

    def tracklets(self, clip, among=None):
        key = clip.keyframe.index
        there = np.array([a <= key <= b for a, b in self.shows], bool)
        corner = self.start + key * self.velocity
        boxes = np.concatenate([corner, corner + np.array([40, 100])], 1)
        if among is not None:
            there[there] = among(boxes[there])
        frames = clip.indices
        xy = (self.start[:, None] + frames[:, None] * self.velocity[:, None])[:, :, None] + FIGURE
        xy = xy + np.random.default_rng(key).normal(0, 1, (len(boxes), 1, JOINTS, 2)) * self.error
        scores = np.ones(xy.shape[:3])
        found = Boxes(boxes[there], np.ones(int(there.sum())))
        return Tracklets(key, frames, found, xy[there], scores[there])

    def visit(self, visit):
        if visit.requested is None:
            return self.tracklets(visit.clip)
        self.added[visit.clip.keyframe.index] += 1
        return self.tracklets(visit.clip, visit.requested.among)

    def frames(self):
        return (Frame(i, i / 25, PIXEL) for i in range(self.n))

    def clips(self, cut):
        return list(iter_clips(self.frames(), cut.clip_length, cut.step))

    def batches(self, cut, at_once=3, short=False, cuts=()):
        """What a planner makes of the keyframes, `at_once` of the grid at a time, with shot cuts after the groups."""
        planner, clips = Planner(cut, POSETRACK15, short=short), self.clips(cut)
        out = []
        for number, i in enumerate(range(0, len(clips), at_once)):
            part = tuple(clips[i : i + at_once])
            planner.begin(KeyframeGroup(part, FrameTimes.of(()), 0, number in cuts, Tally()))
            while visits := planner.ask():
                assert planner.take() is None, "not before all is told"
                planner.tell([self.visit(visit) for visit in visits], Tally())
            out.append(planner.take())
            assert out[-1].tracklets[-1].keyframe == part[-1].keyframe.index
        return out

    def run(self, cut, at_once=3, short=False):
        """All tracklets in order, the keyframes of the grid, and the counts."""
        batches = self.batches(cut, at_once, short)
        counts = sum((batch.tally for batch in batches), Tally()).counts
        made = [tracklets for batch in batches for tracklets in batch.tracklets]
        return made, [clip.keyframe.index for clip in self.clips(cut)], counts


def apart(people, n=40, error=0.0, speed=1.0):
    start = [(100.0 * p, 0.0) for p in range(people)]
    return World(start, [(speed, 0.0)] * people, [(0, n)] * people, error, n)


@st.composite
def worlds(draw):
    people = draw(st.integers(1, 4))
    start = draw(st.lists(st.tuples(st.floats(0, 150), st.floats(0, 40)), min_size=people, max_size=people))
    velocity = draw(st.lists(st.tuples(st.floats(-6, 6), st.floats(-1, 1)), min_size=people, max_size=people))
    shows = draw(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 40)), min_size=people, max_size=people))
    return World(start, velocity, shows, draw(st.sampled_from([0.0, 3.0, 10.0])), draw(st.integers(1, 40)))


cuts = st.builds(
    lambda clip_step, finest, agreement, boxes, overlap: CutConfig(
        clip_length=clip_step[0],
        step=clip_step[1],
        adaptive=True,
        finest_step=finest,
        agreement=agreement,
        box_agreement=boxes,
        overlap=overlap,
    ),
    st.sampled_from([(9, 8), (9, 4), (9, 6), (5, 4), (3, 2)]),
    st.sampled_from([1, 2, 3]),
    st.sampled_from([0.0, 0.7, 0.9]),
    st.sampled_from([0.0, 0.5, 0.8]),
    st.sampled_from([0.1, 0.5, 1.0]),
)


@settings(max_examples=30, deadline=None)
@given(worlds(), cuts, st.integers(1, 4))
def test_the_grid_is_kept_and_keyframes_are_added_between_in_order(world, cut, at_once):
    made, grid, counts = world.run(cut, at_once)
    keys = [tracklets.keyframe for tracklets in made]
    assert keys == sorted(set(keys))
    assert set(grid) <= set(keys)
    assert counts.get("keyframes_added", 0) == len(keys) - len(grid)
    assert all(number == 1 for number in world.added.values())


@settings(max_examples=30, deadline=None)
@given(worlds(), cuts, st.integers(1, 4), st.booleans())
def test_it_adds_what_the_obvious_recursion_adds(world, cut, at_once, short):
    made, _, _ = world.run(cut, at_once, short)
    expected = {t.keyframe: t for t in obvious(world, cut, short)}
    assert [t.keyframe for t in made] == sorted(expected)
    for tracklets in made:
        np.testing.assert_array_equal(tracklets.boxes.xyxy, expected[tracklets.keyframe].boxes.xyxy)
        np.testing.assert_array_equal(tracklets.frames, expected[tracklets.keyframe].frames)


def obvious(world, cut, short):
    """One interval at a time, depth first, every rule a loop over people."""
    video = [Frame(i, i / 25, PIXEL) for i in range(world.n)]
    reach = cut.clip_length // 2

    def split(a, b, only_a, only_b, beside):
        if (b.keyframe - a.keyframe) // 2 < cut.finest_step:
            return []
        in_a, in_b = slow_questions(a, b, cut)
        in_a, in_b = in_a & only_a, in_b & only_b
        if not in_a and not in_b:
            return []
        key = (a.keyframe + b.keyframe) // 2
        boxes_a, boxes_b = (box_at(side, key) for side in (a, b))
        mine = [boxes_a[p] for p in sorted(in_a)] + [boxes_b[p] for p in sorted(in_b)]
        beside = beside + [(a, p) for p in only_a - in_a] + [(b, p) for p in only_b - in_b]
        theirs = [box_at(side, key)[p] for side, p in beside]

        def among(found):
            def best(box, others):
                return max((box_iou(box[None], other[None])[0, 0] for other in others), default=0.0)

            return np.array([best(x, mine) >= best(x, theirs) or best(x, theirs) < 0.3 for x in found], bool)

        reach_there = max(key - a.keyframe, b.keyframe - key) if short else reach
        middle = world.tracklets(make_clip(video, key, 2 * min(reach_there, reach) + 1), among)
        everyone = set(range(len(middle)))
        return [middle, *split(a, middle, in_a, everyone, beside), *split(middle, b, everyone, in_b, beside)]

    grid = [world.tracklets(make_clip(video, int(k), cut.clip_length))
            for k in keyframe_indices(0, world.n, cut.step, cut.clip_length)]  # fmt: skip
    out = list(grid)
    for a, b in pairwise(grid):
        assert a.frames[-1] == min(a.keyframe + reach, world.n - 1)
        out += split(a, b, set(range(len(a))), set(range(len(b))), [])
    return out


def slow_questions(a, b, cut):
    common = sorted(set(a.frames.tolist()) & set(b.frames.tolist()))
    moved_a, moved_b = moved_boxes(a), moved_boxes(b)
    similarity, same = np.zeros((len(a), len(b))), np.zeros((len(a), len(b)))
    for p in range(len(a)):
        for q in range(len(b)):
            area = (a.boxes.xyxy[p, 2:] - a.boxes.xyxy[p, :2]).prod() + (
                b.boxes.xyxy[q, 2:] - b.boxes.xyxy[q, :2]
            ).prod()
            values = []
            for t in common:
                i, j = t - int(a.frames[0]), t - int(b.frames[0])
                squared = np.square(a.xy[p, i] - b.xy[q, j]).sum(-1)
                values.append(np.exp(-squared / (8 * POSETRACK15.sigmas**2) / (area / 2)).mean())
                same[p, q] += box_iou(moved_a[p, i][None], moved_b[q, j][None])[0, 0] / len(common)
            similarity[p, q] = np.mean(values) if same[p, q] > 0 else 0.0
    from scipy.optimize import linear_sum_assignment

    pairs = [(p, q) for p, q in zip(*linear_sum_assignment(-similarity), strict=True) if similarity[p, q] > 0]
    in_a = {p for p, q in pairs if similarity[p, q] < cut.agreement or same[p, q] < cut.box_agreement}
    for side, moved, chosen in ((a, moved_a, in_a), (b, moved_b, in_b := set())):
        for p in range(len(side)):
            for other in range(len(side)):
                for t in side.frames[(side.frames >= a.keyframe) & (side.frames <= b.keyframe)]:
                    i = t - int(side.frames[0])
                    if p != other and box_iou(moved[p, i][None], moved[other, i][None])[0, 0] > cut.overlap:
                        chosen.add(p)
    if b.keyframe - a.keyframe > cut.clip_length // 2:
        in_a |= set(range(len(a))) - {p for p, _ in pairs}
        in_b |= set(range(len(b))) - {q for _, q in pairs}
    in_b |= {q for p, q in pairs if p in in_a}
    in_a |= {p for p, q in pairs if q in in_b}
    return in_a, in_b


def test_a_calm_scene_gets_the_grid_only():
    world = apart(4)
    made, grid, _ = world.run(ADAPTIVE)
    assert [tracklets.keyframe for tracklets in made] == grid
    assert not world.added


def test_where_everything_disagrees_every_frame_is_a_keyframe():
    world = apart(2, error=30.0)
    made, _, counts = world.run(replace(ADAPTIVE, agreement=0.9, finest_step=1))
    assert [tracklets.keyframe for tracklets in made] == list(range(40 - 40 % 8 + 1))[: made[-1].keyframe + 1]
    assert counts["in_question_disagree"] > 0


def test_only_the_people_in_question_are_requested():
    # the first two stand in each other's box, the third is alone
    world = World([(0, 0), (5, 0), (300, 0)], [(0, 0)] * 3, [(0, 40)] * 3)
    made, grid, _ = world.run(ADAPTIVE)
    for tracklets in made:
        assert len(tracklets) == (3 if tracklets.keyframe in grid else 2)


def test_a_track_that_starts_between_is_found_in_the_middle_and_not_looked_for_again():
    world = World([(0, 0), (300, 0)], [(1, 0)] * 2, [(0, 40), (11, 40)])
    made, _, counts = world.run(ADAPTIVE)
    assert sorted(world.added) == [12]
    assert counts["in_question_start_or_end"] == 1
    added = next(tracklets for tracklets in made if tracklets.keyframe == 12)
    assert len(added) == 1, "the person who goes on is in no question"
    assert added.boxes.xyxy[0, 0] == pytest.approx(312)


def test_nothing_is_compared_across_a_shot_cut():
    world = apart(2, error=30.0)
    batches = world.batches(replace(ADAPTIVE, agreement=1.0, finest_step=1), at_once=1, cuts={0})
    assert [len(batch.tracklets) for batch in batches[:3]] == [1, 1, 8]
    assert [batch.shot_ended for batch in batches[:3]] == [True, False, False]


@given(st.integers(1, 8), st.integers(0, 12), st.sampled_from([3, 5, 9]), st.integers(0, 20))
def test_clips_between_are_those_of_the_video(gap, start, length, after):
    gap = min(gap, length - 1)
    video = [Frame(i, i / 25, PIXEL) for i in range(start + gap + 1 + after)]
    left, right = (make_clip(video, place, length) for place in (start, start + gap))
    for key in range(start, start + gap + 1):
        expected = make_clip(video, key, length)
        assert clip_between(left, right, key, length) == expected


def test_questions_name_their_reasons():
    world = World([(0, 0), (5, 0), (300, 0)], [(0, 0)] * 3, [(0, 40), (0, 40), (0, 0)])
    left, right = (Seen(clip, world.tracklets(clip)) for clip in world.clips(ADAPTIVE)[:2])
    asked = questions(left, right, ADAPTIVE, POSETRACK15, 0.2)
    assert {reason: n for reason, n in asked.counts.items() if n} == {"overlap": 2, "start_or_end": 1}
    assert asked.left.tolist() == [True, True, True]
    assert asked.right.tolist() == [True, True]
    assert not questions(right, right, replace(ADAPTIVE, overlap=1.0), POSETRACK15, 0.2)


def test_a_visit_is_for_the_requested_people_and_strangers():
    requested = Requested(Boxes(np.array([[0.0, 0, 10, 20]]), np.ones(1)), np.array([[50.0, 0, 60, 20]]))
    among = requested.among(np.array([[1.0, 0, 11, 20], [51, 0, 61, 20], [100, 0, 110, 20]]))
    assert among.tolist() == [True, False, True]
