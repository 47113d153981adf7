from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch

from dettrack.config import DetectConfig
from dettrack.errors import InputError
from dettrack.models.detector import load_detector
from dettrack.models.detector.transformers_detector import ImageRecipe, _to_boxes
from dettrack.structures import Frame

transformers = pytest.importorskip("transformers")


def save_model(folder, labels=("person", "cat"), softmax=False):
    """A tiny random RT-DETR (sigmoid) or YOLOS (softmax with a "nobody" output), as `save_pretrained` writes it."""
    names = {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
    torch.manual_seed(0)
    if softmax:
        config = transformers.YolosConfig(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=[64, 64],
            num_detection_tokens=7, **names,
        )  # fmt: skip
        model = transformers.YolosForObjectDetection(config)
    else:
        backbone = transformers.RTDetrResNetConfig(
            embedding_size=8, hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], layer_type="basic",
            out_features=["stage2", "stage3", "stage4"],
        )  # fmt: skip
        config = transformers.RTDetrConfig(
            backbone_config=backbone, encoder_hidden_dim=16, encoder_in_channels=[8, 16, 16], encoder_ffn_dim=16,
            encoder_attention_heads=2, d_model=16, num_queries=12, decoder_in_channels=[16, 16, 16], decoder_layers=1,
            decoder_ffn_dim=16, decoder_attention_heads=2, decoder_n_points=2, num_denoising=0, **names,
        )  # fmt: skip
        model = transformers.RTDetrForObjectDetection(config)
    model.save_pretrained(folder)
    size = {"shortest_edge": 64, "longest_edge": 96} if softmax else {"height": 64, "width": 64}
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"size": size, "do_normalize": softmax, "do_rescale": True, "resample": 2})
    )
    return model.eval()


SMALL = {
    "d_model": 16, "num_queries": 12, "decoder_layers": 2, "decoder_ffn_dim": 16, "decoder_n_points": 2,
    "id2label": {0: "person", 1: "cat"}, "label2id": {"person": 0, "cat": 1},
}  # fmt: skip


def later_model(kind):
    """A tiny random network of one of the later families, all of which answer with a sigmoid for each label."""
    if kind in ("RfDetr", "LwDetr"):
        cls = transformers.RfDetrDinov2Config if kind == "RfDetr" else transformers.LwDetrViTConfig
        sizes = {"image_size": 64, "patch_size": 16, "num_windows": 1, "out_indices": [1, 2]}
        backbone = cls(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, **sizes)
        heads = {"decoder_self_attention_heads": 2, "decoder_cross_attention_heads": 2, "group_detr": 1}
        more = heads if kind == "RfDetr" else {**heads, "projector_scale_factors": [1.0]}
    else:
        backbone = transformers.RTDetrResNetConfig(
            embedding_size=8, hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], layer_type="basic",
            out_features=["stage2", "stage3", "stage4"],
        )  # fmt: skip
        more = {
            "encoder_hidden_dim": 16, "encoder_in_channels": [8, 16, 16], "encoder_ffn_dim": 16,
            "encoder_attention_heads": 2, "decoder_in_channels": [16, 16, 16], "decoder_attention_heads": 2,
            "num_denoising": 0,
        }  # fmt: skip
    config = getattr(transformers, f"{kind}Config")(backbone_config=backbone, **SMALL, **more)
    model = getattr(transformers, f"{kind}ForObjectDetection")(config).eval()
    for name, values in model.named_parameters():
        if "class_embed" in name and name.endswith("bias"):  # made for training they all answer 0.01
            torch.nn.init.zeros_(values)
    return model


@pytest.mark.parametrize("kind", ["RTDetrV2", "DFine", "Deimv2", "RfDetr", "LwDetr"])
def test_a_later_family_gives_its_own_answer(tmp_path, kind):
    if not hasattr(transformers, f"{kind}ForObjectDetection"):
        pytest.skip(f"transformers {transformers.__version__} has no {kind}")
    torch.manual_seed(0)
    model = later_model(kind)
    model.save_pretrained(tmp_path)
    recipe = {"size": {"height": 64, "width": 64}, "do_normalize": False, "resample": 2}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(recipe))
    detector = load_detector(DetectConfig(detector=f"hf:{tmp_path}"), device="cpu", threads=1)
    (frame,) = frames((120, 160))
    (found,) = detector.detect([frame])
    image = cv2.resize(frame.image, (64, 64)).astype(np.float32).transpose(2, 0, 1) / 255
    with torch.inference_mode():
        output = model(pixel_values=torch.from_numpy(image[None]))
    scores = output.logits[0].sigmoid()[:, 0].numpy()
    kept = np.sort(scores[scores >= 0.05])[::-1]
    np.testing.assert_allclose(found.scores, kept, rtol=1e-4)
    assert len(kept)
    x, y, w, h = output.pred_boxes[0, scores.argmax()].numpy() * np.array([160, 120, 160, 120])
    expected = np.clip([x - w / 2 - 0.5, y - h / 2 - 0.5, x + w / 2 - 0.5, y + h / 2 - 0.5], 0, [159, 119] * 2)
    np.testing.assert_allclose(found.xyxy[0], expected, atol=0.05)


