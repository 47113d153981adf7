"""An hour of video in one file through `dettrack batch`: memory, open files and threads on the way, true times and ids.

    python -m dettrack.lab.studies.soak WORK [--hours 1] [--rate 30] [--options "--preset fast"]

The video is two drawn scenes again and again, the same bytes each time, at 1000/1001 of the rate. Each time round must
give what the second one gave: the same poses to the last bit, later by as many frames, with ids that are new.
"""

from __future__ import annotations

import shlex
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import tyro

from dettrack.formats import read_tracks
from dettrack.lab.studies import run_command
from dettrack.lab.studies.many_videos import Process, draw, processes_below, run_watched
from dettrack.runs.batch.manifest import read_running
from dettrack.runs.result import read_summary
from dettrack.structures import TrackTable
from dettrack.video import VideoWriter

__all__: list[str] = []

_SIZE = (144, 256)
_SCENES, _FRAMES = (0, 1), 100
ROUND = len(_SCENES) * _FRAMES


def write_rounds(path: Path, rounds: int, rate: Fraction) -> None:
    """The scenes, encoded once, so many times over.

    Args:
        path: File to write.
        rounds: How often.
        rate: Frames a second.
    """
    once = path.with_name("once.mp4")
    with VideoWriter(once, _SIZE, rate) as video:
        for index in _SCENES:
            for image in draw(index, _FRAMES, _SIZE):
                video.write(image)
    with av.open(str(path), "w") as out:
        with av.open(str(once)) as first:
            to = out.add_stream_from_template(first.streams.video[0])
        for number in range(rounds):
            with av.open(str(once)) as source:
                stream = source.streams.video[0]
                later = round(number * ROUND / rate / (stream.time_base or 1))
                for packet in source.demux(stream):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts, packet.dts, packet.stream = packet.pts + later, packet.dts + later, to
                    out.mux(packet)


def wrong_rounds(table: TrackTable, rounds: int, rate: Fraction) -> list[str]:
    """What is not as it was in the second round.

    Args:
        table: The tracks of the whole video.
        rounds: How many there are.
        rate: Frames a second.

    Returns:
        One line for each round of which something is wrong.
    """
    wrong: list[str] = []
    parts = [table[(table.frame >= first) & (table.frame < first + ROUND)] for first in np.arange(rounds) * ROUND]
    used: set[int] = set()
    pattern = parts[1]
    for number, part in enumerate(parts):
        ids = set(part.track_id.tolist())
        said = []
        if used & ids:
            said.append(f"ids {sorted(used & ids)} again")
        used |= ids
        off = np.abs(part.time_s - part.frame / float(rate)).max(initial=0.0)
        if off > 1e-3:
            said.append(f"times off by {off:.4f} s")
        if number and not _same(part, pattern):
            said.append(f"{len(part)} poses of {len(ids)} people unlike {len(pattern)} of {len(set(pattern.track_id))}")
        wrong += [f"round {number}: {'; '.join(said)}"] if said else []
    return wrong


def _same(part: TrackTable, pattern: TrackTable) -> bool:
    if len(part) != len(pattern):
        return False
    mine, theirs = (np.unique(each.track_id, return_inverse=True)[1] for each in (part, pattern))
    return (
        np.array_equal(part.frame % ROUND, pattern.frame % ROUND)
        and np.array_equal(mine, theirs)
        and np.array_equal(part.xy, pattern.xy, equal_nan=True)
        and np.array_equal(part.joint_scores, pattern.joint_scores, equal_nan=True)
    )


def main(work: tyro.conf.Positional[Path], hours: float = 1.0, rate: int = 30, options: str = "--preset fast") -> None:
    """Make the video, track it, and say what it took and whether it is right.

    Args:
        work: Folder for the video and its result.
        hours: Length of the video.
        rate: Frames a second, of which it has 1000/1001.
        options: Further options of `dettrack batch`, as one string.
    """
    exact = Fraction(rate * 1000, 1001)
    rounds = max(3, int(np.ceil(hours * 3600 * float(exact) / ROUND)))
    work.mkdir(parents=True, exist_ok=True)
    video, out = work / "soak.mp4", work / "out"
    write_rounds(video, rounds, exact)
    seen: list[tuple[int, list[Process]]] = []

    def look(pid: int) -> None:
        frame = max((int(one["frame"]) for one in read_running(out)), default=0)
        seen.append((frame, processes_below(pid)))

    command = [sys.executable, "-m", "dettrack", "batch", str(video), "--out", str(out), "--workers", "1"]
    start = time.strftime("%H:%M:%S")
    elapsed = run_watched([*command, *shlex.split(options)], look, 5.0)
    result = out / f"{video.name}.dettrack"
    table, summary = read_tracks(result / "tracks.parquet"), read_summary(result) or {}
    frames, complete, notes = summary["counts"]["frames"], summary["complete"], summary["notes"]
    total = rounds * ROUND
    print(f"{float(total / exact / 3600):.3f} hours of video, {rounds} rounds, from {start}, {elapsed:.0f} s")
    print(f"frames {frames} of {total}, complete: {complete}, notes: {notes}")
    print(f"{len(table)} poses, {len(np.unique(table.track_id))} ids, the last at {table.time_s[-1]:.3f} s")
    for share in (0.1, 0.5, 1.0):
        _, processes = next((one for one in seen if one[0] >= share * total), seen[-1])
        print(f"at {100 * share:.0f} %:")
        for one in processes:
            print(f"  {one}: {one.what}")
    wrong = wrong_rounds(table, rounds, exact)
    print("\n".join(wrong[:20] or [f"all rounds as the second: the same poses, true times, {rounds} times new ids"]))


if __name__ == "__main__":
    run_command(main, __doc__)
