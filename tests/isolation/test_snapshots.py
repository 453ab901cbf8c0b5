"""Snapshots: their files lead into the asker's own prefix, and a job's manifest holds one tenant's data only."""

import hashlib
import uuid
from urllib.parse import urlsplit

import pytest

from projects.domain.manifests import load_manifest
from projects.models import Snapshot
from tenants.models import Job
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage
from tests.isolation.guards import Guards
from tests.isolation.test_presigned import send
from tests.isolation.working import done, lease_of
from tests.isolation.world import Holdings, World

WHICH = pytest.mark.parametrize("which", ["manifest", "coco"])


def kept(owner: Holdings, snapshot: uuid.UUID) -> Snapshot:
    with tenant_scope(owner.tenant):
        return Snapshot.objects.get(id=snapshot)


@WHICH
def test_an_owner_gets_the_file_and_nobody_without_the_signature(which: str, world: World) -> None:
    snapshot = kept(world.acme, world.acme.snapshot)
    answer = world.cast.alice.api.get(f"/api/v1/snapshots/{snapshot.id}/{which}")

    status, data = send("GET", answer["Location"])

    assert (status, hashlib.sha256(data).hexdigest()) == (200, getattr(snapshot, f"{which}_sha256"))
    assert b"acme ready" in data
    assert send("GET", answer["Location"].partition("?")[0])[0] == 403


@WHICH
def test_an_address_is_good_for_its_own_object_only(which: str, world: World) -> None:
    acmes, bolts = (
        person.api.get(f"/api/v1/snapshots/{own.snapshot}/{which}")["Location"]
        for person, own in ((world.cast.alice, world.acme), (world.cast.charlie, world.bolt))
    )
    status, body = send("GET", bolts.replace(urlsplit(bolts).path, urlsplit(acmes).path))
    assert status in (400, 403)
    assert b"acme" not in body.replace(str(world.acme.tenant).encode(), b"")


@WHICH
def test_without_the_guards_an_address_leads_into_the_askers_own_prefix(
    which: str, guarded_world: World, guards: Guards
) -> None:
    """The third guard: with both others gone, Charlie finds nothing at the address for Acme's file."""
    answer = guarded_world.cast.charlie.api.get(f"/api/v1/snapshots/{guarded_world.acme.snapshot}/{which}")
    if guards is not Guards.NONE:
        assert answer.status_code == 404
        return
    key = urlsplit(answer["Location"]).path.partition(f"/t/{guarded_world.bolt.tenant}/")[2]
    assert key
    # A test of jobs without guards may have left a copy there.
    TenantStorage(guarded_world.bolt.tenant).delete([key])
    assert send("GET", answer["Location"])[0] == 404


def test_a_snapshot_holds_what_its_tenant_labelled_and_nothing_else(guarded_world: World, guards: Guards) -> None:
    """With either guard gone the job reads no more than with both."""
    for own, word in ((guarded_world.acme, "acme"), (guarded_world.bolt, "bolt")):
        job_id = lease_of(own, "freezing").job_id
        with tenant_scope(own.tenant):
            Job.objects.filter(id=job_id).update(state=Job.State.DISPATCHED)
        assert done(job_id, own).state == "SUCCEEDED"
        manifest = load_manifest(snapshot=kept(own, own.building), storage=TenantStorage(own.tenant))
        assert [(image.id, image.filename) for image in manifest.images] == [(own.image, f"{word} ready.png")]
        assert [label.id for label in manifest.classes] == [own.label]
