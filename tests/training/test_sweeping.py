"""Checkpoints of runs that ended without clearing up are deleted, and those of runs that go on are not."""

import io
from typing import Any

import pytest
from django.core.management import call_command

from tenants.models import Job
from tenants.scope import tenant_scope
from tenants.storage import StorageUnavailable, TenantStorage
from tests.training.computing import EVERY
from tests.training.making import Works
from training.domain.computing import ComputationRefused


def sweep() -> str:
    said = io.StringIO()
    call_command("sweep_runs", stdout=said)
    return said.getvalue()


def test_checkpoints_that_s3_did_not_delete_are_swept(
    works: Works, snapshot: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(step: int) -> None:
        if step == EVERY + 1:
            raise ComputationRefused("nothing_to_learn", "Too few.", hint="Add some.")

    def away(*_: Any) -> None:
        raise StorageUnavailable("S3 is away")

    run = works.start()
    works.computer.before_step = refuse
    with monkeypatch.context() as patched:
        patched.setattr(TenantStorage, "delete_folder", away)
        assert works.hand.work() == ["FAILED"]
    assert works.error(run)["code"] == "nothing_to_learn"
    assert len(works.objects("checkpoints")) == len(works.run(run).checkpoints) == 1

    assert sweep() == "1 tenants: the checkpoints of 1 ended runs were deleted.\n"
    assert (works.objects("checkpoints"), works.run(run).checkpoints) == ([], {})
    assert sweep() == "0 tenants: the checkpoints of 0 ended runs were deleted.\n"


def test_runs_that_go_on_keep_theirs(works: Works, snapshot: str) -> None:
    def die(step: int) -> None:
        if step == EVERY + 1:
            raise ZeroDivisionError("ours")

    run = works.start()
    works.computer.before_step = die
    assert works.hand.work() == ["PENDING"]
    sweep()
    assert len(works.objects("checkpoints")) == len(works.run(run).checkpoints) == 1


def test_run_given_up_after_its_attempts_is_swept(works: Works, snapshot: str) -> None:
    def die(step: int) -> None:
        if step == EVERY + 1:
            raise ZeroDivisionError("ours")

    run = works.start()
    with tenant_scope(works.person.tenant.id):
        Job.objects.filter(kind="train").update(max_attempts=1)
    works.computer.before_step = die
    assert works.hand.work() == ["FAILED"]
    assert works.error(run)["code"] == "job_crashed"
    sweep()
    assert works.objects("checkpoints") == []


def test_a_folder_must_be_named_to_be_deleted(works: Works) -> None:
    works.storage.put("checkpoints/x/1", b"1", content_type="x/y")
    works.storage.put("checkpoints/xy", b"2", content_type="x/y")
    for nothing in ("", "/"):
        with pytest.raises(ValueError, match="named"):
            works.storage.delete_folder(nothing)
    works.storage.delete_folder("checkpoints/x")
    assert works.objects("checkpoints") == ["xy"]
