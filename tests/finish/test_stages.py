from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dettrack.config import CutConfig, FinishConfig, SewConfig, TrackConfig
from dettrack.errors import InputError
from dettrack.finish.gaps import GapFiller
from dettrack.finish.stages import Chain, finishing
from dettrack.finish.thresholds import apply_thresholds, read_thresholds
from dettrack.finish.tracks import TrackRules
from dettrack.skeleton import POSETRACK15
from dettrack.structures import Source, TrackTable

J = len(POSETRACK15)
COLUMNS = ("frame", "time_s", "track_id", "box", "score", "xy", "joint_scores", "spread", "support", "source")


def table(frames, ids, seed=0, scores=None, source=None, score=0.5):
    """Rows with random poses that depend on (frame, id) only."""
    frames, ids = np.array(frames, int), np.array(ids, int)
    rngs = [np.random.default_rng([seed, f, i]) for f, i in zip(frames, ids, strict=True)]
    n = len(frames)
    xy = np.array([rng.uniform(0, 100, (J, 2)) for rng in rngs]).reshape(n, J, 2)
    return TrackTable(
        POSETRACK15,
        frame=frames,
        time_s=frames / 25,
        track_id=ids,
        box=np.array([[f, i, f + 50, i + 100] for f, i in zip(frames, ids, strict=True)], float).reshape(n, 4),
        score=np.full(n, score) if np.ndim(score) == 0 else np.array(score, float),
        xy=xy,
        joint_scores=np.full((n, J), 0.5) if scores is None else np.array(scores, float),
        spread=np.ones((n, J)),
        support=np.full((n, J), 3),
        source=np.zeros(n, int) if source is None else np.array(source, int),
    )


def equal(a, b):
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def stream(stage, rows, chunk=1):
    """Feed frame by frame; every answer must be whole frames in order."""
    out = []
    last = int(rows.frame.max(initial=-1))
    for start in range(0, last + 1, chunk):
        part = rows[(rows.frame >= start) & (rows.frame < start + chunk)]
        out.append(stage.add(part, min(start + chunk, last + 1)))
    out.append(stage.finish() or rows[:0])
    frames = np.concatenate([t.frame for t in out])
    assert (np.diff(frames) >= 0).all()
    for a, b in itertools.pairwise(out):
        assert not len(a) or not len(b) or a.frame[-1] < b.frame[0]
    return TrackTable.concatenate(out, POSETRACK15)


def chain(config, fps=25.0, linking="oks-gbm", **sew):
    """The stages after the polisher without bridging, as one."""
    stages = finishing(
        TrackConfig(cut=CutConfig(), sew=SewConfig(linking=linking, **sew), finish=config), POSETRACK15, fps
    )
    return Chain(*stages)


def through(stage, rows):
    """All rows at once."""
    added = stage.add(rows, int(rows.frame.max(initial=-1)) + 1)
    return TrackTable.concatenate([added, stage.finish() or added[:0]])


def random_rows(seed, n_frames=30, tracks=4):
    rng = np.random.default_rng(seed)
    pairs = []
    for track in range(tracks):
        start, stop = sorted(rng.integers(0, n_frames, 2))
        pairs += [(f, 5 * track + 2) for f in range(start, stop) if rng.random() < 0.8]
    pairs.sort()
    source, score = rng.integers(0, 2, len(pairs)), rng.random(len(pairs))
    return table([f for f, _ in pairs], [i for _, i in pairs], seed, source=source, score=score)


@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(0, 3), st.sampled_from([0.0, 0.6]), st.integers(1, 7))
@settings(max_examples=25)
def test_short_tracks_go_whole_and_are_counted(seed, frames, detections, score, chunk):
    rows = random_rows(seed, n_frames=60, tracks=6)
    config = FinishConfig(min_track_frames=frames, min_track_detections=detections, min_track_score=score)
    stage = TrackRules(config, max_gap=12, patience=60)
    got = stream(stage, rows, chunk)
    sure = rows.score >= score
    long = [
        i
        for i in np.unique(rows.track_id)
        if sure[rows.track_id == i].sum() >= frames and (rows.source[rows.track_id == i] == 0).sum() >= detections
    ]
    keep = np.isin(rows.track_id, long)
    equal(got, rows[keep])
    assert stage.tally.dropped["short_tracks"] == len(np.unique(rows.track_id)) - len(long)
    assert stage.tally.dropped["poses_of_short_tracks"] == int((~keep).sum())