def frames(*sizes):
    rng = np.random.default_rng(0)
    return [Frame(i, i / 25, rng.integers(0, 255, (*size, 3), np.uint8)) for i, size in enumerate(sizes)]


@pytest.mark.parametrize("softmax", [False, True])
def test_a_saved_model_gives_its_own_answer(tmp_path, softmax):
    model = save_model(tmp_path, softmax=softmax)
    detector = load_detector(DetectConfig(detector=f"hf:{tmp_path}"), device="cpu", threads=1)
    video = frames((120, 160), (90, 200), (120, 160))
    found = detector.detect(video)
    # by hand, for the last frame
    image = cv2.resize(video[2].image, (85, 64) if softmax else (64, 64)).astype(np.float32) / 255
    if softmax:
        image = (image - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])
    with torch.inference_mode():
        output = model(pixel_values=torch.from_numpy(image.transpose(2, 0, 1)[None].astype(np.float32)))
    logits = output.logits[0]
    scores = (logits.softmax(-1) if softmax else logits.sigmoid())[:, 0].numpy()
    best = scores.argmax()
    x, y, w, h = output.pred_boxes[0, best].numpy() * np.array([160, 120, 160, 120])
    np.testing.assert_allclose(found[2].scores[0], scores[best], rtol=1e-4)
    expected = np.clip([x - w / 2 - 0.5, y - h / 2 - 0.5, x + w / 2 - 0.5, y + h / 2 - 0.5], 0, [159, 119] * 2)
    np.testing.assert_allclose(found[2].xyxy[0], expected, atol=0.05)
    assert all((np.diff(boxes.scores) <= 0).all() for boxes in found)
    assert ("yolos" if softmax else "rt_detr") in detector.description


def test_models_without_persons_are_refused(tmp_path):
    save_model(tmp_path, labels=("dog", "cat"))
    with pytest.raises(InputError, match="it knows no person, only dog, cat"):
        load_detector(DetectConfig(detector=f"hf:{tmp_path}"), device="cpu")


def test_wrong_folders_get_one_line(tmp_path):
    for name, message in ((tmp_path / "none", "no such folder"), (tmp_path, "not a detection model")):
        with pytest.raises(InputError, match=message) as error:
            load_detector(DetectConfig(detector=f"hf:{name}"), device="cpu")
        assert "\n" not in str(error.value)


def test_a_folder_without_recipe_is_refused(tmp_path):
    save_model(tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(InputError, match="no preprocessor_config"):
        load_detector(DetectConfig(detector=f"hf:{tmp_path}"), device="cpu")


def test_sizes_of_all_kinds():
    fixed = ImageRecipe.from_config({"size": {"height": 640, "width": 512}})
    assert fixed.size_for(100, 900) == (640, 512)
    shortest = ImageRecipe.from_config({"size": {"shortest_edge": 800, "longest_edge": 1333}})
    assert shortest.size_for(480, 640) == (800, 1067)
    assert shortest.size_for(400, 1600) == (333, 1333)
    assert ImageRecipe.from_config({"size": 800, "max_size": 1000}).size_for(480, 640) == (750, 1000)
    assert ImageRecipe.from_config({"do_resize": False}).size_for(7, 9) == (7, 9)
    assert ImageRecipe.from_config({"size": {"height": 640, "width": 640}}, longer=320).size_for(1, 1) == (320, 320)


def test_boxes_leave_out_what_is_surely_nobody():
    boxes = _to_boxes(
        np.array([0.01, 0.3, 0.8]), np.array([[0.5, 0.5, 1, 1], [0.5, 0.5, 0.2, 0.2], [0, 0, 1, 1]]), (50, 100)
    )
    np.testing.assert_allclose(boxes.scores, [0.8, 0.3])
    np.testing.assert_allclose(boxes.xyxy, [[0, 0, 49.5, 24.5], [39.5, 19.5, 59.5, 29.5]])
