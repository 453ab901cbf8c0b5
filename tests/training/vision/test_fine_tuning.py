from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.training.vision.conftest import draw_image
from training.vision.artifacts import Trained, pack_model, unpack_model
from training.vision.backbone_graph import fold_blocks
from training.vision.checkpoints import Checkpoint, FolderCheckpoints
from training.vision.detector import select_detections
from training.vision.examples import Annotation, Example, check_examples
from training.vision.few_shot import Workbench, predict_images
from training.vision.fine_tuning import Picture, PictureLesson, prepare_pictures, resize, train_full
from training.vision.graph import head_spec, merge_graphs
from training.vision.recipes import Recipe
from training.vision.sessions import open_session
from training.vision.train import Stopped
from training.vision.tuning import TunedDetector, build_tuned, store_tuned
from training.vision.weights import move_weights, restore_weights

Pair = tuple[list[npt.NDArray[np.uint8]], list[Annotation]]


@pytest.fixture
def examples(pair: Pair) -> list[Example]:
    return check_examples(*pair, 2)


def train(examples: list[Example], recipe: Recipe, workbench: Workbench, **kwargs: object) -> Trained:
    pictures = [picture for own in prepare_pictures(examples, recipe, workbench) for picture in own]
    return train_full(examples, ["red", "blue"], recipe, 0, workbench=workbench, views=pictures, **kwargs)


def test_a_tuned_model_changes_the_blocks_after_the_trunk_and_no_shared_weight(
    examples: list[Example], slight: Recipe, workbench: Workbench
) -> None:
    module = workbench.backbone.module
    before = fold_blocks(module)
    trained = train(examples, slight, workbench)
    tuned = {name for name in trained.weights if name.startswith("backbone.")}
    assert {name.split(".")[1] for name in tuned} == {str(index) for index in range(3, 16)}
    # Of each block the widening and the narrowing convolution.
    assert {name.split(".", 2)[2] for name in tuned if name.startswith("backbone.5.")} == {
        *(f"{layer}.{part}{step}" for layer in (0, 2) for part in ("up", "down") for step in ("", ".step")),
        *(f"{layer}.shift" for layer in (0, 2)),
    }
    assert all(trained.weights[name].any() for name in tuned)
    after = fold_blocks(module)
    assert all(np.array_equal(after[name], before[name]) for name in before)
    # Factors of rank 16 of 1 byte, shifts of 2, and the heads.
    size = sum(len(data) for data in pack_model(trained).values())
    assert 300_000 < size < 500_000


def test_equal_inputs_give_equal_bytes_and_a_stopped_training_resumes_bit_for_bit(
    examples: list[Example], slight: Recipe, workbench: Workbench, tmp_path: Path
) -> None:
    whole = pack_model(train(examples, slight, workbench))
    assert pack_model(train(examples, slight, workbench)) == whole
    checkpoint, seen = Checkpoint(FolderCheckpoints(tmp_path / "kept"), "run"), []
    with pytest.raises(Stopped):
        train(
            examples, slight, workbench, checkpoint=checkpoint, on_progress=lambda *report: seen.append(report),
            should_stop=lambda: len(seen) == 3,
        )  # fmt: skip
    assert pack_model(train(examples, slight, workbench, checkpoint=checkpoint)) == whole


def make_tuned(recipe: Recipe, workbench: Workbench) -> tuple[TunedDetector, Trained]:
    """A detector whose blocks were moved at random, along as many directions as are stored, and its model."""
    spec, module = replace(head_spec(recipe), score_threshold=0.0), workbench.backbone.module
    tuned = build_tuned(module, spec, 2, 5)
    torch.manual_seed(1)
    moved = {}
    for name, weight in tuned.named_parameters():
        if weight.requires_grad and name.startswith("backbone."):
            scale = float(weight.detach().abs().mean()) * 2
            if weight.ndim == 4:
                left, right = torch.randn(weight.shape[0], 4), torch.randn(4, weight.shape[1])
                moved[name] = weight.detach() + scale / 4 * (left @ right)[:, :, None, None]
            else:
                moved[name] = weight.detach() + scale * torch.randn_like(weight)
    weights = store_tuned(tuned, moved, module, recipe.tuned_rank)
    return tuned, Trained(
        weights, ["red", "blue"], spec, 128, workbench.backbone.name, workbench.backbone.sha256, {}, 0, "f"
    )


def test_the_pair_of_graphs_answers_as_the_module_that_was_trained(
    pair: Pair, slight: Recipe, workbench: Workbench
) -> None:
    tuned, trained = make_tuned(slight, workbench)
    pixels = np.ascontiguousarray(np.resize(pair[0][0], (128, 128, 3)))
    found = predict_images(trained, [pixels], workbench)[0]
    with torch.no_grad():
        images = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
        logits, deltas = tuned(tuned.backbone.forward_until(images, tuned.cut))
    expected = select_detections(
        logits[0], deltas[0], size=(128, 128), image_size=(128, 128), anchor_scale=4.0, finest=8,
        score_threshold=0.0, nms_iou=0.5,
    )  # fmt: skip
    np.testing.assert_allclose(found.scores[:20], expected.scores[:20].numpy(), atol=2e-3)


