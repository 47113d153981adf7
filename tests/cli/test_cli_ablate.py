"""`dettrack ablate` as a user meets it."""

import pytest

from dettrack.cli import main

NOWHERE = 'name = "a"\nout = "o"\n[data]\nkind = "simulated"\nannotations = "nowhere"\n'


@pytest.mark.parametrize(
    ("text", "args", "code", "words"),
    [
        ("name = 1\n[data]\nout = 2\n", (), 2, "name is 1"),
        (NOWHERE, (), 1, "nowhere"),
        (
            'name = "a"\nout = "o"\n[data]\nkind = "simulated"\nannotations = "nowhere"\n',
            ("--only", "table8"),
            2,
            "table8",
        ),
        (NOWHERE, ("--jobs", "0"), 2, "--jobs"),
    ],
)
def test_mistakes_are_one_line(tmp_path, capsys, text, args, code, words):
    (tmp_path / "study.toml").write_text(text)
    assert main(["ablate", str(tmp_path / "study.toml"), *args]) == code
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_the_studies_of_the_project_can_be_read():
    from pathlib import Path

    from dettrack.lab.ablation.beyond import all_tables
    from dettrack.lab.ablation.study import read_study

    files = sorted((Path(__file__).parents[2] / "configs").glob("reproduce_*.toml"))
    assert len(files) >= 3
    for file in files:
        assert all_tables(read_study(file)), file
