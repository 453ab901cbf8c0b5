"""Idempotency-Key, over HTTP: one effect a key, whatever the network repeats."""

import io
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from django.utils import timezone
from rest_framework.response import Response
from rest_framework.test import APIClient

from projects.models import Project
from tenants.domain import keys as key_verbs
from tenants.domain.idempotency import KEPT
from tenants.models import ApiKey, IdempotencyRecord, TenantModel
from tenants.scope import tenant_scope
from tests.cast import Cast, Person
from tests.tenants.threads import together

PROJECT = {"name": "Casings", "kind": "DETECTION"}


def post(person: Person, address: str = "/api/v1/projects", body: Any = PROJECT, *, key: str = "one") -> Any:
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {person.seat.token.text}")
    return client.post(address, body, format="json", HTTP_IDEMPOTENCY_KEY=key)


def count(person: Person, model: type[TenantModel] = Project) -> int:
    with tenant_scope(person.tenant.id):
        return model.objects.count()


def records(person: Person) -> Any:
    """The tenant's records, to look at and change."""
    return partial(_records, person)


def _records(person: Person, **changes: Any) -> list[dict[str, Any]]:
    with tenant_scope(person.tenant.id):
        if changes:
            IdempotencyRecord.objects.update(**changes)
        return list(IdempotencyRecord.objects.values())


def replayed(answer: Any) -> bool:
    return bool(answer.headers.get("Idempotency-Replayed") == "true")


def test_a_repetition_is_answered_alike_and_has_no_effect(cast: Cast) -> None:
    first, again = post(cast.alice), post(cast.alice)

    assert (first.status_code, replayed(first)) == (201, False)
    assert (again.status_code, replayed(again)) == (201, True)
    assert again.json() == first.json()
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert count(cast.alice) == 1


def test_a_location_is_repeated_too(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"Location": "/api/v1/jobs/1"}
    monkeypatch.setattr("projects.api.projects.ProjectsView.post", lambda *_: Response({}, status=202, headers=headers))
    first, again = post(cast.alice), post(cast.alice)

    assert (again.status_code, again.headers["Location"]) == (202, first.headers["Location"])
    assert replayed(again)


def test_the_key_of_another_request_is_refused(cast: Cast) -> None:
    post(cast.alice)
    others = {
        "another body": ("/api/v1/projects", PROJECT | {"name": "Gears"}),
        "the same in another order": ("/api/v1/projects", {"kind": "DETECTION", "name": "Casings"}),
        "another address": ("/api/v1/keys", PROJECT),
        "another query": ("/api/v1/projects?template=gears", PROJECT),
    }
    for what, (address, body) in others.items():
        answer = post(cast.alice, address, body)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch"), what

    assert count(cast.alice) == 1


def test_each_member_and_tenant_has_keys_of_its_own(cast: Cast) -> None:
    answers = [post(who, body=PROJECT | {"name": name}) for who, name in ((cast.alice, "A"), (cast.charlie, "C"))]
    with tenant_scope(cast.alice.tenant.id):
        ApiKey.objects.filter(id=cast.revoked.seat.key.id).update(revoked_at=None)
    answers.append(post(cast.revoked, body=PROJECT | {"name": "R"}))

    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert not any(map(replayed, answers))
    assert (count(cast.alice), count(cast.charlie)) == (2, 1)


