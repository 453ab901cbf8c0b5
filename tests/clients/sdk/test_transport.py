import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from myriad import (
    Client,
    Conflict,
    FieldError,
    IdempotencyMismatch,
    MyriadError,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    Retry,
    TooLarge,
    Unavailable,
    UnexpectedAnswer,
    UnsupportedMediaType,
    ValidationFailed,
)
from tests.clients.sdk.conftest import QUICK
from tests.clients.sdk.fake_service import KEY, FakeService

PROJECTS = "/api/v1/projects"


def pausing(service: FakeService, retry: Retry) -> tuple[Client, list[float]]:
    """A client that writes its pauses down instead of taking them."""
    pauses: list[float] = []
    return Client(service.url, KEY, retry=retry, pause=pauses.append), pauses


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "validation_failed", ValidationFailed),
        (401, "not_authenticated", NotAuthenticated),
        (403, "permission_denied", PermissionDenied),
        (403, "quota_exceeded", QuotaExceeded),
        (404, "not_found", NotFound),
        (409, "conflict", Conflict),
        (413, "too_large", TooLarge),
        (415, "unsupported_media_type", UnsupportedMediaType),
        (422, "idempotency_mismatch", IdempotencyMismatch),
        (429, "throttled", RateLimited),
        (500, "server_error", MyriadError),
        (503, "unavailable", Unavailable),
    ],
)
def test_problem_document_becomes_the_exception_of_its_code(
    service: FakeService, client: Client, status: int, code: str, kind: type[MyriadError]
) -> None:
    problem = {
        "status": status,
        "code": code,
        "title": "T",
        "detail": "What happened.",
        "hint": "What to do.",
    }
    service.fail("GET", PROJECTS, status, problem, times=5)

    with pytest.raises(MyriadError) as raised:
        client.projects.list().first()

    assert type(raised.value) is kind
    assert raised.value.to_json() == {
        "status": status,
        "code": code,
        "detail": "What happened.",
        "hint": "What to do.",
        "request_id": f"req-{len(service.received)}",
        "errors": [],
    }


def test_validation_error_names_its_fields(client: Client) -> None:
    with pytest.raises(ValidationFailed) as raised:
        client.projects.create("", kind="detection")

    assert raised.value.errors == (FieldError("name", "This field may not be blank."),)
    assert str(raised.value) == (
        "The input is not valid. name: This field may not be blank. Correct it. (request req-1)"
    )


def test_field_that_the_detail_names_is_not_said_twice(service: FakeService, client: Client) -> None:
    errors = [{"field": "name", "detail": "Too long."}, {"field": "kind", "detail": "Unknown."}]
    problem = {"code": "validation_failed", "detail": "name: Too long.", "errors": errors}
    service.fail("POST", PROJECTS, 400, problem)

    with pytest.raises(ValidationFailed) as raised:
        client.projects.create("x" * 1000, kind="detection")

    assert raised.value.happened == "name: Too long. kind: Unknown."


def test_answer_without_problem_document_still_gets_words_and_a_hint(service: FakeService, client: Client) -> None:
    service.fail("GET", PROJECTS, 502, b"<html>Bad gateway</html>", times=5)

    with pytest.raises(Unavailable) as raised:
        client.projects.list().first()

    assert raised.value.detail == "The server answered 502 Bad Gateway."
    assert raised.value.hint == "Try again in a few minutes."


def test_success_that_is_not_json_points_to_the_address(service: FakeService, client: Client) -> None:
    service.fail("GET", PROJECTS, 200, b"<html>Please sign in to the guest network</html>")

    with pytest.raises(UnexpectedAnswer) as raised:
        client.projects.list().first()

    assert raised.value.hint == "Check that MYRIAD_URL is the address of the service and that no proxy answers for it."


def test_redirect_is_not_followed_with_the_key(service: FakeService, client: Client) -> None:
    service.fail("GET", PROJECTS, 301, headers={"Location": "https://elsewhere.example/api/v1/projects"})

    with pytest.raises(UnexpectedAnswer) as raised:
        client.projects.list().first()

    assert raised.value.code == "redirected"
    assert len(service.received) == 1


