"""Zips of snapshots are kept for some days: then they go, files and rows."""

import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from projects.domain.exporting import export_folder
from projects.domain.sweeping import EXPORTS_KEPT, Swept, sweep_tenant, tenants_to_sweep
from projects.models import SnapshotExport
from tenants.scope import tenant_scope
from tenants.storage import StorageUnavailable, TenantStorage
from tests.cast import Person
from tests.crashing import Line, break_once
from tests.projects.exporting import asked, fetched, ready
from tests.projects.files import photograph
from tests.projects.working import Hand


@pytest.fixture
def snapshot(alice: Person, project: str, hand: Hand) -> dict[str, Any]:
    made, _ = ready(alice, project, hand, (photograph("a"), []))
    return made


def age(person: Person, *exports: dict[str, Any]) -> None:
    with tenant_scope(person.tenant.id):
        rows = SnapshotExport.objects.filter(id__in=[export["id"] for export in exports])
        rows.update(created_at=timezone.now() - EXPORTS_KEPT - timedelta(minutes=1))


def files_of(storage: TenantStorage, export: dict[str, Any], sha256: str) -> dict[str, int]:
    return storage.sizes(export_folder(export["id"]), names=[f"{sha256}.zip"])


def test_old_exports_go_and_young_ones_stay(
    alice: Person, snapshot: dict[str, Any], hand: Hand, storage: TenantStorage
) -> None:
    old, young, late = (asked(alice, snapshot, form) for form in ("COCO", "VOC", "YOLO"))
    hand.work()
    with tenant_scope(alice.tenant.id):
        SnapshotExport.objects.filter(id=late["id"]).update(status="EXPIRED")
        hashes = dict(SnapshotExport.objects.values_list("format", "sha256"))
    assert files_of(storage, old, hashes["COCO"])
    age(alice, old)
    assert tenants_to_sweep() == [alice.tenant.id]
    said = io.StringIO()
    call_command("sweep", stdout=said)

    assert "2 exports were old." in said.getvalue()
    assert tenants_to_sweep() == []
    assert fetched(alice, young)
    for export in (old, late):
        assert files_of(storage, export, hashes[export["format"]]) == {}
        assert alice.api.get(f"/api/v1/exports/{export['id']}").status_code == 404
    assert asked(alice, snapshot)["id"] != old["id"]


def test_what_a_job_is_at_work_on_stays(alice: Person, snapshot: dict[str, Any], hand: Hand) -> None:
    export = asked(alice, snapshot)
    age(alice, export)
    assert sweep_tenant(tenant_id=alice.tenant.id) == Swept()
    hand.work()
    assert fetched(alice, export)


@pytest.mark.parametrize("after", [False, True])
def test_broken_off_the_next_sweep_goes_on(
    alice: Person, snapshot: dict[str, Any], hand: Hand, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    export = asked(alice, snapshot)
    hand.work()
    age(alice, export)
    break_once(monkeypatch, Line(TenantStorage, "delete_folder", after=after), StorageUnavailable("S3 is away"))
    with pytest.raises(StorageUnavailable):
        sweep_tenant(tenant_id=alice.tenant.id)
    assert alice.api.get(f"/api/v1/exports/{export['id']}/file").status_code == 409

    assert sweep_tenant(tenant_id=alice.tenant.id) == Swept(exports=1)
    assert sweep_tenant(tenant_id=alice.tenant.id) == Swept()
