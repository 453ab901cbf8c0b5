"""Runs and models of the kinds that judge whole images: asked for, computed, published, exported, shown."""

import json
from typing import Any

import httpx
import pytest

from tests.projects.uploading import post
from tests.training.judging import anomalous, classifying, frozen
from tests.training.making import Works
from training.domain import runs

__all__ = ["anomalous", "classifying"]
MIXED = ["dent", "scratch", "dent", "scratch", None, None]
GOOD: list[str | None] = [None] * 6


def refusal(answer: Any, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (409, code), answer.content
    found: dict[str, Any] = answer.json()
    assert found["detail"]
    assert found["hint"]
    return found


def test_a_classifier_is_learnt_and_published_with_its_figures(classifying: Works) -> None:
    images = frozen(classifying, MIXED)
    run = classifying.start()
    assert classifying.hand.work() == ["SUCCEEDED"]

    (asked,) = classifying.computer.asked
    assert (asked.parameters["kind"], asked.parameters["classes"]) == ("CLASSIFICATION", ["dent", "scratch"])
    assert asked.parameters["recipe"]["kind"] == "CLASSIFICATION"
    boxes = {image["file"]: image["boxes"] for image in asked.parameters["images"]}
    assert boxes[f"{images[0]}.npy"] == [[0, 0, 0, 48, 36]]
    assert boxes[f"{images[4]}.npy"] == []
    shown = classifying.shown(f"models/{classifying.model(run).id}")
    assert [(label["name"], label["id"] is None) for label in shown["classes"]] == [
        ("dent", False),
        ("scratch", False),
        ("good", True),
    ]
    metrics, evaluation = shown["evaluation"]["metrics"], shown["evaluation"]
    assert (evaluation["image_count"], evaluation["box_count"]) == (6, 4)
    assert metrics["kind"] == "CLASSIFICATION"
    assert metrics["accuracy"] == {"value": 0.5, "low": 0.25, "high": 0.75}
    assert metrics["confusion"] == [[2, 0, 0], [0, 2, 0], [1, 0, 1]]
    assert [label["id"] for label in metrics["classes"]] == [label["id"] for label in shown["classes"]]
    assert [label["images"] for label in metrics["classes"]] == [2, 2, 2]
    assert "index" not in metrics["classes"][0]
    assert "ap50" not in metrics
    (listed,) = classifying.shown(f"projects/{classifying.project}/models")["results"]
    assert listed["evaluation"]["metrics"] == metrics


def test_without_good_images_a_classifier_has_the_classes_alone(classifying: Works) -> None:
    frozen(classifying, ["dent", "scratch", "dent"])
    model = classifying.trained()
    assert [label["name"] for label in classifying.shown(f"models/{model}")["classes"]] == ["dent", "scratch"]


def test_good_images_alone_make_a_model_of_what_is_good(anomalous: Works) -> None:
    frozen(anomalous, GOOD)
    shown = anomalous.shown(f"models/{anomalous.trained()}")
    metrics = shown["evaluation"]["metrics"]
    assert (metrics["kind"], metrics["auroc"], metrics["detection_rate"]) == ("ANOMALY", None, None)
    assert (metrics["threshold"], metrics["good"], metrics["defective"]) == (0.5, 6, 0)
    assert [label["name"] for label in shown["classes"]] == ["dent", "scratch"]


def test_defective_images_say_how_well_they_are_noticed(anomalous: Works) -> None:
    frozen(anomalous, [*GOOD, "dent"])
    metrics = anomalous.shown(f"models/{anomalous.trained()}")["evaluation"]["metrics"]
    assert (metrics["good"], metrics["defective"]) == (6, 1)
    assert [label["detection_rate"] is None for label in metrics["classes"]] == [False, True]


@pytest.mark.parametrize(
    ("labels", "code", "words"),
    [
        ([None, None, None], "one_class", "nothing to tell apart"),
        (["dent", "dent"], "one_class", "nothing to tell apart"),
        (["dent"], "too_few_images", "holds 1 image"),
    ],
    ids=["all good", "one class", "one image"],
)
def test_what_leaves_nothing_to_tell_apart_is_refused(
    classifying: Works, labels: list[str | None], code: str, words: str
) -> None:
    frozen(classifying, labels)
    assert words in refusal(classifying.ask(), code)["detail"]
    assert classifying.published() == (0, 0)


def test_too_few_good_images_are_refused_with_their_number(anomalous: Works) -> None:
    frozen(anomalous, [None] * 4 + ["dent"] * 3)
    assert "holds 4 good images" in refusal(anomalous.ask(), "too_few_good_images")["detail"]


def test_as_many_good_images_are_asked_for_as_the_engine_asks_for() -> None:
    from training.vision.image_tasks import LEAST_GOOD

    assert runs.LEAST_GOOD == LEAST_GOOD


@pytest.mark.parametrize("recipe", ["full", "auto"])
def test_recipes_that_find_boxes_are_refused_in_words(classifying: Works, recipe: str) -> None:
    frozen(classifying, MIXED)
    problem = refusal(classifying.ask(recipe=recipe), "recipe_not_for_kind")
    assert recipe in problem["detail"]
    assert "CLASSIFICATION" in problem["detail"]
    assert "'fast'" in problem["hint"]
    assert classifying.ask(recipe="quick").status_code == 400


def test_a_class_on_one_image_is_warned_of_where_classes_are_learnt(classifying: Works, anomalous: Works) -> None:
    frozen(classifying, ["dent", None, "dent", "scratch"])
    frozen(anomalous, [*GOOD, "scratch"])
    (warning,) = classifying.ask().json()["warnings"]
    assert "'scratch' has one image" in warning["message"]
    assert anomalous.ask().json()["warnings"] == []


def test_what_looks_at_boxes_says_that_there_are_none(classifying: Works) -> None:
    (image, *_) = frozen(classifying, MIXED)
    model = classifying.trained()
    alice = classifying.person
    for path in (f"models/{model}/operating", f"models/{model}/compare?with={model}"):
        problem = refusal(alice.api.get(f"/api/v1/{path}"), "not_for_kind")
        assert "CLASSIFICATION" in problem["detail"]
    refused = alice.web.get(alice.page(f"api/models/{model}/images/{image}"))
    assert (refused.status_code, refused.json()["code"]) == (409, "not_for_kind")


def test_what_was_said_of_each_image_can_be_fetched(classifying: Works) -> None:
    images = frozen(classifying, MIXED)
    answer = classifying.person.api.get(f"/api/v1/models/{classifying.trained()}/predictions")
    document = httpx.get(answer["Location"]).raise_for_status().json()
    assert (document["kind"], document["classes"]) == ("CLASSIFICATION", ["dent", "scratch", "good"])
    assert {image["image"] for image in document["images"]} == set(images)


def test_an_export_says_the_kind_to_the_engine(anomalous: Works) -> None:
    frozen(anomalous, GOOD)
    model = anomalous.trained()
    assert post(anomalous.person, f"models/{model}/export", {}).status_code == 202
    assert anomalous.hand.work() == ["SUCCEEDED"]
    asked = anomalous.computer.asked[-1]
    assert (asked.operation, asked.parameters["kind"]) == ("export", "ANOMALY")
    answer = anomalous.person.api.get(f"/api/v1/models/{model}/export/manifest")
    described = json.loads(httpx.get(answer["Location"]).raise_for_status().text)
    assert described["evaluation"]["metrics"]["threshold"] == 0.5