def test_unavailable_is_tried_again_with_the_same_idempotency_key(service: FakeService, client: Client) -> None:
    service.fail("POST", PROJECTS, 503, {"code": "unavailable"}, times=2)
    service.fail("POST", PROJECTS, None)

    project = client.projects.create("Casings", kind="detection")

    sent = service.requests("POST", PROJECTS)
    assert len(sent) == 4
    assert len({request.headers["Idempotency-Key"] for request in sent}) == 1
    assert list(service.tenant.projects) == [project.id]


def test_each_post_has_a_key_of_its_own(service: FakeService, client: Client) -> None:
    client.projects.create("Casings", kind="detection")
    client.projects.create("Casings", kind="detection")

    sent = service.requests("POST", PROJECTS)
    assert len({request.headers["Idempotency-Key"] for request in sent}) == 2
    assert len(service.tenant.projects) == 2


def test_in_progress_is_waited_for_and_other_conflicts_are_not(service: FakeService, client: Client) -> None:
    service.fail("POST", PROJECTS, 409, {"code": "idempotency_in_progress"}, headers={"Retry-After": "0"})
    client.projects.create("Casings", kind="detection")
    assert len(service.received) == 2

    service.fail("POST", PROJECTS, 409, {"code": "conflict"})
    with pytest.raises(Conflict):
        client.projects.create("Casings", kind="detection")
    assert len(service.received) == 3


def test_gives_up_after_five_attempts_with_growing_pauses(service: FakeService) -> None:
    service.fail("GET", PROJECTS, 503, times=99)
    client, pauses = pausing(service, Retry(first=1.0, cap=3.0))

    with client, pytest.raises(Unavailable):
        client.projects.list().first()

    assert len(service.received) == 5
    longest = [1.0, 2.0, 3.0, 3.0]
    assert [most / 2 <= pause <= most for pause, most in zip(pauses, longest, strict=True)] == [True] * 4


def test_retry_after_is_obeyed_in_seconds(service: FakeService) -> None:
    service.fail("GET", PROJECTS, 429, headers={"Retry-After": "7"})
    client, pauses = pausing(service, QUICK)

    with client:
        client.projects.list().first()

    assert pauses == [7.0]


def test_a_post_that_came_too_soon_is_sent_again_under_its_key(service: FakeService) -> None:
    problem = {"code": "rate_limited", "detail": "Too many.", "hint": "Wait 3 s."}
    service.fail("POST", PROJECTS, 429, problem, headers={"Retry-After": "3"}, times=2)
    client, pauses = pausing(service, QUICK)

    with client:
        client.projects.create("Casings", kind="detection")

    sent = service.requests("POST", PROJECTS)
    assert (pauses, len(sent)) == ([3.0, 3.0], 3)
    assert len({request.headers["Idempotency-Key"] for request in sent}) == 1
    assert len(service.tenant.projects) == 1


def test_a_server_that_stays_busy_is_not_asked_for_ever(service: FakeService) -> None:
    service.fail("GET", PROJECTS, 429, {"code": "rate_limited"}, headers={"Retry-After": "60"}, times=99)
    client, pauses = pausing(service, QUICK)

    with client, pytest.raises(RateLimited) as raised:
        client.projects.list().first()

    assert pauses == [60.0] * (QUICK.attempts - 1)
    assert (raised.value.code, raised.value.retry_after) == ("rate_limited", 60.0)


def test_retry_after_is_obeyed_as_a_date(service: FakeService) -> None:
    at = datetime.now(UTC) + timedelta(seconds=30)
    service.fail("GET", PROJECTS, 503, headers={"Retry-After": format_datetime(at, usegmt=True)})
    client, pauses = pausing(service, QUICK)

    with client:
        client.projects.list().first()

    assert [25 < pause <= 30 for pause in pauses] == [True]


