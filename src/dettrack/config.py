"""Every setting of a tracking run, with the paper's value as default where the paper gives one.

One definition serves the command line (`--clip-length`), a TOML file (`[cut] clip_length = 9`) and the API
(`CutConfig(clip_length=9)`). Nothing here imports torch, so that `--help` answers at once. Names are unique
across the sections: the command line shows them without a prefix.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from dettrack.errors import UsageError

__all__ = [
    "CutConfig",
    "DetectConfig",
    "EstimateConfig",
    "FinishConfig",
    "PolishConfig",
    "SewConfig",
    "TrackConfig",
]

Linking = Literal["tubes", "oks-gbm", "oks-gbm-greedy", "oks-velocity"]
Merge = Literal["spatial-temporal", "spatial", "temporal", "baseline", "keyframe"]


def _require(ok: bool, what: str) -> None:
    if not ok:
        raise UsageError(what)


@dataclass(frozen=True)
class CutConfig:
    """Keyframes and tubes (paper 3.1, 4.2).

    Attributes:
        clip_length: |C|, frames in a tube; odd.
        step: S, frames between keyframes; smaller than |C| (1 when |C| is 1).
        enlarge: Factor by which a box grows in both dimensions before the tube is cut.
        shots: Look for shot cuts; tubes and tracks never cross one.
        adaptive: Keyframes every S frames, and more between them where the settings below ask for it.
        finest_step: With `adaptive`: keyframes come no closer to each other than this many frames.
        agreement: With `adaptive`: OKS below which two tubes disagree about a person.
        box_agreement: With `adaptive`: overlap (IoU) below which the boxes of two keyframes, moved to the same frame,
            differ.
        overlap: With `adaptive`: overlap (IoU) above which two people are too close to each other.
        tube_stride: A 2D network looks at every n-th frame of a tube, from the keyframe on, and at both ends; joints
            in between are interpolated. 1 looks at all.
    """

    clip_length: int = 9
    step: int = 1
    enlarge: float = 1.25
    shots: bool = True
    adaptive: bool = False
    finest_step: int = 2
    agreement: float = 0.8
    box_agreement: float = 0.5
    overlap: float = 0.7
    tube_stride: int = 1

    def __post_init__(self) -> None:
        _require(
            self.clip_length >= 1 and self.clip_length % 2 == 1,
            f"--clip-length is {self.clip_length}: it must be odd and at least 1, "
            "because the keyframe is the middle of its clip",
        )
        _require(self.step >= 1, f"--step is {self.step}: it must be at least 1")
        _require(
            self.step < self.clip_length or self.step == 1,
            f"--step is {self.step} and --clip-length {self.clip_length}: the step must be smaller than the "
            "clip, or tubes do not overlap and cannot be joined",
        )
        _require(self.enlarge >= 1, f"--enlarge is {self.enlarge}: it must be at least 1")
        _require(self.finest_step >= 1, f"--finest-step is {self.finest_step}: it must be at least 1 frame")
        _require(self.tube_stride >= 1, f"--tube-stride is {self.tube_stride}: it must be at least 1 frame")
        for name in ("agreement", "box_agreement", "overlap"):
            value = getattr(self, name)
            _require(0 <= value <= 1, f"--{name.replace('_', '-')} is {value}: it must lie between 0 and 1")
        _require(
            not self.adaptive or self.step > 1,
            "--adaptive adds keyframes to a grid with --step 2 or more, and --step is 1: ask for --step 8",
        )


@dataclass(frozen=True)
class DetectConfig:
    """The person detector on keyframes.

    Attributes:
        detector: File (dettrack .safetensors, ONNX, OpenVINO .xml, detections JSON, MOT csv), "hf:NAME_OR_PATH", or a
            name that `dettrack weights list` shows.
        detector_layout: Output layout of an ONNX detector; "auto" recognises it from the file.
        detector_size: Longer side of the detector's input in pixels; 0 takes the file's own, or 640.
        detector_scales: Look at every keyframe at each of these longer sides, and merge the boxes: small people are
            found at the largest, large ones at the smallest (SNIPER's testing); a detector of ours only.
        detect_every: The detector looks at every n-th keyframe at least (n up to 4). In those between, tubes are cut at
            boxes moved there from both sides, if these agree about everybody; else the detector looks there too.
        detector_threshold: Boxes with a lower score are dropped.
        detector_nms: IoU above which the weaker of two boxes is dropped.
        min_box_area: Boxes with W x H below this many square pixels are dropped (paper 4.1: 3200).
        scale_min_area: `min_box_area` is meant for frames of 1280x720 (PoseTrack's usual size) or more, and shrinks
            in proportion with the area of smaller frames; off: the same number of pixels whatever the frame.
        max_people: At most this many boxes of one keyframe, best first; 0 for no bound.
    """

    detector: str = "default"
    detector_layout: Literal["auto", "rtmdet", "yolox", "picodet"] = "auto"
    detector_size: int = 0
    detector_scales: tuple[int, ...] = ()
    detect_every: int = 1
    detector_threshold: float = 0.3
    detector_nms: float = 0.65
    min_box_area: float = 3200.0
    scale_min_area: bool = True
    max_people: int = 0

    def __post_init__(self) -> None:
        _require(
            1 <= self.detect_every <= 4, f"--detect-every is {self.detect_every}: it must be 1, 2, 3 or 4 keyframes"
        )
        _require(
            0 <= self.detector_threshold <= 1,
            f"--detector-threshold is {self.detector_threshold}: it must lie between 0 and 1",
        )
        _require(
            self.detector_size == 0 or self.detector_size >= 32,
            f"--detector-size is {self.detector_size}: it must be 0 (the file's own) or at least 32",
        )
        _require(
            not (self.detector_scales and self.detector_size) and all(size >= 32 for size in self.detector_scales),
            f"--detector-scales is {self.detector_scales}: sizes of at least 32, and no --detector-size beside them",
        )


@dataclass(frozen=True)
class EstimateConfig:
    """The network that finds the joints in a tube.

    Attributes:
        model: File (dettrack .safetensors, official HRNet .pth, ONNX, OpenVINO .xml), or a name that `dettrack weights
            list` shows.
        variant: Where a 2D checkpoint gets its temporal filters, by mean initialisation (paper table 8); "auto" runs
            a network as it is stored.
        joints: Joint set of the results; "auto" is PoseTrack's 15, approximated where the model lacks them.
        flip: Average the heatmaps of the crop and of its mirror image (paper 4.2).
        small_crops_below: People lower than this many pixels are cut out smaller, at two thirds of the network's size
            (128x96 for 192x160), where the network takes that; 0: nobody.
        decoding: "quarter": arg max moved a quarter pixel towards the higher neighbour; "dark": second-order fit.
        device: "auto", "cpu", "cuda" or "cuda:N".
        runtime: What runs the network; "auto" is the fastest that is installed and can run it.
        precision: Arithmetic of the network; "auto" is bf16 on GPUs and on CPUs with AMX, else fp32; "fast" is bf16
            wherever it is native (joints move by 0.14 pixels of the crop in the mean).
        batch: Crops or tubes in one pass; 0 chooses.
        threads: CPU threads of the network; 0 takes all.
    """

    model: str = "default"
    variant: Literal["auto", "none", "early", "last", "all"] = "auto"
    joints: Literal["auto", "posetrack15", "posetrack17", "coco17", "mpii16"] = "auto"
    flip: bool = True
    small_crops_below: float = 0.0
    decoding: Literal["quarter", "dark"] = "dark"
    device: str = "auto"
    runtime: Literal["auto", "pytorch", "onnxruntime", "openvino", "tensorrt"] = "auto"
    precision: Literal["auto", "fast", "fp32", "bf16", "fp16"] = "auto"
    batch: int = 0
    threads: int = 0

    def __post_init__(self) -> None:
        _require(
            self.small_crops_below >= 0,
            f"--small-crops-below is {self.small_crops_below}: it must not be negative (pixels; 0 for nobody)",
        )
        _require(self.batch >= 0, f"--batch is {self.batch}: it must be 0 (automatic) or positive")
        known = self.device in ("auto", "cpu", "cuda") or (
            self.device.startswith("cuda:") and self.device[5:].isdigit()
        )
        _require(known, f"--device is {self.device!r}: expected auto, cpu, cuda or cuda:N")


@dataclass(frozen=True)
class SewConfig:
    """Tracklets into tracks (paper 3.2).

    Attributes:
        linking: "tubes" is the paper's (at |C| = 1, where tubes cannot overlap, it is "oks-gbm"); the others are
            rivals that look at keyframe poses only: "oks-gbm" (Hungarian, frame to frame), "oks-gbm-greedy", and
            "oks-velocity" (Hungarian with constant-velocity prediction, a memory of `memory` frames and linear
            interpolation of gaps).
        min_similarity: OKS floor below which a tracklet does not join a track (docs/recovery.md has the measurement).
        nms_similarity: OKS above which the weaker of two tracklets of one keyframe is dropped.
        joint_confidence: A joint counts in OKS where both sides have at least this confidence.
        link_to: Compare with all overlapping tracklets of a track (paper) or its last one only.
        half_life: Frames of distance from the two keyframes that halve the weight of a frame in the similarity of two
            tubes, because a tube may lose its person far from its keyframe; 0 weighs all frames alike (paper).
        memory: Frames that "oks-velocity" keeps a lost person.
        bridge: With "tubes": longest gap in frames, longer than any tube, across which tracks are joined by their
            motion and interpolated (`bridge.py`); 0 joins what tubes join (paper).
    """

    linking: Linking = "tubes"
    min_similarity: float = 0.2
    nms_similarity: float = 0.7
    joint_confidence: float = 0.2
    link_to: Literal["all", "last"] = "all"
    half_life: float = 0.0
    memory: int = 16
    bridge: int = 16

    def __post_init__(self) -> None:
        for name in ("min_similarity", "nms_similarity", "joint_confidence"):
            value = getattr(self, name)
            _require(0 <= value <= 1, f"--{name.replace('_', '-')} is {value}: it must lie between 0 and 1")
        _require(self.half_life >= 0, f"--half-life is {self.half_life}: it must not be negative")
        _require(self.memory >= 1, f"--memory is {self.memory}: it must be at least 1 frame")
        _require(self.bridge >= 0, f"--bridge is {self.bridge}: it must be a number of frames, 0 for none")


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
        hypothesis_confidence: Hypotheses with a lower score do not take part in clustering while better ones exist.
        max_lag: Frames after which an undecided path is decided; bounds memory.
        joint_score: Score of a joint from those of the hypotheses in its cluster: their "mean", their "max", or
            "support": their sum over the number of all hypotheses, which punishes disagreement.
        presence: A pose that was not detected in its own frame is left out where no joint reaches this score: the
            person has left or is hidden.
    """

    merge: Merge = "spatial-temporal"
    lam: float = 0.1
    radius: float = 0.5
    spatial_form: Literal["count", "ratio"] = "count"
    temporal_form: Literal["l2", "l2-squared"] = "l2"
    distance_unit: Literal["pixel", "head"] = "pixel"
    hypothesis_confidence: float = 0.05
    max_lag: int = 256
    joint_score: Literal["mean", "max", "support"] = "mean"
    presence: float = 0.2

    def __post_init__(self) -> None:
        _require(self.lam >= 0, f"--lam is {self.lam}: it must not be negative")
        _require(self.radius > 0, f"--radius is {self.radius}: it must be positive")
        _require(self.max_lag >= 1, f"--max-lag is {self.max_lag}: it must be at least 1 frame")
        _require(0 <= self.presence <= 1, f"--presence is {self.presence}: it must lie between 0 and 1")


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

    min_track_frames: int = 5
    min_track_detections: int = 1
    min_track_score: float = 0.4
    min_joint_score: float = 0.25
    joint_thresholds: str = ""
    fill_gaps: int = 0
    smooth: Literal["none", "one-euro", "savgol"] = "none"
    smooth_window_s: float = 0.3

    def __post_init__(self) -> None:
        _require(self.min_track_frames >= 1, f"--min-track-frames is {self.min_track_frames}: at least 1")
        _require(
            self.min_track_detections >= 0,
            f"--min-track-detections is {self.min_track_detections}: it must not be negative",
        )
        for name in ("min_track_score", "min_joint_score"):
            value = getattr(self, name)
            _require(0 <= value <= 1, f"--{name.replace('_', '-')} is {value}: it must lie between 0 and 1")
        _require(self.fill_gaps >= 0, f"--fill-gaps is {self.fill_gaps}: it must not be negative")
        _require(self.smooth_window_s > 0, f"--smooth-window-s is {self.smooth_window_s}: must be positive")


@dataclass(frozen=True)
class TrackConfig:
    """All settings of a run; hashable, written whole into `summary.json`."""

    cut: CutConfig = field(default_factory=CutConfig)
    detect: DetectConfig = field(default_factory=DetectConfig)
    estimate: EstimateConfig = field(default_factory=EstimateConfig)
    sew: SewConfig = field(default_factory=SewConfig)
    polish: PolishConfig = field(default_factory=PolishConfig)
    finish: FinishConfig = field(default_factory=FinishConfig)
