"""A run from its row to its model: what is handed to the computer, and what is published of its answer."""

import json

import numpy as np

from tests.training.computing import INTERVAL
from tests.training.making import BOXES, CLASSES, Works


def test_run_publishes_its_model_and_evaluation(works: Works, snapshot: str) -> None:
    run = works.start(seed=7)
    assert works.hand.work() == ["SUCCEEDED"]

    row, model, evaluation = works.run(run), works.model(run), works.evaluation(run)
    assert row.job.result == {"run": run, "model": str(model.id)}
    assert (model.number, str(model.snapshot_id), model.recipe, model.long_side) == (1, snapshot, "fast", 256)
    assert [label["name"] for label in model.classes] == list(CLASSES)
    assert model.size == len(works.weights(run))
    assert (evaluation.method, evaluation.image_count, evaluation.box_count) == ("OUT_OF_FOLD", 4, 8)
    assert [
        (label["id"], label["name"], label["images"], label["boxes"]) for label in evaluation.metrics["classes"]
    ] == [(label["id"], label["name"], 4, 4) for label in model.classes]
    assert evaluation.metrics["ap50"] == INTERVAL
    hashes = (model.weights_sha256, model.description_sha256, model.parity_sha256, evaluation.predictions_sha256)
    assert sorted(works.objects("artifacts")) == sorted(hashes)
    assert model.lineage["manifest_sha256"] == row.snapshot.manifest_sha256
    assert (model.lineage["seed"], model.lineage["recipe"]["name"]) == (7, "fast")
    assert (row.checkpoints, works.objects("checkpoints")) == ({}, [])
    assert len(works.shown(f"runs/{run}")["curve"]) == 24


def test_a_run_that_leaves_the_recipe_open_says_which_it_took_and_why(works: Works, snapshot: str) -> None:
    run = works.start(recipe="auto")
    assert works.hand.work() == ["SUCCEEDED"]
    model = works.model(run)
    assert (works.run(run).recipe, model.recipe) == ("auto", "fast")
    assert model.lineage["recipe_chosen"] == "Fast: nothing is learnt here."
    shown = works.person.web.get(works.person.page(f"models/{model.id}")).content.decode()
    assert "Fast: nothing is learnt here." in shown


def test_computer_is_given_pixels_boxes_and_settings(works: Works, snapshot: str) -> None:
    works.start(seed=7)
    seen = {}

    def look(_: int) -> None:
        for image in works.computer.asked[0].parameters["images"]:
            seen[image["file"]] = np.load(works.computer.asked[0].files[image["file"]])

    works.computer.before_step = look
    assert works.hand.work() == ["SUCCEEDED"]

    (asked,) = works.computer.asked
    assert (asked.operation, asked.token, asked.tenant_id) == ("train", 1, works.person.tenant.id)
    images = works.shown(f"projects/{works.project}/images")["results"]
    files = [image["file"] for image in asked.parameters["images"]]
    assert files == sorted(f"{image['id']}.npy" for image in images)
    assert {tuple(map(tuple, image["boxes"])) for image in asked.parameters["images"]} == {tuple(BOXES)}
    assert len({image["group"] for image in asked.parameters["images"]}) == 4
    assert asked.parameters["classes"] == list(CLASSES)
    assert (asked.parameters["seed"], asked.parameters["recipe"]["name"]) == (7, "fast")
    assert asked.parameters["checkpoints"] == []
    json.dumps(dict(asked.parameters))
    assert {(pixels.shape, pixels.dtype.name) for pixels in seen.values()} == {((36, 48, 3), "uint8")}
    assert len({pixels.tobytes() for pixels in seen.values()}) == 4


def test_progress_shows_losses_and_time_left(works: Works, snapshot: str) -> None:
    run = works.start()
    assert works.shown(f"runs/{run}")["state"] == "PENDING"
    assert works.hand.work() == ["SUCCEEDED"]

    told = works.shown(f"runs/{run}")
    assert (told["state"], told["queue_place"], told["error"]) == ("SUCCEEDED", None, None)
    assert told["model"] == str(works.model(run).id)
    assert told["curve"][0] == [1, {"boxes": 1.0}]
    assert told["progress"]["message"] == "storing the model"


def test_models_are_numbered_within_their_project(works: Works, snapshot: str) -> None:
    runs = [works.start(seed=seed) for seed in (1, 2)]
    assert works.hand.work() == ["SUCCEEDED"] * 2

    assert [works.run(run).number for run in runs] == [1, 2]
    assert sorted(works.model(run).number for run in runs) == [1, 2]
    assert works.weights(runs[0]) != works.weights(runs[1])
    assert works.published() == (2, 2)
