"""What version 0.1.0 wrote is still read: results, tracklets, settings."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dettrack.config import TrackConfig, load_config
from dettrack.errors import UsageError
from dettrack.formats import read_tracks
from dettrack.formats.tracklets import TrackletFile
from dettrack.runs.folder import associate_to_folder
from dettrack.runs.result import is_complete, read_summary

OLD = Path(__file__).with_name("v0_1")
RESULT = OLD / "clip.result"


@pytest.mark.parametrize("name", ["tracks.parquet", "tracks.jsonl", "tracks.csv"])
def test_its_tables_are_read(name):
    table = read_tracks(RESULT / name)
    lines = [json.loads(line) for line in (RESULT / "tracks.jsonl").read_text().splitlines()]
    assert len(table) == sum(len(line["people"]) for line in lines) > 0
    first = lines[0]["people"][0]
    assert table.track_id[0] == first["track_id"]
    np.testing.assert_allclose(table.box[0], first["box"], atol=0.01)


def test_its_summary_is_read_and_its_folder_known():
    summary = read_summary(RESULT)
    assert is_complete(RESULT)
    assert summary["counts"]["frames"] == len((RESULT / "tracks.jsonl").read_text().splitlines())


def test_its_tracklets_give_its_tracks(tmp_path):
    saved = TrackletFile.open(RESULT / "tracklets.parquet")
    assert (saved.cut.clip_length, saved.cut.step) == (9, 2)
    defaults = TrackConfig()
    # Its defaults were chosen for scores that were no probabilities.
    finish = replace(defaults.finish, min_track_frames=2, min_joint_score=0.25, min_track_score=0.4)
    polish = replace(defaults.polish, presence=0.2)
    config = replace(defaults, cut=saved.cut, polish=polish, finish=finish)
    summary = associate_to_folder(saved, tmp_path / "out", config, ("parquet",))
    before, after = read_tracks(RESULT), read_tracks(tmp_path / "out")
    assert summary["counts"]["tracks"] == len(np.unique(before.track_id))
    np.testing.assert_array_equal(after.track_id, before.track_id)
    np.testing.assert_array_equal(after.frame, before.frame)
    np.testing.assert_array_equal(after.source, before.source)
    np.testing.assert_allclose(after.xy, before.xy, atol=0.01)
    np.testing.assert_allclose(after.time_s, before.time_s)


def test_a_folder_of_its_result_may_be_written_again(tmp_path):
    out = tmp_path / "clip.dettrack"
    shutil.copytree(RESULT, out)
    saved = TrackletFile.open(out / "tracklets.parquet")
    associate_to_folder(saved, out, replace(TrackConfig(), cut=saved.cut), ("jsonl",))
    assert is_complete(out)


def test_its_settings_are_read_but_for_those_that_are_gone_which_it_says(tmp_path):
    lines = (OLD / "settings.toml").read_text().splitlines()
    path = tmp_path / "run.toml"
    for gone in ("tube_stride", "half_life"):
        path.write_text("\n".join(lines))
        with pytest.raises(UsageError, match=rf"{gone} was removed in 0\.2: .+; delete it from the file"):
            load_config(path)
        lines = [line for line in lines if gone not in line]
    path.write_text("\n".join(lines))
    config = load_config(path)
    assert (config.cut.step, config.detect.detector_threshold, config.finish.min_track_frames) == (2, 0.3, 2)
