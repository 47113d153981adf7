"""Do networks trained on real people find the drawn ones? A detector's recall and precision, a pose network's PCKh.

    python -m dettrack.lab.studies.synthetic_people --detector rtmdet.onnx --model tinypose.xml --scenes 40

One frame of each of many scenes of different seeds. Recall counts unhidden people (`--visible`, share of their pixels)
taller than `--height` pixels at IoU 0.5; precision counts boxes above the threshold that match anybody in view.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from dettrack.config import CutConfig, DetectConfig, EstimateConfig
from dettrack.cut.clips import make_tubes
from dettrack.formats.posetrack import head_box_sizes
from dettrack.geometry import box_iou
from dettrack.lab.studies import run_command
from dettrack.lab.synth import Renderer, SceneConfig, Truth, Visibility, draw_scene, load_recordings
from dettrack.models.detector import load_detector
from dettrack.models.detector.filters import filter_boxes
from dettrack.models.pose import load_estimator
from dettrack.models.pose.estimator import Estimator
from dettrack.skeleton import POSETRACK15, JointMap
from dettrack.structures import Boxes, Clip, Frame


def jpeg(image: np.ndarray) -> np.ndarray:
    coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    decoded = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))
    return np.ascontiguousarray(decoded[..., ::-1])


def _hits(detected: Boxes, truth: Truth, want: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which wanted people have a box at IoU 0.5, and which boxes belong to anybody in view."""
    anybody = np.flatnonzero(truth.visible > 0.05)
    either = np.concatenate([truth.boxes[anybody], np.nan_to_num(truth.visible_boxes[anybody])])
    hit = box_iou(detected.xyxy, truth.boxes[want]).max(0, initial=0.0) > 0.5
    return hit, box_iou(detected.xyxy, either).max(1, initial=0.0) > 0.5


def _near_joints(estimator: Estimator, image: np.ndarray, truth: Truth, want: np.ndarray) -> np.ndarray:
    """Seen joints within half a head size, and seen joints, by joint."""
    tubes = make_tubes(Boxes(truth.boxes[want], np.ones(int(want.sum()))), estimator.size, 1.25)
    poses = estimator.estimate([(Clip((Frame(0, 0.0, image),), 0), tubes)])[0]
    xy, _ = JointMap(estimator.joint_set, POSETRACK15)(poses.xy[:, 0], poses.scores[:, 0])
    size = head_box_sizes(truth.head_boxes[want])
    away = np.linalg.norm(xy - truth.xy[want], axis=-1) / size[:, None]
    seen = truth.visibility[want] == Visibility.SEEN
    return np.stack([((away <= 0.5) & seen).sum(0), seen.sum(0)])


def _picture(image: np.ndarray, detected: Boxes, missed: np.ndarray) -> np.ndarray:
    drawn = image.copy()
    for box, colour in [(b, (0, 255, 0)) for b in detected.xyxy] + [(b, (255, 0, 0)) for b in missed]:
        x1, y1, x2, y2 = (int(v) for v in box)
        cv2.rectangle(drawn, (x1, y1), (x2, y2), colour, 2)
    return cv2.resize(drawn, (400, 225), interpolation=cv2.INTER_AREA)


def _write_sheet(path: Path, pictures: list[np.ndarray]) -> None:
    rows = [np.hstack(pictures[i : i + 3]) for i in range(0, len(pictures) - 2, 3)]
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])


def main(
    detector: Path,
    model: Path | None = None,
    motions: Path | None = None,
    scenes: int = 40,
    seed: int = 900,
    scenario: str = "any",
    visible: float = 0.9,
    height: float = 60.0,
    threshold: float = 0.3,
    sheet: Path | None = None,
) -> None:
    """Figures as JSON.

    Args:
        detector: File with a detector.
        model: File with a pose model; without one, boxes alone.
        motions: Recordings beside the built-in ones.
        scenes: How many scenes.
        seed: Of the scenes.
        scenario: What people do in them.
        visible: People of whom less can be seen do not count.
        height: Nor do lower ones, in pixels.
        threshold: Score from which a box counts.
        sheet: Write nine of the frames into one picture: found green, missed red.
    """
    settings = DetectConfig(str(detector), detector_threshold=threshold, min_box_area=0.0)
    finder = load_detector(settings, threads=1)
    estimator = (
        load_estimator(EstimateConfig(str(model), threads=1, precision="auto"), CutConfig(1, 1)) if model else None
    )
    config = SceneConfig(frames=60, scenario=scenario, motions=load_recordings(motions) if motions else ())
    counts: Counter[str] = Counter()
    pictures: list[np.ndarray] = []
    per_joint = np.zeros((2, len(POSETRACK15)))
    for index in range(scenes):
        rendered = Renderer(draw_scene(seed, index, config)).frame(30)
        image, truth = jpeg(rendered.image), rendered.truth
        detected = filter_boxes(finder.detect([Frame(0, 0.0, image)])[0], settings)[0]
        tall = truth.boxes[:, 3] - truth.boxes[:, 1] >= height
        want = truth.present & (truth.visible >= visible) & tall
        hit, good = _hits(detected, truth, want)
        counts.update(people=want.sum(), found=hit.sum(), boxes=len(detected), right=good.sum())
        if sheet and len(pictures) < 9:
            pictures.append(_picture(image, detected, truth.boxes[want][~hit]))
        if estimator is not None and want.any():
            per_joint += _near_joints(estimator, image, truth, want)
    result: dict[str, object] = {"people": int(counts["people"]), "recall": counts["found"] / counts["people"]}
    result |= {"boxes": int(counts["boxes"]), "precision": counts["right"] / max(counts["boxes"], 1)}
    if estimator is not None:
        result["pckh"] = dict(zip(POSETRACK15.joints, np.round(per_joint[0] / per_joint[1], 3).tolist(), strict=True))
        result["pckh of the 12 limb joints"] = per_joint[0, 3:].sum() / per_joint[1, 3:].sum()
    print(json.dumps(result, indent=1))
    if sheet:
        _write_sheet(sheet, pictures)


if __name__ == "__main__":
    run_command(main, __doc__)
