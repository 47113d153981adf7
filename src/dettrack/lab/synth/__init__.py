"""Synthetic scenes with exact annotations: for training, experiments and the demonstration.

`draw_scene(seed, index, config)` and `Renderer(scene).frame(number)` give frames and truth in memory;
`draw_tubes` gives training samples without rendering whole frames; `write_scenes` and `demo_scene` write files.
"""

from dettrack.lab.synth.mocap import load_recordings
from dettrack.lab.synth.render import Rendered, Renderer, Truth, Visibility
from dettrack.lab.synth.scene import Scene, SceneConfig, draw_scene
from dettrack.lab.synth.world import find_photos
from dettrack.lab.synth.write import demo_scene, write_scenes

__all__ = [
    "Rendered",
    "Renderer",
    "Scene",
    "SceneConfig",
    "Truth",
    "Visibility",
    "demo_scene",
    "draw_scene",
    "find_photos",
    "load_recordings",
    "write_scenes",
]
