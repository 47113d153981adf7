"""Tracklets changed on their way from the cache to the association: boxes lost, no linking at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from dettrack.config import PolishConfig, SewConfig
from dettrack.lab.lost_boxes import BoxDropper
from dettrack.oks import object_areas, oks_nms, pairwise_oks
from dettrack.skeleton import JointSet
from dettrack.structures import Frame, Source, TrackletBatch, Tracklets, TrackTable

__all__ = ["lose_boxes", "unlinked"]


def lose_boxes(batches: Iterable[TrackletBatch], share: float, run: int, seed: int) -> Iterator[TrackletBatch]:
    """The batches without a share of their tubes: a lost box is exactly a tube less.

    Args:
        batches: Of one video, with every frame a keyframe.
        share: Share of boxes to lose.
        run: ... in runs of this many frames per person.
        seed: Of the choice; the same boxes are lost whatever else a row changes.

    Returns:
        The batches with the other tubes.
    """
    dropper = BoxDropper(share, run, seed)
    pixel = np.zeros((1, 1, 3), np.uint8)
    for batch in batches:
        kept = tuple(
            tracklets[dropper.kept(Frame(tracklets.keyframe, 0.0, pixel), tracklets.boxes.xyxy)]
            for tracklets in batch.tracklets
        )
        yield replace(batch, tracklets=kept)


def unlinked(batches: Iterable[TrackletBatch], joint_set: JointSet, sew: SewConfig, polish: PolishConfig) -> TrackTable:
    """All poses of each frame, from whichever tube, thinned out by OKS-NMS (paper table 7, "no linking").

    Poses outside their keyframe need a joint of `polish.presence`, as in the full method. Ids count the poses of a
    frame; they say nothing.

    Args:
        batches: Tracklet batches of one video, in order.
        joint_set: Of the poses.
        sew: OKS-NMS and its threshold.
        polish: The presence that a pose needs.

    Returns:
        All poses of the video.
    """
    by_frame: dict[int, list[tuple[Tracklets, int]]] = {}
    for batch in batches:
        for tracklets in batch.tracklets:
            for c, frame in enumerate(tracklets.frames.tolist()):
                by_frame.setdefault(frame, []).append((tracklets, c))
    tables = [_thinned(frame, parts, joint_set, sew, polish) for frame, parts in sorted(by_frame.items())]
    return TrackTable.concatenate(tables, joint_set)


def _thinned(
    frame: int, parts: list[tuple[Tracklets, int]], joint_set: JointSet, sew: SewConfig, polish: PolishConfig
) -> TrackTable:
    xy = np.concatenate([t.xy[:, c] for t, c in parts])
    scores = np.concatenate([t.scores[:, c] for t, c in parts])
    boxes = np.concatenate([t.boxes.xyxy for t, _ in parts])
    strength = np.concatenate([t.boxes.scores for t, _ in parts])
    own = np.repeat([t.keyframe == frame for t, _ in parts], [len(t) for t, _ in parts])
    there = np.isfinite(xy).all(-1)
    mean = np.where(there, scores, 0).sum(1) / np.maximum(there.sum(1), 1)
    here = np.flatnonzero(own | (np.where(there, scores, 0).max(1, initial=0) >= polish.presence))
    has = there[here] & (scores[here] >= sew.joint_confidence)
    area = object_areas(boxes[here])
    similar = pairwise_oks(xy[here], has, area, xy[here], has, area, joint_set.sigmas, sew.min_joints)
    i, j = np.nonzero(np.triu(np.nan_to_num(similar) > sew.nms_similarity, 1))
    kept = here[oks_nms((i, j), (strength * mean)[here])]
    n = len(kept)
    return TrackTable(
        joint_set,
        frame=np.full(n, frame),
        time_s=np.full(n, np.nan),
        track_id=np.arange(n),
        box=boxes[kept],
        score=mean[kept],
        xy=xy[kept],
        joint_scores=np.where(there, scores, 0.0)[kept],
        spread=np.where(there, 0.0, np.nan)[kept],
        support=there[kept].astype(np.int64),
        source=np.where(own, int(Source.DETECTED), int(Source.RECOVERED))[kept],
    )
