"""Errors are RFC 9457 problem documents, with a stable code and a hint, and say nothing of what lies behind."""

import json
from typing import Any

import pytest
from django.conf import settings
from rest_framework import serializers
from rest_framework.exceptions import Throttled, ValidationError

from tenants.api import problems
from tenants.api.views import PublicView, TenantView
from tenants.storage import StorageUnavailable
from tests.cast import Cast

MEMBERS = {"type", "title", "status", "code", "detail", "hint"}


def problem(answer: Any, status: int, code: str, *more: str) -> dict[str, Any]:
    """Checks the form of a problem and returns it."""
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(answer.content)
    assert body.keys() == MEMBERS | set(more)
    assert (body["type"], body["status"], body["code"]) == ("about:blank", status, code)
    assert all(body[name] for name in ("title", "detail", "hint"))
    return body


def test_400_names_each_field(standing_cast: Cast) -> None:
    answer = standing_cast.alice.api.post("/api/v1/projects", {"name": "x" * 201, "kind": "FLIGHT"}, format="json")
    body = problem(answer, 400, "validation_failed", "errors")

    assert {error["field"] for error in body["errors"]} == {"name", "kind"}
    assert all(error["detail"] for error in body["errors"])


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[1,", b"nonsense", b'{"name": NaN}', b"\xff\xfe", b'{"name": "\xc3"}', b"{'name': 1}", b"1" * 5000],
)
def test_malformed_json_is_a_400(body: bytes, standing_cast: Cast) -> None:
    answer = standing_cast.alice.api.post("/api/v1/projects", body, content_type="application/json")

    assert answer.status_code == 400, answer.content
    assert answer.json()["code"] == "validation_failed"
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("body", [b"null", b"[]", b'"text"', b"7", b"true", b'[{"name": "x"}]', b"{}"])
def test_json_of_another_shape_is_a_400(body: bytes, standing_cast: Cast) -> None:
    answer = standing_cast.alice.api.post("/api/v1/projects", body, content_type="application/json")

    problem(answer, 400, "validation_failed", "errors")


@pytest.mark.parametrize("opening", [b"[", b'{"name":'])
def test_json_nested_beyond_reason_is_a_400(opening: bytes, standing_cast: Cast) -> None:
    answer = standing_cast.alice.api.post("/api/v1/projects", opening * 100_000, content_type="application/json")

    assert "nested too deeply" in problem(answer, 400, "validation_failed")["detail"]


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "\x00"])
def test_text_that_no_database_takes_is_a_400(text: str, standing_cast: Cast) -> None:
    given = json.dumps({"name": text, "kind": "DETECTION"})
    answer = standing_cast.alice.api.post("/api/v1/projects", given, content_type="application/json")

    assert problem(answer, 400, "validation_failed", "errors")["errors"][0]["field"] == "name"


def test_401(standing_cast: Cast) -> None:
    for client in (standing_cast.anonymous, standing_cast.revoked.api):
        answer = client.get("/api/v1/me")
        problem(answer, 401, "not_authenticated")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="myriad"'


def test_403(standing_cast: Cast) -> None:
    problem(standing_cast.vera.api.post("/api/v1/projects", {}, format="json"), 403, "permission_denied")


