"""Background work: a job reaches what its own tenant has, whatever its row, its spec or its message name."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from projects.domain.exporting import SNAPSHOT_EXPORT
from projects.domain.freezing import SNAPSHOT
from projects.domain.import_archives import IMPORT_CHECK, IMPORT_COMMIT
from projects.domain.ingest import INGEST
from projects.models import Image, Import, Project, Snapshot, SnapshotExport
from tenants import jobs
from tenants.jobs import JobContext, JobFailed, Kind, LeaseLost
from tenants.models import Job
from tenants.scope import scope_or_none, tenant_scope
from tests.isolation.guards import Guards
from tests.isolation.objects import PROBES, acmes_objects, client, refused
from tests.isolation.working import dispatched, done, lease_of
from tests.isolation.world import Holdings, World, state_of
from tests.training.computing import Quick
from tests.training.conftest import computer
from training.domain.models import EXPORT
from training.domain.runs import TRAIN
from training.models import Model
from workers.children.decode import DecodeChild
from workers.domain import leases
from workers.domain.execution import Children, Context, execute_job
from workers.domain.leases import Lease

__all__ = ["computer"]

# For each kind of job, a spec that names a tenant's things. A kind without one fails.
SPECS: dict[str, Callable[[Holdings], dict[str, Any]]] = {
    INGEST: lambda named: {
        "project": str(named.project),
        "images": [str(image) for image in (named.arrived, named.awaiting, named.image)],
    },
    SNAPSHOT: lambda named: {"snapshot": str(named.building)},
    SNAPSHOT_EXPORT: lambda named: {"export": str(named.packed)},
    IMPORT_CHECK: lambda named: {"import": str(named.inspecting)},
    IMPORT_COMMIT: lambda named: {"import": str(named.entering), "member": str(named.member), "key": None},
    TRAIN: lambda named: {"run": str(named.waiting)},
    EXPORT: lambda named: {"model": str(named.plain)},
}
# Which of a tenant's jobs is of the kind, and what shows that it did its work.
WAITING: dict[str, tuple[str, Callable[[Holdings], bool]]] = {
    INGEST: ("job", lambda own: Image.objects.get(id=own.arrived).status == Image.Status.READY),
    SNAPSHOT: ("freezing", lambda own: Snapshot.objects.get(id=own.building).status == Snapshot.Status.READY),
    SNAPSHOT_EXPORT: (
        "packing",
        lambda own: SnapshotExport.objects.get(id=own.packed).status == SnapshotExport.Status.READY,
    ),
    IMPORT_CHECK: ("checking", lambda own: Import.objects.get(id=own.inspecting).status == Import.Status.CHECKED),
    IMPORT_COMMIT: ("committing", lambda own: Import.objects.get(id=own.entering).status == Import.Status.DONE),
    TRAIN: ("training", lambda own: Model.objects.filter(run_id=own.waiting).exists()),
    EXPORT: ("exporting", lambda own: Model.objects.get(id=own.plain).export is not None),
}
# What these work on lies in S3, whose credentials hold where both guards are down.
FETCHING = {TRAIN, EXPORT}
# These, too; but their failure is written to the row.
NOTING = {IMPORT_CHECK, IMPORT_COMMIT, SNAPSHOT_EXPORT}
KINDS = pytest.mark.parametrize("kind", sorted(SPECS))


@pytest.fixture
def handled(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[JobContext], dict[str, Any]]], None]:
    """Registers a handler as the kind "probe", for the length of the test."""

    def register(handler: Callable[[JobContext], dict[str, Any]]) -> None:
        kind = Kind(name="probe", handler=handler, pool="cpu", lane=Job.Lane.SHORT, max_attempts=1)
        monkeypatch.setitem(jobs._kinds, "probe", kind)

    return register


def test_every_kind_of_job_is_probed() -> None:
    assert {kind.name for kind in jobs.registered_kinds()} == set(SPECS) == set(WAITING)


@KINDS
def test_a_job_whose_spec_names_anothers_things_finds_nothing(kind: str, guarded_world: World, guards: Guards) -> None:
    world = guarded_world
    ids = [dispatched(kind, world.bolt, SPECS[kind](named)) for named in (world.acme, Holdings.nowhere())]
    before, objects = state_of(world.acme.tenant), acmes_objects(world)
    foreign, missing = (done(job_id, world.bolt) for job_id in ids)
    told = (foreign.state, foreign.result, foreign.error) != (missing.state, missing.result, missing.error)
    changed = state_of(world.acme.tenant) != before or acmes_objects(world) != objects
    assert (told or changed) is (guards is Guards.NONE)


@KINDS
def test_a_job_run_in_anothers_name_reaches_neither(
    kind: str, guarded_world: World, guards: Guards, tmp_path: Path
) -> None:
    """Acme's job, by a worker that takes it for Bolt's."""
    world = guarded_world
    lease = lease_of(world.acme, WAITING[kind][0])
    assert lease.kind == kind
    before = {holdings.tenant: state_of(holdings.tenant) for holdings in (world.acme, world.bolt)}
    objects = acmes_objects(world)
    context = Context(replace(lease, tenant_id=world.bolt.tenant), tmp_path, Children(decoder=DecodeChild()))
    try:
        jobs.kind_named(kind).handler(context)
    except LeaseLost:
        assert guards is not Guards.NONE
    except JobFailed:
        assert kind in FETCHING | NOTING
    reached = guards is Guards.NONE and kind not in FETCHING
    changed = {tenant for tenant, state in before.items() if state_of(tenant) != state}
    assert changed == ({world.acme.tenant} if reached else set())
    assert acmes_objects(world) == objects


@KINDS
def test_the_same_job_in_its_own_name_does_its_work(kind: str, world: World, restocked: None, computer: Quick) -> None:
    """So that the refusals above are about whose job it is. What is computed matters little: not by the engine."""
    before = state_of(world.acme.tenant)
    waiting, did_its_work = WAITING[kind]
    lease = lease_of(world.acme, waiting)
    with tenant_scope(world.acme.tenant):
        assert not did_its_work(world.acme)
        Job.objects.filter(id=lease.job_id).update(state=Job.State.DISPATCHED)
    assert execute_job(job_id=lease.job_id, worker="isolation") == "SUCCEEDED"
    assert state_of(world.acme.tenant) != before
    with tenant_scope(world.acme.tenant):
        assert did_its_work(world.acme)


HOLDS: dict[str, Callable[[Lease], Any]] = {
    "renew": lambda lease: leases.renew(lease, progress={"done": 1, "total": 1, "message": ""}),
    "succeed": lambda lease: leases.succeed(lease, result={}, progress={}),
    "fail": lambda lease: leases.fail(lease, error={"code": "x", "message": "x", "hint": "x"}),
    "cancel": leases.end_canceled,
    "give back": leases.give_back,
    "retry": lambda lease: leases.retry_later(lease, traceback="x"),
    "publish": lambda lease: leases.publishing(lease).__enter__(),
}


@pytest.mark.parametrize("use", [pytest.param(use, id=name) for name, use in HOLDS.items()])
def test_a_lease_in_anothers_name_holds_nothing(use: Callable[[Lease], Any], world: World) -> None:
    lease = lease_of(world.acme)
    before = state_of(world.acme.tenant)
    with pytest.raises(LeaseLost):
        use(replace(lease, tenant_id=world.bolt.tenant))
    assert state_of(world.acme.tenant) == before


def test_a_message_that_names_a_job_which_is_not_due_does_nothing(world: World) -> None:
    before = state_of(world.acme.tenant)
    for job_id in (world.acme.job, uuid.uuid4(), world.acme.project):
        assert execute_job(job_id=job_id, worker="isolation") is None
    assert state_of(world.acme.tenant) == before


def test_the_same_work_of_two_tenants_is_two_jobs(world: World) -> None:
    """The key of a job tells one tenant nothing of another's jobs."""
    with tenant_scope(world.bolt.tenant):
        job, new = jobs.enqueue(kind=INGEST, key="acme batch", spec={})
        assert (new, job.tenant_id) == (True, world.bolt.tenant)