def test_rows_wait_no_longer_than_their_track_needs():
    stage = TrackRules(FinishConfig(min_track_frames=3), max_gap=4)
    assert [len(stage.add(table([f], [7]), f + 1)) for f in range(5)] == [0, 0, 3, 1, 1]
    # a newcomer holds everybody back until it is long enough or cannot come back any more
    assert len(stage.add(table([5, 5], [7, 8]), 6)) == 0
    counts = [len(stage.add(table([f], [7]), f + 1)) for f in range(6, 12)]
    assert counts == [0, 0, 0, 0, 6, 1]
    assert stage.tally.dropped == {"short_tracks": 1, "poses_of_short_tracks": 1}
    assert len(stage._seen) == 1


def test_nobody_waits_for_a_doubtful_track_for_ever():
    """A tree that moves along all through the video holds up the others for a while, and is not shown."""
    config = FinishConfig(min_track_frames=2, min_track_score=0.4)
    stage = TrackRules(config, max_gap=4, patience=10)
    counts = []
    for frame in range(30):
        tree, person = (0.3 if frame < 25 else 0.9), (0.8 if frame < 20 else 0.1)
        counts.append(len(stage.add(table([frame, frame], [1, 2], score=[tree, person]), frame + 1)))
    assert counts[:10] == [0] * 10
    assert counts[10:26] == [1] * 16  # the person alone, ten frames late
    # What still waits of the track when it convinces at last (frame 26) is kept.
    assert counts[26:] == [2 * 11, 2, 2, 2]
    assert stage.tally.dropped == {"short_tracks": 0, "poses_of_short_tracks": 0, "poses_of_doubtful_tracks": 16}
    assert len(stage.finish()) == 0


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 7))
@settings(max_examples=25)
def test_gaps_are_filled_in_a_straight_line_and_marked(seed, max_gap, chunk):
    rows = random_rows(seed)
    stage = GapFiller(max_gap)
    got = stream(stage, rows, chunk)
    equal(got[got.source != Source.INTERPOLATED], rows)
    filled = got[got.source == Source.INTERPOLATED]
    want = []
    for i in np.unique(rows.track_id):
        one = rows[rows.track_id == i]
        for k in range(len(one) - 1):
            gap = int(one.frame[k + 1] - one.frame[k]) - 1
            if 1 <= gap <= max_gap:
                for step in range(1, gap + 1):
                    share = step / (gap + 1)
                    want.append((int(one.frame[k]) + step, int(i), (1 - share) * one.xy[k] + share * one.xy[k + 1]))
    want.sort(key=lambda row: row[:2])
    assert list(zip(filled.frame.tolist(), filled.track_id.tolist(), strict=True)) == [row[:2] for row in want]
    if want:
        np.testing.assert_allclose(filled.xy, [row[2] for row in want])
        np.testing.assert_allclose(filled.time_s, filled.frame / 25)
        assert (filled.support == 0).all()
        assert np.isnan(filled.spread).all()


def test_thresholds_make_joints_missing_and_remove_empty_poses():
    scores = np.full((2, J), 0.5)
    scores[0, 3] = 0.1
    scores[1] = 0.1
    rows = table([0, 1], [0, 0], scores=scores)
    got, counts = apply_thresholds(rows, np.full(J, 0.2))
    assert counts == {"joints_below_threshold": 1 + J, "poses_without_joints": 1}
    assert got.frame.tolist() == [0]
    assert np.isnan(got.xy[0, 3]).all()
    assert np.isfinite(np.delete(got.xy[0], 3, 0)).all()
    assert got.support[0].tolist() == [3, 3, 3, 0, *[3] * (J - 4)]
    assert got.joint_scores[0, 3] == 0.1
    assert np.isfinite(rows.xy).all()


