"""Who walks where and does what: the scenarios, as plans for each person in the space that the camera sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from dettrack.errors import UsageError
from dettrack.lab.synth.motion import Action
from dettrack.lab.synth.poses import ACTIONS

__all__ = ["SCENARIOS", "Plan", "Stage", "plan_people"]

_STANDING = [name for name in ACTIONS if name not in ("hug", "couple", "idle")]
_UPPER = [name for name, (_, _, upper, _) in ACTIONS.items() if upper and name not in ("hug", "couple")]


@dataclass(frozen=True)
class Stage:
    """What the camera sees, for placing people. The camera stands at z = `distance` and looks towards -z.

    Attributes:
        seconds: Length of the scene.
        distance: Of the camera from the middle of the scene, metres.
        focal: Focal length in picture widths.
        back: z of the furthest place where people go is -`back`, metres.
    """

    seconds: float
    distance: float
    focal: float
    back: float

    def reach(self, z: float) -> float:
        """Half the width that is seen at depth z, metres."""
        return (self.distance - z) / (2 * self.focal)


@dataclass(frozen=True)
class Plan:
    """One person's part.

    Attributes:
        points: `(seconds, x, z)` on the way.
        actions: What is done when.
        facing: Heading when standing, radians; -π/2 looks at the camera; None keeps the walking direction.
        spin: Turns of the heading per second while standing (dancers).
        recorded: Whether a recorded motion may take the place of the plan.
    """

    points: tuple[tuple[float, float, float], ...]
    actions: tuple[Action, ...] = ()
    facing: float | None = None
    spin: float = 0.0
    recorded: bool = True


def _actions(rng: np.random.Generator, start: float, stop: float, names: list[str] | None = None) -> tuple[Action, ...]:
    """Actions one after the other from `start` to `stop` seconds."""
    found = []
    while start < stop - 0.5:
        length = min(float(rng.uniform(1.5, 4.0)), stop - start)
        name = str(rng.choice(names or _STANDING))
        found.append(Action(name, start, start + length, bool(rng.random() < 0.5), float(rng.uniform(0.7, 1.3))))
        start += length
    return tuple(found)


def _toward(rng: np.random.Generator, spread: float = 1.2) -> float:
    """A heading around the camera's direction."""
    return float(-np.pi / 2 + rng.normal(0, spread))


def _walker(
    rng: np.random.Generator, stage: Stage, z: float, meet_s: float, meet_x: float, outside: float = 1.25
) -> Plan:
    """Walks through the picture, over the place `(meet_x, z)` at `meet_s` seconds."""
    speed = float(rng.choice([rng.uniform(0.7, 1.6), rng.uniform(0.7, 1.6), rng.uniform(2.2, 3.6)]))
    sign, slope = rng.choice([-1, 1]), rng.uniform(-0.3, 0.3)
    reach = outside * stage.reach(z) + 0.6
    before, after = (meet_x * sign + reach) / speed, (reach - meet_x * sign) / speed
    points = (
        (meet_s - before, -sign * reach, z - slope * before),
        (meet_s, meet_x, z),
        (meet_s + after, sign * reach, z + slope * after),
    )
    actions = _actions(rng, 0.5, stage.seconds, _UPPER) if rng.random() < 0.35 else ()
    return Plan(points, actions)


def _stander(rng: np.random.Generator, stage: Stage, x: float, z: float) -> Plan:
    still = ((0.0, x, z),)
    return Plan(still, _actions(rng, float(rng.uniform(-1, 1)), stage.seconds), _toward(rng))


