"""The six sections of the settings; each checks its own values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from dettrack.errors import UsageError
from dettrack.files.toml import Range, check
from dettrack.skeleton import known_joint_sets

__all__ = ["CutConfig", "DetectConfig", "EstimateConfig", "FinishConfig", "PolishConfig", "SewConfig"]

Linking = Literal["tubes", "oks-gbm", "oks-gbm-greedy", "oks-velocity"]
Merge = Literal["spatial-temporal", "spatial", "temporal", "baseline", "keyframe"]

Share = Annotated[float, Range(0, 1)]
Amount = Annotated[float, Range(0)]
Count = Annotated[int, Range(0)]
Positive = Annotated[int, Range(1)]
InputSize = Annotated[int, Range(32)]


def _require(ok: bool, what: str) -> None:
    if not ok:
        raise UsageError(what)


@dataclass(frozen=True)
class CutConfig:
    """Keyframes and tubes (paper 3.1, 4.2).

    Attributes:
        clip_length: |C|, frames in a tube; odd.
        step: S, frames between keyframes; smaller than |C| (1 when |C| is 1; paper 4.2: 1).
        enlarge: Factor by which a box grows in both dimensions before the tube is cut.
        shots: Find shot cuts; tubes and tracks never cross one.
        adaptive: More keyframes between those of the grid where the settings below find one necessary. With S = 1
            every frame is one already, and nothing is added.
        finest_step: With `adaptive`: keyframes come no closer to each other than this many frames.
        agreement: With `adaptive`: OKS below which two tubes disagree about a person.
        box_agreement: With `adaptive`: overlap (IoU) below which the boxes of two keyframes, moved to the same frame,
            differ.
        overlap: With `adaptive`: overlap (IoU) above which two people are too close to each other.
    """

    clip_length: Positive = 9
    step: Positive = 8
    enlarge: Annotated[float, Range(1)] = 1.25
    shots: bool = True
    adaptive: bool = True
    finest_step: Positive = 2
    agreement: Share = 0.8
    box_agreement: Share = 0.5
    overlap: Share = 0.7

    REMOVED: ClassVar[Mapping[str, str]] = {
        "tube_stride": "0.2: estimating every n-th frame of a tube lost 2 AP and more (docs/keyframes.md)"
    }

    def __post_init__(self) -> None:
        check(self)
        _require(
            self.clip_length % 2 == 1,
            f"--clip-length is {self.clip_length}: expected an odd number; the keyframe is the middle of its clip",
        )
        most = max(self.clip_length - 1, 1)
        _require(
            self.step <= most,
            f"--step is {self.step} with --clip-length {self.clip_length}: expected at most {most}, or the "
            "clips of neighbouring keyframes do not overlap and their tubes cannot be joined",
        )

    @property
    def adds_keyframes(self) -> bool:
        """Whether there can be keyframes beside those of the grid."""
        return self.adaptive and self.step > 1


@dataclass(frozen=True)
class DetectConfig:
    """The person detector on keyframes.

    Attributes:
        detector: File (dettrack .safetensors, ONNX, OpenVINO .xml, detections JSON, MOT csv), "hf:NAME_OR_PATH", or a
            name that `dettrack weights list` shows.
        detector_layout: Layout of an ONNX detector, which says how it takes pictures too; "auto" recognises it from the
            file and from its first answers.
        detector_size: Longer side of the detector's input in pixels; 0 takes the file's own, or 640.
        detector_scales: Run on every keyframe at each of these longer sides, and merge the boxes: small people are
            found at the largest, large ones at the smallest (SNIPER's testing); a detector of ours only.
        detector_threshold: Boxes with a lower score are dropped.
        detector_nms: IoU above which the weaker of two boxes is dropped.
        min_box_area: Boxes with W x H below this many square pixels are dropped (paper 4.1: 3200).
        scale_min_area: `min_box_area` is meant for frames of 1280x720 (PoseTrack's usual size) or more, and shrinks
            in proportion with the area of smaller frames; off: the same number of pixels whatever the frame.
        max_people: At most this many boxes of one keyframe, best first; 0 for no bound.
    """

    detector: str = "default"
    detector_layout: Literal[
        "auto", "rtmdet", "yolox", "yolox-nms", "picodet", "yolo", "detr", "rtmo", "yolo-pose", "detrpose"
    ] = "auto"
    detector_size: Annotated[int, Range(32, zero=True)] = 0
    detector_scales: tuple[InputSize, ...] = ()
    detector_threshold: Share = 0.3
    detector_nms: Share = 0.65
    min_box_area: Amount = 3200.0
    scale_min_area: bool = True
    max_people: Count = 0

    REMOVED: ClassVar[Mapping[str, str]] = {
        "detect_every": "0.2: leaving the detector out saved nothing (docs/keyframes.md)",
        "drop_boxes": "0.2: losing boxes on purpose is an experiment (dettrack.lab.lost_boxes)",
        "drop_runs": "0.2: losing boxes on purpose is an experiment (dettrack.lab.lost_boxes)",
        "seed": "0.2: losing boxes on purpose is an experiment (dettrack.lab.lost_boxes)",
    }

    def __post_init__(self) -> None:
        check(self)
        scales, size = self.detector_scales, self.detector_size
        _require(
            not (scales and size), f"--detector-scales is {scales} and --detector-size {size}: expected one of them"
        )


@dataclass(frozen=True)
class EstimateConfig:
    """The network that finds the joints in a tube.

    Attributes:
        model: File (dettrack .safetensors, official HRNet .pth, ONNX, OpenVINO .xml), "hf:NAME_OR_PATH", a name that
            `dettrack weights list` shows, or "detector": the poses that a one-stage detector gives with its boxes.
        model_layout: What a model of other people gives; "auto" recognises it from the file, or from a TOML file of the
            same name beside it, which can state the preprocessing too (docs/models.md).
        variant: Where a 2D checkpoint gets its temporal filters, by mean initialisation (paper table 8); "auto" runs
            a network as it is stored.
        joints: Joint set of the results: a name (posetrack15, posetrack17, coco17, halpe26, wholebody133 ...), a TOML
            file, or "own" for the model's; "auto" is PoseTrack's 15 for models of the body alone, approximated where
            the model lacks them, and the model's own for those with feet, hands, a face or markers.
        calibration: From the model's scores to the probability that a joint lies within half a head: "auto" where that
            was measured (the model carries it, or NAME.calibration.toml beside it); a file of `dettrack weights
            calibrate`; "none" keeps the model's own scores.
        model_joints: Joint set of a .pth model; "auto" takes the joints that the file names, else goes by its name and
            their number (17 are COCO's). A checkpoint of ours says its own.
        flip: Average the heatmaps of the crop and of its mirror image (paper 4.2).
        small_crops_below: People lower than this many pixels are cut out smaller, at two thirds of the network's size
            (128x96 for 224x160), where the network takes that; 0 for none.
        decoding: "quarter": arg max moved a quarter pixel towards the higher neighbour; "dark": second-order fit.
        device: "auto", "cpu", "cuda" or "cuda:N".
        runtime: What runs the network; "auto" is the fastest that is installed and can run it.
        precision: Arithmetic of the network; "auto" is bf16 on GPUs and on CPUs with AMX, else fp32; "fast" is bf16
            wherever it is native (joints move by 0.14 pixels of the crop in the mean).
        batch: Crops or tubes in one pass; 0 chooses.
        threads: CPU threads of the network; 0 takes all.
    """

    model: str = "default"
    model_layout: Literal["auto", "heatmaps", "udp-heatmaps", "simcc", "coordinates"] = "auto"
    variant: Literal["auto", "none", "early", "last", "all"] = "auto"
    joints: str = "auto"
    calibration: str = "auto"
    model_joints: Literal["auto", "posetrack15", "posetrack17", "coco17", "mpii16"] = "auto"
    flip: bool = True
    small_crops_below: Amount = 130.0
    decoding: Literal["quarter", "dark"] = "dark"
    device: str = "auto"
    runtime: Literal["auto", "pytorch", "onnxruntime", "openvino", "tensorrt"] = "auto"
    precision: Literal["auto", "fast", "fp32", "bf16", "fp16"] = "fast"
    batch: Count = 0
    threads: Count = 0

    def __post_init__(self) -> None:
        check(self)
        sets = ("auto", "own", *known_joint_sets())
        _require(
            self.joints in sets or self.joints.endswith(".toml"),
            f"--joints is {self.joints!r}: expected one of {', '.join(sets)}, or a .toml file",
        )
        known = re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device, re.ASCII)
        _require(known is not None, f"--device is {self.device!r}: expected auto, cpu, cuda or cuda:N")


@dataclass(frozen=True)
class SewConfig:
    """Tracklets into tracks (paper 3.2).

    Attributes:
        linking: "tubes" is the paper's (at |C| = 1, where tubes cannot overlap, it is "oks-gbm"); the others are
            baselines that use keyframe poses only: "oks-gbm" (Hungarian, frame to frame), "oks-gbm-greedy", and
            "oks-velocity" (Hungarian with constant-velocity prediction, a memory of `memory` frames and linear
            interpolation of gaps).
        min_similarity: OKS floor below which a tracklet does not join a track (docs/recovery.md has the measurement).
        nms_similarity: OKS above which the weaker of two tracklets of one keyframe is dropped.
        joint_confidence: A joint counts in OKS where both sides have at least this confidence.
        min_joints: Poses that share fewer such joints have no similarity: one joint agrees by chance too easily.
        link_to: Compare with all overlapping tracklets of a track (paper) or its last one only.
        memory: Frames that "oks-velocity" keeps a lost person.
        bridge: With "tubes": longest gap in frames, longer than any tube, across which tracks are joined by their
            motion and interpolated (`bridge.py`); 0 joins what tubes join (paper).
    """

    linking: Linking = "tubes"
    min_similarity: Share = 0.2
    nms_similarity: Share = 0.6
    joint_confidence: Share = 0.2
    min_joints: Positive = 3
    link_to: Literal["all", "last"] = "all"
    memory: Positive = 16
    bridge: Count = 16

    REMOVED: ClassVar[Mapping[str, str]] = {
        "half_life": "0.2: frames near the keyframes weighed more to no clear gain (docs/benchmarks/association.md)"
    }

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class PolishConfig:
    """Several hypotheses into one pose (paper 3.3, 4.2).

    Attributes:
        merge: "spatial-temporal" is the paper's full method; "keyframe" takes a frame's own detected pose where
            there is one, else the best hypothesis; "baseline" the best hypothesis joint by joint.
        lam: λ, weight of the temporal term.
        radius: Mean-shift radius in head sizes.
        spatial_form: Spatial term of φ: "count" |H|-|c| (the reading in use), or "ratio" 1-|c|/|H|.
        temporal_form: Temporal term of φ: distance ("l2") or squared distance ("l2-squared") of cluster centres.
        distance_unit: Distances in pixels (paper) or head sizes (scale-free).
        max_lag: Frames after which an undecided path is decided; bounds memory.
        joint_score: Score of a joint from those of the hypotheses in its cluster: their "mean", their "max", or
            "support": their sum over the number of all hypotheses, which punishes disagreement.
        presence: A pose that was not detected in its own frame is left out where no joint reaches this score: the
            person has left or is hidden.
    """

    merge: Merge = "spatial-temporal"
    lam: Amount = 0.1
    radius: Annotated[float, Range(0, above=True)] = 0.5
    spatial_form: Literal["count", "ratio"] = "count"
    temporal_form: Literal["l2", "l2-squared"] = "l2"
    distance_unit: Literal["pixel", "head"] = "pixel"
    max_lag: Positive = 256
    joint_score: Literal["mean", "max", "support"] = "mean"
    presence: Share = 0.3

    REMOVED: ClassVar[Mapping[str, str]] = {"hypothesis_confidence": "0.2: it is always 0.05"}

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class FinishConfig:
    """What is removed, filled or smoothed at the end (paper 4.1).

    Attributes:
        min_track_frames: Tracks with fewer frames are dropped (paper: 5; one tube alone has up to |C|).
        min_track_detections: Tracks whose person was detected in fewer frames are dropped.
        min_track_score: Only frames in which the pose reaches this score (the mean over its joints) count for
            `min_track_frames`; 0 counts all, as in the paper and where AP is measured.
        min_joint_score: Joints with a lower score become NaN; 0 keeps all, as where AP is measured (paper 4.1).
        joint_thresholds: TOML file of per-joint score thresholds, as `dettrack evaluate thresholds` writes it; joints
            below become NaN. `min_joint_score` holds beside it.
        fill_gaps: Interpolate gaps inside a track up to this many frames; 0 for none.
        smooth: Zero-phase smoothing; the raw joints are kept beside it.
        smooth_window_s: Window of "savgol", or 1 / cut-off frequency of "one-euro", in seconds.
    """

    min_track_frames: Positive = 5
    min_track_detections: Count = 1
    min_track_score: Share = 0.45
    min_joint_score: Share = 0.3
    joint_thresholds: str = ""
    fill_gaps: Count = 0
    smooth: Literal["none", "one-euro", "savgol"] = "none"
    smooth_window_s: Annotated[float, Range(0, above=True)] = 0.3

    def __post_init__(self) -> None:
        check(self)
