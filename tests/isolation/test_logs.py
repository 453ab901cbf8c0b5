"""What is written down: each line bears its tenant, and no secret stands in a log, the database or a file."""

import io
import logging
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient

from projects.domain import queries
from projects.domain.ingest import INGEST
from tenants import jobs, s3
from tenants.jobs import JobContext, Kind
from tenants.models import Job
from tenants.scope import tenant_scope
from tenants.storage import StorageUnavailable, TenantStorage
from tests.cast import PASSWORD
from tests.isolation.working import dispatched, done
from tests.isolation.world import Holdings, World
from workers.domain import execution

log = logging.getLogger("probe")


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """All that the service logs, as `config.settings` has it written, at the most talkative level."""
    root = logging.getLogger()
    handler = next(known for known in root.handlers if type(known) is logging.StreamHandler)
    text, level = io.StringIO(), root.level
    stream = handler.setStream(text)
    root.setLevel(logging.DEBUG)
    yield text
    root.setLevel(level)
    if stream is not None:
        handler.setStream(stream)


def lines(written: io.StringIO, having: str) -> list[str]:
    return [line for line in written.getvalue().splitlines() if having in line]


def bears(line: str, holdings: Holdings) -> bool:
    return f"tenant={holdings.tenant} " in line


def test_a_line_bears_the_tenant_of_its_scope(written: io.StringIO, world: World) -> None:
    with tenant_scope(world.acme.tenant):
        log.info("inside")
    log.info("outside")
    (inside,), (outside,) = lines(written, "inside"), lines(written, "outside")
    assert bears(inside, world.acme)
    assert "tenant=- request=- " in outside


@pytest.mark.parametrize("path", ["projects/{missing}", "images/{missing}/file"], ids=["scoped", "unscoped"])
def test_a_refusal_bears_its_tenant_and_request(path: str, written: io.StringIO, world: World) -> None:
    answer = world.cast.charlie.api.get(f"/api/v1/{path.format(missing=uuid.uuid4())}")
    (line,) = lines(written, "Not Found")
    assert bears(line, world.bolt)
    assert f"request={answer['X-Request-Id']} " in line


