"""What each stage of a run takes by itself, one after the other, and what a crowd costs beside the network."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from dettrack.associate import associate
from dettrack.config import FinishConfig, TrackConfig
from dettrack.cut.clips import make_clip, make_tubes
from dettrack.formats import open_writers
from dettrack.lab.bench.timing import Spread
from dettrack.lab.simulate import SimulateConfig, simulate, walkers
from dettrack.models.detector.filters import filter_boxes, for_frame
from dettrack.models.pose.crops import sample_tubes
from dettrack.pipeline import Pipeline
from dettrack.skeleton import JointSet
from dettrack.structures import Boxes, Clip, Frame, TrackletBatch, Tubes, VideoInfo
from dettrack.structures.report import Report
from dettrack.video import open_video
from dettrack.video.shots import mark_shots

__all__ = ["CrowdRow", "StageRow", "crowd_share", "measure_stages"]

_FORMATS = ("jsonl", "parquet")


@dataclass(frozen=True)
class StageRow:
    """One stage.

    Attributes:
        stage: What is done.
        per: What one unit is: "frame", "keyframe" or "tube".
        ms: Milliseconds for each unit.
    """

    stage: str
    per: str
    ms: Spread


@dataclass(frozen=True)
class CrowdRow:
    """A crowd at S = 1.

    Attributes:
        people: How many.
        sew_ms: Milliseconds per frame.
        polish_ms: Likewise, with what follows it.
        write_ms: Likewise, for JSON lines and Parquet.
        network_ms: Likewise, crops and joints included.
        share: Of sew, polish and write in their sum with the network.
    """

    people: int
    sew_ms: float
    polish_ms: float
    write_ms: float
    network_ms: float
    share: float


def measure_stages(pipeline: Pipeline, video: Path, frames: int, rounds: int) -> list[StageRow]:
    """Time the stages of a run, one at a time.

    Args:
        pipeline: Models and settings.
        video: Where the frames come from.
        frames: How many of its first frames are used; they are held in memory.
        rounds: How often each stage is timed.

    Returns:
        One row for each stage.
    """
    with open_video(video, shots=False) as reader:
        info, kept = reader.info, list(islice(reader, frames))
    config, count = pipeline.config, len(kept)
    keys = range(0, count, max(config.cut.step, 4))
    clips = [make_clip(kept, key, config.cut.clip_length) for key in keys]
    found = [_people(pipeline, clip) for clip in clips]
    work = [(clip, make_tubes(boxes, pipeline.estimator.size, config.cut.enlarge)) for clip, boxes in found]
    tubes = max(sum(len(each) for _, each in work), 1)
    batches = list(pipeline.tracklets(kept))

    def decode() -> None:
        with open_video(video, shots=False) as reader:
            for _ in islice(reader, count):
                pass

    rows = [
        StageRow("decode", "frame", _ms(decode, count, rounds)),
        StageRow("find shot cuts", "frame", _ms(lambda: list(mark_shots(iter(kept))), count, rounds)),
        StageRow("detect", "keyframe", _ms(lambda: [_people(pipeline, clip) for clip in clips], len(clips), rounds)),
        StageRow("cut tubes", "tube", _ms(lambda: [sample_tubes(*each) for each in work], tubes, rounds)),
        StageRow("cut tubes, network, joints", "tube", _ms(lambda: pipeline.estimator.estimate(work), tubes, rounds)),
    ]
    return rows + _after_network(batches, config, pipeline.joint_set, info, count, rounds)


def _people(pipeline: Pipeline, clip: Clip) -> tuple[Clip, Boxes]:
    (raw,) = pipeline.detector.detect([clip.keyframe])
    return clip, filter_boxes(raw, for_frame(pipeline.config.detect, clip.keyframe.image))[0]


def _ms(call: Callable[[], object], units: int, rounds: int) -> Spread:
    call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start) / units)
    return Spread.of(times)


def _after_network(
    batches: Sequence[TrackletBatch], config: TrackConfig, joints: JointSet, info: VideoInfo, frames: int, rounds: int
) -> list[StageRow]:
    seconds: dict[str, list[float]] = {"sew": [], "polish": [], "write": []}
    for _ in range(rounds):
        sew, polish, write = _associate_and_write(batches, config, joints, info)
        for name, value in zip(seconds, (sew, polish, write), strict=True):
            seconds[name].append(1e3 * value / frames)
    return [StageRow(name, "frame", Spread.of(values)) for name, values in seconds.items()]


def _associate_and_write(
    batches: Sequence[TrackletBatch], config: TrackConfig, joints: JointSet, info: VideoInfo
) -> tuple[float, float, float]:
    """Seconds of sewing, of polishing with what follows it, and of writing."""
    report = Report()
    segments = list(associate(batches, joints, config, report=report))
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        writers = open_writers(_FORMATS, Path(folder), info, joints)
        for segment in segments:
            for (index, time_s, rows), name in zip(segment.by_frame(), segment.names, strict=True):
                for writer in writers:
                    writer.write(index, time_s, rows, name)
        for writer in writers:
            writer.close()
        write = time.perf_counter() - start
    return report.seconds["sew"], sum(report.seconds.values()) - report.seconds["sew"], write


def crowd_share(pipeline: Pipeline, people: int = 30, frames: int = 60) -> CrowdRow:
    """What sewing, polishing and writing are of the time of a crowd at S = 1.

    The people are simulated; the network runs on as many tubes of noise.

    Args:
        pipeline: Models and settings.
        people: How many.
        frames: Length of the simulation.

    Returns:
        Times, and their share.
    """
    config, size = pipeline.config, pipeline.estimator.size
    clip_length = config.cut.clip_length
    truth = walkers(people, frames)
    batches = list(simulate(truth, SimulateConfig(clip_length=clip_length)))
    plain = TrackConfig(config.cut, config.detect, config.estimate, config.sew, config.polish, FinishConfig())
    info = VideoInfo("crowd", "crowd", 1280, 720, None, frames)
    sew, polish, write = (1e3 * s / frames for s in _associate_and_write(batches, plain, truth.joint_set, info))
    rng = np.random.default_rng(0)
    noise = [Frame(i, 0.0, rng.integers(0, 255, (360, 480, 3), dtype=np.uint8)) for i in range(clip_length)]
    clip = Clip(tuple(noise), clip_length // 2)
    some = min(people, 8)
    tubes: Tubes = make_tubes(Boxes(np.tile([100.0, 50, 200, 300], (some, 1)), np.ones(some)), size)
    network = people * _ms(lambda: pipeline.estimator.estimate([(clip, tubes)]), some, 3).median
    rest = sew + polish + write
    return CrowdRow(people, sew, polish, write, network, rest / (rest + network))
