"""Do networks trained on real people find the drawn ones? A detector's recall and precision, a pose network's PCKh.

    python -m dettrack.lab.studies.synthetic_people --detector rtmdet.onnx --model tinypose.xml --scenes 40

One frame of each of many scenes of different seeds. Recall counts unhidden people (`--visible`, share of their pixels)
taller than `--height` pixels at IoU 0.5; precision counts boxes above the threshold that match anybody in view.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from dettrack.config import CutConfig, DetectConfig, EstimateConfig
from dettrack.cut.clips import make_tubes
from dettrack.geometry import box_iou
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detector", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--motions", type=Path)
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--seed", type=int, default=900)
    parser.add_argument("--scenario", default="any")
    parser.add_argument("--visible", type=float, default=0.9)
    parser.add_argument("--height", type=float, default=60)
    parser.add_argument("--threshold", type=float, default=0.3)
    parser.add_argument("--sheet", type=Path, help="write nine of the frames into one picture: found green, missed red")
    args = parser.parse_args()
    settings = DetectConfig(str(args.detector), detector_threshold=args.threshold, min_box_area=0.0)
    detector = load_detector(settings, threads=1)
    estimator = load_estimator(EstimateConfig(str(args.model), threads=1), CutConfig(1, 1)) if args.model else None
    config = SceneConfig(
        frames=60, scenario=args.scenario, motions=load_recordings(args.motions) if args.motions else ()
    )
    people = found = boxes = right = 0
    pictures: list[np.ndarray] = []
    per_joint = np.zeros((2, len(POSETRACK15)))
    for index in range(args.scenes):
        scene = draw_scene(args.seed, index, config)
        rendered = Renderer(scene).frame(30)
        image, truth = jpeg(rendered.image), rendered.truth
        detected = filter_boxes(detector.detect([Frame(0, 0.0, image)])[0], settings)[0]
        boxes_of = truth.boxes
        tall = boxes_of[:, 3] - boxes_of[:, 1] >= args.height
        want = truth.present & (truth.visible >= args.visible) & tall
        anybody = np.flatnonzero(truth.visible > 0.05)
        either = np.concatenate([boxes_of[anybody], np.nan_to_num(truth.visible_boxes[anybody])])
        overlap = box_iou(detected.xyxy, boxes_of[want]) if want.any() else np.zeros((len(detected), 0))
        hit = (overlap > 0.5).any(0) if len(detected) else np.zeros(want.sum(), bool)
        good = (box_iou(detected.xyxy, either) > 0.5).any(1) if len(anybody) else np.zeros(len(detected), bool)
        people, found, boxes, right = people + want.sum(), found + hit.sum(), boxes + len(detected), right + good.sum()
        if args.sheet and len(pictures) < 9:
            pictures.append(picture(image, detected, boxes_of[want][~hit]))
        if estimator is not None and want.any():
            per_joint += near_joints(estimator, image, truth, want)
    result: dict[str, object] = {
        "people": int(people),
        "recall": found / people,
        "boxes": int(boxes),
        "precision": right / boxes,
    }
    if estimator is not None:
        result["pckh"] = dict(zip(POSETRACK15.joints, np.round(per_joint[0] / per_joint[1], 3).tolist(), strict=True))
        seen, near = per_joint[1, 3:].sum(), per_joint[0, 3:].sum()
        result["pckh of the 12 limb joints"] = near / seen
    print(json.dumps(result, indent=1))
    if args.sheet:
        write_sheet(args.sheet, pictures)


def near_joints(estimator: Estimator, image: np.ndarray, truth: Truth, want: np.ndarray) -> np.ndarray:
    """Seen joints within half a head size, and seen joints, by joint."""
    tubes = make_tubes(Boxes(truth.boxes[want], np.ones(int(want.sum()))), estimator.size, 1.25)
    poses = estimator.estimate([(Clip((Frame(0, 0.0, image),), 0), tubes)])[0]
    xy, _ = JointMap(estimator.joint_set, POSETRACK15)(poses.xy[:, 0], poses.scores[:, 0])
    heads = truth.head_boxes[want]
    size = 0.6 * np.hypot(heads[:, 2] - heads[:, 0], heads[:, 3] - heads[:, 1])
    away = np.linalg.norm(xy - truth.xy[want], axis=-1) / size[:, None]
    seen = truth.visibility[want] == Visibility.SEEN
    return np.stack([((away <= 0.5) & seen).sum(0), seen.sum(0)])


def picture(image: np.ndarray, detected: Boxes, missed: np.ndarray) -> np.ndarray:
    drawn = image.copy()
    for box, colour in [(b, (0, 255, 0)) for b in detected.xyxy] + [(b, (255, 0, 0)) for b in missed]:
        x1, y1, x2, y2 = (int(v) for v in box)
        cv2.rectangle(drawn, (x1, y1), (x2, y2), colour, 2)
    return cv2.resize(drawn, (400, 225), interpolation=cv2.INTER_AREA)


def write_sheet(path: Path, pictures: list[np.ndarray]) -> None:
    rows = [np.hstack(pictures[i : i + 3]) for i in range(0, len(pictures) - 2, 3)]
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])


if __name__ == "__main__":
    main()