Register = Callable[[Callable[[JobContext], dict[str, Any]]], None]


def test_a_job_that_forgot_its_scope_raises_and_reads_nothing(handled: Register, world: World) -> None:
    seen: list[Any] = []

    def forgetful(context: JobContext) -> dict[str, Any]:
        seen.append(scope_or_none())
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM projects_image")
            seen.append(cursor.fetchone())
        return {"images": Image.objects.count()}

    handled(forgetful)
    job = done(dispatched("probe", world.acme, {}), world.acme)
    assert seen == [None, (0,)]
    assert (job.state, job.result) == (Job.State.FAILED, None)
    assert "tenants.scope.NoScope" in job.traceback
    assert job.error is not None
    assert job.error["code"] == "job_crashed"
    assert "scope" not in str(job.error)


def test_a_job_that_enters_anothers_scope_while_in_its_own_fails(handled: Register, world: World) -> None:
    def wanderer(context: JobContext) -> dict[str, Any]:
        with context.publishing(), tenant_scope(world.acme.tenant):
            return {"projects": Project.objects.count()}

    handled(wanderer)
    job = done(dispatched("probe", world.bolt, {}), world.bolt)
    assert (job.state, job.result) == (Job.State.FAILED, None)
    assert "tenants.scope.ForeignScope" in job.traceback