@pytest.mark.parametrize(
    "address",
    [
        "/api/v1/projects/0190b8a4-0000-7000-8000-000000000000",
        "/api/v1/projects/not-a-uuid",
        "/api/v1/nothing",
        "/api/v1/projects/",
        "/api/v1/members/0190B8A4-0000-7000-8000-000000000000/",
    ],
)
def test_404(address: str, standing_cast: Cast) -> None:
    problem(standing_cast.alice.api.get(address), 404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_405_says_what_is_allowed(method: str, standing_cast: Cast) -> None:
    answer = standing_cast.alice.api.generic(method, "/api/v1/projects")

    problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, POST, HEAD"
    assert standing_cast.anonymous.generic(method, "/api/v1/projects").status_code == 401


def test_405_where_everybody_may_come(standing_cast: Cast) -> None:
    problem(standing_cast.anonymous.get("/api/v1/invitations/accept"), 405, "method_not_allowed")


def test_head_is_answered_as_get_without_the_body(standing_cast: Cast) -> None:
    got, head = (getattr(standing_cast.vera.api, verb)("/api/v1/projects") for verb in ("get", "head"))

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"] == got.headers["Content-Type"]
    assert standing_cast.anonymous.head("/api/v1/projects").status_code == 401
    assert standing_cast.vera.api.head("/api/v1/audit").status_code == 403


@pytest.mark.parametrize("length", [settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1, 10**12, 10**30])
@pytest.mark.parametrize("address", ["/api/v1/projects", "/api/v1/invitations/accept"])
def test_413_by_what_is_declared_before_a_byte_is_read(length: int, address: str, standing_cast: Cast) -> None:
    class Unread:
        def read(self, *_: int) -> bytes:
            pytest.fail("the body was read")

        readline = read

    answer = standing_cast.alice.api.post(
        address,
        b"",
        content_type="application/json",
        CONTENT_LENGTH=str(length),
        **{"wsgi.input": Unread()},
    )

    assert "/uploads" in problem(answer, 413, "too_large")["hint"]


@pytest.mark.parametrize(
    ("address", "most"),
    [("/api/v1/projects", TenantView.max_body), ("/api/v1/invitations/accept", PublicView.max_body)],
)
def test_a_door_is_no_wider_than_needed(address: str, most: int, standing_cast: Cast) -> None:
    answers = [
        standing_cast.alice.api.post(address, b" " * length, content_type="application/json")
        for length in (most, most + 1)
    ]

    assert [answer.status_code for answer in answers] == [400, 413]
    assert str(most) in answers[1].json()["detail"]


@pytest.mark.parametrize("address", ["/api/v1/jobs?kind=%00", "/api/v1/members?%00=1", "/api/v1/audit?limit=%00"])
def test_a_nul_in_the_query_is_a_400(address: str, standing_cast: Cast) -> None:
    problem(standing_cast.alice.api.get(address), 400, "validation_failed", "errors")


@pytest.mark.parametrize("length", ["-1", "x", "1.5", "\xb2", "9" * 5000])
def test_a_length_that_is_none_is_refused(length: str, standing_cast: Cast) -> None:
    answer = standing_cast.alice.api.post(
        "/api/v1/projects", b"", content_type="application/json", CONTENT_LENGTH=length
    )

    assert answer.status_code == 413


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"],
)
def test_415(content_type: str, standing_cast: Cast) -> None:
    answer = standing_cast.alice.api.post("/api/v1/projects", b"name=x", content_type=content_type)

    problem(answer, 415, "unsupported_media_type")


def test_an_unknown_host_is_a_400(standing_cast: Cast) -> None:
    answer = standing_cast.anonymous.get("/api/v1/me", HTTP_HOST="evil.example")

    problem(answer, 400, "validation_failed")


def test_500_hides_its_cause(standing_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("the password is hunter2, in /srv/secret.py")

    monkeypatch.setattr("tenants.domain.queries.me", fail)
    answer = standing_cast.alice.api.get("/api/v1/me", HTTP_X_REQUEST_ID="req-500")

    problem(answer, 500, "server_error")
    assert answer.headers["X-Request-Id"] == "req-500"
    assert all(
        word not in answer.content for word in (b"hunter2", b"RuntimeError", b"Traceback", b"secret.py", b"req-500")
    )


def test_storage_that_is_away_is_a_503(standing_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise StorageUnavailable("could not read an object: http://10.0.0.1:8333 refused")

    monkeypatch.setattr("tenants.domain.queries.me", fail)
    answer = standing_cast.alice.api.get("/api/v1/me")

    problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert b"10.0.0.1" not in answer.content


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/png", "nonsense"])
def test_answers_are_json_whatever_is_asked_for(accept: str, standing_cast: Cast) -> None:
    answer = standing_cast.alice.api.get("/api/v1/me", HTTP_ACCEPT=accept)

    assert answer.status_code in (200, 406)
    assert "json" in answer.headers["Content-Type"]


def test_a_problem_names_nested_fields() -> None:
    class Inner(serializers.Serializer[Any]):
        size = serializers.IntegerField()

    class Outer(serializers.Serializer[Any]):
        items = Inner(many=True)

    given = Outer(data={"items": [{"size": 1}, {"size": "x"}, {}]})
    with pytest.raises(ValidationError) as refused:
        given.is_valid(raise_exception=True)
    answer = problems.exception_handler(refused.value, {})

    assert answer is not None
    assert [error["field"] for error in answer.data["errors"]] == ["items[1].size", "items[2].size"]


def test_a_problem_without_a_code_of_ours_is_one_still() -> None:
    answer = problems.exception_handler(Throttled(wait=7), {})

    assert answer is not None
    assert (answer.status_code, answer.data["code"]) == (429, "error")
    assert answer.data.keys() == MEMBERS
    assert problems.exception_handler(RuntimeError(), {}) is None
