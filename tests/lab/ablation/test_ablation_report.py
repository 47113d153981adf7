"""What a study writes of figures that are known: intervals, pairs, CSV and Markdown; and the keys of its cache."""

import csv
import io
import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dettrack.config import TrackConfig
from dettrack.errors import InputError
from dettrack.lab.ablation.cache import content_key, file_digest, files_digest, read_json
from dettrack.lab.ablation.measure import Result
from dettrack.lab.ablation.published import GROUPS, published
from dettrack.lab.ablation.report import csv_text, interval, markdown_text, paired
from dettrack.lab.ablation.rows import Row, Table, change

NAN = float("nan")
draws = st.lists(st.floats(0, 100), min_size=2, max_size=40)


def row(name, at=None):
    return Row(name, TrackConfig(), at=at)


def result(ap, mota=NAN, *, draws=None, groups=None):
    figures = {"AP": ap, "MOTA": mota, "recall": 12.345, "false_negatives": 1234.0, "frames_per_second": NAN}
    return Result(figures, draws or {}, groups or {})


def lines_of(table, results):
    return list(csv.DictReader(io.StringIO(csv_text(table, results, "walkers"))))


@given(draws)
def test_an_interval_lies_within_its_samples_and_ignores_missing_ones(samples):
    low, high = interval(result(50.0, draws={"AP": samples}), "AP")
    assert min(samples) <= low <= high <= max(samples)
    assert interval(result(50.0, draws={"AP": [*samples, NAN]}), "AP") == (low, high)


def test_what_was_not_drawn_has_no_interval():
    assert np.isnan(interval(result(50.0), "AP")).all()
    assert np.isnan(interval(result(50.0, draws={"AP": [NAN, NAN]}), "AP")).all()
    assert np.isnan(paired(result(50.0), result(40.0), "AP")[1:]).all()
    assert paired(result(50.0), result(40.0), "AP")[0] == 10.0


@given(draws, st.floats(-20, 20))
def test_pairs_know_a_constant_difference_exactly_however_wide_the_rows_are(samples, shift):
    """Rows of the same sequences rise and fall together: the interval of the difference is far narrower than theirs."""
    one = result(50.0, draws={"AP": samples})
    other = result(50.0 + shift, draws={"AP": [value + shift for value in samples]})
    difference, low, high = paired(other, one, "AP")
    assert difference == pytest.approx(shift)
    assert low == pytest.approx(shift, abs=1e-9)
    assert high == pytest.approx(shift, abs=1e-9)


def test_pairs_of_different_numbers_of_samples_have_no_interval():
    one, other = result(50.0, draws={"AP": [1.0, 2.0]}), result(60.0, draws={"AP": [1.0, 2.0, 3.0]})
    assert np.isnan(paired(one, other, "AP")[1:]).all()


def test_csv_has_figures_with_their_intervals_and_leaves_missing_ones_empty():
    table = Table("mine", "Title", (row("a"), row("b")), show=("recall", "false_negatives", "frames_per_second"))
    first, second = lines_of(table, [result(81.239, draws={"AP": [80.0, 82.0]}), result(70.0, 60.5)])
    assert first["AP"] == "81.24"
    assert (float(first["AP_low"]), float(first["AP_high"])) == pytest.approx((80.05, 81.95))
    assert (first["MOTA"], first["MOTA_low"], first["frames_per_second"]) == ("", "", "")
    assert (second["MOTA"], second["recall"]) == ("60.50", "12.35")
    assert (second["data"], second["source"]) == ("walkers", "measured")
    assert "frames_per_second_low" not in first, "speed is measured once"


def test_a_curve_has_its_axis_and_no_published_rows():
    table = Table("table7", "Title", (row("S = 1", 1), row("S = 4", 4)), axis="step", show=("AP",))
    assert [line["step"] for line in lines_of(table, [result(1.0), result(2.0)])] == ["1", "4"]


def test_groups_and_published_rows_stand_below_ours_with_their_source():
    groups = {"AP": {name: 70.0 + i for i, name in enumerate(GROUPS)}}
    table = Table("table1", "Title", (row("ours"),), show=("AP",), layout="groups")
    ours, *others = lines_of(table, [result(73.0, groups=groups)])
    assert [ours[name] for name in GROUPS] == [f"{70 + i}.00" for i in range(7)]
    assert len(others) == len(published("table1")) > 5
    assert all(line["source"] != "measured" for line in others)
    text = markdown_text(table, [result(73.0, groups=groups)], "walkers")
    assert f"*{others[0]['row']}, published, {others[0]['data']}*" in text
    assert text.count("\n| ") == 2 + len(others)


def test_markdown_marks_differences_to_the_reference_and_escapes_bars():
    table = Table("mine", "Clip lengths", (row("|C| = 9"), row("|C| = 1")), show=("AP", "false_negatives"),
                  reference="|C| = 9", notes=("Two scenes only.",))  # fmt: skip
    found = [result(80.0, draws={"AP": [79.0, 81.0]}), result(78.5, draws={"AP": [77.5, 79.5]})]
    text = markdown_text(table, found, "walkers")
    assert "## Clip lengths" in text
    assert "`mine.csv`; walkers." in text
    assert "| \\|C\\| = 9 | 80.0 (79.0 to 81.0) | 1234 |  |" in text
    assert "| \\|C\\| = 1 | 78.5 (77.5 to 79.5) | 1234 | -1.50 (-1.50 to -1.50) |" in text
    assert text.endswith("Two scenes only.\n")
    head = next(line for line in text.splitlines() if "Δ" in line)
    assert head.count("Δ") == 1, "counts and speeds are not compared"


def test_a_figure_that_was_not_measured_is_a_dash():
    table = Table("mine", "Title", (row("a"),), show=("MOTA",))
    assert "| a | - |" in markdown_text(table, [result(80.0)], "walkers")


def test_what_decides_a_row_is_in_its_settings_and_nothing_else():
    plain = row("a").settings()
    assert row("another name", at=3).settings() == plain
    assert Row("a", TrackConfig(), missed=0.3).settings() != plain
    assert Row("a", change(TrackConfig(), polish={"lam": 0.2})).settings() != plain
    assert Row("a", change(TrackConfig(), estimate={"decoding": "quarter"})).settings() != plain
    assert Row("a", change(TrackConfig(), estimate={"batch": 7})).settings() == plain
    assert Row("a", change(TrackConfig(), detect={"detector_threshold": 0.9})).settings() == plain, "tubes have it"


@given(st.dictionaries(st.text(max_size=3), st.integers(), min_size=1), st.integers())
def test_keys_depend_on_content_and_not_on_order(content, more):
    assert content_key(content) == content_key(dict(reversed(list(content.items()))))
    assert content_key(content, more) != content_key(content)
    assert len(content_key(content)) == 24


def test_digests_follow_the_bytes_of_files(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"one")
    b.write_bytes(b"two")
    first = files_digest([a, b])
    assert first == files_digest([a, b])
    assert first != files_digest([b, a])
    before = file_digest(a)
    a.write_bytes(b"eno")
    os.utime(a, ns=(1, 1))
    assert file_digest(a) != before
    with pytest.raises(InputError, match="cannot read"):
        file_digest(tmp_path / "none")


def test_half_a_cached_result_is_none(tmp_path):
    path = tmp_path / "result.json"
    assert read_json(path) is None
    for text in ('{"AP": 1', "[1, 2]", ""):
        path.write_text(text)
        assert read_json(path) is None
    path.write_text(json.dumps({"AP": 1}))
    assert read_json(path) == {"AP": 1}
