"""What was begun and never ended is cleared away, and nothing else."""

import io
import uuid
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from projects.domain.sweeping import ABANDONED_AFTER, INGEST_ENDED, Swept, sweep_tenant, tenants_to_sweep
from projects.models import Image, Project
from tenants.domain.idempotency import KEPT
from tenants.models import AuditEvent, IdempotencyRecord, Quota
from tenants.scope import tenant_scope
from tenants.storage import ObjectMissing, TenantStorage
from tests.cast import Cast, Person
from tests.projects.conftest import project_of
from tests.projects.files import described, photograph, photographs
from tests.projects.uploading import ask, bring, post, send
from tests.projects.working import Hand, rows

LARGE = 17 * 1024 * 1024


def age(person: Person, *images: str) -> None:
    """Makes the images as old as something abandoned."""
    with tenant_scope(person.tenant.id):
        Image.objects.filter(id__in=images).update(created_at=timezone.now() - ABANDONED_AFTER - timedelta(minutes=1))


def usage(person: Person) -> tuple[int, int, int]:
    with tenant_scope(person.tenant.id):
        quota = Quota.objects.get()
        return quota.images_used, quota.bytes_used, sum(project.image_count for project in Project.objects.all())


def test_uploads_that_never_came_go_with_what_they_were_charged(
    alice: Person, project: str, hand: Hand, storage: TenantStorage
) -> None:
    (ready,) = bring(alice, project, photograph("ready"))
    hand.work()
    kept = usage(alice)
    sent, unsent = photographs(2)
    lines = ask(alice, project, sent, unsent, described(9, size=LARGE))
    assert send(lines[0]["upload"], sent.data).status_code == 204  # sent, but never said so
    old = [line["image"] for line in lines]
    (fresh,) = (line["image"] for line in ask(alice, project, photograph("fresh")))
    with tenant_scope(alice.tenant.id):
        upload_id = Image.objects.get(id=old[2]).multipart_id
    age(alice, *old, ready)

    assert sweep_tenant(tenant_id=alice.tenant.id) == Swept(abandoned=3)

    with tenant_scope(alice.tenant.id):
        assert {str(image.id) for image in Image.objects.all()} == {ready, fresh}
        assert AuditEvent.objects.get(action="images.abandoned").detail == {"count": 3}
    assert usage(alice) == (kept[0] + 1, kept[1] + len(photograph("fresh").data), kept[2] + 1)
    assert storage.sizes("incoming", names=old) == {}
    with pytest.raises(ObjectMissing):
        storage.uploaded_parts(f"incoming/{old[2]}", upload_id=upload_id)
    assert sweep_tenant(tenant_id=alice.tenant.id) == Swept()


def test_an_image_whose_job_ended_without_it_says_so_and_can_be_sent_again(
    alice: Person, project: str, hand: Hand
) -> None:
    (left,) = bring(alice, project, photograph("left"))
    (waits,) = bring(alice, project, photograph("waits"))
    with tenant_scope(alice.tenant.id):
        job = Image.objects.get(id=left).job_id
    assert post(alice, f"jobs/{job}/cancel", {}).status_code == 200

    assert sweep_tenant(tenant_id=alice.tenant.id) == Swept(given_up=1)

    assert rows(alice, left, waits) == [("FAILED", INGEST_ENDED["code"]), ("ARRIVED", None)]
    (again,) = ask(alice, project, photograph("left"))
    assert (again["image"], again["status"]) == (left, "AWAITING")


def test_old_answers_are_forgotten_and_newer_ones_kept(alice: Person) -> None:
    for key in ("old", "new"):
        alice.api.post("/api/v1/projects", {"name": key, "kind": "ANOMALY"}, format="json", HTTP_IDEMPOTENCY_KEY=key)
    with tenant_scope(alice.tenant.id):
        IdempotencyRecord.objects.filter(key="old").update(created_at=timezone.now() - KEPT - timedelta(minutes=1))

    assert sweep_tenant(tenant_id=alice.tenant.id) == Swept(answers=1)

    with tenant_scope(alice.tenant.id):
        assert [record.key for record in IdempotencyRecord.objects.all()] == ["new"]


def test_the_command_finds_the_tenants_and_leaves_the_others(cast: Cast, project: str) -> None:
    theirs = project_of(cast.charlie)
    (old,) = (line["image"] for line in ask(cast.alice, project, photograph("old")))
    (new,) = (line["image"] for line in ask(cast.charlie, theirs, photograph("new")))
    age(cast.alice, old)
    assert tenants_to_sweep() == [cast.alice.tenant.id]

    said = io.StringIO()
    call_command("sweep", stdout=said)

    assert said.getvalue() == (
        "1 tenants: 1 uploads never came, 0 ingests were given up, 0 kept answers were old,"
        " 0 imports were never committed, 0 exports were old.\n"
    )
    with tenant_scope(cast.alice.tenant.id):
        assert not Image.objects.filter(id=old).exists()
    with tenant_scope(cast.charlie.tenant.id):
        assert Image.objects.get(id=new).id == uuid.UUID(new)
    assert tenants_to_sweep() == []


def test_the_command_needs_the_maintenance_address(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(settings.DATABASES, "maint")
    with pytest.raises(CommandError, match="DATABASE_MAINT_URL"):
        call_command("sweep")