def _stroller(rng: np.random.Generator, stage: Stage, depth: tuple[float, float]) -> Plan:
    """Walks to and fro within the picture, stopping to do something."""
    time, points = 0.0, []
    z = float(rng.uniform(*depth))
    x = float(rng.uniform(-0.8, 0.8) * stage.reach(z))
    pauses = []
    while time < stage.seconds:
        points.append((time, x, z))
        pause = float(rng.uniform(0.3, 2.5))
        points.append((time + pause, x, z))
        pauses.append((time, time + pause))
        new_z = float(np.clip(z + rng.normal(0, 1.0), *depth))
        new_x = float(rng.uniform(-0.8, 0.8) * stage.reach(new_z))
        time += pause + float(np.hypot(new_x - x, new_z - z)) / float(rng.uniform(0.8, 1.7)) + 0.1
        x, z = new_x, new_z
    points.append((time, x, z))
    actions = tuple(a for start, stop in pauses for a in _actions(rng, start, stop + 0.3))
    return Plan(tuple(points), actions, _toward(rng, 0.9) if rng.random() < 0.5 else None)


def _cross(rng: np.random.Generator, stage: Stage) -> list[Plan]:
    """Two to four people who pass each other at the same place and time, one behind the other."""
    meet, x = stage.seconds * float(rng.uniform(0.35, 0.65)), float(rng.uniform(-0.3, 0.3))
    depth = float(rng.uniform(-0.8, 0.4))
    plans = []
    for number in range(int(rng.choice([2, 2, 3, 4]))):
        plan = _walker(rng, stage, depth - number * float(rng.uniform(0.35, 0.8)), meet + rng.normal(0, 0.15), x)
        if number % 2:  # every second one comes the other way
            plan = replace(plan, points=tuple((t, 2 * x - px, z) for t, px, z in plan.points))
        plans.append(plan)
    return [replace(p, recorded=False) for p in plans]


def _entangled(rng: np.random.Generator, stage: Stage) -> list[Plan]:
    """Pairs who hold each other and turn, dance closely or box."""
    plans = []
    for pair in range(int(rng.choice([1, 1, 2]))):
        centre = np.array([rng.uniform(-0.4, 0.4) * stage.reach(0.0) + pair * 1.2, rng.uniform(-1.2, 0.6)])
        gap, spin = float(rng.uniform(0.16, 0.34)), float(rng.uniform(-0.25, 0.25))
        start, kind = float(rng.uniform(0, 2 * np.pi)), str(rng.choice(["couple", "hug", "dance", "box", "couple"]))
        times = np.arange(0, stage.seconds + 0.5, 0.2)
        drift = np.stack([np.sin(times * rng.uniform(0.3, 0.8)), np.cos(times * rng.uniform(0.3, 0.8))], 1) * 0.3
        for member in (0, 1):
            angle = start + 2 * np.pi * spin * times + np.pi * member
            # Now and then they come apart and together again.
            apart = gap * (1 + 0.9 * np.maximum(np.sin(times * 1.1 + start), 0))
            x = centre[0] + drift[:, 0] + apart * np.cos(angle)
            z = centre[1] + drift[:, 1] - apart * np.sin(angle)
            actions = (Action(kind, -1.0, stage.seconds + 1, bool(rng.random() < 0.5), float(rng.uniform(0.8, 1.2))),)
            points = tuple(zip(times.tolist(), x.tolist(), z.tolist(), strict=True))
            plans.append(Plan(points, actions, float(start + np.pi * (member + 1)), spin, recorded=False))
    return plans


def _leave_return(rng: np.random.Generator, stage: Stage) -> list[Plan]:
    """Someone near the border leaves the picture and comes back before the end, while others stay."""
    plans = []
    for _ in range(int(rng.integers(1, 3))):
        z, sign = float(rng.uniform(-1.5, 0.5)), float(rng.choice([-1, 1]))
        x = float(rng.uniform(0.35, 0.7)) * stage.reach(z)
        away = 1.15 * stage.reach(z) + 0.4
        speed = float(np.clip(2 * (away - x) / (0.65 * stage.seconds), 1.2, 3.5))
        walk = (away - x) / speed
        leave = float(rng.uniform(0.05, 0.15)) * stage.seconds
        back = leave + walk + float(rng.uniform(0.05, 0.15)) * stage.seconds
        there, gone, nearer = (sign * x, z), (sign * away, z), (sign * x, z - 0.4)
        ways = ((0.0, *there), (leave, *there), (leave + walk, *gone), (back, sign * away, z - 0.4))
        plans.append(Plan((*ways, (back + walk, *nearer)), (), recorded=False))
    x, z = float(rng.uniform(-0.7, 0.7) * stage.reach(-1.0)), float(rng.uniform(-2, 0.3))
    return [*plans, _stander(rng, stage, x, z)]