def test_thresholds_file(tmp_path):
    path = tmp_path / "thresholds.toml"
    path.write_text("[thresholds]\nnose = 0.3\nleft_wrist = 1.9\n")
    values = read_thresholds(path, POSETRACK15)
    assert values[POSETRACK15.index("nose")] == 0.3
    assert values[POSETRACK15.index("left_wrist")] == 1.9  # learned where no prediction is right
    assert np.count_nonzero(values) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nose = 0.3", r"\[thresholds\]"),
        ("[thresholds]\ntail = 0.3", "unknown joint 'tail'"),
        ("[thresholds]\nnose = nan", "expected a number"),
        ("[thresholds]\nnose = true", "expected a number"),
        ("[thresholds", "TOML"),
        (None, "cannot read"),
    ],
)
def test_a_bad_thresholds_file_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "thresholds.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_thresholds(path, POSETRACK15)


def test_all_stages_together(tmp_path):
    path = tmp_path / "thresholds.toml"
    path.write_text("[thresholds]\nnose = 0.6\n")
    config = FinishConfig(min_track_frames=3, joint_thresholds=str(path), fill_gaps=2, smooth="savgol")
    rows = table([0, 0, 1, 2, 5, 6], [1, 9, 1, 1, 1, 1])
    stages = chain(config)
    got = through(stages, rows)
    assert got.frame.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert (got.track_id == 1).all()
    assert got.source.tolist() == [0, 0, 0, 2, 2, 0, 0]
    nose = POSETRACK15.index("nose")
    assert np.isnan(got.xy[:, nose]).all()
    assert got.xy_smooth is not None
    assert np.isnan(got.xy_smooth[:, nose]).all()
    assert np.isfinite(np.delete(got.xy_smooth, nose, 1)).all()
    assert stages.tally.dropped == {
        "short_tracks": 1,
        "poses_of_short_tracks": 1,
        "joints_below_threshold": 5,
        "poses_without_joints": 0,
    }


def test_low_joints_are_missing_by_default_and_the_file_can_only_ask_for_more(tmp_path):
    scores = np.full((6, J), 0.5)
    scores[:, 0], scores[:, 1], scores[:, 2] = 0.24, 0.31, 0.4
    rows = table(range(6), [1] * 6, scores=scores)

    def kept(config):
        got = through(chain(config), rows)
        np.testing.assert_array_equal(got.joint_scores, scores)  # they say why a joint is missing
        return np.isfinite(got.xy).all(-1).all(0)

    assert kept(FinishConfig())[:4].tolist() == [False, True, True, True]
    assert kept(FinishConfig(min_joint_score=0.0)).all()
    path = tmp_path / "thresholds.toml"
    names = POSETRACK15.joints
    path.write_text(f'[thresholds]\n"{names[0]}" = 0.1\n"{names[2]}" = 0.45\n')
    assert kept(FinishConfig(joint_thresholds=str(path)))[:4].tolist() == [False, True, False, True]


def test_the_linkings_own_gaps_are_filled_without_being_asked():
    got = through(chain(FinishConfig(min_track_frames=1), linking="oks-velocity", memory=16), table([0, 10], [1, 1]))
    assert got.frame.tolist() == list(range(11))


def test_nobody_in_view():
    stages = chain(FinishConfig(fill_gaps=3, smooth="one-euro"))
    assert stages.finish() is None, "nothing was ever added"
    assert len(stages.add(TrackTable.empty(POSETRACK15), 10)) == 0
    assert len(stages.add(TrackTable.empty(POSETRACK15), 12)) == 0
    assert len(stages.finish()) == 0


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_frame_by_frame_gives_the_same_rows_as_all_at_once(seed):
    rows = random_rows(seed, n_frames=60)
    config = FinishConfig(min_track_frames=4, fill_gaps=3)
    equal(stream(chain(config), rows), through(chain(config), rows))


def test_the_seconds_of_each_stage_are_told_by_name():
    stages = chain(FinishConfig(fill_gaps=3, smooth="savgol"))
    through(stages, table([0, 1, 2], [1, 1, 1]))
    assert set(stages.tally.seconds) == {"tracks", "thresholds", "gaps", "smooth"}


def test_a_chain_is_a_stage_of_a_chain():
    rows = random_rows(3, n_frames=60)
    parts = [TrackRules(FinishConfig(min_track_frames=3), max_gap=9), GapFiller(3)]
    nested = Chain(Chain(parts[0]), parts[1])
    equal(
        stream(nested, rows), stream(Chain(TrackRules(FinishConfig(min_track_frames=3), max_gap=9), GapFiller(3)), rows)
    )
