"""The gallery of predictions against truth, and what an image's page asks of it."""

import hashlib
import html
import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.test import Client

from projects.models import Image
from tenants.scope import tenant_scope
from tests.cast import Cast
from tests.projects.conftest import project_of
from tests.training.making import Works
from training.domain import evaluated, galleries
from training.domain.artifacts import artifact_key
from training.models import Evaluation

Queries = Callable[[], AbstractContextManager[list[str]]]
# Of the classes dent and scratch, as the labels of `works.label()` are.
DENT, SCRATCH = [1.0, 2.0, 10.0, 8.0], [20.0, 12.0, 8.5, 9.25]
NOISE = [[0, 0.14, 30, 20, 5, 5], [1, 0.13, 1, 25, 5, 5], [0, 0.12, 40, 20, 5, 5]]
# What the model says of four images: all right; one missed; one taken for the other; a false alarm that is surest.
SAID = [
    [[0, 0.9, *DENT], [1, 0.8, *SCRATCH]],
    [[0, 0.9, *DENT]],
    [[0, 0.9, *DENT], [0, 0.9, *SCRATCH]],
    [[0, 0.95, 30, 0, 5, 5], [0, 0.9, *DENT], *NOISE, [1, 0.1, *SCRATCH]],
]


def says(works: Works, model: str, images: list[str], said: Any) -> None:
    """Lets the model's evaluation say so of the images, each with its two boxes."""
    truth = [[0, *DENT], [1, *SCRATCH]]
    lines = [{"image": image, "truth": truth, "predictions": found} for image, found in zip(images, said, strict=True)]
    data = json.dumps({"format": 1, "classes": ["dent", "scratch"], "images": lines}).encode()
    sha256 = hashlib.sha256(data).hexdigest()
    works.storage.put(artifact_key(sha256), data, content_type="application/json")
    with tenant_scope(works.person.tenant.id):
        Evaluation.objects.filter(model_id=model).update(predictions_sha256=sha256, image_count=len(images))


@pytest.fixture
def images(works: Works) -> list[str]:
    return works.label()


@pytest.fixture
def model(works: Works, images: list[str]) -> str:
    works.freeze()
    trained = works.trained()
    says(works, trained, images, SAID)
    return trained


def page_of(works: Works, model: str, query: str = "") -> str:
    answer = works.person.web.get(works.person.page(f"models/{model}/predictions{query}"))
    assert answer.status_code == 200, answer.content
    return html.unescape(answer.content.decode())


def cards(page: str) -> list[str]:
    """The images that it shows, in order."""
    return re.findall(r'<li class="panel overflow-hidden p-0" data-image="([0-9a-f-]+)"', page)


def tally(page: str) -> str:
    """The result in words."""
    found = re.search(r'id="tally"[^>]*>(.*?)</p>', page)
    assert found
    return re.sub(r"<[^>]+>", "", found[1])


def test_the_result_in_words_and_the_worst_image_first(works: Works, images: list[str], model: str) -> None:
    page = page_of(works, model)
    assert tally(page) == "5 of 8 defects found, 1 under a wrong class, 2 missed, 1 false alarm at score 0.15"
    assert "0.15 is the score at which this model errs least" in page
    right, missed, mistaken, alarmed = images
    assert cards(page) == [alarmed, *sorted([missed, mistaken]), right]
    assert page.count("<text") >= 6
    assert f'href="{works.person.page(f"images/{missed}")}"' in page
    for words in ("missed: scratch", "scratch taken for dent", "false alarm: dent", "found: dent"):
        assert words in page


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("show=misses", {1, 3}),
        ("show=false-alarms", {3}),
        ("show=wrong-class", {2}),
        ("show=correct", {0}),
        ("show=nonsense&score=much&class=none&page=x", {0, 1, 2, 3}),
        ("score=0.05", {0, 1, 2, 3}),
        ("show=correct&score=0.05", {0}),
        ("show=misses&score=0.92", {0, 1, 2, 3}),
        ("show=misses&score=nan", {1, 3}),
        ("page=99", {0, 1, 2, 3}),
    ],
)
def test_filters(works: Works, images: list[str], model: str, query: str, shown: set[int]) -> None:
    found = cards(page_of(works, model, f"?{query}"))
    assert {images.index(image) for image in found} == shown
    assert len(found) == len(shown)


def test_of_one_class_only_its_own_boxes_are_counted(works: Works, images: list[str], model: str) -> None:
    dent, scratch = (label["id"] for label in works.shown(f"models/{model}")["classes"])
    assert tally(page_of(works, model, f"?class={dent}")).startswith("4 of 4 dent boxes found, 1 under a wrong class")
    page = page_of(works, model, f"?class={scratch}&show=misses")
    assert tally(page) == "1 of 4 scratch boxes found, 1 under a wrong class, 2 missed, 0 false alarms at score 0.15"
    assert {images.index(image) for image in cards(page)} == {1, 3}


