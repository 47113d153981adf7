"""The official rules once more, slowly and obviously: loops over plain lists, brute force for assignments.

Written from the rules alone, as a check on the fast version; it shares no code with it.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

from dettrack.formats.posetrack import PoseSequence


def inside(polygon: list[tuple[float, float]], point: tuple[float, float]) -> bool:
    """Strictly inside by the even-odd rule, in rational numbers."""
    corners = [(Fraction(x), Fraction(y)) for x, y in polygon]
    x, y = Fraction(point[0]), Fraction(point[1])
    odd = False
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        cross = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
        if cross == 0 and min(x1, x2) <= x <= max(x1, x2) and min(y1, y2) <= y <= max(y1, y2):
            return False
        if (y1 <= y < y2 or y2 <= y < y1) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            odd = not odd
    return odd


def load(sequence: PoseSequence) -> list[dict]:
    """Frames as dictionaries: regions, and people with id, joints {number: (x, y, score)} and head size."""
    regions = [[list(map(tuple, r.tolist())) for r in image.ignore_regions] for image in sequence.images]
    frames = [{"regions": polygons, "people": []} for polygons in regions]
    people = sequence.people
    for row in range(len(people)):
        joints = {}
        for j in range(15):
            x, y = people.xy[row, j].tolist()
            if not math.isnan(x):
                score = float(people.scores[row, j])
                joints[j] = (x, y, -9999.0 if math.isnan(score) else score)
        x1, y1, x2, y2 = people.head_box[row].tolist()
        frames[people.image[row]]["people"].append(
            {
                "id": int(people.track_id[row]),
                "joints": joints,
                "head": 0.6 * math.hypot(x2 - x1, y2 - y1),
                "listed": bool(people.listed[row]),
            }
        )
    return frames


def clean_up(gt: list[dict], pred: list[dict]) -> list[tuple[list[dict], list[dict]]]:
    """Frames that count, with the people who are left."""
    kept = []
    for g, p in zip(gt, pred, strict=True):
        if not g["people"]:
            continue
        sides = []
        for side in (g, p):
            left = []
            for person in side["people"]:
                if not person["listed"]:
                    continue
                joints = person["joints"]
                if g["regions"]:
                    joints = {j: v for j, v in joints.items() if not any(inside(r, v[:2]) for r in g["regions"])}
                    if not joints:
                        continue
                left.append({**person, "joints": joints})
            sides.append(left)
        kept.append((sides[0], sides[1]))
    return kept


def distance(a: dict, b: dict, j: int) -> float:
    """Of joint j of annotated person a and predicted person b, in a's head sizes."""
    if j not in a["joints"] or j not in b["joints"]:
        return math.inf
    (x1, y1, _), (x2, y2, _) = a["joints"][j], b["joints"][j]
    return math.hypot(x1 - x2, y1 - y2) / a["head"]


def pair_people(gt: list[dict], pred: list[dict]) -> dict[int, int]:
    """Predicted to annotated person: everyone's favourite, and the best of those with the same favourite."""
    favourites: dict[int, list[tuple[float, int]]] = {}
    for p, b in enumerate(pred):
        shares = [
            sum(distance(a, b, j) <= 0.5 for j in range(15)) / len(a["joints"]) if a["joints"] else 0.0 for a in gt
        ]
        if shares and max(shares) > 0:
            favourites.setdefault(shares.index(max(shares)), []).append((-max(shares), p))
    return {min(admirers)[1]: g for g, admirers in favourites.items()}


def labels(frames: list[tuple[list[dict], list[dict]]]) -> tuple[list[list[tuple[float, bool]]], list[int]]:
    """For each joint, score and label of each prediction; and the number of annotated joints."""
    found: list[list[tuple[float, bool]]] = [[] for _ in range(15)]
    annotated = [0] * 15
    for gt, pred in frames:
        pairs = pair_people(gt, pred)
        for a in gt:
            for j in a["joints"]:
                annotated[j] += 1
        for p, b in enumerate(pred):
            for j, (_, _, score) in b["joints"].items():
                right = p in pairs and distance(gt[pairs[p]], b, j) <= 0.5
                found[j].append((score, right))
    return found, annotated


def average_precision(found: list[tuple[float, bool]], annotated: int) -> float:
    """Area under the envelope, in percent; scores must all differ."""
    if not found:
        return 0.0
    if not annotated:
        return math.nan
    points, right = [], 0
    for k, (_, label) in enumerate(sorted(found, reverse=True), 1):
        right += label
        points.append((right / annotated, right / k))
    area, reached = 0.0, 0.0
    for recall in sorted({r for r, _ in points}):
        area += (recall - reached) * max(p for r, p in points if r >= recall)
        reached = recall
    return 100 * area


def best_assignment(allowed: dict[tuple[int, int], float]) -> list[tuple[int, int]]:
    """Most pairs, then least distance, by trying all."""
    rows, columns = sorted({r for r, _ in allowed}), sorted({c for _, c in allowed})
    best, best_key = [], (0, 0.0)
    for size in range(min(len(rows), len(columns)), 0, -1):
        for chosen in itertools.combinations(rows, size):
            for to in itertools.permutations(columns, size):
                pairs = list(zip(chosen, to, strict=True))
                if all(pair in allowed for pair in pairs):
                    key = (-size, sum(allowed[pair] for pair in pairs))
                    if key < best_key:
                        best, best_key = pairs, key
        if best:
            return best
    return best


def track(frames: list[tuple[list[dict], list[dict]]], j: int) -> dict[str, float]:
    """CLEAR MOT counts of joint j, all frames but the last."""
    count = dict.fromkeys(("objects", "detections", "misses", "false", "switches", "distance"), 0.0)
    last: dict[int, int] = {}
    for gt, pred in frames[:-1]:
        if not gt or not pred:
            for name in ("objects", "misses", "false"):
                count[name] += 1
            continue
        mine = [a for a in gt if j in a["joints"]]
        theirs = [b for b in pred if j in b["joints"]]
        near = {(i, k): distance(a, b, j) for i, a in enumerate(mine) for k, b in enumerate(theirs)}
        near = {pair: d for pair, d in near.items() if d <= 0.5}
        matched: dict[int, int] = {}
        for i, a in enumerate(mine):
            for k, b in enumerate(theirs):
                if last.get(a["id"]) == b["id"] and (i, k) in near and k not in matched.values():
                    matched[i] = k
        rest = {(i, k): d for (i, k), d in near.items() if i not in matched and k not in matched.values()}
        for i, k in best_assignment(rest):
            if mine[i]["id"] in last and last[mine[i]["id"]] != theirs[k]["id"]:
                count["switches"] += 1
            last[mine[i]["id"]] = theirs[k]["id"]
            matched[i] = k
        count["objects"] += len(mine)
        count["detections"] += len(matched)
        count["misses"] += len(mine) - len(matched)
        count["false"] += len(theirs) - len(matched)
        count["distance"] += sum(near[pair] for pair in matched.items())
    return count