def test_what_is_stored_of_the_blocks_gives_them_back(slight: Recipe, workbench: Workbench) -> None:
    tuned, trained = make_tuned(slight, workbench)
    shared, wanted = fold_blocks(workbench.backbone.module), fold_blocks(tuned.backbone)
    whole = move_weights(shared, restore_weights(trained.weights))
    for name, weight in wanted.items():
        moved = np.abs(weight - shared[name]).max()
        np.testing.assert_allclose(whole[name], weight, atol=0.03 * moved + 1e-6, rtol=1e-3)


def test_the_merged_graph_answers_as_the_pair(pair: Pair, slight: Recipe, workbench: Workbench) -> None:
    _, trained = make_tuned(slight, workbench)
    merged = merge_graphs(
        workbench.backbone, trained.heads, trained.weights, long_side=128, classes=["red", "blue"]
    ).SerializeToString()
    boxes, scores, classes = open_session(merged).run(None, {"image": pair[0][1]})
    found = predict_images(trained, [pair[0][1]], workbench)[0]
    np.testing.assert_allclose(scores, found.scores, atol=1e-5)
    np.testing.assert_allclose(boxes, found.boxes, atol=1e-2)
    assert classes.tolist() == found.classes.tolist()


def test_a_packed_model_comes_back_whole(slight: Recipe, workbench: Workbench) -> None:
    _, trained = make_tuned(slight, workbench)
    again = unpack_model(pack_model(trained))
    assert again.heads.tuned_from == slight.tuned_from
    assert again.weights.keys() == trained.weights.keys()
    assert all(np.array_equal(again.weights[name], weight) for name, weight in trained.weights.items())


def test_large_images_are_shrunk_once_and_boxes_with_them(slight: Recipe, workbench: Workbench) -> None:
    pixels = np.zeros((600, 900, 3), np.uint8)
    pixels[150:300, 300:600] = 255
    box = np.array([[300, 150, 600, 300]], np.float32)
    examples = check_examples([pixels], [Annotation(box, np.array([0]))], 1)
    picture: Picture = prepare_pictures(examples, slight, workbench)[0][0]
    # 900 × 600 at 128: 128 × 64 (multiples of 64); crops of 0.6 of it need 213 × 107 pixels.
    assert picture.size == (64, 128)
    assert isinstance(picture.pixels, Path)
    shrunk = np.load(picture.pixels)
    assert shrunk.shape == (107, 213, 3)
    x1, y1, x2, y2 = picture.boxes[0]
    assert (x1, x2) == (pytest.approx(71), pytest.approx(142))
    assert shrunk[int(y1) + 2 : int(y2) - 2, int(x1) + 2 : int(x2) - 2].min() == 255
    small = check_examples([draw_image(3, (10, 10, 40, 40), (200, 0, 0))], [Annotation(box / 10, np.array([0]))], 1)
    assert prepare_pictures(small, slight, workbench)[0][0].pixels is small[0].image


def test_resizing_filters_before_it_shrinks() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 200
    small = resize(stripes, (16, 16))
    assert small.dtype == torch.uint8
    assert abs(int(small[0, 8, 8]) - 100) <= 3


def test_a_mosaic_shows_four_pictures_in_their_quarters_with_their_boxes(
    examples: list[Example], slight: Recipe, workbench: Workbench
) -> None:
    recipe = replace(slight, mosaic=1.0, smallest_crop=1.0, stretch=0.0, relighting=0.0, flips=False)
    pictures = [picture for own in prepare_pictures(examples, recipe, workbench) for picture in own]
    tuned = build_tuned(workbench.backbone.module, head_spec(recipe), 2, 0)
    seen, view = PictureLesson(tuned, pictures, recipe, seed=0)._draw(pictures[0], [0, 1, 0], 1.0)
    height, width = pictures[0].size
    assert seen.shape == (3, height, width)
    assert (len(view.boxes), view.image) == (4, 0)
    assert view.classes[0] == 0
    first = resize(np.ascontiguousarray(examples[0].pixels()), (height // 2, width // 2))
    assert torch.equal(seen[:, : height // 2, : width // 2], first)
    # Each box lies in its quarter, over the colour of its class: red is channel 0, blue channel 2.
    for quarter, (box, label) in enumerate(zip(view.boxes.astype(int), view.classes, strict=True)):
        x, y = (box[0] + box[2]) // 2, (box[1] + box[3]) // 2
        assert (x // (width // 2), y // (height // 2)) == (quarter % 2, quarter // 2)
        assert int(seen[:, y, x].argmax()) == (0 if label == 0 else 2)