def test_pages_of_many(works: Works, images: list[str], model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(galleries, "PAGE", 3)
    first, second = page_of(works, model), page_of(works, model, "?page=2")
    assert (len(cards(first)), len(cards(second))) == (3, 1)
    assert set(cards(first) + cards(second)) == set(images)
    assert "page=2" in first
    assert "Page 2 of 2, 4 images" in second


def test_an_image_that_was_deleted_since_is_told_and_not_shown(works: Works, images: list[str], model: str) -> None:
    with tenant_scope(works.person.tenant.id):
        name = Image.objects.get(id=images[0]).filename
    assert name in page_of(works, model)
    assert works.person.api.delete(f"/api/v1/images/{images[0]}").status_code == 204
    page = page_of(works, model)
    assert ("deleted since" in page, name in page) == (True, False)


def test_the_page_asks_as_many_queries_for_three_images_as_for_one(
    works: Works, images: list[str], model: str, queries: Queries
) -> None:
    browser, address = works.person.web, works.person.page(f"models/{model}/predictions")

    def asked() -> list[str]:
        with queries() as sql:
            assert browser.get(address).status_code == 200
        return [line for line in sql if "set_config" not in line and line not in ("BEGIN", "COMMIT")]

    says(works, model, images[:1], SAID[:1])
    at_one = asked()
    says(works, model, images[:3], SAID[:3])
    at_three = asked()
    # Session, user, seat, member, tenant; model, its evaluations, project; the images.
    assert (len(at_one), len(at_three)) == (9, 9)


def test_an_image_asks_what_was_predicted_of_it(works: Works, images: list[str], model: str) -> None:
    def told(image: str) -> Any:
        answer = works.person.web.get(works.person.page(f"api/models/{model}/images/{image}"))
        assert answer.status_code == 200, answer.content
        return answer.json()

    dent, scratch = works.shown(f"models/{model}")["classes"]
    answer = told(images[3])
    assert (answer["judged"], answer["number"], answer["method"], answer["score"]) == (True, 1, "OUT_OF_FOLD", 0.15)
    found = [(one["class"], one["name"], one["score"]) for one in answer["predictions"]]
    assert found[:2] == [(dent["id"], "dent", 0.95), (dent["id"], "dent", 0.9)]
    assert found[-1] == (scratch["id"], "scratch", 0.1)
    assert answer["predictions"][-1]["bbox"] == SCRATCH
    (later,) = works.label(count=1, name="later")
    assert (told(later)["judged"], told(later)["predictions"]) == (False, [])


def test_only_ones_own_models_and_images_of_their_project(
    cast: Cast, works: Works, images: list[str], model: str
) -> None:
    vera = cast.vera
    for path in (f"models/{model}/predictions", f"api/models/{model}/images/{images[0]}"):
        assert vera.web.get(vera.page(path)).status_code == 200
        assert cast.charlie.web.get(cast.charlie.page(path)).status_code == 404
        assert cast.charlie.web.get(vera.page(path)).status_code == 404
    other = Works(works.person, project_of(works.person, "Lids"), works.hand, works.computer)
    (strange,) = other.label(count=1)
    assert vera.web.get(vera.page(f"api/models/{model}/images/{strange}")).status_code == 404
    assert Client().get(vera.page(f"models/{model}/predictions")).status_code == 302
    assert Client().get(vera.page(f"api/models/{model}/images/{images[0]}")).status_code == 401


def test_files_that_are_damaged_or_too_large_are_refused_with_a_remedy(
    works: Works, images: list[str], model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = works.person.page(f"models/{model}/predictions")
    monkeypatch.setattr(evaluated, "MAX_BYTES", 10)
    evaluated._kept.clear()
    answer = works.person.web.get(path)
    assert (answer.status_code, b"look at them on your side" in answer.content) == (409, True)
    monkeypatch.undo()
    says(works, model, ["no id"] * 4, SAID)  # sound, and of no image of ours
    assert cards(page_of(works, model)) == []
    works.storage.put(artifact_key("f" * 64), b"{}", content_type="application/json")
    with tenant_scope(works.person.tenant.id):
        Evaluation.objects.update(predictions_sha256="f" * 64)
    answer = works.person.web.get(path)
    assert (answer.status_code, b"damaged" in answer.content) == (409, True)


def test_what_is_kept_is_bounded_and_lies_under_its_tenant(
    works: Works, images: list[str], model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluated, "MAX_KEPT", 5)
    evaluated._kept.clear()
    page_of(works, model)
    assert {tenant for tenant, _ in evaluated._kept} == {works.person.tenant.id}
    with tenant_scope(works.person.tenant.id):
        sha256 = Evaluation.objects.get(model_id=model).predictions_sha256
    works.storage.delete([artifact_key(sha256)])
    page_of(works, model)  # kept
    says(works, model, images[:2], SAID[:2])
    page_of(works, model)
    assert [len(one.images) for one in evaluated._kept.values()] == [2]
    monkeypatch.setattr(evaluated, "MAX_KEPT", 1)
    says(works, model, images[:3], SAID[:3])
    page_of(works, model)
    assert [len(one.images) for one in evaluated._kept.values()] == [3]  # the newest, however large
