"""COCO's annotated people for the detector: a training pack from their boxes, and AP as COCO measures it.

The paper's detector has AP 57.9 on COCO's person class (section 4.2): mean over overlaps from 0.5 to 0.95.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from dettrack.errors import InputError, MissingExtraError
from dettrack.files import load_json, parsing
from dettrack.models.detector import Detector
from dettrack.structures import Frame
from dettrack.training.detector.photos import IGNORE, PERSON, PhotoPack
from dettrack.video.images import read_image

__all__ = ["CocoImage", "coco_ap", "coco_people", "pack_coco"]

_FIGURES = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")


@dataclass(frozen=True)
class CocoImage:
    """An image and the people in it.

    Attributes:
        number: Its id.
        path: Its file.
        size: Height and width in pixels.
        boxes: Corners x1, y1, x2, y2 in pixels, measured between pixel edges, as COCO does.
        crowd: Which of them are regions of people who are not annotated one by one.
    """

    number: int
    path: Path
    size: tuple[int, int]
    boxes: Float[np.ndarray, "n 4"]
    crowd: np.ndarray


def coco_people(annotations: Path, images: Path) -> list[CocoImage]:
    """All images of a COCO instances file.

    Args:
        annotations: `instances_*.json`, or any file of that form.
        images: Folder of the images.

    Returns:
        In the order of their ids.

    Raises:
        InputError: Not such a file, or it has no category "person".
    """
    content = load_json(annotations)
    with parsing(f"{annotations}", "COCO annotations: images, annotations with bbox, and categories"):
        people = {entry["id"] for entry in content["categories"] if entry["name"] == "person"}
        if not people:
            raise InputError(f"{annotations}: no category is called person")
        found: dict[int, list[tuple[list[float], bool]]] = {int(entry["id"]): [] for entry in content["images"]}
        for entry in content["annotations"]:
            if entry["category_id"] in people:
                x, y, width, height = (float(value) for value in entry["bbox"])
                if width > 0 and height > 0:
                    found[int(entry["image_id"])].append(([x, y, x + width, y + height], bool(entry.get("iscrowd", 0))))
        return [
            CocoImage(
                int(entry["id"]),
                images / str(entry["file_name"]),
                (int(entry["height"]), int(entry["width"])),
                np.array([box for box, _ in found[int(entry["id"])]], float).reshape(-1, 4),
                np.array([crowd for _, crowd in found[int(entry["id"])]], bool),
            )
            for entry in sorted(content["images"], key=lambda entry: int(entry["id"]))
        ]


def pack_coco(listed: list[CocoImage], source: str, empty: int = 0) -> PhotoPack:
    """A training pack: images with people, and some without; crowd regions are ignored by the loss.

    Args:
        listed: The images; their bytes are taken as they are.
        source: First part of the photos' names, which sampling shares are given for.
        empty: Number of images without people to take, the first ones.

    Returns:
        The pack, which is in memory: COCO's training images with people are some 10 GB.

    Raises:
        InputError: No image can be read.
    """
    entries, without = [], 0
    for image in listed:
        if not len(image.boxes):
            without += 1
            if without > empty:
                continue
        try:
            data = image.path.read_bytes()
        except OSError as error:
            sys.stderr.write(f"{image.path}: cannot be read ({error.strerror}), left out\n")
            continue
        kinds = np.where(image.crowd, IGNORE, PERSON)
        entries.append((f"{source}/{image.path.name}", data, image.size, image.boxes, kinds))
    return PhotoPack.gather(entries)


def coco_ap(annotations: Path, images: Path, detector: Detector, every: int = 1) -> dict[str, float]:
    """AP on the person class by pycocotools.

    Args:
        annotations: COCO instances file.
        images: Folder of the images.
        detector: The detector; all its boxes count, up to COCO's 100 in an image.
        every: Take every so many-th image only.

    Returns:
        AP (mean over overlaps .5:.95), AP50, AP75, and AP by size, in percent; NaN where nothing of a size is there.

    Raises:
        InputError: Annotations or an image cannot be read.
        MissingExtraError: pycocotools is not installed.
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError:
        raise MissingExtraError("AP as COCO measures it", "dev") from None
    listed = coco_people(annotations, images)[::every]
    with contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as folder:
        truth = _people_only(annotations)
        path = Path(folder) / "people.json"
        path.write_text(json.dumps(truth), encoding="utf-8")
        gt = COCO(str(path))
        results = list(_results(listed, detector))
        evaluation = COCOeval(gt, gt.loadRes(results) if results else COCO(), "bbox")
        if not results:
            return dict.fromkeys(_FIGURES, 0.0)
        evaluation.params.imgIds = [image.number for image in listed]
        evaluation.params.catIds = [1]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    values = [float(value) for value in evaluation.stats[:6]]
    return {name: 100 * value if value >= 0 else float("nan") for name, value in zip(_FIGURES, values, strict=True)}


def _people_only(annotations: Path) -> Mapping[str, Any]:
    """The file with its people alone, as category 1."""
    content = load_json(annotations)
    people = {entry["id"] for entry in content["categories"] if entry["name"] == "person"}
    kept = [
        {
            "id": number,  # from 1: the evaluator takes 0 for nobody
            "image_id": entry["image_id"],
            "category_id": 1,
            "bbox": entry["bbox"],
            "area": entry.get("area", entry["bbox"][2] * entry["bbox"][3]),
            "iscrowd": int(entry.get("iscrowd", 0)),
        }
        for number, entry in enumerate((one for one in content["annotations"] if one["category_id"] in people), 1)
    ]
    images = [{key: entry[key] for key in ("id", "file_name", "height", "width")} for entry in content["images"]]
    return {"info": {}, "images": images, "annotations": kept, "categories": [{"id": 1, "name": "person"}]}


def _results(listed: list[CocoImage], detector: Detector) -> Iterator[dict[str, Any]]:
    for image in listed:
        found = detector.detect([Frame(0, 0.0, read_image(image.path), name=image.path.name)])[0]
        edges = found.xyxy + 0.5  # from pixel centres to pixel edges
        for (x1, y1, x2, y2), score in zip(edges.tolist(), found.scores.tolist(), strict=True):
            yield {"image_id": image.number, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score}
