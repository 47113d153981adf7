"""Teacher boxes for photos and videos without annotation, packed for the detector's training.

    python -m dettrack.training.labels.boxes --teacher FILE.onnx --second FILE.xml --photos FOLDER --out pack.npz

Two detectors search every picture. What the first is sure of is a person; what it half believes is a person where the
second is sure, and otherwise a region that the loss ignores. With --sure the first one's scores alone decide.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import tyro
from jaxtyping import Bool, Float, Int, UInt8

from dettrack.config import DetectConfig
from dettrack.errors import DettrackError, InputError
from dettrack.files import IMAGE_SUFFIXES, parsing
from dettrack.files.toml import read_table
from dettrack.formats.mat import load_mat
from dettrack.geometry import box_iou, box_nms, inside_shares
from dettrack.models.detector import Detector, load_detector
from dettrack.structures import Boxes, Frame
from dettrack.training.detector.photos import IGNORE, PERSON, PhotoPack
from dettrack.video import open_video

__all__ = ["LabelConfig", "athlete_boxes", "by_score", "in_tiles", "label", "merge_opinions"]

_IN_PIECES = 0.8  # on annotated photos a score of 0.55 in a piece is as often right as one of 0.44 in the whole picture


@dataclass(frozen=True)
class LabelConfig:
    """What is labelled, by whom.

    Attributes:
        out: Pack to write (.npz).
        teacher: First detector: any that `--detector` takes.
        layout: The first one's `--detector-layout`; state it where the first pictures may be without people.
        second: Second detector; "" leaves its opinion out.
        photos: Folders of photos; a photo is called FOLDER/FILE, where FOLDER is the last part of the path.
        lists: Photos in COCO's form, file names absolute or from the list's folder; a photo is called LIST/FOLDER_FILE.
            Their boxes, drawn by hand, are people; others may be in the picture too.
        most: At most so many photos from the start of each list; one number for all, or one for each; 0 for all.
        sure: The first detector's boxes of at least this score are people, those above 0.15 are ignored, in pieces
            (`tiles`) at a score a quarter higher; 0 for the rule of two opinions.
        videos: Videos; a frame is called video/NAME/NUMBER.
        every: Every so many frames of each video; one number for all, or one for each.
        backgrounds: Videos of a still camera through which people walk: their median is a photo without people, called
            background/NAME.
        exclude: Folders with photos of the same file names that must not be trained on.
        sizes: Longer sides of the teacher's input for photos; several are merged.
        video_sizes: Likewise for videos.
        tiles: It also searches so many overlapping pieces of each photo and video frame in each direction, at the
            largest of the sizes: that finds small people. 1 for none.
        keep: An earlier pack, all of whose sources but those labelled now are taken over.
        longest: Larger photos are shrunk to this longer side.
        athletes: LSP's joints.mat: photos imNNNNN.jpg have one annotated athlete, who is never taken for background.
        evaluate: Label for measuring instead of training: the teacher's boxes above 0.5 are people, those above 0.25
            are ignored, pictures keep their size.
    """

    out: Path
    teacher: str
    layout: str = "auto"
    second: str = ""
    photos: tuple[Path, ...] = ()
    lists: tuple[Path, ...] = ()
    most: tuple[int, ...] = (0,)
    sure: float = 0.0
    videos: tuple[Path, ...] = ()
    every: tuple[int, ...] = (4,)
    backgrounds: tuple[Path, ...] = ()
    exclude: tuple[Path, ...] = ()
    sizes: tuple[int, ...] = (416,)
    video_sizes: tuple[int, ...] = (640,)
    tiles: int = 1
    keep: Path | None = None
    longest: int = 960
    athletes: Path | None = None
    evaluate: bool = False


def label(config: LabelConfig) -> PhotoPack:
    """Label everything; what cannot be read is reported on stderr and left out.

    Raises:
        InputError: A teacher cannot be loaded, or there is nothing to label.
    """
    photo_teachers = [_detector(config.teacher, size, config.layout) for size in sorted(config.sizes)]
    video_teachers = [_detector(config.teacher, size, config.layout) for size in sorted(config.video_sizes)]
    second = _detector(config.second, 0) if config.second else None
    athletes = athlete_boxes(config.athletes) if config.athletes else {}
    entries = []
    for name, image, drawn in _pictures(config):
        frame = Frame(0, 0.0, image)
        teachers = video_teachers if name.startswith("video/") or config.evaluate else photo_teachers
        opinions = [teacher.detect([frame])[0] for teacher in teachers]
        if config.tiles > 1:
            pieces = in_tiles(teachers[-1], frame, config.tiles)
            opinions += [Boxes(p.xyxy, p.scores * _IN_PIECES) for p in pieces] if config.sure else pieces
        first = _merge(opinions)
        if name.startswith("background/"):
            boxes, kinds = np.zeros((0, 4)), np.zeros(0, np.int64)
        elif config.evaluate:
            boxes, kinds = first.xyxy[first.scores > 0.25], (first.scores > 0.5)[first.scores > 0.25].astype(np.int64)
        elif config.sure:
            boxes, kinds = by_score(first, config.sure, drawn)
        else:
            boxes, kinds = merge_opinions(first, second.detect([frame])[0] if second else None)
        if not config.evaluate:
            boxes, kinds = _keep_athlete(boxes, kinds, first, athletes.get(Path(name).stem))
        scale = 1.0 if config.evaluate else min(1.0, config.longest / max(image.shape[:2]))
        if scale < 1:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 95 if config.evaluate else 92])[1].tobytes()
        edges = (boxes + 0.5) * scale  # from pixel centres to pixel edges
        entries.append((name, data, image.shape[:2], edges, kinds))
    if config.keep is not None:
        sources = {name.rpartition("/")[0] for name, *_ in entries}
        kept = PhotoPack.load(config.keep).entries()
        entries = [entry for entry in kept if entry[0].rpartition("/")[0] not in sources] + entries
    return PhotoPack.gather(entries)


def in_tiles(teacher: Detector, frame: Frame, tiles: int) -> list[Boxes]:
    """What a detector finds in overlapping pieces of a picture, in the picture's pixels.

    A box that touches a piece's inner border, or is higher than 0.6 of it, is left out: it may be part of a person.

    Args:
        teacher: The detector.
        frame: The picture.
        tiles: Pieces in each direction.

    Returns:
        One item for each piece.
    """
    height, width = frame.image.shape[:2]
    side = np.floor(min(1.0, 1.2 / tiles) * np.array([width, height]))
    found = []
    for y, x in np.ndindex(tiles, tiles):
        start = np.round((np.array([width, height]) - side) * np.array([x, y]) / max(1, tiles - 1))
        x1, y1, x2, y2 = (int(v) for v in (*start, *(start + side)))
        boxes = teacher.detect([replace(frame, image=np.ascontiguousarray(frame.image[y1:y2, x1:x2]))])[0]
        xyxy = boxes.xyxy + np.array([x1, y1, x1, y1])
        inner = np.array([x1 > 0, y1 > 0, x2 < width, y2 < height])
        touching = (np.abs(xyxy - np.array([x1, y1, x2, y2])) < 4) & inner
        high = boxes.xyxy[:, 3] - boxes.xyxy[:, 1] > 0.6 * (y2 - y1)
        keep = ~touching.any(1) & ~high
        found.append(Boxes(xyxy[keep], boxes.scores[keep]))
    return found


def merge_opinions(first: Boxes, second: Boxes | None) -> tuple[Float[np.ndarray, "n 4"], Int[np.ndarray, " n"]]:
    """People, and regions to ignore, from two detectors' boxes of one picture.

    Args:
        first: The leading teacher's boxes, duplicates removed.
        second: Another detector's; None trusts the first alone.

    Returns:
        Boxes of the first and their kinds. People: its score is at least 0.5 (0.6 where the second sees nothing),
        or 0.3 where the second is surer than 0.6. Ignored: 0.3, or 0.25 where the second sees something; but no
        parts and duplicates of a person, and nothing in a picture where neither finds anybody.
    """
    scores = first.scores
    if second is None:
        agreement = np.full(len(first), 0.2)
    else:
        overlap = box_iou(first.xyxy, second.xyxy)
        agreement = np.where(overlap > 0.5, second.scores, 0.0).max(1, initial=0.0)
    person = (scores >= 0.6) | ((scores >= 0.5) & (agreement >= 0.15)) | ((scores >= 0.3) & (agreement >= 0.6))
    unsure = ~person & ((scores >= 0.3) | ((scores >= 0.25) & (agreement >= 0.2)))
    people = first.xyxy[person]
    duplicate = box_iou(first.xyxy, people).max(1, initial=0.0) > 0.6
    part = (inside_shares(first.xyxy, people).max(1, initial=0.0) > 0.8) & (agreement < 0.3)
    keep = person | (unsure & ~duplicate & ~part)
    if not person.any() and not (agreement >= 0.3).any():
        keep[:] = False  # a picture without people, by both: half-beliefs there are what is to be unlearned
    return first.xyxy[keep], np.where(person, PERSON, IGNORE)[keep]


def by_score(
    first: Boxes, sure: float, drawn: Float[np.ndarray, "k 4"]
) -> tuple[Float[np.ndarray, "n 4"], Int[np.ndarray, " n"]]:
    """People, and regions to ignore, from one detector's scores and boxes drawn by hand.

    Args:
        first: The teacher's boxes, duplicates removed.
        sure: Least score of a person.
        drawn: People by hand; they take the place of the teacher's boxes of them.

    Returns:
        Boxes and their kinds. Ignored: scores from 0.15, or from 0.3 in a picture without people; but no duplicates of
        a person.
    """
    mine = box_iou(first.xyxy, drawn).max(1, initial=0.0) < 0.5
    person = mine & (first.scores >= sure)
    people = np.concatenate([drawn, first.xyxy[person]])
    unsure = mine & ~person & (first.scores >= (0.15 if len(people) else 0.3))
    unsure &= box_iou(first.xyxy, people).max(1, initial=0.0) < 0.6
    kinds = np.repeat([PERSON, IGNORE], [len(people), int(unsure.sum())])
    return np.concatenate([people, first.xyxy[unsure]]), kinds


def athlete_boxes(path: Path) -> dict[str, Float[np.ndarray, " 4"]]:
    """Boxes around the visible joints of LSP's annotations, a tenth larger, by photo name (imNNNNN).

    Raises:
        InputError: The file is not LSP's joints.mat.
    """
    joints = load_mat(path, "joints")
    if not isinstance(joints, np.ndarray):
        raise InputError(f"{path} is not LSP's joints.mat: its joints are no array of numbers")
    if joints.ndim != 3 or joints.shape[:2] != (14, 3):
        raise InputError(f"{path}: joints has the shape {joints.shape}, expected (14, 3, photos)")
    boxes = {}
    for index in range(joints.shape[2]):
        xy = joints[joints[:, 2, index] > 0, :2, index]
        if len(xy) >= 6:
            margin = 0.1 * (xy.max(0) - xy.min(0)).max()
            boxes[f"im{index + 1:05d}"] = np.concatenate([xy.min(0) - margin, xy.max(0) + margin])
    return boxes


def _keep_athlete(
    boxes: Float[np.ndarray, "n 4"],
    kinds: Int[np.ndarray, " n"],
    first: Boxes,
    athlete: Float[np.ndarray, " 4"] | None,
) -> tuple[Float[np.ndarray, "m 4"], Int[np.ndarray, " m"]]:
    """Add the annotated athlete where no person was found there: the teacher's best weak box, or a region to ignore."""
    if athlete is None or box_iou(athlete[None], boxes[kinds == PERSON]).max(initial=0.0) >= 0.3:
        return boxes, kinds
    fit = box_iou(first.xyxy, athlete[None]).max(1, initial=0.0) * (first.scores >= 0.1)
    if fit.max(initial=0.0) > 0.5:
        return np.concatenate([boxes, first.xyxy[[fit.argmax()]]]), np.append(kinds, PERSON)
    return np.concatenate([boxes, athlete[None]]), np.append(kinds, IGNORE)


