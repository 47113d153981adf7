import pytest

from dettrack.errors import InputError, UsageError
from dettrack.lab.ablation.beyond import all_tables, tables_of
from dettrack.lab.ablation.study import DataConfig, read_study

WHOLE = """
name = "all"
out = "o"
seeds = 2
[data]
kind = "frames"
annotations = "a"
images = "i"
year = "2018"
missed = 0
[networks]
2d = "2d.safetensors"
3d = "3d.safetensors"
[detectors]
strong = "d.onnx"
[settings.sew]
min_similarity = 0.25
[settings.cut]
clip_length = 5
[simulate]
noise = 0.2
"""


def study(tmp_path, text):
    path = tmp_path / "study.toml"
    path.write_text(text)
    return read_study(path)


def test_everything_that_a_study_says_is_read(tmp_path):
    read = study(tmp_path, WHOLE)
    assert read.settings.sew.min_similarity == 0.25
    assert read.settings.cut.clip_length == 5
    assert read.seeds == 2
    assert read.data.missed == 0.0
    assert dict(read.networks) == {"2d": "2d.safetensors", "3d": "3d.safetensors"}
    assert read.simulate.noise == 0.2


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "all"', "", "name is missing"),
        ("seeds = 2", "seeds = 0", "seeds"),
        ("seeds = 2", "sheds = 2", "sheds"),
        ("seeds = 2", "seeds = 2.5", "seeds"),
        ('kind = "frames"', 'kind = "film"', "film"),
        ('images = "i"', "", "images"),
        ('year = "2018"', 'year = "2016"', "2016"),
        ("2d =", "4d =", "4d"),
        ("min_similarity", "min_similarty", "min_similarty"),
        ("[settings.sew]", "[settings.saw]", "saw"),
        ("clip_length = 5", "clip_length = 4", "odd"),
        ("noise = 0.2", 'noise = "much"', "noise"),
        ("[detectors]", "detectors = 3\n[else]", "detectors"),
    ],
)
def test_mistakes_are_named(tmp_path, old, new, words):
    assert old in WHOLE
    with pytest.raises(UsageError, match=words):
        study(tmp_path, WHOLE.replace(old, new))


def test_no_file_and_no_toml_are_input_errors(tmp_path):
    with pytest.raises(InputError, match=r"none\.toml"):
        read_study(tmp_path / "none.toml")
    with pytest.raises(InputError, match="TOML"):
        study(tmp_path, "name = [")


def test_only_tables_that_the_weights_allow_are_made(tmp_path):
    read = study(tmp_path, WHOLE)
    keys = [table.key for table in all_tables(read)]
    assert {"table3", "table4", "table7", "figure5a", "decoding"} <= set(keys)
    assert not {"table1", "table8", "padding"} & set(keys), "no weights of these variants are named"
    table9 = next(table for table in all_tables(read) if table.key == "table9")
    assert all(row.detector == "strong" for row in table9.rows)
    assert "weak" in table9.notes[-1]
    with pytest.raises(UsageError, match="table8"):
        tables_of(read, ("table8",))
    assert [table.key for table in tables_of(read, ("link_to", "table7"))] == ["table7", "link_to"]


def test_rows_of_a_table_have_their_own_names_and_settings(tmp_path):
    for table in all_tables(study(tmp_path, WHOLE)):
        names = [row.name for row in table.rows]
        assert len(set(names)) == len(names), table.key
        settings = [str((row.settings(), row.at)) for row in table.rows]
        assert len(set(settings)) == len(settings), table.key
        assert not table.reference or table.reference in names


def test_a_share_of_all_boxes_cannot_be_lost():
    with pytest.raises(UsageError, match="missed"):
        DataConfig(kind="simulated", annotations="a", missed=1.0)
