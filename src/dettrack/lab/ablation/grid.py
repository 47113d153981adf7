"""The paper's tables and figures as rows (sections 4.3 and 4.4), with the baselines beside them.

Baselines are measured under the same conditions as ours: the same boxes, lost boxes, OKS-NMS, confidence gate, shortest
track and learned thresholds. "oks-velocity" is the strongest simple tracker: Hungarian assignment by OKS, constant
velocity, a memory of 16 frames, gaps interpolated.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dettrack.config import TrackConfig
from dettrack.lab.ablation.rows import Row, Table, change
from dettrack.lab.ablation.study import Study

__all__ = [
    "FULL_METHOD",
    "Rows",
    "figure5a",
    "figure5b",
    "leaderboard",
    "lost_boxes",
    "sota_tables",
    "table7",
    "table8",
    "table9",
]

FULL_METHOD = "dettrack"
CLIP_LENGTHS = (1, 3, 5, 7, 9)
STEPS = (1, 2, 3, 4, 5, 6, 7, 8)
# Key's ending, title and merge of figure 5's tables; the paper's figure has the baseline merge.
_MERGES = (("", "baseline merge", "baseline"), ("_full", "full method", "spatial-temporal"))
LOST = ((0.3, 1), (0.6, 1), (0.6, 10))


class Rows:
    """Makes rows that share a study's settings and conditions."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.base = study.settings
        self.clip = study.settings.cut.clip_length

    def ours(self, name: str, config: TrackConfig | None = None, **changes: object) -> Row:
        """The full method, with changes to the row.

        Args:
            name: Of the row.
            config: Settings; the base of the study for None.
            **changes: Fields of the row.

        Returns:
            The row.
        """
        data = self.study.data
        row = Row(name, config or self.base, tube_length=self.clip, missed=data.missed, missed_run=data.missed_run)
        return replace(row, **changes)  # type: ignore[arg-type]

    def merged(self, name: str, merge: str, **changes: object) -> Row:
        """Our tubes and linking with another merge.

        Args:
            name: Of the row.
            merge: How hypotheses are merged.
            **changes: Fields of the row.

        Returns:
            The row.
        """
        return self.ours(name, change(self.base, polish={"merge": merge}), **changes)

    def baseline(self, linking: str, name: str = "", step: int = 1, **changes: object) -> Row:
        """A frame-by-frame tracker on the 2D network's poses.

        Args:
            linking: The linker.
            name: Of the row; the linker's for "".
            step: Distance of keyframes, frames.
            **changes: Fields of the row.

        Returns:
            The row.
        """
        config = change(
            self.base,
            cut={"clip_length": 1, "step": 1},
            sew={"linking": linking},
            polish={"merge": "keyframe"},
        )
        if step > 1:  # keyframes only every S frames: a longer clip is needed for S, but only its keyframe is used
            config = change(config, cut={"clip_length": self.clip, "step": step})
        row = self.ours(name or f"2D + {linking}", config, network="2d", tube_length=1)
        return replace(row, **changes)  # type: ignore[arg-type]


def sota_tables(rows: Rows) -> list[Table]:
    """Tables 1 and 2 (PoseTrack17) or 3 and 4 (PoseTrack18): joint groups beside the published rows."""
    first = {"2018": 3}.get(rows.study.data.year, 1)
    year = rows.study.data.year or "2017"
    ours = (
        rows.baseline("oks-gbm"),
        rows.baseline("oks-velocity"),
        rows.ours(FULL_METHOD),
    )
    notes = () if rows.study.data.year else ("Published rows are of other data: they show the scale, nothing more.",)
    return [
        Table(
            f"table{first + i}",
            f"{what}, beside published figures on PoseTrack{year} val",
            ours,
            show=(figure,),
            layout="groups",
            notes=notes,
        )
        for i, (what, figure) in enumerate((("Joint detection (AP)", "AP"), ("Joint tracking (MOTA)", "MOTA")))
    ]


def leaderboard(rows: Rows) -> list[Table]:
    """Tables 5 and 6: published rows alone, because the organisers' server measures the test split."""
    number = {"2017": 5, "2018": 6}.get(rows.study.data.year)
    if number is None:
        return []
    note = "Measured by the organisers' server; `dettrack evaluate submission` writes what it takes."
    title = f"PoseTrack{rows.study.data.year} test, published figures"
    return [Table(f"table{number}", title, (), show=("AP", "MOTA"), layout="groups", notes=(note,))]


def table7(rows: Rows) -> Table:
    """Linking and merging."""
    return Table(
        "table7",
        "Linking and merging",
        (
            rows.baseline("oks-gbm"),
            rows.baseline("oks-gbm-greedy"),
            rows.baseline("oks-velocity", "2D + oks-velocity, interpolated"),
            rows.merged("3D, no linking", "baseline", linked=False),
            rows.merged("3D, baseline merge", "baseline"),
            rows.merged("3D, keyframe merge", "keyframe"),
            rows.merged("3D, spatial merge", "spatial"),
            rows.merged("3D, temporal merge", "temporal"),
            rows.merged("3D, spatial + temporal merge", "spatial-temporal"),
        ),
        reference="3D, spatial + temporal merge",
    )


