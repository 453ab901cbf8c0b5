"""Promoting from a page, and asking a model from one."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from fleet.domain.hosting import Hosting
from fleet.domain.queries import answered, current_promotion
from tenants.scope import tenant_scope
from tests.cast import Cast, Person
from tests.fleet.asking import PHOTO
from tests.heads import Artifacts
from tests.projects.web.reading import open_page, text_of
from tests.serving import insert_model
from training.models import Model


def current(person: Person, model: Model) -> Any:
    with tenant_scope(person.tenant.id):
        promotion = current_promotion(model.project_id)
        return promotion and promotion.model_id


def predicted(client: Any, address: str, data: bytes = PHOTO, **more: Any) -> Any:
    return client.post(address, {"file": SimpleUploadedFile("casing.png", data, "image/png")}, **more)


def test_a_form_promotes_and_the_page_says_which_model_answers(alice: Person, model: Model) -> None:
    page = open_page(alice, f"models/{model.id}").content.decode()
    assert f'action="{alice.page(f"models/{model.id}/promote")}"' in page
    assert 'data-confirm="Let model 1 answer for this project?"' in page

    web = alice.web
    answer = web.post(alice.page(f"models/{model.id}/promote"))
    assert (answer.status_code, answer["Location"]) == (302, alice.page(f"models/{model.id}"))
    assert current(alice, model) == model.id
    words = text_of(web.get(answer["Location"]))
    assert "Model 1 answers for this project from now on." in words
    assert "/promote" not in open_page(alice, f"models/{model.id}").content.decode()
    web.post(alice.page(f"models/{model.id}/promote"))
    assert "Model 1 answers already." in text_of(web.get(answer["Location"]))


def test_the_question_names_what_answers_now(alice: Person, project: str, model: Model, artifacts: Artifacts) -> None:
    with tenant_scope(alice.tenant.id):
        other = insert_model(alice, project, artifacts, backbone_sha256="0" * 64, names=("dent", "scratch"))
    alice.web.post(alice.page(f"models/{model.id}/promote"))
    page = open_page(alice, f"models/{other.id}").content.decode()
    assert "Model 1 answers for this project now. Let model 2 answer instead?" in page
    alice.web.post(alice.page(f"models/{other.id}/promote"))
    with tenant_scope(alice.tenant.id):
        told = answered(model.project_id, 10)
        assert answered(model.project_id, 1) == told[:1]
    assert [(one.number, one.model_number, one.model_id, one.by) for one in told] == [
        (2, 2, other.id, "Alice"),
        (1, 1, model.id, "Alice"),
    ]


def test_only_who_deploys_may(cast: Cast, model: Model) -> None:
    answers = [person.web.post(cast.alice.page(f"models/{model.id}/promote")) for person in (cast.bob, cast.vera)]
    assert [answer.status_code for answer in answers] == [403, 403]
    foreign = cast.charlie.web.post(cast.charlie.page(f"models/{model.id}/promote"))
    assert foreign.status_code == 404
    assert cast.anonymous.post(cast.alice.page(f"models/{model.id}/promote")).status_code == 302
    assert current(cast.alice, model) is None


def test_a_photograph_is_looked_at_for_a_session(cast: Cast, model: Model, serving: Hosting) -> None:
    address = cast.alice.page(f"api/models/{model.id}/predict?threshold=0.05")
    for person in (cast.alice, cast.bob):
        answer = predicted(person.web, address)
        assert answer.status_code == 200, answer.content
        found = answer.json()
        assert (found["width"], found["height"]) == (160, 120)
        assert {"class", "name", "score", "bbox"} == set(found["predictions"][0])
    assert predicted(cast.vera.web, address).status_code == 403
    assert predicted(cast.charlie.web, cast.charlie.page(f"api/models/{model.id}/predict")).status_code == 404
    assert predicted(cast.anonymous, address).status_code == 401
    refused = predicted(cast.alice.web, address, b"no picture")
    assert refused.status_code in (400, 409, 422)
    assert refused.json()["hint"]


def test_no_other_site_asks_in_somebodys_name(alice: Person, model: Model, serving: Hosting) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice.seat.member.user)
    address = alice.page(f"api/models/{model.id}/predict")
    assert predicted(client, address).status_code == 403
    client.get(alice.page(f"models/{model.id}"))
    token = client.get(alice.page(f"models/{model.id}")).content.decode().split('data-csrf="')[1].split('"')[0]
    assert predicted(client, address, headers={"X-CSRFToken": token}).status_code == 200


@pytest.mark.parametrize("path", ["models/{}/promote", "api/models/{}/predict"])
def test_neither_is_to_be_read(path: str, alice: Person, model: Model) -> None:
    assert alice.web.get(alice.page(path.format(model.id))).status_code == 405