def test_a_mistake_of_ours_bears_its_tenant_and_request(
    written: io.StringIO, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(queries, "projects", fail)
    answer = world.cast.charlie.api.get("/api/v1/projects")
    assert answer.status_code == 500
    (line,) = lines(written, "Internal Server Error")
    assert bears(line, world.bolt)
    assert f"request={answer['X-Request-Id']} " in line


def test_a_failure_of_storage_bears_its_tenant(
    written: io.StringIO, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise StorageUnavailable("could not: reasons")

    monkeypatch.setattr(TenantStorage, "presign_download", fail)
    assert world.cast.alice.api.get(f"/api/v1/images/{world.acme.image}/file").status_code == 503
    (line,) = lines(written, "could not: reasons")
    assert bears(line, world.acme)


def test_a_request_leaves_its_tenant_to_no_other(written: io.StringIO, world: World) -> None:
    assert world.cast.alice.api.get("/api/v1/projects").status_code == 200
    log.info("between")
    assert world.cast.anonymous.get("/api/v1/projects").status_code == 401
    assert world.cast.charlie.api.get(f"/api/v1/projects/{world.acme.project}").status_code == 404
    assert "tenant=- request=- " in lines(written, "between")[0]
    assert "tenant=- " in lines(written, "Unauthorized")[0]
    assert bears(lines(written, "Not Found")[0], world.bolt)


def test_a_jobs_lines_bear_its_tenant(written: io.StringIO, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(context: JobContext) -> dict[str, Any]:
        log.info("at work for %s", context.tenant_id)
        raise ZeroDivisionError

    kind = Kind(name="probe", handler=work, pool="cpu", lane=Job.Lane.SHORT, max_attempts=1)
    monkeypatch.setitem(jobs._kinds, "probe", kind)
    for holdings in (world.acme, world.bolt):
        done(dispatched("probe", holdings, {}), holdings)
        log.info("idle")
        assert bears(lines(written, f"at work for {holdings.tenant}")[0], holdings)
    assert [bears(line, world.acme) for line in lines(written, "attempt 1")] == [True, False]
    assert all("tenant=- " in line for line in lines(written, "idle"))


def test_a_heartbeats_lines_bear_its_tenant(
    written: io.StringIO, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "HEARTBEAT_SECONDS", 0.01)

    def work(context: JobContext) -> dict[str, Any]:
        with tenant_scope(context.tenant_id):
            Job.objects.filter(id=context.job_id).update(token=7)  # another worker has it now
        assert context.lost.wait(5)  # type: ignore[attr-defined]  # of the worker's own context
        return {}

    kind = Kind(name="probe", handler=work, pool="cpu", lane=Job.Lane.SHORT)
    monkeypatch.setitem(jobs._kinds, "probe", kind)
    done(dispatched("probe", world.acme, {}), world.acme)
    told = lines(written, "is no longer ours")
    assert told
    assert all(bears(line, world.acme) for line in told)


def everything_kept(superuser: Any) -> str:
    """All rows of all tables, as text."""
    with superuser.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [name for (name,) in cursor.fetchall()]
        rows = []
        for table in tables:
            cursor.execute(f"SELECT to_jsonb(it)::text FROM {table} it")
            rows += [text for (text,) in cursor.fetchall()]
    return "\n".join(rows)


def test_no_secret_is_written_down(
    written: io.StringIO, world: World, superuser: Any, restocked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = world.cast.alice.api
    once: dict[str, Any] = {"HTTP_IDEMPOTENCY_KEY": "canary"}
    made = api.post("/api/v1/keys", {"name": "canary"}, format="json", **once).json()
    invited = api.post("/api/v1/invitations", {"email": "canary@b.example", "role": "ADMIN"}, format="json", **once)
    assert invited.status_code == 422  # the same Idempotency-Key for another request
    invited = api.post("/api/v1/invitations", {"email": "canary@b.example", "role": "ADMIN"}, format="json").json()
    seat = world.cast.anonymous.post(
        "/api/v1/invitations/accept",
        {"token": invited["token"], "name": "Canary", "password": PASSWORD},
        format="json",
    ).json()
    tokens = [made["secret"], invited["token"], seat["api_key"]["secret"]]
    # A token without its kind and prefix would do harm as well.
    secrets = [PASSWORD, *tokens, *(token.split("_")[2] for token in tokens)]
    _use_and_misuse(world, made, monkeypatch)
    secrets += _storage_secrets(world)

    text, rows = written.getvalue(), everything_kept(superuser)
    assert "/api/v1/" in text
    assert made["prefix"] in rows
    for secret in secrets:
        assert len(secret) >= 16
        assert secret not in text
        assert secret not in rows


def _use_and_misuse(world: World, made: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The new key at work: well, in wrong places, in a request that fails, and after its end."""
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {made['secret']}")
    assert client.get("/api/v1/me").status_code == 200
    job_id = dispatched(INGEST, world.acme, {"project": str(world.acme.project), "images": [str(world.acme.arrived)]})
    assert done(job_id, world.acme).state == Job.State.SUCCEEDED
    assert client.get(f"/api/v1/images/{world.acme.image}/file").status_code == 302
    for wrong in (f"Basic {made['secret']}", f"Bearer {made['secret']}x", f"Bearer x{made['secret']}"):
        stranger = APIClient()
        stranger.credentials(HTTP_AUTHORIZATION=wrong)
        assert stranger.get("/api/v1/me").status_code == 401
    with monkeypatch.context() as patched:
        patched.setattr(queries, "projects", lambda: 1 // 0)
        assert client.get("/api/v1/projects").status_code == 500
    assert client.delete(f"/api/v1/keys/{made['id']}").status_code == 204
    assert client.get("/api/v1/me").status_code == 401


def _storage_secrets(world: World) -> list[str]:
    credentials = TenantStorage(world.acme.tenant)._credentials.get_frozen_credentials()
    service = s3.service_client("sts", None)._request_signer._credentials
    return [credentials.secret_key, credentials.token, service.secret_key]
