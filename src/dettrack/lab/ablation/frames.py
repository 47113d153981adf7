"""Sequences with pixels: a PoseTrack folder, or the synthetic benchmark, and the networks' tubes for them.

A network is run once for each |C| and decoding, with every frame a keyframe and no box lost; its tracklets are kept
per sequence, and so are the boxes that all networks share. Every other S, linking, merge and loss of boxes is made of
them: a tube is estimated alone, so a keyframe left out or a box lost is exactly a tube less. A shorter clip is a run
of its own, because a temporal network answers differently to it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

from dettrack.config import CutConfig, DetectConfig, TrackConfig
from dettrack.errors import InputError
from dettrack.evaluation.rules import OFFICIAL
from dettrack.files import write_json, write_text
from dettrack.formats.posetrack import PoseSequence
from dettrack.formats.posetrack.files import read_sequence, sequence_files
from dettrack.formats.tracklets import TrackletFile, TrackletWriter
from dettrack.lab.ablation.cache import content_key, file_digest, files_digest, read_json
from dettrack.lab.ablation.rows import Row
from dettrack.lab.ablation.seen_boxes import SeenBoxes
from dettrack.lab.ablation.sources import Log, SequenceTubes
from dettrack.lab.ablation.study import Study
from dettrack.models.detector import DEFAULT_WEIGHTS, load_detector
from dettrack.models.detector.protocol import on_images
from dettrack.models.pose.load import find_model
from dettrack.pipeline import Pipeline
from dettrack.runs.dataset import image_keys
from dettrack.video import ImageList, open_video

__all__ = ["FrameSource"]

# Frames of a first, untimed run: libraries compile and allocate in it.
_WARM_UP = 4


class FrameSource:
    """See `sources.SequenceSource`."""

    def __init__(self, study: Study) -> None:
        """Read the annotations; draws the synthetic benchmark first where its folder is not there yet.

        Raises:
            InputError: Annotations cannot be read.
        """
        self._study = study
        data = study.data
        places = {"test": (data.annotations, data.images), "held_out": (data.held_out, data.held_out_images)}
        if data.kind == "synthetic":
            folder = Path(data.folder)
            if not (folder / "scenes.json").is_file():
                _draw_benchmark(folder, data.size)
            test, held = folder / "annotations" / "test", folder / "annotations" / "val"
            places = {"test": (str(test), str(folder)), "held_out": (str(held), str(folder))}
        self._images = {split: Path(images or data.images) for split, (_, images) in places.items()}
        self.test = self._read(places["test"][0])
        self.held_out: Sequence[PoseSequence] = self._read(places["held_out"][0]) if places["held_out"][0] else []
        self.rules = OFFICIAL
        self.only_annotated_joints = False
        self.label = data.label or ("synthetic benchmark" if data.kind == "synthetic" else Path(data.annotations).name)

    def _read(self, folder: str) -> list[PoseSequence]:
        files = sequence_files(folder)
        return [read_sequence(path) for path in (files[: self._study.data.sequences or None])]

    def _paths(self, sequence: PoseSequence) -> tuple[Path, ...]:
        split = "held_out" if any(sequence is other for other in self.held_out) else "test"
        paths = tuple(self._images[split] / image.file_name for image in sequence.images)
        if not paths[0].is_file():
            raise InputError(f"{sequence.name} lists {sequence.images[0].file_name}, not in {self._images[split]}")
        return paths

    def _config(self, row: Row) -> TrackConfig:
        """Settings of the network run behind a row."""
        base, study = row.config, self._study
        return replace(
            base,
            cut=replace(study.settings.cut, clip_length=row.tube_length, step=1),
            detect=_detect(base.detect, study.detectors[row.detector]),
            estimate=replace(base.estimate, model=study.networks[row.network]),
        )

    def _detector(self, config: TrackConfig) -> str:
        """The contents of the detector's weights."""
        detector = Path(config.detect.detector)
        if config.detect.detector == "default":
            detector = DEFAULT_WEIGHTS
        # a transformers model is a folder, or a name in the user's cache: its name has to do
        return file_digest(detector) if detector.is_file() else config.detect.detector

    def _models(self, config: TrackConfig) -> list[str]:
        """What decides a run beside the pixels: settings without paths, and the contents of both weights."""
        found = self._detector(config)
        # Neither device nor threads change what a network says by more than rounding.
        estimate = replace(config.estimate, model="", device="auto", threads=0, batch=0)
        settings = [asdict(estimate), asdict(replace(config.detect, detector="")), asdict(config.cut)]
        return [content_key(settings), found, file_digest(find_model(config.estimate.model))]

    def _file(self, sequence: PoseSequence, row: Row) -> Path:
        key = content_key("tubes", self._models(self._config(row)), files_digest(self._paths(sequence)))
        return self._study.cache / "tracklets" / f"{sequence.name}-{key}.parquet"

    def tubes(self, sequence: PoseSequence, row: Row, seed: int) -> SequenceTubes:
        """The saved tracklets; chance plays no part in them.

        Args:
            sequence: The annotated sequence.
            row: The setting.
            seed: Not used.

        Returns:
            Read piece by piece from the file.
        """
        return _Saved(TrackletFile.open(self._file(sequence, row)))

    def digest(self, row: Row) -> str:
        """See `SequenceSource`: models, settings, images and annotations."""
        files = [self._file(sequence, row).name for sequence in (*self.test, *self.held_out)]
        truths = [content_key(sequence.name, _bytes(sequence)) for sequence in (*self.test, *self.held_out)]
        return content_key(files, truths)

    def prepare(self, rows: Sequence[Row], log: Log) -> None:
        """Run the networks where their tracklets are not in the cache; one pipeline at a time is in memory.

        Args:
            rows: The settings.
            log: Takes a line of progress.
        """
        wanted: dict[str, list[tuple[PoseSequence, Row, Path]]] = {}
        for row in rows:
            models = content_key(self._models(self._config(row)))
            for sequence in (*self.test, *self.held_out):
                path = self._file(sequence, row)
                if not path.is_file() and all(path != other for _, _, other in wanted.get(models, [])):
                    wanted.setdefault(models, []).append((sequence, row, path))
        for missing in wanted.values():
            row = missing[0][1]
            log(
                f"running {row.network} with |C| = {row.tube_length}, {row.detector} detector: {len(missing)} sequences"
            )
            config = self._config(row)
            options = config.estimate
            seen = SeenBoxes(load_detector(config.detect, device=options.device, threads=options.threads))
            pipeline = Pipeline(config, detector=seen)
            for sequence, _, path in missing:
                start = time.perf_counter()
                with on_images(seen.detector, image_keys(sequence)), seen.sequence(self._boxes_file(sequence, config)):
                    for note in self._run(pipeline, sequence, path):
                        log(f"  {sequence.name}: {note}")
                log(f"  {sequence.name}: {len(sequence)} frames, {time.perf_counter() - start:.1f} s")
        for row in rows:
            if row.timed:
                self._time(row, log)

    def _run(self, pipeline: Pipeline, sequence: PoseSequence, path: Path) -> list[str]:
        """Save a sequence's tracklets, and beside them what could not be read; returns that."""
        path.parent.mkdir(parents=True, exist_ok=True)
        source = ImageList(self._paths(sequence), name=sequence.name)
        cut = pipeline.config.cut
        with (
            open_video(source, shots=cut.shots) as video,
            TrackletWriter(path, pipeline.joint_set, cut) as writer,
        ):
            for batch in pipeline.tracklets(video):
                writer.write(batch)
        if not video.complete:
            write_text(path.with_suffix(".notes"), "".join(f"{note}\n" for note in video.notes))
        return video.notes

    def notes(self, rows: Sequence[Row]) -> list[str]:
        """What could not be read of the sequences behind the rows' tracklets, also in earlier runs."""
        files = {
            self._file(sequence, row).with_suffix(".notes"): sequence.name
            for row in rows
            for sequence in (*self.test, *self.held_out)
        }
        return [
            f"{name}: {note}"
            for path, name in sorted(files.items())
            if path.is_file()
            for note in path.read_text(encoding="utf-8").splitlines()
        ]

    def _boxes_file(self, sequence: PoseSequence, config: TrackConfig) -> Path:
        detect = asdict(replace(config.detect, detector=""))
        key = content_key("boxes", self._detector(config), detect, files_digest(self._paths(sequence)))
        return self._study.cache / "boxes" / f"{sequence.name}-{key}.npz"

    def _speed_file(self, row: Row) -> Path:
        cut = row.config.cut if row.config.sew.linking == "tubes" else CutConfig(clip_length=1, step=1, adaptive=False)
        key = content_key("speed", self.digest(row), row.settings(), asdict(cut), self._study.speed_frames)
        return self._study.cache / "speed" / f"{key}.json"

    def speed(self, row: Row) -> float | None:
        """See `SequenceSource`; measured by `prepare`, on the machine where that ran first."""
        found = read_json(self._speed_file(row))
        return None if found is None else float(found["frames_per_second"])

    def _time(self, row: Row, log: Log) -> None:
        """Time of everything, reading to polish, on the first frames of the first sequence.

        By the wall clock, or, where the network has one thread, by the time that the processor spent: it does not
        depend on what else the machine does.
        """
        path = self._speed_file(row)
        if path.is_file():
            return
        config = self._config(row)
        tubes = row.config.sew.linking == "tubes"
        pipeline = Pipeline(replace(config, cut=row.config.cut if tubes else config.cut))
        sequence = self.test[0]
        images = self._paths(sequence)[: self._study.speed_frames]
        seconds = 0.0
        clock = time.process_time if config.estimate.threads == 1 else time.perf_counter
        for count in (_WARM_UP, len(images)):
            with (
                on_images(pipeline.detector, image_keys(sequence)),
                open_video(ImageList(images, name="speed"), shots=False) as video,
            ):
                start = clock()
                for _ in pipeline.track(islice(video, count)):
                    pass
                seconds = clock() - start
        write_json(path, {"frames_per_second": len(images) / seconds, "frames": len(images)})
        log(f"speed of {row.name}: {len(images) / seconds:.2f} frames/s")


class _Saved:
    """A tracklet file as `sources.SequenceTubes`."""

    def __init__(self, file: TrackletFile) -> None:
        self.joints, self.cut, self.batches = file.joints, file.cut, file.batches


def _detect(base: DetectConfig, given: str) -> DetectConfig:
    """The detector of a role: a file or name, or `NAME@PIXELS` for another input size."""
    name, at, size = given.rpartition("@")
    if not at or not size.isdigit():
        return replace(base, detector=given)
    return replace(base, detector=name, detector_size=int(size))


def _bytes(sequence: PoseSequence) -> list[str]:
    """Annotations as text that a hash can take."""
    people = sequence.people
    return [values.tobytes().hex() for values in (people.image, people.track_id, people.xy, people.head_box)]


def _draw_benchmark(folder: Path, size: str) -> None:
    from dettrack.lab.synth import SceneConfig, write_scenes
    from dettrack.lab.synth.write import benchmark_jobs

    width, _, height = size.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise InputError(f"size in [data] is {size!r}: expected WIDTHxHEIGHT, for example 640x360")
    jobs = [job for job in benchmark_jobs(SceneConfig(size=(int(height), int(width)))) if job.split != "train"]
    write_scenes(jobs, folder, video=False)
