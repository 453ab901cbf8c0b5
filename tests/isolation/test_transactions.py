"""No slow peer while a transaction is open: neither S3 nor a child process holds a connection and its locks."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.httpsession import URLLib3Session
from django.db import transaction
from psycopg2 import extensions

from projects.domain.ingest import INGEST
from projects.models import Image
from tenants import jobs, s3, storage
from tenants.jobs import JobContext, Kind
from tenants.models import Job
from tenants.scope import ScopeOpen, tenant_scope
from tenants.storage import TenantStorage
from tests.isolation.observing import ask
from tests.isolation.rows import ROWS
from tests.isolation.working import dispatched, done
from tests.isolation.world import World, item
from training.domain.computing import Computation
from workers.domain import execution

TRAFFIC: dict[str, Callable[[TenantStorage, Path], Any]] = {
    "list": lambda own, _: own.sizes("incoming", names=["x"]),
    "put": lambda own, _: own.put("incoming/x", b"x", content_type="image/png"),
    "get": lambda own, folder: own.download("incoming/x", folder / "x", max_bytes=10),
    "delete": lambda own, _: own.delete(["incoming/x"]),
    "put once": lambda own, _: own.put_once("x", Path(__file__), content_type="image/png", sha256="0" * 64),
    "begin parts": lambda own, _: own.start_multipart("incoming/x", content_type="image/png"),
    "list parts": lambda own, _: own.uploaded_parts("incoming/x", upload_id="x"),
    "finish parts": lambda own, _: own.finish_multipart("incoming/x", upload_id="x", parts={}),
    "abort parts": lambda own, _: own.abort_multipart("incoming/x", upload_id="x"),
}


@pytest.mark.parametrize("use", [pytest.param(use, id=name) for name, use in TRAFFIC.items()])
def test_s3_is_refused_while_a_transaction_is_open(
    use: Callable[[TenantStorage, Path], Any], world: World, tmp_path: Path
) -> None:
    own = TenantStorage(world.acme.tenant)
    with tenant_scope(world.acme.tenant), pytest.raises(ScopeOpen):
        use(own, tmp_path)
    with transaction.atomic(), pytest.raises(ScopeOpen):
        use(own, tmp_path)


def test_no_storage_is_made_while_a_transaction_is_open(world: World) -> None:
    with tenant_scope(world.acme.tenant), pytest.raises(ScopeOpen):
        TenantStorage(world.acme.tenant)


def _decode(context: JobContext) -> dict[str, Any]:
    with context.publishing():
        return {"decoded": context.children.decoder.decode([])}


def _read_pixels(context: JobContext) -> dict[str, Any]:
    with context.publishing():
        return {"read": context.children.decoder.read_pixels([], out_dir=context.scratch)}


def _compute(context: JobContext) -> dict[str, Any]:
    asked = Computation("ping", "run", context.token, context.tenant_id, {})
    with context.publishing():
        context.children.engine.compute(asked, on_report=print, on_part=print, should_stop=context.should_stop)
    return {}


def _store(context: JobContext) -> dict[str, Any]:
    with context.publishing():
        return {"storage": TenantStorage(context.tenant_id).prefix}


@pytest.mark.parametrize("handler", [_decode, _read_pixels, _compute, _store])
def test_a_handler_that_does_slow_work_in_its_scope_fails(
    handler: Callable[[JobContext], dict[str, Any]], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = Kind(name="probe", handler=handler, pool="cpu", lane=Job.Lane.SHORT, max_attempts=1)
    monkeypatch.setitem(jobs._kinds, "probe", kind)
    job = done(dispatched("probe", world.acme, {}), world.acme)
    assert job.state == Job.State.FAILED
    assert "tenants.scope.ScopeOpen" in job.traceback


class Watch:
    """Notes, at each S3 request and each start of a program, whether a session of the server's has a transaction
    open: as the database sees it, so in whatever thread."""

    def __init__(self, superuser: extensions.connection) -> None:
        superuser.autocommit = True
        self._superuser = superuser
        self.seen: list[str] = []
        self.open: list[str] = []

    def note(self, what: str) -> None:
        self.seen.append(what)
        with self._superuser.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND usename = 'myriad_app' AND xact_start IS NOT NULL"
            )
            if cursor.fetchone() != (0,):
                self.open.append(what)


@pytest.fixture
def watch(superuser: extensions.connection, monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch = Watch(superuser)
    send, start = URLLib3Session.send, subprocess.Popen.__init__

    def noted_send(self: Any, request: Any) -> Any:
        watch.note("s3")
        return send(self, request)

    def noted_start(self: Any, *args: Any, **options: Any) -> None:
        watch.note("child")
        start(self, *args, **options)

    monkeypatch.setattr(URLLib3Session, "send", noted_send)
    monkeypatch.setattr(subprocess.Popen, "__init__", noted_start)
    # So that taking the tenant's credentials is seen as well.
    monkeypatch.setattr(storage, "tenant_credentials", s3.TenantCredentials())
    return watch


def test_the_watch_sees_an_open_transaction(watch: Watch, world: World) -> None:
    own = TenantStorage(world.acme.tenant)
    with tenant_scope(world.acme.tenant):
        with s3.borrowed.lend(own._credentials):
            own._client.list_objects_v2(Bucket="myriad", Prefix=own.prefix)  # past our own refusal
        subprocess.run(["true"], check=True)
    assert (watch.seen, watch.open) == (["s3", "s3", "child"], ["s3", "child"])


WITH_S3 = [
    row for row in ROWS if "/uploads" in row.path or row.file or row.path.endswith(("/file", "/thumbnail", "/predict"))
]


@pytest.mark.parametrize("row", WITH_S3, ids=str)
def test_no_request_talks_to_s3_with_a_transaction_open(row: Any, watch: Watch, world: World) -> None:
    answer = ask(world.cast.alice.api, *row.request(named=world.acme, own=world.acme))
    assert answer.status == row.owner
    assert watch.seen
    assert watch.open == []


def test_an_upload_in_parts_does_not_either(watch: Watch, world: World) -> None:
    api, project = world.cast.alice.api, f"/api/v1/projects/{world.acme.project}"
    large = item("large", size=17_000_000)
    for _ in range(2):  # begun, then taken up again
        (line,) = api.post(f"{project}/uploads", {"files": [large]}, format="json").json()["results"]
        assert line["upload"]["method"] == "MULTIPART"
    done = api.post(f"{project}/uploads/complete", {"images": [line["image"]]}, format="json").json()
    assert done["results"][0]["status"] == "MISSING"
    assert len(watch.seen) >= 4
    assert watch.open == []


def test_no_job_talks_to_s3_or_starts_a_child_with_a_transaction_open(
    watch: Watch, world: World, restocked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "HEARTBEAT_SECONDS", 60.0)  # its short transactions are not the handler's
    job_id = dispatched(INGEST, world.acme, {"project": str(world.acme.project), "images": [str(world.acme.arrived)]})
    with tenant_scope(world.acme.tenant):
        Image.objects.filter(id=world.acme.arrived).update(job_id=job_id)
    assert done(job_id, world.acme).result == {"ready": 1, "failed": 0}
    assert "child" in watch.seen
    assert watch.seen.count("s3") >= 4
    assert watch.open == []
