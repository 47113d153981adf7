import pytest

from dettrack.lab.ablation.published import GROUPS, published

# How many of the 15 joints a group has.
WEIGHTS = dict(zip(GROUPS, (3, 2, 2, 2, 2, 2, 2), strict=True))


@pytest.mark.parametrize(
    ("table", "total"), [("table1", "AP"), ("table2", "MOTA"), ("table3", "AP"), ("table4", "MOTA")]
)
def test_group_figures_have_the_published_mean(table, total):
    """The published average is that over the 15 joints, or in some papers over the groups: a slip in copying shows."""
    whole = [row for row in published(table) if set(GROUPS) <= set(row.figures)]
    assert whole
    for row in whole:
        mean = sum(WEIGHTS[name] * row.figures[name] for name in GROUPS) / 15
        by_group = sum(row.figures[name] for name in GROUPS) / 7
        assert min(abs(mean - row.figures[total]), abs(by_group - row.figures[total])) <= 0.16, (row, mean, by_group)


def test_the_papers_own_figures():
    def of(table, row):
        return next(r.figures for r in published(table) if r.row == row)

    assert of("table1", "the paper")["AP"] == 83.8
    assert of("table4", "the paper")["MOTA"] == 68.7
    assert of("table7", "2D + oks-gbm") == {"AP": 77.7, "MOTA": 65.6}
    assert of("table7", "3D, no linking") == {"AP": 82.3}
    assert of("table8", "early") == {"AP": 81.1, "MOTA": 70.0}
    assert of("table9", "weak detector, 3D") == {"recall": 83.0}


def test_every_row_names_its_source_and_our_own_tables_have_none():
    for table in ("table1", "table2", "table3", "table4", "table7", "table8", "table9", "figure5b"):
        assert all("Wang" in row.source for row in published(table)), table
    assert published("phi") == []
