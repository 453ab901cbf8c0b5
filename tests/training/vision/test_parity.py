import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.training.vision.test_few_shot import Pair, train
from training.vision.backbones import Backbone
from training.vision.examples import check_examples
from training.vision.exports import export_model
from training.vision.few_shot import Workbench, predict_images
from training.vision.parity import ParityBroken, agrees, make_parity, read_parity, read_png, shrink, write_png
from training.vision.predictions import Prediction
from training.vision.recipes import Recipe
from training.vision.sessions import open_session


@pytest.mark.parametrize("shape", [(1, 1, 3), (37, 91, 3), (200, 200, 3)])
def test_pngs_are_what_everybody_reads(shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    data = write_png(pixels)
    assert (np.asarray(Image.open(io.BytesIO(data))) == pixels).all()
    assert (read_png(data) == pixels).all()
    with pytest.raises(ValueError, match="not a PNG of ours"):
        read_png(b"GIF89a" + data)


def test_large_images_shrink_by_whole_blocks() -> None:
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    # Blocks of 2 × 2; the first averages 0, 3, 18 and 21 in its first channel: 10.5, to the even 10.
    assert shrink(pixels, 3).shape == (2, 3, 3)
    assert shrink(pixels, 3)[0, 0].tolist() == [10, 12, 12]
    assert shrink(pixels, 6) is not None
    assert shrink(np.zeros((1, 4000, 3), np.uint8), 640).shape == (1, 571, 3)


def test_an_export_answers_as_evaluated_and_proves_it(
    pair: Pair, workbench: Workbench, backbone: Backbone, tiny: Recipe
) -> None:
    examples = check_examples(*pair, 2)
    trained = train(examples, replace(tiny, steps=60, learning_rate=0.01), workbench)
    parity = make_parity(trained, examples, workbench)
    exported = export_model(trained, backbone, parity.to_bytes(), {"id": "m"})
    manifest = json.loads(exported["manifest.json"])
    assert (manifest["classes"], manifest["model"]) == (["red", "blue"], {"id": "m"})
    assert "Apache License" in manifest["notice"], "the backbone's weights travel with their licence"
    session = open_session(exported["model.onnx"])
    found = Prediction(*session.run(None, {"image": pair[0][0]}))
    assert agrees(found, predict_images(trained, pair[0][:1], workbench)[0])
    # Whoever has the manifest can prove it too.
    stored = read_parity(json.dumps(manifest["parity"]).encode())
    assert all(agrees(Prediction(*session.run(None, {"image": read_png(i.png)})), i.expected) for i in stored.images)
    assert len(stored.images[0].expected.scores) > 0

    other = replace(trained, weights={**trained.weights, "box_head.output.bias": np.ones(4, np.float16)})
    with pytest.raises(ParityBroken, match="parity image 0"):
        export_model(other, backbone, parity.to_bytes(), {})


def test_agreement_forgives_places_but_not_answers() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 5, 9, 9]], np.float32)
    one = Prediction(boxes, np.array([0.5, 0.4999], np.float32), np.array([0, 1]))
    order = [1, 0]
    assert agrees(Prediction(one.boxes[order] + 0.05, one.scores[order], one.classes[order]), one)
    assert not agrees(replace(one, classes=np.array([0, 0])), one)
    assert not agrees(replace(one, boxes=boxes + 0.2), one)
    assert not agrees(replace(one, scores=one.scores - 0.01), one)
    assert not agrees(Prediction(boxes[:1], one.scores[:1], one.classes[:1]), one)
    nothing = Prediction(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    assert agrees(nothing, nothing)