class Gate:
    """Stands in for a verb: the first time says when it was entered, and goes on when told to."""

    def __init__(self, verb: Callable[..., Any]) -> None:
        self.verb = verb
        self.entered, self.open = threading.Event(), threading.Event()

    def __call__(self, **given: Any) -> Any:
        if not self.entered.is_set():
            self.entered.set()
            assert self.open.wait(timeout=30)
        return self.verb(**given)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Before an API key is made: any number of the same name may be."""
    gate = Gate(key_verbs.create_key)
    monkeypatch.setattr(key_verbs, "create_key", gate)
    return gate


KEYS, KEY = "/api/v1/keys", {"name": "CI"}


def in_background(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    answers: list[Any] = []

    def run() -> None:
        answers.append(call())
        connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, answers


def test_while_the_first_is_at_work_a_repetition_is_told_to_wait(cast: Cast, gate: Gate) -> None:
    before = count(cast.alice, ApiKey)
    thread, first = in_background(partial(post, cast.alice, KEYS, KEY))
    assert gate.entered.wait(timeout=30)

    meanwhile = post(cast.alice, KEYS, KEY)
    assert (meanwhile.status_code, meanwhile.json()["code"]) == (409, "idempotency_in_progress")
    assert meanwhile.headers["Retry-After"] == "1"
    assert post(cast.alice, KEYS, {"name": "Other"}).status_code == 422
    assert post(cast.alice, KEYS, KEY, key="two").status_code == 201

    gate.open.set()
    thread.join()
    again = post(cast.alice, KEYS, KEY)
    assert (first[0].status_code, again.status_code, replayed(again)) == (201, 201, True)
    assert count(cast.alice, ApiKey) == before + 2


def test_who_lost_the_key_has_no_effect(cast: Cast, gate: Gate) -> None:
    """The first is so slow that its lock runs out and a repetition does the work: the first's is taken back."""
    before = count(cast.alice, ApiKey)
    thread, first = in_background(partial(post, cast.alice, KEYS, KEY))
    assert gate.entered.wait(timeout=30)
    records(cast.alice)(locked_until=timezone.now())
    second = post(cast.alice, KEYS, KEY)
    gate.open.set()
    thread.join()

    assert second.status_code == 201
    assert first[0].status_code == 409
    assert count(cast.alice, ApiKey) == before + 1
    again = post(cast.alice, KEYS, KEY)
    assert (again.json()["id"], replayed(again)) == (second.json()["id"], True)


def test_fifty_at_the_same_moment_have_one_effect(cast: Cast) -> None:
    before = count(cast.alice, ApiKey)
    answers = together([partial(post, cast.alice, KEYS, KEY)] * 50)

    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len([answer for answer in answers if answer.status_code == 201 and not replayed(answer)]) == 1
    assert count(cast.alice, ApiKey) == before + 1


def test_what_is_shown_once_is_not_kept(cast: Cast) -> None:
    first = post(cast.alice, "/api/v1/keys", {"name": "CI"})
    again = post(cast.alice, "/api/v1/keys", {"name": "CI"})
    invited = post(cast.alice, "/api/v1/invitations", {"email": "x@acme.example", "role": "VIEWER"}, key="two")

    assert first.json()["secret"]
    assert again.json() == first.json() | {"secret": None}
    (kept,) = [record["body"] for record in records(cast.alice)() if record["key"] == "two"]
    assert (kept["token"], kept["id"]) == (None, invited.json()["id"])


def test_a_refusal_is_repeated(cast: Cast) -> None:
    first = post(cast.alice, body={"name": "", "kind": "DETECTION"})
    again = post(cast.alice, body={"name": "", "kind": "DETECTION"})

    assert (first.status_code, again.status_code, replayed(again)) == (400, 400, True)
    assert again.json() == first.json()
    assert again.headers["Content-Type"] == "application/problem+json"


def test_a_conflict_leaves_no_half_of_it(cast: Cast) -> None:
    post(cast.alice)
    first, again = post(cast.alice, key="two"), post(cast.alice, key="two")

    assert (first.status_code, first.json()["code"]) == (409, "name_taken")
    assert replayed(again)
    assert cast.alice.api.get("/api/v1/me").json()["usage"]["projects_used"] == 1


