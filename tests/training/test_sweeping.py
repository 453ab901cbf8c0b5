"""Checkpoints of runs that ended without clearing up are deleted, and those of runs that go on are not."""

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tenants.models import Job
from tenants.scope import tenant_scope
from tenants.storage import StorageUnavailable, TenantStorage
from tests.training.computing import EVERY
from tests.training.making import Works, post
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

    assert sweep() == "The checkpoints of 1 ended runs were deleted.\n"
    assert (works.objects("checkpoints"), works.run(run).checkpoints) == ([], {})
    assert sweep() == "The checkpoints of 0 ended runs were deleted.\n"


def test_part_that_was_stored_but_never_named_is_swept(works: Works, snapshot: str) -> None:
    """Its worker died between the two, and the run was canceled before another attempt."""
    run = works.start()
    assert post(works.person, f"runs/{run}/cancel", {}).status_code == 200
    works.storage.put(f"checkpoints/{run}/1-final-100", b"part", content_type="application/octet-stream")

    assert sweep() == "The checkpoints of 1 ended runs were deleted.\n"
    assert works.objects("checkpoints") == []


def test_one_tenant_s_storage_does_not_hold_up_the_others(
    works: Works, snapshot: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise StorageUnavailable("S3 is away")

    run = works.start()
    assert post(works.person, f"runs/{run}/cancel", {}).status_code == 200
    monkeypatch.setattr(TenantStorage, "delete_folder", away)

    with pytest.raises(CommandError, match=str(works.person.tenant.id)):
        sweep()


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