def _merge(opinions: Sequence[Boxes]) -> Boxes:
    """Boxes of one teacher at several input sizes, duplicates removed."""
    xyxy = np.concatenate([boxes.xyxy for boxes in opinions])
    boxes = Boxes(xyxy, np.concatenate([boxes.scores for boxes in opinions]))
    keep: Bool[np.ndarray, " n"] = box_nms(boxes.xyxy, boxes.scores, 0.6) & (boxes.scores >= 0.08)
    return boxes[keep]


def _detector(name: str, size: int, layout: str = "auto") -> Detector:
    table = {"detector": name, "detector_size": size, "detector_layout": layout}
    settings = read_table(DetectConfig, table, "--layout")
    return load_detector(settings, device="cpu", threads=1)


def _pictures(config: LabelConfig) -> Iterator[tuple[str, UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "k 4"]]]:
    """Names, pixels and boxes drawn by hand."""
    none = np.zeros((0, 4))
    for name, path, drawn in itertools.chain(_in_folders(config), _in_lists(config)):
        bgr = cv2.imread(os.fspath(path))
        if bgr is None:
            sys.stderr.write(f"{path}: not a readable image, left out\n")
            continue
        yield name, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), drawn
    for video, step in zip(config.videos, _for_each(config.every, config.videos, "--every"), strict=True):
        with open_video(video, shots=False) as reader:
            for frame in reader:
                if frame.index % step == 0:
                    yield f"video/{video.stem}/{frame.index:05d}", frame.image, none
    for video in config.backgrounds:
        with open_video(video, shots=False) as reader:
            frames = [frame.image for frame in reader if frame.index % 16 == 0]
        yield f"background/{video.stem}", np.median(np.stack(frames), 0).astype(np.uint8), none


