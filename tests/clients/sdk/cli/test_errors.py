"""How the command fails: exit codes, and the three lines that people get."""

from pathlib import Path

import pytest

from myriad import Client
from tests.clients.sdk.conftest import QUICK, Myriad
from tests.clients.sdk.fake_service import FakeService

PROJECTS = "/api/v1/projects"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("myriad.cli.session.Client", lambda: Client(retry=QUICK, pause=lambda _: None))


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (400, "validation_failed", 5),
        (401, "not_authenticated", 6),
        (403, "permission_denied", 6),
        (403, "quota_exceeded", 7),
        (404, "not_found", 3),
        (409, "conflict", 5),
        (422, "idempotency_mismatch", 5),
        (429, "throttled", 8),
        (500, "server_error", 1),
        (503, "unavailable", 8),
    ],
)
def test_exit_code_tells_what_kind_of_error_it_was(
    service: FakeService, myriad: Myriad, status: int, code: str, exit_code: int
) -> None:
    service.fail("GET", PROJECTS, status, {"code": code, "detail": "What happened.", "hint": "Do this."}, times=5)

    ended = myriad("project", "list")

    assert ended.code == exit_code
    request = f"req-{len(service.received)}"
    assert ended.err == f"error: What happened.\n  hint: Do this.\n  request: {request}\n"
    assert ended.out == ""


def test_error_is_a_document_with_json(service: FakeService, myriad: Myriad) -> None:
    ended = myriad("project", "create", "", "--kind", "anomaly", "--json")
    assert ended.code == 5
    assert ended.json == {
        "error": {
            "status": 400,
            "code": "validation_failed",
            "detail": "The input is not valid.",
            "hint": "Correct it.",
            "request_id": "req-1",
            "errors": [{"field": "name", "detail": "This field may not be blank."}],
        }
    }


def test_service_that_is_away_exits_with_8(myriad: Myriad, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYRIAD_URL", "http://127.0.0.1:9")
    ended = myriad("project", "list")
    assert ended.code == 8
    assert ended.err.splitlines()[0] == "error: http://127.0.0.1:9 cannot be reached (ConnectError)."


@pytest.mark.parametrize(
    ("name", "value", "exit_code", "error"),
    [
        ("MYRIAD_API_KEY", None, 6, "There is no API key."),
        ("MYRIAD_API_KEY", "myr_wrong_key", 6, "No valid credentials."),
        ("MYRIAD_API_KEY", "myr_with a space", 6, "The API key contains characters that no key has."),
        ("MYRIAD_URL", None, 5, "The address of the service is not known."),
        ("MYRIAD_URL", "myriad.example.com", 5, "The address of the service is not a web address."),
    ],
)
def test_wrong_environment_is_said(
    myriad: Myriad,
    monkeypatch: pytest.MonkeyPatch,
    *,
    name: str,
    value: str | None,
    exit_code: int,
    error: str,
) -> None:
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    ended = myriad("whoami")
    assert (ended.code, ended.err.splitlines()[0]) == (exit_code, f"error: {error}")
    assert "myr_w" not in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["project", "create", "X"],
        ["project", "paint"],
        ["project", "create", "X", "--kind", "sorting"],
        ["--what"],
    ],
)
def test_usage_error_exits_with_2_and_points_to_help(myriad: Myriad, arguments: list[str]) -> None:
    ended = myriad(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines()[1].startswith("  hint: See `myriad")
    assert myriad(*arguments, "--json").json["error"]["code"] == "usage"


def test_nothing_unexpected_shows_a_traceback_unless_asked_for(myriad: Myriad, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Client:
        raise ZeroDivisionError("in the middle")

    monkeypatch.setattr("myriad.cli.session.Client", broken)

    ended = myriad("project", "list")
    assert ended.code == 1
    assert ended.err.splitlines() == [
        "error: Something unexpected happened: ZeroDivisionError.",
        "  hint: This is a mistake of the command; run it with MYRIAD_DEBUG=1 and report what it shows.",
    ]

    monkeypatch.setenv("MYRIAD_DEBUG", "1")
    assert myriad("project", "list").err.startswith("Traceback (most recent call last):\n")


def test_failure_in_mid_list_keeps_what_was_printed_pure(service: FakeService, myriad: Myriad, project: str) -> None:
    for number in range(600):
        service.tenant.add_image(project, f"{number}.jpg")
    listing = f"/api/v1/projects/{project}/images"
    service.fail("GET", listing, 404, {"code": "not_found", "detail": "Gone."}, times=0)
    answer = service.tenant._list_images

    def once(request: object, project_id: str) -> object:
        service.fail("GET", listing, 404, {"code": "not_found", "detail": "Gone."})
        return answer(request, project_id)  # type: ignore[arg-type]  # as the service passes it on

    service.tenant.routes.insert(0, ("GET", r"/projects/([^/]+)/images", once))  # type: ignore[arg-type]

    ended = myriad("image", "list", "-p", project, "--limit", "0", "--json")

    assert ended.code == 3
    assert len(ended.json_lines) == 501
    assert ended.json_lines[-1]["error"]["detail"] == "Gone."


def test_folder_that_does_not_exist_exits_with_5(myriad: Myriad, project: str, tmp_path: Path) -> None:
    ended = myriad("image", "upload", str(tmp_path / "nowhere"), "--project", project)
    assert (ended.code, ended.err.splitlines()[1]) == (5, "  hint: Check the path.")
