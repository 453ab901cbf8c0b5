"""A client that dies while it sends: the server reads an early end of file, and nothing comes of the half."""

import io
import json
from typing import Any

import pytest

from projects.models import Project
from tenants.models import IdempotencyRecord
from tenants.scope import tenant_scope
from tests.cast import Cast, Person
from tests.projects.conftest import project_of
from tests.projects.files import photograph

PROJECT = json.dumps({"name": "Casings", "kind": "DETECTION"}).encode()
JSON = "application/json"
KEY = {"HTTP_IDEMPOTENCY_KEY": "one"}


def send(
    person: Person, path: str, body: bytes, *, of: int, method: str = "POST", kind: str = JSON, **more: Any
) -> Any:
    """A request that announced `of` bytes and brings only `body`."""
    said: dict[str, Any] = {"CONTENT_LENGTH": str(of), "wsgi.input": io.BytesIO(body)} | more
    return person.api.generic(method, f"/api/v1/{path}", "", content_type=kind, **said)


def refused(answer: Any, *, came: int, of: int) -> None:
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), answer.content
    assert f"{came} of {of} bytes" in answer.json()["detail"]


@pytest.mark.parametrize("came", [0, 1, len(PROJECT) - 1])
def test_the_same_key_works_for_the_whole_body(came: int, cast: Cast) -> None:
    half = send(cast.alice, "projects", PROJECT[:came], of=len(PROJECT), **KEY)
    with tenant_scope(cast.alice.tenant.id):
        assert (Project.objects.count(), IdempotencyRecord.objects.count()) == (0, 0)
    whole = send(cast.alice, "projects", PROJECT, of=len(PROJECT), **KEY)
    again = send(cast.alice, "projects", PROJECT, of=len(PROJECT), **KEY)

    refused(half, came=came, of=len(PROJECT))
    assert (whole.status_code, again.json()) == (201, whole.json()), whole.content
    assert again.headers["Idempotency-Replayed"] == "true"


def test_a_body_of_which_blanks_are_missing_is_cut_short_too(cast: Cast) -> None:
    """What came is whole JSON, but not what the client will repeat."""
    refused(send(cast.alice, "projects", PROJECT, of=len(PROJECT) + 1, **KEY), came=len(PROJECT), of=len(PROJECT) + 1)
    refused(send(cast.alice, "projects", PROJECT, of=len(PROJECT) + 1), came=len(PROJECT), of=len(PROJECT) + 1)
    with tenant_scope(cast.alice.tenant.id):
        assert Project.objects.count() == 0


def test_half_a_change_changes_nothing(cast: Cast) -> None:
    project = project_of(cast.alice)
    change = b'{"name": "Lids"}'
    answer = send(cast.alice, f"projects/{project}", change, of=len(change) + 9, method="PATCH")

    refused(answer, came=len(change), of=len(change) + 9)
    assert cast.alice.api.get(f"/api/v1/projects/{project}").json()["name"] == "Casings"


@pytest.mark.parametrize("key", [{}, KEY])
def test_half_a_form_is_no_file(key: dict[str, str], cast: Cast) -> None:
    """The form's reader takes the end of the bytes for the end of the file."""
    project = project_of(cast.alice)
    body = b'--cut\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n'
    body += b"Content-Type: image/jpeg\r\n\r\n" + photograph("a").data
    announced = len(body) + 5000
    kind = "multipart/form-data; boundary=cut"
    answer = send(cast.alice, f"projects/{project}/images", body, of=announced, kind=kind, **key)

    refused(answer, came=len(body), of=announced)
    assert cast.alice.api.get(f"/api/v1/projects/{project}/images").json()["results"] == []


def test_who_may_not_ask_is_told_that_first(cast: Cast) -> None:
    assert send(cast.vera, "projects", PROJECT[:5], of=len(PROJECT)).status_code == 403
    assert send(cast.revoked, "projects", PROJECT[:5], of=len(PROJECT)).status_code == 401