def _in_folders(config: LabelConfig) -> Iterator[tuple[str, Path, Float[np.ndarray, "k 4"]]]:
    excluded = {path.name for folder in config.exclude for path in folder.iterdir()}
    for folder in config.photos:
        if not folder.is_dir():
            raise InputError(f"no such folder of photos: {folder}")
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in IMAGE_SUFFIXES and path.name not in excluded:
                yield f"{folder.resolve().name}/{path.name}", path, np.zeros((0, 4))


def _in_lists(config: LabelConfig) -> Iterator[tuple[str, Path, Float[np.ndarray, "k 4"]]]:
    for file, most in zip(config.lists, _for_each(config.most, config.lists, "--most"), strict=True):
        with parsing(f"{file}", "a list of photos in COCO's form"):
            table = json.loads(file.read_text(encoding="utf-8"))
            drawn: dict[int, list[list[float]]] = {}
            for annotation in table.get("annotations", []):
                drawn.setdefault(annotation["image_id"], []).append(annotation["bbox"])
            entries = [(file.parent / image["file_name"], image["id"]) for image in table["images"]]
        for path, key in entries[: most or None]:
            x, y, w, h = np.array(drawn.get(key, []), float).reshape(-1, 4).T
            boxes = np.stack([x, y, x + w, y + h], 1) - 0.5  # from pixel edges to pixel centres
            yield f"{file.stem}/{path.parent.name}_{path.name}", path, boxes


def _for_each(numbers: tuple[int, ...], files: tuple[Path, ...], option: str) -> tuple[int, ...]:
    """A number for each file."""
    spread = numbers * len(files) if len(numbers) == 1 else numbers
    if len(spread) != len(files):
        raise InputError(f"{len(files)} files but {len(spread)} numbers in {option}: give one, or one for each")
    return spread


def _main() -> int:
    try:
        config = tyro.cli(LabelConfig, description=__doc__)
        pack = label(config)
        pack.save(config.out)
    except DettrackError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    people, ignored = int((pack.kinds == PERSON).sum()), int((pack.kinds == IGNORE).sum())
    sys.stdout.write(f"{config.out}: {len(pack)} pictures, {people} people, {ignored} regions to ignore\n")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
