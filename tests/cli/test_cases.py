"""Files that others broke, given to the commands that read them: one line, exit 1 or 2, nothing written."""

import pytest

from dettrack.cli import main
from dettrack.errors import InputError, UsageError


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
