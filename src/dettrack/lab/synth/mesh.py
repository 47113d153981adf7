"""The skin and clothes of a person: tubes of rings around the bones, bent by linear blend skinning.

Every part is a grid of vertices (rings along it, columns around it, first column = last at the back), so
that it can be refined to any density and textured by its own two coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from dettrack.lab.synth.body import BONES, Body
from dettrack.lab.synth.figure import COLUMNS, Outfit, Rings, foot, hand, limbs, neck, skirt, trunk
from dettrack.lab.synth.head import head, long_hair
from dettrack.lab.synth.surface import Part

__all__ = ["Mesh", "build_mesh", "pose_mesh"]


@dataclass(frozen=True)
class Mesh:
    """A person at rest, ready to be posed.

    Attributes:
        parts: The grids, one after the other in the vertex arrays.
        bones: The two bones that each vertex follows.
        weights: How much it follows each; they sum to 1.
        local: Its place in each bone's axes, metres.
    """

    parts: tuple[Part, ...]
    bones: Int[np.ndarray, "vertices 2"]
    weights: Float[np.ndarray, "vertices 2"]
    local: Float[np.ndarray, "vertices 2 3"]


def pose_mesh(
    mesh: Mesh, joints: Float[np.ndarray, "bones 3"], axes: Float[np.ndarray, "bones 3 3"]
) -> Float[np.ndarray, "vertices 3"]:
    """Vertices in the world for one frame's bones.

    Args:
        mesh: At rest.
        joints: Positions of the bones, metres.
        axes: Axes of the bones.

    Returns:
        Metres.
    """
    moved = np.einsum("vkij,vkj->vki", axes[mesh.bones], mesh.local) + joints[mesh.bones]
    return (moved * mesh.weights[..., None]).sum(1)


def _grid(rings: Rings, columns: int = COLUMNS) -> tuple[Float[np.ndarray, "rings columns 2 3"], int]:
    angle = np.linspace(-np.pi, np.pi, columns)
    cos, sin = np.cos(angle), np.sin(angle)
    if rings.square != 1:
        cos, sin = (np.sign(v) * np.abs(v) ** rings.square for v in (cos, sin))
    local = np.repeat(rings.centre[:, None], columns, 1)
    local[..., 0] += (rings.forward[:, None] * cos)[..., None]
    local[..., 2] += (rings.side[:, None] * sin)[..., None]
    return local, columns


def build_mesh(body: Body, outfit: Outfit) -> Mesh:
    """All parts of one person at rest.

    Args:
        body: Sizes of the person.
        outfit: What the person wears.

    Returns:
        Vertices, the bones that move them, and how they are joined.
    """
    names: list[str] = []
    grids: list[Float[np.ndarray, "_rings _columns 2 3"]] = []
    bones: list[Int[np.ndarray, "_vertices 2"]] = []
    weights: list[Float[np.ndarray, "_vertices 2"]] = []

    def add(name: str, rings: list[Rings]) -> None:
        grid = np.concatenate([_grid(r)[0] for r in rings])
        names.append(name)
        grids.append(grid)
        second = np.concatenate([np.repeat(r.weight, COLUMNS) for r in rings])
        weights.append(np.stack([1 - second, second], 1))
        bones.append(np.concatenate([np.tile(r.bones, (len(r.weight) * COLUMNS, 1)) for r in rings]))

    def add_rigid(name: str, bone: str, grid: Float[np.ndarray, "rings columns 3"]) -> None:
        names.append(name)
        grids.append(np.repeat(grid[:, :, None], 2, 2))
        count = grid.shape[0] * grid.shape[1]
        weights.append(np.tile([1.0, 0.0], (count, 1)))
        bones.append(np.full((count, 2), BONES.index(bone)))

    add("trunk", [trunk(body, outfit)])
    add("neck", [neck(body)])
    for name, rings in limbs(body, outfit).items():
        add(name, rings)
    for side in ("left", "right"):
        palm, thumb = hand(body, side)
        add(f"{side}_hand", [palm])
        add(f"{side}_thumb", [thumb])
        add_rigid(f"{side}_foot", f"{side}_ankle", foot(body, side))
    add_rigid("head", "neck", head(body, outfit))
    if outfit.hair_length > 0.05 and outfit.hair > 0:
        add_rigid("hair", "neck", long_hair(body, outfit))
    if outfit.skirt > 0:
        add("skirt", skirt(body, outfit))
    parts, start = [], 0
    for name, grid in zip(names, grids, strict=True):
        parts.append(Part(name, start, grid.shape[0], grid.shape[1]))
        start += grid.shape[0] * grid.shape[1]
    local = np.concatenate([g.reshape(-1, 2, 3) for g in grids])
    return Mesh(tuple(parts), np.concatenate(bones), np.concatenate(weights), local)