def test_one_workers_thread_keeps_nothing_from_job_to_job(handled: Register, world: World) -> None:
    def look(context: JobContext) -> dict[str, Any]:
        assert scope_or_none() is None
        with tenant_scope(context.tenant_id):
            return {"tenants": sorted({str(project.tenant_id) for project in Project.objects.all()})}

    handled(look)
    for holdings in (world.acme, world.bolt, world.acme):
        assert done(dispatched("probe", holdings, {}), holdings).result == {"tenants": [str(holdings.tenant)]}


def test_a_jobs_storage_credentials_reach_no_other_prefix(handled: Register, world: World) -> None:
    before = acmes_objects(world)

    def thief(context: JobContext) -> dict[str, Any]:
        s3 = client(context.tenant_id)
        return {name: refused(probe, s3, world) for name, probe in PROBES.items()}

    handled(thief)
    job = done(dispatched("probe", world.bolt, {}), world.bolt)
    assert job.state == Job.State.SUCCEEDED, job.traceback
    assert job.result is not None
    assert set(job.result) == set(PROBES)
    assert set(job.result.values()) <= {"AccessDenied", "403"}
    assert acmes_objects(world) == before


def _well(_: JobContext) -> dict[str, Any]:
    return {}


def _badly(_: JobContext) -> dict[str, Any]:
    raise JobFailed("bad", "It is bad.", hint="Do better.")


def _wrongly(_: JobContext) -> dict[str, Any]:
    raise ZeroDivisionError


def _canceled(context: JobContext) -> dict[str, Any]:
    raise jobs.Stopped


@pytest.mark.parametrize("end", [_well, _badly, _wrongly, _canceled])
def test_a_jobs_folder_bears_its_tenant_and_dies_with_it(
    end: Callable[[JobContext], dict[str, Any]], handled: Register, world: World
) -> None:
    seen: list[tuple[str, int, Path]] = []

    def work(context: JobContext) -> dict[str, Any]:
        seen.append((context.scratch.name, context.scratch.stat().st_mode & 0o777, context.scratch))
        (context.scratch / "deep").mkdir()
        (context.scratch / "deep" / "loot").write_text("acme")
        return end(context)

    handled(work)
    for holdings in (world.acme, world.bolt):
        done(dispatched("probe", holdings, {}), holdings)
        name, mode, folder = seen.pop()
        assert str(holdings.tenant) in name
        assert mode == 0o700
        assert not folder.exists()
