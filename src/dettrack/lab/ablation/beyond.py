"""Choices that the paper leaves open, or that go beyond it: each a row that must earn its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dettrack.errors import UsageError
from dettrack.lab.ablation import grid
from dettrack.lab.ablation.grid import Rows
from dettrack.lab.ablation.rows import Table, change
from dettrack.lab.ablation.study import Study

__all__ = ["all_tables", "tables_of"]

LAMBDAS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)
HEAD_LAMBDAS = (0.3, 1.0, 3.0)
RADII = (0.1, 0.25, 0.5, 0.75, 1.0)
FLOORS = (0.1, 0.2, 0.3, 0.4, 0.5)
FULL = "default"


def _phi(rows: Rows) -> Table:
    base = rows.base
    forms = [rows.ours(FULL)]
    for spatial in ("count", "ratio"):
        for temporal in ("l2", "l2-squared"):
            for unit in ("pixel", "head"):
                # λ per form such that the temporal term is about as large against the spatial one as in the paper:
                # a head of 40 pixels, a shift of a tenth of it, nine hypotheses.
                lam = base.polish.lam * (1 if spatial == "count" else 1 / 9)
                lam *= {("l2", "pixel"): 1, ("l2", "head"): 40, ("l2-squared", "pixel"): 1 / 4}.get(
                    (temporal, unit), 400
                )
                polish = {"spatial_form": spatial, "temporal_form": temporal, "distance_unit": unit, "lam": lam}
                if (spatial, temporal, unit) != ("count", "l2", "pixel"):
                    name = f"{spatial}, {temporal}, {unit}, λ = {lam:.3g}"
                    forms.append(rows.ours(name, change(base, polish=polish)))
    return Table("phi", "Forms of φ", tuple(forms), reference=FULL)


def _lam(rows: Rows) -> Table:
    made = [rows.ours(f"λ = {lam:g}, pixels", change(rows.base, polish={"lam": lam})) for lam in LAMBDAS]
    made += [
        rows.ours(f"λ = {lam:g}, heads", change(rows.base, polish={"lam": lam, "distance_unit": "head"}))
        for lam in HEAD_LAMBDAS
    ]
    return Table("lambda", "λ, and distance in pixels or head sizes", tuple(made), reference="λ = 0.1, pixels")


def _radius(rows: Rows) -> Table:
    made = [rows.ours(f"radius {r:g}", change(rows.base, polish={"radius": r})) for r in RADII]
    return Table("radius", "Mean-shift radius, in head sizes", tuple(made), reference="radius 0.5")


def _floor(rows: Rows) -> Table:
    made = [rows.ours(f"floor {f:g}", change(rows.base, sew={"min_similarity": f})) for f in FLOORS]
    return Table("oks_floor", "OKS below which tracklets are not joined", tuple(made), reference="floor 0.3")


def _link_to(rows: Rows) -> Table:
    made = (
        rows.ours("all overlapping tracklets", change(rows.base, sew={"link_to": "all"})),
        rows.ours("the last tracklet only", change(rows.base, sew={"link_to": "last"})),
    )
    return Table("link_to", "What a tracklet is compared with", made, reference="all overlapping tracklets")


def _score(rows: Rows) -> Table:
    forms = (("mean of the cluster", "mean"), ("heatmap maximum", "max"), ("weighted by support", "support"))
    made = tuple(rows.ours(name, change(rows.base, polish={"joint_score": form})) for name, form in forms)
    return Table("joint_score", "Score of a joint from its hypotheses", made, reference="mean of the cluster")


def _gaps(rows: Rows) -> Table:
    made = (
        rows.ours(FULL),
        rows.ours("gaps inside a track interpolated", change(rows.base, finish={"fill_gaps": 16})),
        rows.ours("tracks bridged by motion, up to 16 frames", change(rows.base, sew={"bridge": 16})),
        rows.baseline("oks-velocity", "2D + oks-velocity, interpolated"),
    )
    return Table("gaps", "Gaps of more than |C| frames", made, show=("AP", "MOTA", "recall"), reference=FULL)


def _decoding(rows: Rows) -> Table:
    made = tuple(rows.ours(name, change(rows.base, estimate={"decoding": name})) for name in ("dark", "quarter"))
    return Table("decoding", "From heatmaps to joints", made, reference="dark")


def _padding(rows: Rows) -> Table:
    made = (rows.ours("border frames repeated"), rows.ours("zeros", network="zero-padding"))
    return Table("padding", "Temporal filters past the clip's ends", made, reference="border frames repeated")


# Key -> tables; the order is that of the report.
_MAKERS: dict[str, Callable[[Rows], Table | list[Table]]] = {
    "sota": grid.sota_tables,
    "leaderboard": grid.leaderboard,
    "table7": grid.table7,
    "table8": grid.table8,
    "table9": grid.table9,
    "figure5a": grid.figure5a,
    "figure5b": grid.figure5b,
    "lost_boxes": grid.lost_boxes,
    "phi": _phi,
    "lambda": _lam,
    "radius": _radius,
    "oks_floor": _floor,
    "link_to": _link_to,
    "joint_score": _score,
    "gaps": _gaps,
    "decoding": _decoding,
    "padding": _padding,
}
_NEED_PIXELS = ("table8", "decoding", "padding")


def all_tables(study: Study) -> list[Table]:
    """Every table that the study's data and weights allow.

    Without pixels the tables about the network itself make no sense; a row whose weights are not given is left out,
    and so is a table with no other row than the baselines left.
    """
    rows = Rows(study)
    tables: list[Table] = []
    for key, make in _MAKERS.items():
        if study.data.kind == "simulated" and key in _NEED_PIXELS:
            continue
        if study.data.year == "2017" and key == "table9":  # no boxes are annotated there
            continue
        made = make(rows)
        tables += [_with_baseline(table, rows) for table in (made if isinstance(made, list) else [made])]
    return [table for table in (_possible(table, study) for table in tables) if table is not None]


def _with_baseline(table: Table, rows: Rows) -> Table:
    """Every table has the strongest simple tracker in it; on curves it is a table or a note of its own."""
    if table.axis == "clip_length":
        note = "The baseline oks-velocity sees keyframes alone, so |C| does not matter to it: see table7."
        return replace(table, notes=(*table.notes, note))
    if not table.rows or table.axis or table.key == "right_person":
        return table
    if any(row.config.sew.linking == "oks-velocity" for row in table.rows):
        return table
    return replace(table, rows=(*table.rows, rows.baseline("oks-velocity", "2D + oks-velocity, interpolated")))


def _possible(table: Table, study: Study) -> Table | None:
    if study.data.kind == "simulated":
        return table
    kept = tuple(r for r in table.rows if r.network in study.networks and r.detector in study.detectors)
    left = sorted({r.network for r in table.rows} - set(study.networks)) + sorted(
        {r.detector for r in table.rows} - set(study.detectors)
    )
    others, others_kept = (sum(row.config.sew.linking != "oks-velocity" for row in rows) for rows in (table.rows, kept))
    if others_kept < min(2, others):  # nothing left to compare
        return None
    note = (f"Not measured, because the study names no file for: {', '.join(left)}.",) if left else ()
    return replace(table, rows=kept, notes=table.notes + note)


def tables_of(study: Study, only: tuple[str, ...] = ()) -> list[Table]:
    """The wanted tables; `--only` goes before the study's own list.

    Args:
        study: With its tables and weights.
        only: Keys that `--only` names; empty: those of the study.

    Returns:
        In the order of the keys.

    Raises:
        UsageError: A key that is not known, or whose weights the study does not name.
    """
    tables = all_tables(study)
    wanted = only or study.tables
    known = [table.key for table in tables]
    for key in wanted:
        if key not in known:
            raise UsageError(
                f"no table {key!r} in this study: it has {', '.join(known)} "
                "(others need pixels, or weights that [networks] and [detectors] do not name)"
            )
    return [table for table in tables if not wanted or table.key in wanted]
