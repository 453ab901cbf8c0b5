"""What a person sees when something is wrong: a page, not the API's document."""

import pytest
from django.test import Client, RequestFactory
from pytest_django import Settings

from tenants.web import sign_in
from tenants.web.problems import server_error
from tests.cast import Cast


def test_a_failure_of_ours_is_a_page_with_the_number_of_the_request(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("a secret of ours")

    monkeypatch.setattr(sign_in, "sign_in", fail)
    client = Client(raise_request_exception=False)
    answer = client.post("/sign-in", {"email": "a@b.example", "password": "x"}, headers={"X-Request-Id": "seven"})
    assert (answer.status_code, answer["Content-Type"]) == (500, "text/html; charset=utf-8")
    assert b"the number seven" in answer.content
    assert b"secret" not in answer.content


def test_telling_of_a_failure_asks_neither_database_nor_session(rf: RequestFactory) -> None:
    """Either may be what is broken. Without a database fixture every query fails, and this request has no session."""
    assert b"Our mistake" in server_error(rf.get("/t/acme-casings/projects")).content
    assert b'"server_error"' in server_error(rf.get("/api/v1/me")).content


def test_a_host_that_is_not_ours_is_told_whose_setting_it_is(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["myriad.example"]
    for path, kind in (("/sign-in", "text/html; charset=utf-8"), ("/api/v1/me", "application/problem+json")):
        answer = Client().get(path, headers={"Host": "other.example"})
        assert (answer.status_code, answer["Content-Type"]) == (400, kind), path
        assert b"ALLOWED_HOSTS" in answer.content


def test_a_problem_is_told_once(cast: Cast) -> None:
    shown = cast.alice.web.get(cast.alice.page("projects/00000000-0000-0000-0000-000000000000")).content.decode()
    assert shown.count('role="alert"') == 0
    assert shown.count("text-5xl") == 1
