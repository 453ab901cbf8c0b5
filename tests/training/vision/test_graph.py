"""The graphs answer as the PyTorch modules do; tolerances are stated here and nowhere loosened."""

import json

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from torch.nn import functional

from training.vision.backbones import Backbone
from training.vision.detector import Detector, select_detections
from training.vision.graph import HeadSpec, build_feature_graph, build_head_graph, merge_graphs
from training.vision.sessions import FeatureSession, HeadSession, PairedDetector, network_size, open_session

SPEC = HeadSpec(finest=8, channels=16, depth=1, anchor_scale=4.0, score_threshold=0.05, nms_iou=0.5)
FEATURE_TOLERANCE = 1e-3  # features have a deviation of 2 to 6
RESIZE_TOLERANCE = 2  # of 255: both resize in two passes and round each in its own way; training uses the graph's
BOX_TOLERANCE = 0.01  # pixels
SCORE_TOLERANCE = 1e-5
SIZES = [(200, 200), (101, 63), (37, 91), (1, 1), (480, 640), (1, 400)]


def photograph(height: int, width: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Something with structure: noise of 8 × 8 pixels, resized."""
    small = torch.from_numpy(np.random.default_rng(seed).uniform(0, 255, (1, 3, 8, 8)).astype(np.float32))
    large = functional.interpolate(small, size=(height, width), mode="bilinear")[0]
    return large.byte().permute(1, 2, 0).contiguous().numpy()


@pytest.fixture(scope="module")
def features(backbone: Backbone) -> FeatureSession:
    return FeatureSession(build_feature_graph(backbone).SerializeToString())


@pytest.fixture(scope="module")
def detector(backbone: Backbone) -> Detector:
    torch.manual_seed(5)
    made = Detector(backbone.module.channels, 16, 1, classes=3).eval()
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "output" in name:
                weight.normal_(std=0.3)
            elif weight.ndim == 1:
                weight.add_(torch.randn_like(weight) * 0.2)
    return made


def as_arrays(detector: Detector) -> dict[str, npt.NDArray[np.float32]]:
    return {name: weight.detach().numpy() for name, weight in detector.named_parameters()}


@pytest.fixture(scope="module")
def heads(backbone: Backbone, detector: Detector) -> HeadSession:
    return HeadSession(build_head_graph(SPEC, backbone.module).SerializeToString())


@pytest.mark.parametrize("size", [(64, 64), (128, 192)])
def test_backbone_features_agree(backbone: Backbone, features: FeatureSession, size: tuple[int, int]) -> None:
    pixels = photograph(*size)  # of the network's own size: nothing is resized
    theirs = backbone.module(torch.from_numpy(pixels).permute(2, 0, 1)[None].float())
    for ours, expected in zip(features.extract(pixels, size).values(), theirs, strict=True):
        np.testing.assert_allclose(ours, expected.numpy(), atol=FEATURE_TOLERANCE)


@pytest.mark.parametrize("shape", SIZES)
def test_resizing_agrees_with_torch(shape: tuple[int, int]) -> None:
    from training.vision.nodes import GraphWriter, write_preprocessing

    writer = GraphWriter()
    image = writer.take("image", onnx.TensorProto.UINT8, ["h", "w", 3])
    size = writer.take("size", onnx.TensorProto.INT64, [2])
    value = write_preprocessing(writer, image, size, mean=0.0, scale=1.0)
    writer.give(value, "out", onnx.TensorProto.FLOAT, [1, 3, "h2", "w2"])
    pixels, target = photograph(*shape), network_size(*shape, 192)
    [ours] = open_session(writer.build("resize", {}).SerializeToString()).run(
        None, {"image": pixels, "size": np.array(target)}
    )
    planes = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    theirs = functional.interpolate(planes, size=target, mode="bilinear", antialias=True).numpy()
    assert np.abs(ours - theirs).max() <= RESIZE_TOLERANCE


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("shape", SIZES)
def test_detections_agree(
    features: FeatureSession, heads: HeadSession, detector: Detector, shape: tuple[int, int], grey: bool
) -> None:
    pixels = photograph(*shape)
    if grey:
        pixels = np.repeat(pixels[:, :, :1], 3, axis=2)
    size = network_size(*shape, 192)
    found = PairedDetector(features, heads).predict(pixels, as_arrays(detector), 192)
    extracted = features.extract(pixels, size)
    with torch.no_grad():
        logits, deltas = detector([torch.from_numpy(feature) for feature in extracted.values()])
    expected = select_detections(
        logits[0], deltas[0], size=size, image_size=shape, anchor_scale=4.0, score_threshold=0.05, nms_iou=0.5
    )
    assert len(found.scores) == len(expected.scores) > 0
    np.testing.assert_allclose(found.scores, expected.scores.numpy(), atol=SCORE_TOLERANCE)
    np.testing.assert_allclose(found.boxes, expected.boxes.numpy(), atol=BOX_TOLERANCE)
    assert found.classes.tolist() == expected.classes.tolist()


@pytest.mark.parametrize("shape", SIZES)
def test_the_merged_graph_answers_as_the_pair(
    backbone: Backbone, features: FeatureSession, heads: HeadSession, detector: Detector, shape: tuple[int, int]
) -> None:
    weights = as_arrays(detector)
    merged = merge_graphs(backbone, SPEC, weights, long_side=192, classes=["a", "b", "c"])
    pixels = photograph(*shape)
    boxes, scores, classes = open_session(merged.SerializeToString()).run(None, {"image": pixels})
    pair = PairedDetector(features, heads).predict(pixels, weights, 192)
    np.testing.assert_allclose(scores, pair.scores, atol=SCORE_TOLERANCE)
    np.testing.assert_allclose(boxes, pair.boxes, atol=BOX_TOLERANCE)
    assert classes.tolist() == pair.classes.tolist()
    assert [node.name for node in merged.graph.input] == ["image"]
    assert json.loads({p.key: p.value for p in merged.metadata_props}["classes"]) == ["a", "b", "c"]


def test_one_head_graph_serves_any_number_of_classes(
    backbone: Backbone, features: FeatureSession, heads: HeadSession
) -> None:
    other = Detector(backbone.module.channels, 16, 1, classes=7).eval()
    with torch.no_grad():
        other.class_head.output.bias.copy_(torch.tensor([-9.0, -9, -9, -9, -9, -9, 3.0]))
    found = PairedDetector(features, heads).predict(photograph(64, 64), as_arrays(other), 64)
    assert set(found.classes.tolist()) == {6}


def test_nothing_found_is_empty_not_an_error(features: FeatureSession, heads: HeadSession, detector: Detector) -> None:
    weights = {**as_arrays(detector), "class_head.output.bias": np.full(3, -90, np.float32)}
    found = PairedDetector(features, heads).predict(photograph(64, 64), weights, 64)
    assert (found.boxes.shape, found.scores.shape, found.classes.shape) == ((0, 4), (0,), (0,))


def test_equal_models_give_equal_bytes(backbone: Backbone) -> None:
    first, second = (build_feature_graph(backbone).SerializeToString(deterministic=True) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((200, 200), (320, 320)), ((3000, 4000), (256, 320)), ((1, 4000), (64, 320)), ((100, 55), (320, 192))],
)
def test_network_size_keeps_the_aspect_to_the_nearest_64(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    # 320 · 3000 / 4000 = 240, 3.75 · 64: four. 320 · 55 / 100 = 176, 2.75 · 64: three.
    assert network_size(*shape, 320) == expected