def _crowd(rng: np.random.Generator, stage: Stage) -> list[Plan]:
    """Six to ten people, standing, strolling and walking through."""
    plans = []
    for number in range(int(rng.integers(6, 11))):
        z = float(rng.uniform(-stage.back, 0.8))
        if number % 3 == 0:
            plans.append(_walker(rng, stage, z, stage.seconds * float(rng.uniform(0.1, 0.9)), 0.0))
        elif number % 3 == 1:
            plans.append(_stander(rng, stage, float(rng.uniform(-0.85, 0.85) * stage.reach(z)), z))
        else:
            plans.append(_stroller(rng, stage, (-stage.back, 0.8)))
    return plans


def _small_large(rng: np.random.Generator, stage: Stage) -> list[Plan]:
    """One or two people close to the camera, others far behind them."""
    plans = []
    for _ in range(int(rng.integers(1, 3))):
        z = float(stage.distance - rng.uniform(1.9, 2.8))
        plans.append(_stander(rng, stage, float(rng.uniform(-0.6, 0.6) * stage.reach(z)), z))
    for _ in range(int(rng.integers(3, 7))):
        z = float(rng.uniform(-3.0 * stage.back, -stage.back))
        walks = rng.random() < 0.5
        x = float(rng.uniform(-0.85, 0.85) * stage.reach(z))
        plans.append(
            _walker(rng, stage, z, stage.seconds * float(rng.random()), x) if walks else _stander(rng, stage, x, z)
        )
    return plans


def _mixed(rng: np.random.Generator, stage: Stage) -> list[Plan]:
    """Two to five people doing this and that."""
    plans = []
    for _ in range(int(rng.integers(2, 6))):
        z, kind = float(rng.uniform(-2.0, 0.8)), rng.random()
        x = float(rng.uniform(-0.8, 0.8) * stage.reach(z))
        if kind < 0.4:
            plans.append(_stander(rng, stage, x, z))
        elif kind < 0.75:
            plans.append(_stroller(rng, stage, (-2.0, 0.8)))
        else:
            plans.append(_walker(rng, stage, z, stage.seconds * float(rng.random()), x))
    return plans


def _apart(rng: np.random.Generator, stage: Stage) -> list[Plan]:
    """Three people who keep apart and do something, and one who walks past behind them."""
    plans = []
    for place in (-0.62, 0.0, 0.62):
        z = float(rng.uniform(-0.4, 0.5))
        x = float((place + rng.uniform(-0.1, 0.1)) * stage.reach(z))
        plans.append(replace(_stander(rng, stage, x, z), facing=_toward(rng, 0.6)))
    walker = _walker(rng, stage, float(rng.uniform(-2.0, -1.2)), stage.seconds * float(rng.uniform(0.35, 0.65)), 0.0)
    return [*plans, walker]


SCENARIOS: dict[str, Callable[[np.random.Generator, Stage], list[Plan]]] = {
    "mixed": _mixed,
    "apart": _apart,
    "cross": _cross,
    "entangled": _entangled,
    "leave-return": _leave_return,
    "crowd": _crowd,
    "small-large": _small_large,
}


def plan_people(rng: np.random.Generator, scenario: str, stage: Stage) -> list[Plan]:
    """The people of a scene.

    Args:
        rng: Draws everything.
        scenario: Its name.
        stage: Where people can go.

    Returns:
        One plan a person.

    Raises:
        UsageError: Unknown scenario.
    """
    if scenario not in SCENARIOS:
        raise UsageError(f"--scenario is {scenario!r}: expected one of {', '.join(SCENARIOS)}")
    return SCENARIOS[scenario](rng, stage)
