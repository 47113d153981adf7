"""Tracklets in, finished poses out: sew -> polish -> finish (paper 3.2, 3.3, 4.1).

Needs neither video nor network, so that a saved run can be linked and merged again in seconds.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import replace

import numpy as np
from jaxtyping import Int

from dettrack.config import TrackConfig
from dettrack.finish.stages import Chain, finishing
from dettrack.polish import Polisher
from dettrack.sew import Linker, make_linker
from dettrack.sew.links import Links
from dettrack.skeleton import JointSet
from dettrack.structures import (
    CloseLink,
    FrameTimes,
    Segment,
    SewnBatch,
    Source,
    TrackletBatch,
    Tracklets,
    TrackTable,
)
from dettrack.structures.report import Report

__all__ = ["associate"]


def associate(
    batches: Iterable[TrackletBatch],
    joint_set: JointSet,
    config: TrackConfig,
    *,
    fps: float | None = None,
    report: Report | None = None,
    links: Links | None = None,
    linker: Linker | None = None,
) -> Generator[Segment, None, None]:
    """Join tracklets into tracks and merge their hypotheses, while they come.

    Args:
        batches: Tracklets of one video in order.
        joint_set: Joints of the tracklets.
        config: Settings; those of `detect` and `estimate` play no part here.
        fps: Frames per second of the video; None where it has no clock.
        report: Receives the tallies of the batches and of the stages here; complete also where the run breaks off.
        links: What people said of single tracklets.
        linker: In place of the one that the settings name.

    Yields:
        Finished frames, in order, each frame exactly once.
    """
    report = Report() if report is None else report
    linker = linker or make_linker(config.sew, joint_set, config.cut.clip_length, links)
    chain = Chain(Polisher(config.polish, joint_set), *finishing(config, joint_set, fps, links))
    output = _Segments(report)
    try:
        for batch in batches:
            report.add(batch.tally)
            output.waiting.append(batch.frames)
            with report.timed("sew"):
                ids = tuple(_sewn(linker, tracklets, output.close_links) for tracklets in batch.tracklets)
            if batch.shot_ended:
                report.counts["shots"] += 1
                linker.end_shot()
                chain.end_shot(batch.final_before)
            table = chain.add(SewnBatch(batch, ids), batch.final_before)
            yield from output.finished(table, chain.settled_before)
        rest = chain.finish()
        if rest is not None:
            yield from output.finished(rest, None)
    finally:
        report.add(linker.tally)
        report.add(chain.tally)
        report.counts["tracks"] = len(output.track_ids)


def _sewn(linker: Linker, tracklets: Tracklets, close_links: list[CloseLink]) -> Int[np.ndarray, " n"]:
    ids = linker.add(tracklets)
    close_links += getattr(linker, "close_links", ())
    return ids


class _Segments:
    """Frames that wait for their poses, and the segments that they become."""

    def __init__(self, report: Report) -> None:
        self.waiting: list[FrameTimes] = []
        self.close_links: list[CloseLink] = []
        self.track_ids: set[int] = set()
        self._report = report

    def finished(self, table: TrackTable, before: int | None) -> Iterable[Segment]:
        """The frames before `before`, with their poses; all of them if it is None."""
        times = FrameTimes.concatenate(self.waiting) if self.waiting else FrameTimes.of(())
        done = len(times) if before is None else int(np.searchsorted(times.index, before))
        self.waiting = [times[done:]]
        if not done:
            return
        self._report.counts["frames"] += done
        self.track_ids.update(table.track_id.tolist())
        for source in Source:
            self._report.counts[f"poses_{source.name.lower()}"] += int((table.source == source).sum())
        here = tuple(link for link in self.close_links if link.frame <= times.index[done - 1])
        self.close_links = self.close_links[len(here) :]
        # An interpolated row was given a time between its neighbours': the frame's own is known here.
        table = replace(table, time_s=times.time_of(table.frame))
        yield Segment(times[:done], table, here)
