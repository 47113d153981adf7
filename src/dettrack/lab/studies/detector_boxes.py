"""Boxes of any detector against a pack of labelled pictures or an annotated set in COCO format: AP, recall, speed.

python -m dettrack.lab.studies.detector_boxes --pack data/detector/held_out.npz --detector default
python -m dettrack.lab.studies.detector_boxes --coco person_keypoints.json --images FOLDER --detector default
"""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch

from dettrack.config import DetectConfig
from dettrack.errors import InputError, UsageError
from dettrack.geometry import box_nms
from dettrack.lab.studies import run_command
from dettrack.models.detector import load_detector
from dettrack.structures import Boxes, Frame
from dettrack.training.detector.photos import IGNORE, PERSON, PhotoPack
from dettrack.training.detector.validation import AnnotatedBoxes, score_boxes

_HEIGHTS = (0.0, 40.0, 60.0, 120.0, 240.0, np.inf)


def _report(name: str, found: list[Boxes], labels: list[AnnotatedBoxes], threshold: float) -> None:
    scores = score_boxes(found, labels, threshold=threshold)
    best = score_boxes(found, labels, threshold=scores.best_threshold)
    print(
        f"{name:28} AP50 {scores.ap:.3f}  at {threshold:.2f}: P {scores.precision:.3f} R {scores.recall:.3f}  "
        f"at best {best.threshold:.2f}: P {best.precision:.3f} R {best.recall:.3f}  ({scores.people} people)"
    )


def _by_height(
    found: list[Boxes],
    labels: list[AnnotatedBoxes],
    *,
    detector_size: int,
    pictures: list[tuple[str, np.ndarray, AnnotatedBoxes]],
    threshold: float,
) -> None:
    """Recall of people by their height in input pixels."""
    parts = []
    for low, high in itertools.pairwise(_HEIGHTS):
        chosen = []
        for (_, image, _), label in zip(pictures, labels, strict=True):
            height = (label.people[:, 3] - label.people[:, 1]) * detector_size / max(image.shape[:2])
            chosen.append(AnnotatedBoxes(label.people[(height >= low) & (height < high)], label.unsure))
        scores = score_boxes(found, chosen, threshold=threshold)
        if scores.people:
            parts.append(f"{low:.0f}-{high:.0f} px {scores.recall:.2f} ({scores.people})")
    print("recall by height in the input: " + ", ".join(parts))


def _from_pack(path: Path) -> list[tuple[str, np.ndarray, AnnotatedBoxes]]:
    pack = PhotoPack.load(path)
    rows = []
    for index in range(len(pack)):
        photo = pack.photo(index)
        if photo is None:
            raise InputError(f"{path}: picture {pack.names[index]} cannot be decoded")
        boxes = photo.boxes.astype(float) - 0.5
        source = str(pack.names[index]).rpartition("/")[0]
        rows.append((source, photo.image, AnnotatedBoxes(boxes[photo.kinds == PERSON], boxes[photo.kinds == IGNORE])))
    return rows


def _from_coco(annotations: Path, images: Path) -> list[tuple[str, np.ndarray, AnnotatedBoxes]]:
    table = json.loads(annotations.read_text(encoding="utf-8"))
    rows = []
    for entry in table["images"]:
        bgr = cv2.imread(str(images / entry["file_name"]))
        if bgr is None:
            raise InputError(f"cannot read {images / entry['file_name']}")
        mine = [a for a in table["annotations"] if a["image_id"] == entry["id"]]
        boxes = np.array([a["bbox"] for a in mine], float).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        crowd = np.array([bool(a.get("iscrowd")) for a in mine], bool)
        rows.append(("annotated", cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), AnnotatedBoxes(boxes[~crowd], boxes[crowd])))
    return rows


def main(
    detector: str = "default",
    size: int = 0,
    scales: tuple[int, ...] = (),
    pack: Path | None = None,
    coco: Path | None = None,
    images: Path | None = None,
    threshold: float = 0.3,
    nms: float = 0.65,
    threads: int = 1,
) -> None:
    """AP, precision and recall, of all pictures, by source and by height.

    Args:
        detector: What `--detector` of `dettrack track` takes.
        size: Longer side of its input; 0 for its own.
        scales: Several sizes instead, as `--detector-scales`.
        pack: Labelled pictures, made by `python -m dettrack.training.labels.boxes --evaluate`.
        coco: Annotations in COCO format, instead of a pack; crowds are ignored.
        images: Folder of their images.
        threshold: Score for precision and recall.
        nms: Overlap above which the weaker of two boxes falls.
        threads: CPU threads.
    """
    if pack is None and (coco is None or images is None):
        raise UsageError("give --pack, or --coco and --images")
    torch.set_num_threads(threads)
    config = DetectConfig(detector=detector, detector_size=size, detector_scales=scales, detector_nms=nms)
    finder = load_detector(config, device="cpu", threads=threads)
    pictures = _from_pack(pack) if pack else _from_coco(cast(Path, coco), cast(Path, images))
    found: list[Boxes] = []
    seconds = []
    for _, image, _ in pictures:
        start = time.perf_counter()
        boxes = finder.detect([Frame(0, 0.0, image)])[0]
        seconds.append(time.perf_counter() - start)
        found.append(boxes[box_nms(boxes.xyxy, boxes.scores, nms)])
    labels = [label for _, _, label in pictures]
    print(finder.description)
    _report("all", found, labels, threshold)
    sources = sorted({name for name, _, _ in pictures})
    for source in sources if len(sources) > 1 else []:
        mine = [i for i, (name, _, _) in enumerate(pictures) if name == source]
        _report(source, [found[i] for i in mine], [labels[i] for i in mine], threshold)
    _by_height(
        found, labels, detector_size=size or getattr(finder, "size", 640), pictures=pictures, threshold=threshold
    )
    print(f"median {1e3 * np.median(seconds):.0f} ms a picture, {threads} thread(s)")


if __name__ == "__main__":
    run_command(main, __doc__)