def test_asked_to_wait_for_long_it_gives_up_at_once_and_says_how_long(service: FakeService) -> None:
    service.fail("GET", PROJECTS, 429, headers={"Retry-After": "3600"})
    client, pauses = pausing(service, QUICK)

    with client, pytest.raises(RateLimited) as raised:
        client.projects.list().first()

    assert (pauses, raised.value.retry_after) == ([], 3600.0)


def test_server_that_is_away_is_unavailable() -> None:
    away = Client("http://127.0.0.1:9", KEY, retry=QUICK, pause=lambda _: None)
    with away as client, pytest.raises(Unavailable) as raised:
        client.projects.list().first()

    assert raised.value.code == "unreachable"
    assert raised.value.status is None
    assert raised.value.detail == "http://127.0.0.1:9 cannot be reached (ConnectError)."


def test_key_comes_from_the_environment(service: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYRIAD_URL", service.url + "/")
    monkeypatch.setenv("MYRIAD_API_KEY", f" {KEY}\n")

    with Client() as client:
        assert client.tenant.me().tenant.name == "Acme Casings"

    assert service.received[0].headers["Authorization"] == f"Bearer {KEY}"
    assert service.received[0].path == "/api/v1/me"


def test_no_key_is_said_before_anything_is_sent(service: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MYRIAD_API_KEY", raising=False)
    with Client(service.url) as client, pytest.raises(NotAuthenticated) as raised:
        client.tenant.me()

    assert raised.value.hint == "Set MYRIAD_API_KEY to a key of your tenant; it starts with myr_."
    assert service.received == []


def test_no_address_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MYRIAD_URL", raising=False)
    with pytest.raises(ValidationFailed) as raised:
        Client()
    assert raised.value.code == "no_url"


@pytest.mark.parametrize(
    "url", ["myriad.example.com", "ftp://x.example", "http://", "https://me:pw@x.example", "http://x/?k=1"]
)
def test_address_that_cannot_be_right_is_refused(url: str) -> None:
    with pytest.raises(ValidationFailed) as raised:
        Client(url)
    assert raised.value.code == "bad_url"


@pytest.mark.parametrize("key", ["myr_canary\nX-Evil: 1", "myr_canary schlüssel", "myr_canary\x00"])
def test_malformed_key_is_refused_without_being_quoted(key: str) -> None:
    with pytest.raises(NotAuthenticated) as raised:
        Client("http://127.0.0.1:9", key)
    assert raised.value.code == "malformed_key"
    assert "canary" not in repr(raised.value) + str(raised.value)


def test_key_shows_in_no_repr_log_or_exception(service: FakeService, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    service.fail("GET", "/api/v1/me", 503, times=5)
    with Client(service.url, KEY, retry=QUICK, pause=lambda _: None) as client:
        with pytest.raises(Unavailable) as raised:
            client.tenant.me()
        client.tenant.me()

        everything = [caplog.text, repr(client), repr(vars(client)), repr(vars(client._transport))]

    error = raised.value
    everything += [
        repr(error),
        str(error),
        repr(error.to_json()),
        repr(error.__context__),
        repr(error.__cause__),
    ]
    assert "GET /api/v1/me 200" in caplog.text
    assert [text for text in everything if "N3verPrint" in text] == []


@pytest.mark.parametrize("bad", ["", ".", ".."])
def test_id_that_would_change_the_path_is_refused(service: FakeService, client: Client, bad: str) -> None:
    with pytest.raises(ValidationFailed):
        client.images.get(bad)
    assert service.received == []


def test_id_stays_one_segment_of_the_path(service: FakeService, client: Client) -> None:
    with pytest.raises(NotFound):
        client.images.get("../me?x=1#y")
    assert service.received[0].path == "/api/v1/images/..%2Fme%3Fx%3D1%23y"


def test_request_id_is_on_what_is_answered(client: Client) -> None:
    made = client.projects.create("Casings", kind="detection")
    assert made.request_id == "req-1"
    assert [project.request_id for project in client.projects.list()] == ["req-2"]