def test_a_failure_of_ours_frees_the_key(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("tenants.audit.record", lambda *_, **__: 1 / 0)
        assert post(cast.alice).status_code == 500
    assert count(cast.alice) == 0
    assert records(cast.alice)() == []
    again = post(cast.alice)

    assert (again.status_code, replayed(again)) == (201, False)


def test_an_answer_that_cannot_be_kept_takes_its_effect_back(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("tenants.domain.idempotency.finish", lambda **_: 1 / 0)
        assert post(cast.alice).status_code == 500

    assert count(cast.alice) == 0
    assert post(cast.alice).status_code == 201


def test_an_old_key_is_forgotten(cast: Cast) -> None:
    body = {"name": "CI"}
    first = post(cast.alice, "/api/v1/keys", body)
    records(cast.alice)(created_at=timezone.now() - KEPT + timedelta(minutes=1))
    assert replayed(post(cast.alice, "/api/v1/keys", body))
    records(cast.alice)(created_at=timezone.now() - KEPT - timedelta(minutes=1))
    late = post(cast.alice, "/api/v1/keys", body)

    assert (late.status_code, replayed(late)) == (201, False)
    assert late.json()["id"] != first.json()["id"]
    records(cast.alice)(created_at=timezone.now() - KEPT - timedelta(minutes=1))
    assert post(cast.alice).status_code == 201, "then even for another request"


def test_who_may_not_ask_holds_no_key(cast: Cast) -> None:
    assert post(cast.vera).status_code == 403
    assert post(cast.revoked).status_code == 401
    assert records(cast.alice)() == []


@pytest.mark.parametrize("key", ["", "k" * 256, "a\tb", "a\x7fb"])
def test_a_key_that_is_none_is_refused(key: str, standing_cast: Cast) -> None:
    answer = post(standing_cast.alice, key=key)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "Idempotency-Key")


def test_the_longest_key_is_taken(cast: Cast) -> None:
    assert post(cast.alice, key="k" * 255).status_code == 201
    assert replayed(post(cast.alice, key="k" * 255))


def test_other_methods_need_no_key(cast: Cast) -> None:
    project = post(cast.alice).json()["id"]
    address, header = f"/api/v1/projects/{project}", {"HTTP_IDEMPOTENCY_KEY": "one"}

    for name in ("B", "C"):
        answer = cast.alice.api.patch(address, {"name": name}, format="json", **header)
        assert (answer.status_code, answer.json()["name"], replayed(answer)) == (200, name, False)
    assert cast.alice.api.get(address, **header).status_code == 200


def test_a_multipart_body_is_the_same_under_another_boundary(cast: Cast) -> None:
    """Clients draw the boundary anew for each attempt."""
    project = post(cast.alice, key="project").json()["id"]

    def send(boundary: str, data: bytes) -> Any:
        body = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'.encode()
        body += b"Content-Type: image/png\r\n\r\n" + data + f"\r\n--{boundary}--\r\n".encode()
        return cast.alice.api.post(
            f"/api/v1/projects/{project}/images",
            body,
            content_type=f"multipart/form-data; boundary={boundary}",
            HTTP_IDEMPOTENCY_KEY="file",
        )

    first, again = send("aaaa", b""), send("bbbb", b"")
    assert first.status_code == 400
    assert (again.status_code, replayed(again)) == (400, True)
    assert send("cccc", b"other").status_code == 422


def test_presigned_forms_are_not_kept(cast: Cast) -> None:
    """They are made on demand and never stored, so a repetition makes new ones."""
    call_command("storage", "bootstrap", stdout=io.StringIO())
    project = post(cast.alice, key="project").json()["id"]
    file = {"filename": "a.png", "size": 10, "sha256": "0" * 64, "content_type": "image/png"}
    address = f"/api/v1/projects/{project}/uploads"
    first = post(cast.alice, address, {"files": [file]}, key="forms")
    again = post(cast.alice, address, {"files": [file]}, key="forms")

    assert (first.status_code, again.status_code) == (200, 200), first.json()
    (one,), (other,) = first.json()["results"], again.json()["results"]
    assert one["image"] == other["image"]
    assert other["upload"]["fields"]
    (kept,) = [record for record in records(cast.alice)() if record["key"] == "forms"]
    assert (kept["status"], kept["body"]) == (200, None)
    assert post(cast.alice, address, {"files": [file, file]}, key="forms").status_code == 422
