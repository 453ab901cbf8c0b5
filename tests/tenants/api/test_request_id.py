"""Each request has an id, which its answer, its log lines and its audit lines carry, and its tenant."""

import io
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings

from tenants.scope import tenant_scope
from tenants.tracing import TraceFilter, acting_for, request_id
from tests.cast import Cast


@pytest.mark.parametrize("given", ["abc", "A-b_c.9", "x" * 64, "0190b8a4-0000-7000-8000-000000000000"])
def test_a_well_formed_id_is_echoed(given: str, standing_cast: Cast) -> None:
    answer = standing_cast.alice.api.get("/api/v1/me", HTTP_X_REQUEST_ID=given)

    assert answer.headers["X-Request-Id"] == given


@pytest.mark.parametrize(
    "given", ["", "x" * 65, "a b", "a\nb", "a\r\nSet-Cookie: x", "ünï", "<script>", "a;b", "a\x00"]
)
def test_another_is_replaced(given: str, standing_cast: Cast) -> None:
    answer = standing_cast.alice.api.get("/api/v1/me", HTTP_X_REQUEST_ID=given)

    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-Id"])


def test_each_request_gets_another(standing_cast: Cast) -> None:
    ids = {standing_cast.alice.api.get("/api/v1/me").headers["X-Request-Id"] for _ in range(5)}

    assert len(ids) == 5


@pytest.mark.parametrize("address", ["/healthz", "/nothing", "/api/v1/me", "/api/v1/schema"])
def test_every_answer_carries_one(address: str, standing_cast: Cast) -> None:
    assert standing_cast.anonymous.get(address).headers["X-Request-Id"]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the service's formatter and filter write of every record."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    line: dict[str, Any] = settings.LOGGING["formatters"]["line"]  # type: ignore[index]  # a plain dict
    handler.setFormatter(logging.Formatter(line["format"], style="{"))
    handler.addFilter(TraceFilter())
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


def test_a_failures_traceback_is_logged_under_its_id_and_tenant(
    log: io.StringIO, standing_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenants.domain.queries.me", lambda **_: 1 / 0)
    standing_cast.alice.api.get("/api/v1/me", HTTP_X_REQUEST_ID="req-7")

    line = next(line for line in log.getvalue().splitlines() if "Internal Server Error" in line)
    assert f"tenant={standing_cast.alice.tenant.id} request=req-7 " in line
    assert "ZeroDivisionError" in log.getvalue()


def test_a_line_outside_a_request_has_dashes(log: io.StringIO) -> None:
    logging.getLogger("probe").warning("hello")

    assert "tenant=- request=- hello" in log.getvalue()


def test_the_scope_names_the_tenant(log: io.StringIO, standing_cast: Cast) -> None:
    with tenant_scope(standing_cast.charlie.tenant.id):
        logging.getLogger("probe").warning("hello")
    logging.getLogger("probe").warning("by hand", extra={"tenant": "t-1"})

    assert f"tenant={standing_cast.charlie.tenant.id} request=- hello" in log.getvalue()
    assert "tenant=t-1 request=- by hand" in log.getvalue()


def test_nothing_of_a_request_outlives_it(standing_cast: Cast) -> None:
    standing_cast.alice.api.get("/api/v1/me", HTTP_X_REQUEST_ID="req-7")

    assert (request_id.get(), acting_for.get()) == ("", None)


def test_the_configured_handler_uses_the_filter() -> None:
    handlers: dict[str, Any] = settings.LOGGING["handlers"]  # type: ignore[assignment]  # a plain dict

    assert handlers["stderr"]["filters"] == ["trace"]
    assert settings.LOGGING["filters"] == {"trace": {"()": "tenants.tracing.TraceFilter"}}
