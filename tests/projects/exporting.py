"""What a client does to export: uploads and labels real images, freezes them, asks for a zip and fetches it."""

import io
import zipfile
from hashlib import sha256
from typing import Any

import httpx

from projects.domain.manifests import Manifest, load_manifest
from projects.models import Image, SnapshotExport
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage
from tests.cast import Person
from tests.projects.files import File
from tests.projects.labelled import Drawn, label, snapshot_of, snapshot_row
from tests.projects.uploading import bring, post
from tests.projects.working import Hand


def photographed(person: Person, project: str, hand: Hand, *files: File, **said: Any) -> list[str]:
    """READY images with their bytes in S3; their ids."""
    images = bring(person, project, *files, **said)
    hand.work()
    with tenant_scope(person.tenant.id):
        assert Image.objects.filter(id__in=images, status=Image.Status.READY).count() == len(files)
    return images


def frozen(person: Person, project: str, hand: Hand) -> dict[str, Any]:
    """A READY snapshot of the project."""
    snapshot = snapshot_of(person, project)
    hand.work()
    return snapshot


def ready(
    person: Person, project: str, hand: Hand, *labelled: tuple[File, list[Drawn]], **said: Any
) -> tuple[dict[str, Any], list[str]]:
    """A READY snapshot of these files, each with its boxes; and the images' ids."""
    images = photographed(person, project, hand, *(file for file, _ in labelled), **said)
    for image, (_, boxes) in zip(images, labelled, strict=True):
        label(person, image, *boxes)
    return frozen(person, project, hand), images


def manifest_of(person: Person, snapshot: dict[str, Any]) -> Manifest:
    return load_manifest(snapshot=snapshot_row(person, snapshot), storage=TenantStorage(person.tenant.id))


def asked(person: Person, snapshot: dict[str, Any], form: str = "COCO") -> dict[str, Any]:
    """Asks for an export, which is not there yet."""
    answer = post(person, f"snapshots/{snapshot['id']}/exports", {"format": form})
    assert answer.status_code == 202, answer.content
    assert answer["Location"] == f"/api/v1/jobs/{answer.json()['job']}"
    made: dict[str, Any] = answer.json()
    return made


def shown(person: Person, export: dict[str, Any]) -> dict[str, Any]:
    answer = person.api.get(f"/api/v1/exports/{export['id']}")
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def fetched(person: Person, export: dict[str, Any]) -> bytes:
    """The zip's bytes, held against size and hash."""
    now = shown(person, export)
    assert now["status"] == "READY", now
    answer = person.api.get(f"/api/v1/exports/{export['id']}/file")
    assert (answer.status_code, answer["Cache-Control"]) == (302, "no-store"), answer.content
    data = httpx.get(answer["Location"]).raise_for_status().content
    assert (len(data), sha256(data).hexdigest()) == (now["size"], now["sha256"])
    return data


def exported(person: Person, snapshot: dict[str, Any], hand: Hand, form: str = "COCO") -> bytes:
    """The zip of a snapshot."""
    export = asked(person, snapshot, form)
    hand.work()
    return fetched(person, export)


def unpacked(data: bytes) -> dict[str, bytes]:
    """The zip's files by their places in it; their check sums hold."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def export_row(person: Person, export: dict[str, Any]) -> SnapshotExport:
    with tenant_scope(person.tenant.id):
        return SnapshotExport.objects.get(id=export["id"])
