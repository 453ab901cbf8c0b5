"""Exports whose job is broken off at any line: READY once, with the bytes that an unbroken one has, or FAILED."""

from typing import Any

import pytest

from projects.domain import exporting
from projects.models import SnapshotExport
from tenants.scope import tenant_scope
from tenants.storage import StorageUnavailable, TenantStorage
from tests.cast import Person
from tests.crashing import Killed, Line, break_once
from tests.projects.exporting import asked, export_row, fetched, ready, shown
from tests.projects.files import photograph
from tests.projects.labelling import book
from tests.projects.working import Hand, expire, hasten, jobs_of
from workers.domain import execution

LINES = [
    Line(exporting, "_read", after=True),
    Line(exporting, "_pack_images"),
    Line(exporting, "_pack", after=True),
    Line(TenantStorage, "put_file"),
    Line(TenantStorage, "put_file", after=True),
    Line(exporting, "_publish", after=True),
]
# Each line is failed at, as by a storage that is away, and killed at.
ENDS = [(line, how) for line in LINES for how in ("failed", "killed")]


@pytest.fixture
def snapshot(alice: Person, project: str, hand: Hand) -> dict[str, Any]:
    book(alice, project, "dent")
    made, _ = ready(alice, project, hand, (photograph("a"), [("dent", 1, 2, 3, 4)]), (photograph("b"), []))
    return made


def half(export: SnapshotExport) -> bool:
    """Whether anything of an export that is not READY stands in its row."""
    return export.status != "READY" and any((export.sha256, export.size, export.image_count, export.ready_at))


@pytest.mark.parametrize("end", ENDS, ids=lambda end: f"{end[1]}-{end[0]}")
def test_what_is_broken_off_at_this_line_ends_as_if_it_had_not(
    alice: Person, snapshot: dict[str, Any], hand: Hand, monkeypatch: pytest.MonkeyPatch, end: tuple[Line, str]
) -> None:
    line, how = end
    export = asked(alice, snapshot)
    if how == "failed":
        break_once(monkeypatch, line, StorageUnavailable("S3 is away"))
        assert hand.work() == ["PENDING"]
        hasten(alice)
    else:
        break_once(monkeypatch, line, Killed())
        with pytest.raises(Killed):
            hand.work()
        expire(alice, jobs_of(alice)[-1].id)
    assert not half(export_row(alice, export))
    assert hand.work() == ["SUCCEEDED"]

    broken = fetched(alice, export)
    assert jobs_of(alice)[-1].result == {"export": export["id"], "images": 2, "missing": 0}
    with tenant_scope(alice.tenant.id):
        SnapshotExport.objects.update(status="EXPIRED")
    again = asked(alice, snapshot)
    hand.work()
    assert fetched(alice, again) == broken


def test_failure_whose_attempt_died_before_it_could_say_so_is_said_by_the_next(
    alice: Person, snapshot: dict[str, Any], hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "MAX_EXPORT_BYTES", 100)

    def fail(*_: Any, **__: Any) -> None:
        raise Killed

    monkeypatch.setattr(execution.leases, "fail", fail)
    export = asked(alice, snapshot)
    with pytest.raises(Killed):
        hand.work()
    assert export_row(alice, export).status == "FAILED"
    monkeypatch.undo()
    expire(alice, jobs_of(alice)[-1].id)
    assert hand.work() == ["FAILED"]

    now = shown(alice, export)
    assert (now["status"], now["error"]["code"]) == ("FAILED", "export_too_large")
    assert jobs_of(alice)[-1].error == now["error"]


def test_a_lost_lease_publishes_nothing(
    alice: Person, snapshot: dict[str, Any], hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker took the job while this one was packing."""
    pack = exporting._pack

    def pack_too_long(*args: Any, **kwargs: Any) -> None:
        pack(*args, **kwargs)
        expire(alice, jobs_of(alice)[-1].id)
        hand.dispatched()

    monkeypatch.setattr(exporting, "_pack", pack_too_long)
    export = asked(alice, snapshot)
    (job,) = hand.dispatched()
    execution.execute_job(job_id=job, worker="slow")
    assert (export_row(alice, export).status, half(export_row(alice, export))) == ("BUILDING", False)
