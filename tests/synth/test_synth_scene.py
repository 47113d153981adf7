"""Scenes: the same from the seed alone, valid for the evaluator, frame by frame."""

from __future__ import annotations

import numpy as np
import pytest

from dettrack.synth import Renderer, SceneConfig, draw_scene
from dettrack.synth.annotate import sequence_name, to_sequence

SMALL = SceneConfig(size=(120, 200), frames=6)


def test_a_frame_depends_on_seed_index_and_number_only():
    scene = draw_scene(3, 4, SMALL)
    in_order = [Renderer(scene).frame(frame) for frame in range(3)]
    again = Renderer(draw_scene(3, 4, SMALL)).frame(2)
    assert np.array_equal(in_order[2].image, again.image)
    np.testing.assert_array_equal(in_order[2].truth.xy, again.truth.xy)
    assert not np.array_equal(Renderer(draw_scene(3, 5, SMALL)).frame(2).image, again.image)


@pytest.mark.parametrize("scenario", ["mixed", "cross", "entangled", "leave-return", "crowd", "small-large"])
def test_every_scenario_draws_people(scenario):
    scene = draw_scene(0, 1, SceneConfig(size=(120, 200), frames=50, scenario=scenario))
    rendered = Renderer(scene).frame(25)
    assert rendered.image.shape == (120, 200, 3)
    assert rendered.image.std() > 5
    assert rendered.truth.present.any()
    assert len(scene.actors) >= 2


def test_sequence_has_one_entry_per_person_in_view():
    scene = draw_scene(0, 0, SMALL)
    truths = [Renderer(scene).frame(frame).truth for frame in scene]
    sequence = to_sequence(sequence_name(0, 0), "val", truths)
    assert len(sequence.people) == sum(int(truth.present.sum()) for truth in truths)
    assert sequence.images[5].file_name == "images/val/000000_mpii_test/000005.jpg"
    assert sequence.images[5].image_id == 10000000005
