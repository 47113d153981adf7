"""Places of a run that a person should look at, found in its finished rows while these come; not in the paper.

A track that is wrong gives itself away where it changes: it goes on where another one was, jumps, changes its size, has
left and right exchanged, comes back after a gap, or was linked although another choice was nearly as good. Each such
place is a suspect: what happened in words, the frames, how strong the sign is, and from that its rank.

Distances are in heights of the person's box, and a track is expected to go on with the velocity of its last frames.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float

from dettrack.geometry import box_iou
from dettrack.skeleton import JointSet
from dettrack.structures import CloseLink, Segment, Source, TrackTable

__all__ = ["Suspect", "SuspectFinder", "suspect_lines"]

_MOST = 2000  # suspects that are kept, the strongest: nobody looks at more, and memory stays flat
_SURE = 0.2  # score of a joint that counts
_MOVED = 0.25  # heights from the expected place in one frame: more is a jump
_JUMP = 1.25  # heights: as strong a sign as there is
_FLIPPED = 0.06  # heights that left and right must lie apart to be told from each other
_GAP_S = 2.0  # seconds without a row: as strong a sign as a gap can be
_LENGTHS = 12  # poses on either side whose limbs are compared
_NEAR = 4  # poses next to the change
_GROWN = 0.22  # change of the limbs, as a logarithm, that counts; 0.22 is 25 %
_JOINED_S = 0.7  # the same sign of the same track within this time is one suspect
_KIND_WEIGHT = {"exchange": 1.0, "jump": 0.8, "sides": 0.6, "limbs": 0.7, "gap": 0.5, "link": 0.75}


@dataclass(frozen=True)
class Suspect:
    """One place.

    Attributes:
        kind: `exchange`, `jump`, `sides`, `limbs`, `gap` or `link`.
        track: Id.
        other: Id of the other person in question, or None.
        frame: Frame to look at.
        from_frame: First frame that the sign covers.
        to_frame: Last one.
        time_s: Timestamp of `frame` in seconds; NaN where the source has no clock.
        severity: Strength of the sign, in [0, 1].
        reason: What happened, in words.
    """

    kind: str
    track: int
    other: int | None
    frame: int
    from_frame: int
    to_frame: int
    time_s: float
    severity: float
    reason: str


@dataclass
class _Track:
    """What is remembered of a track: its last row, its velocity, the lengths of its limbs."""

    frame: int
    time_s: float
    xy: Float[np.ndarray, "joints 2"]
    has: Bool[np.ndarray, " joints"]
    height: float
    centre: Float[np.ndarray, " 2"]
    velocity: Float[np.ndarray, " 2"]
    lengths: deque[tuple[int, float, Float[np.ndarray, " limbs"]]] = field(default_factory=deque)


class SuspectFinder:
    """Takes finished segments in order.

    Args:
        joint_set: Joints of the rows.
    """

    def __init__(self, joint_set: JointSet) -> None:
        self._mirror, self._limbs = joint_set.flip_permutation, joint_set.limbs
        self._sided = self._mirror != np.arange(len(joint_set))
        self._tracks: dict[int, _Track] = {}
        self._found: list[Suspect] = []
        self._shot = -1

    def add(self, segment: Segment) -> None:
        """Look at the next frames."""
        links: dict[int, list[CloseLink]] = {}
        for link in segment.close_links:
            links.setdefault(link.frame, []).append(link)
        for (frame, time_s, rows), shot in zip(segment.by_frame(), segment.times.shot.tolist(), strict=True):
            if shot != self._shot:
                self._tracks, self._shot = {}, shot
            for link in links.get(frame, ()):
                self._close(link, time_s, rows)
            self._frame(frame, time_s, rows)
        if len(self._found) > 2 * _MOST:
            self._found = _merged(self._found)[:_MOST]

    def finish(self) -> list[Suspect]:
        """All suspects, strongest first."""
        return _merged(self._found)[:_MOST]

    def _note(
        self,
        kind: str,
        track: int,
        other: int | None,
        frames: tuple[int, int, int],
        time_s: float,
        strength: float,
        reason: str,
    ) -> None:
        first, frame, last = frames
        severity = round(_KIND_WEIGHT[kind] * float(np.clip(strength, 0, 1)), 4)
        self._found.append(Suspect(kind, track, other, frame, first, last, time_s, severity, reason))

    # --- one frame

    def _frame(self, frame: int, time_s: float, rows: TrackTable) -> None:
        has = (rows.joint_scores >= _SURE) & np.isfinite(rows.xy).all(-1)
        ids = rows.track_id.tolist()
        moved: dict[int, float] = {}
        for i, track in enumerate(ids):
            known = self._tracks.get(track)
            if known is None:
                continue
            if frame - known.frame > 1:
                self._gap(track, known, frame, time_s)
            elif rows.source[i] != Source.INTERPOLATED:
                moved[track] = self._distance(known, rows.xy[i], has[i], rows.box[i])
                self._sides(track, known, rows.xy[i], has[i], frame, time_s)
        self._jumps({track: d for track, d in moved.items() if d > _MOVED}, rows, has, frame, time_s)
        for i, track in enumerate(ids):
            self._remember(track, frame, time_s, rows, i, has[i])
        for track in [track for track, known in self._tracks.items() if frame - known.frame > 3000]:
            del self._tracks[track]

    def _distance(
        self,
        known: _Track,
        xy: Float[np.ndarray, "joints 2"],
        has: Bool[np.ndarray, " joints"],
        box: Float[np.ndarray, " 4"],
    ) -> float:
        """From where a track is expected, in heights: the median over joints, or the box's middle without any."""
        both = known.has & has
        scale = max(known.height, float(box[3] - box[1]), 1.0)
        if both.sum() >= 3:
            step = np.linalg.norm(xy[both] - known.xy[both] - known.velocity, axis=1)
            return float(np.median(step)) / scale
        middle = np.array([box[0] + box[2], box[1] + box[3]]) / 2
        return float(np.linalg.norm(middle - known.centre - known.velocity)) / scale

    def _jumps(
        self, moved: dict[int, float], rows: TrackTable, has: Bool[np.ndarray, "rows joints"], frame: int, time_s: float
    ) -> None:
        """Tracks that are not where they were expected: two that changed places, or one that jumped."""
        last = {track: known for track, known in self._tracks.items() if known.frame == frame - 1}
        place = {track: i for i, track in enumerate(rows.track_id.tolist())}
        told: set[int] = set()
        for a, own in sorted(moved.items(), key=lambda item: -item[1]):
            if a in told:
                continue
            # Who is now where a was expected, and is nearer to it than a itself?
            near = {b: self._distance(last[a], rows.xy[i], has[i], rows.box[i]) for b, i in place.items() if b != a}
            b = min(near, key=lambda each: near[each], default=None)
            if b is not None and near[b] < 0.5 * own:
                back = (
                    self._distance(last[b], rows.xy[place[a]], has[place[a]], rows.box[place[a]]) if b in last else None
                )
                both = back is not None and b in moved and back < 0.5 * moved[b]
                reason = (
                    f"tracks {a} and {b} may have been exchanged: each goes on where the other was"
                    if both
                    else f"track {b} goes on where track {a} was, and track {a} is {own:.1f} body heights away"
                )
                strength = 0.85 + 0.15 * min(1.0, own / _JUMP) if both else 0.6 + 0.2 * min(1.0, own / _JUMP)
                self._note("exchange", a, b, (frame - 1, frame, frame), time_s, strength, reason)
                told |= {a, b} if both else {a}
            else:
                reason = f"track {a} jumps by {own:.1f} body heights in one frame"
                self._note("jump", a, None, (frame - 1, frame, frame), time_s, own / _JUMP, reason)

    def _sides(
        self,
        track: int,
        known: _Track,
        xy: Float[np.ndarray, "joints 2"],
        has: Bool[np.ndarray, " joints"],
        frame: int,
        time_s: float,
    ) -> None:
        """Left and right exchanged: the pose before fits the mirrored one much better."""
        use = self._sided & known.has & has & has[self._mirror]
        if use.sum() < 6:
            return
        before = known.xy[use] + known.velocity
        same = np.linalg.norm(xy[use] - before, axis=1).mean() / known.height
        flipped = np.linalg.norm(xy[self._mirror][use] - before, axis=1).mean() / known.height
        if same > _FLIPPED and flipped < 0.5 * same:
            reason = f"left and right of track {track} are exchanged"
            self._note("sides", track, None, (frame - 1, frame, frame), time_s, 0.4 + 3 * (same - flipped), reason)

    def _gap(self, track: int, known: _Track, frame: int, time_s: float) -> None:
        missing, seconds = frame - known.frame - 1, time_s - known.time_s
        share = seconds / _GAP_S if np.isfinite(seconds) else missing / 50
        length = f"{seconds:.1f} s" if np.isfinite(seconds) else f"{missing} frames"
        reason = f"track {track} comes back after {length} without a pose: is it the same person?"
        self._note("gap", track, None, (known.frame, frame, frame), time_s, 0.3 + 0.7 * share, reason)

    def _close(self, link: CloseLink, time_s: float, rows: TrackTable) -> None:
        """A link with a close second; the row tells its track, whose id may have changed since it was made."""
        if not len(rows):
            return
        overlap = box_iou(link.box[None], rows.box)[0]
        best = int(overlap.argmax())
        if overlap[best] < 0.3:
            return
        track = int(rows.track_id[best])
        other = link.rival if link.rival >= 0 and link.rival != track else None
        who = "another person" if other is None else f"track {other}"
        reason = (
            f"track {track} could have been {who}: similarity {link.similarity:.2f} "
            f"against {link.similarity - link.margin:.2f}"
        )
        self._note("link", track, other, (link.frame, link.frame, link.frame), time_s, 1 - link.margin / 0.15, reason)

    def _remember(
        self, track: int, frame: int, time_s: float, rows: TrackTable, i: int, has: Bool[np.ndarray, " joints"]
    ) -> None:
        box = rows.box[i]
        centre, height = np.array([box[0] + box[2], box[1] + box[3]]) / 2, max(float(box[3] - box[1]), 1.0)
        known = self._tracks.get(track)
        lengths = deque[tuple[int, float, np.ndarray]](maxlen=2 * _LENGTHS) if known is None else known.lengths
        velocity = np.zeros(2)
        if known is not None and frame - known.frame == 1:
            velocity = 0.7 * known.velocity + 0.3 * (centre - known.centre)
        a, b = self._limbs.T if len(self._limbs) else (np.zeros(0, int), np.zeros(0, int))
        size = np.linalg.norm(rows.xy[i, a] - rows.xy[i, b], axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.where(has[a] & has[b] & (size > 1), np.log(size), np.nan)
        lengths.append((frame, time_s, logs))
        self._tracks[track] = _Track(frame, time_s, rows.xy[i], has, height, centre, velocity, lengths)
        if len(lengths) == 2 * _LENGTHS and frame % 3 == 0:
            self._limb_change(track, lengths)

    def _limb_change(self, track: int, lengths: Sequence[tuple[int, float, Float[np.ndarray, " limbs"]]]) -> None:
        """Limbs that are longer or shorter than they were, all of them together, from one pose to the next."""
        logs = np.stack([each[2] for each in lengths])
        known = np.isfinite(logs)
        around = slice(_LENGTHS - _NEAR, _LENGTHS), slice(_LENGTHS, _LENGTHS + _NEAR)
        sides = slice(_LENGTHS), slice(_LENGTHS, None)
        enough = np.all([known[part].sum(0) > _LENGTHS // 2 for part in sides], 0)
        enough &= np.all([known[part].any(0) for part in around], 0)
        if enough.sum() < 4:
            return
        # People who walk up to the camera grow, too, but slowly: most of it must have come between two poses.
        before, after = (np.nanmedian(logs[part][:, enough], 0) for part in sides)
        earlier, later = (np.nanmedian(logs[part][:, enough], 0) for part in around)
        change, near = float(np.median(after - before)), float(np.median(later - earlier))
        if abs(change) > _GROWN and near * np.sign(change) > 0.7 * abs(change):
            frame, time_s, _ = lengths[_LENGTHS]
            percent = 100 * (np.exp(abs(change)) - 1)
            reason = f"limbs of track {track} become {percent:.0f} % {'longer' if change > 0 else 'shorter'} at once"
            span = (lengths[_LENGTHS - 1][0], frame, frame)
            self._note("limbs", track, None, span, time_s, abs(change) / 0.6, reason)


def _merged(found: Iterable[Suspect]) -> list[Suspect]:
    """Strongest first; the same sign of the same tracks within a moment is one."""
    out: list[Suspect] = []
    by_sign: dict[tuple[str, frozenset[int | None]], Suspect] = {}
    for each in sorted(found, key=lambda one: (one.kind, one.frame, one.track)):
        sign = (each.kind, frozenset({each.track, each.other}))
        last = by_sign.get(sign)
        near = last is not None and (
            each.time_s - last.time_s <= _JOINED_S if np.isfinite(each.time_s) else each.frame - last.frame <= 15
        )
        if last is not None and near:
            stronger = each if each.severity > last.severity else last
            joined = replace(
                stronger,
                from_frame=min(last.from_frame, each.from_frame),
                to_frame=max(last.to_frame, each.to_frame),
            )
            out[out.index(last)] = by_sign[sign] = joined
        else:
            out.append(each)
            by_sign[sign] = each
    return sorted(out, key=lambda one: (-one.severity, one.frame, one.track))


def suspect_lines(suspects: Sequence[Suspect]) -> str:
    """`suspects.jsonl`: one JSON object a line, strongest first, with its rank from 1."""
    lines = []
    for rank, each in enumerate(suspects, 1):
        time_s = round(each.time_s, 6) if np.isfinite(each.time_s) else None
        lines.append(json.dumps({"v": 1, "rank": rank, **vars(each), "time_s": time_s}) + "\n")
    return "".join(lines)