def table8(rows: Rows) -> list[Table]:
    """Where the temporal filters are; the merge is the baseline, as in the paper's section 4.4.

    The same networks on their tubes alone, before anything is linked: do they stay with the keyframe's person?
    """
    clip = rows.study.light_clip or rows.clip
    config = change(rows.base, cut={"clip_length": clip}, polish={"merge": "baseline"})

    def tubes_of(name: str, network: str) -> Row:
        return rows.ours(name, config, network=network, tube_length=clip, right_person=True)

    each = [tubes_of(name, name) for name in ("early", "last", "all")]
    none = tubes_of("none, in tubes of |C| frames", "none")
    start = tubes_of("2D start, in tubes of |C| frames", "start")
    longer = [tubes_of(f"{name}, trained longer", f"{name}-long") for name in ("none", "early")]
    zeros = tubes_of("early, zeros past the clip's ends", "zero-padding")
    variants = Table(
        "table8",
        "Where the network has temporal filters",
        (
            rows.baseline("oks-gbm", "none", network="none"),
            none,
            *each,
            rows.baseline("oks-velocity", "none + oks-velocity, interpolated", network="none"),
        ),
        reference="none",
    )
    show = ("AP", "right_person", "right_person_near", "PCKh_key", "PCKh_ends", "silent")
    notes = (
        "Over the frames of all tubes, before linking. Right person: the pose is nearer to the keyframe's person than "
        "to anybody else; near others: only frames in which somebody's box overlaps the person's by 0.2 or more; ends: "
        "the frames farthest from the keyframe; silent when gone: tubes without an answer where their person is hidden "
        "or has left. Linkers see all of them alike, so no baseline stands here.",
    )
    followed = (start, none, *each, zeros, *longer)
    tubes = Table("right_person", "Who a tube follows", followed, show=show, reference=none.name, notes=notes)
    return [variants, tubes]


def table9(rows: Rows) -> Table:
    """Recall of person boxes by detector; 2D is every box that the detector gave, linked or not."""
    made = []
    for detector in ("strong", "weak"):
        lost: dict[str, Any] = {"detector": detector}
        if rows.study.data.kind == "simulated":  # what the paper's detectors miss in table 9
            lost |= {"missed": {"strong": 0.171, "weak": 0.224}[detector], "missed_run": rows.study.data.missed_run}
        name = f"{detector} detector"
        made += [
            rows.baseline("oks-gbm", f"{name}, 2D", linked=False, **lost),
            rows.baseline("oks-velocity", f"{name}, 2D + oks-velocity, interpolated", **lost),
            rows.ours(f"{name}, 3D", **lost),
        ]
    return Table("table9", "Recall of person boxes (IoU 0.5)", tuple(made), show=("recall", "AP", "MOTA"))


def figure5a(rows: Rows) -> list[Table]:
    """AP, MOTA and missed joints over |C|; each |C| is its own run of the network."""
    show = ("AP", "MOTA", "false_negatives", "frames_per_second")
    tables = []
    for key, title, merge in _MERGES:
        points = []
        for clip in (c for c in CLIP_LENGTHS if c <= rows.clip):
            config = change(rows.base, cut={"clip_length": clip}, polish={"merge": merge})
            network = "2d" if clip == 1 else "3d"
            points.append(rows.ours(f"|C| = {clip}", config, network=network, tube_length=clip, at=clip))
        tables.append(Table(f"figure5a{key}", f"Clip length |C|, {title}", tuple(points), "clip_length", show))
    return tables


def figure5b(rows: Rows) -> list[Table]:
    """AP, MOTA and speed over S, ours and the baseline that sees the same keyframes."""
    show = ("AP", "MOTA", "frames_per_second")
    steps = [s for s in STEPS if s < rows.clip]
    tables = []
    for key, title, merge in _MERGES:
        config = change(rows.base, polish={"merge": merge})
        # The merge is a small part of the time: one measurement of the speed serves both.
        ours = [rows.ours(f"S = {s}", change(config, cut={"step": s}), timed=merge == "baseline", at=s) for s in steps]
        tables.append(Table(f"figure5b{key}", f"Step S, {title}", tuple(ours), "step", show))
    baselines = [rows.baseline("oks-velocity", f"S = {s}", step=s, at=s) for s in steps]
    every = rows.baseline("oks-gbm", "2D + oks-gbm, every frame", timed=True, at=1)
    title = "Step S: 2D on keyframes + oks-velocity, interpolated between; and 2D in every frame"
    return [*tables, Table("figure5b_baselines", title, (*baselines, every), "step", show)]


def lost_boxes(rows: Rows) -> Table:
    """Ours and the baselines with boxes lost on purpose, one by one and in runs."""
    made = []
    for share, run in LOST:
        how = f"{share:.0%} lost, " + ("one by one" if run == 1 else f"in runs of {run}")
        lost: dict[str, Any] = {"missed": share, "missed_run": run}
        made += [
            rows.baseline("oks-gbm", f"{how}: 2D + oks-gbm", **lost),
            rows.baseline("oks-velocity", f"{how}: 2D + oks-velocity, interpolated", **lost),
            rows.merged(f"{how}: 3D, baseline merge", "baseline", **lost),
            rows.ours(f"{how}: 3D, full", **lost),
            rows.ours(f"{how}: 3D, full, bridged", change(rows.base, sew={"bridge": 16}), **lost),
        ]
    return Table("lost_boxes", "Boxes lost on purpose", tuple(made), show=("AP", "MOTA", "recall"))
