"""Files that others broke, given to the commands that read them: one line, exit 1 or 2, nothing written."""

from pathlib import Path

import pytest

from dettrack.cli import main
from dettrack.errors import InputError, UsageError
from dettrack.runs.result import is_complete, read_summary


@pytest.mark.data
def test_broken_tracklets_are_refused_in_one_line(cases, tmp_path, capsys):
    files = sorted((cases / "mutants").glob("assoc_*"))
    assert files
    for path in files:
        out = tmp_path / path.stem
        code = main(["associate", str(path), "--out", str(out)])
        said = capsys.readouterr().err
        assert code in (1, 2), (path.name, code, said)
        assert said.count("\n") == 1, (path.name, said)
        assert not list(tmp_path.iterdir())


@pytest.mark.data
def test_broken_thresholds_and_packs(cases):
    from dettrack.files.toml import read_joint_thresholds
    from dettrack.skeleton import POSETRACK15
    from dettrack.training.labels.people import load_people

    for path in (cases / "mutants").glob("joint_thresholds_*"):
        with pytest.raises((InputError, UsageError)):
            read_joint_thresholds(path, POSETRACK15.joints)
    for path in (cases / "mutants").glob("w_npz_people_*"):
        with pytest.raises(InputError, match=r"w_npz_people_\w+\.npz"):
            load_people(path)


# What the README beside the files says must happen, through the real command: file, options -> exit code, frames, words
# of the notes or of the one line. The box files belong to ref/ref.mp4, in which two people walk.
REAL = {
    "ref/ref.mp4": ([], 0, 24, ""),
    "boxes_category_list/cat0_named.json": (["--detector"], 0, 24, ""),
    "boxes_category_list/cat2_named.json": (["--detector"], 0, 24, ""),
    "boxes_cvat_subset/cvat_every4.json": (["--detector"], 0, 24, ""),
    "boxes_match_nothing/elsewhere.json": (["--detector"], 1, 0, "none of 48 boxes belongs to a frame"),
    "boxes_match_nothing/mot_class0.txt": (["--detector"], 0, 24, ""),
    "boxes_iscrowd/crowd.json": (["--detector"], 0, 24, "crowd"),
    "boxes_bom/bom.json": (["--detector"], 0, 24, ""),
    "boxes_bom/mot_bom.txt": (["--detector"], 0, 24, ""),
    "ends_early_edit_list/el_near.mp4": ([], 0, None, ""),
    "second_video_stream/twovideo.mov": ([], 0, None, "2 video streams"),
    "timestamp_jump/nvr.mp4": ([], 0, None, "tracks end there"),
    "animated_images/anim.webp": ([], 0, None, ""),
    "dark_12bit": ([], 0, None, "16 bits 10 are in use"),
}


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_each_case_through_the_command(cases, tmp_path, capsys, name):
    options, code, frames, words = REAL[name]
    video = cases / ("ref/ref.mp4" if options else name)
    options = [*options, str(cases / name)] if options else []
    assert main(["track", str(video), *options, "--preset", "fast", "--quiet", "--out", str(tmp_path)]) == code
    said = capsys.readouterr().err
    if code:
        assert said.count("\n") == 1
        assert words in said
        assert not any(map(is_complete, tmp_path.iterdir()))
        return
    (out,) = tmp_path.iterdir()
    summary = read_summary(out)
    assert summary["complete"]
    assert frames in (None, summary["counts"]["frames"])
    assert words in "; ".join([*summary["notes"], *summary["dropped"], summary["detector"]])
    if frames:
        assert summary["counts"]["tracks"] == 2


@pytest.mark.data
def test_no_case_is_without_a_test(cases):
    """A case that is new in the folder wants a line above; mutants are read in this folder's tests and in formats."""
    shown = {Path(name).parts[0] for name in REAL} | {"mutants", "opensim_trc"}  # the latter: formats/test_exports.py
    assert {path.name for path in cases.iterdir() if path.is_dir()} == shown
