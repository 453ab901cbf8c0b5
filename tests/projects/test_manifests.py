"""The manifest: the same data is the same bytes, and bytes that are not what was published are refused."""

import hashlib
import json
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from projects.domain.manifests import (
    Manifest,
    ManifestBox,
    ManifestClass,
    ManifestDamaged,
    ManifestImage,
    SnapshotNotReady,
    load_manifest,
    manifest_key,
    missing_images,
    read_manifest,
)
from projects.models import Snapshot
from tenants.scope import ScopeOpen, tenant_scope
from tenants.storage import TenantStorage
from tests.cast import Person
from tests.projects.labelled import labelled

IMAGE = ManifestImage(
    id=uuid.UUID(int=3),
    filename="Gehäuse.png",
    sha256="ab" * 32,
    type="image/png",
    width=640,
    height=480,
    split="TRAIN",
    group="part 7",
    metadata={"line": 2, "camera": "left"},
    annotation=uuid.UUID(int=4),
    boxes=(ManifestBox(0, 0.1, 2, 30.5, 4),),
)
MANIFEST = Manifest(
    project=uuid.UUID(int=1),
    kind="DETECTION",
    classes=(ManifestClass(uuid.UUID(int=2), "dent"),),
    images=(IMAGE,),
)


def test_it_is_canonical_json() -> None:
    nil = "00000000-0000-0000-0000-00000000000"
    image = (
        f'{{"annotation":"{nil}4","boxes":[[0,0.1,2,30.5,4]],"filename":"Gehäuse.png","group":"part 7","height":480,'
        f'"id":"{nil}3","metadata":{{"camera":"left","line":2}},"sha256":"{"ab" * 32}","split":"TRAIN",'
        '"type":"image/png","width":640}'
    )
    expected = (
        f'{{"classes":[{{"id":"{nil}2","name":"dent"}}],"format":1,"images":[{image}],"kind":"DETECTION",'
        f'"project":"{nil}1"}}'
    )

    assert MANIFEST.to_bytes() == expected.encode()
    turned = replace(MANIFEST, images=(replace(IMAGE, metadata={"camera": "left", "line": 2}),))
    assert turned.to_bytes() == MANIFEST.to_bytes()


def test_it_is_read_as_it_was_written() -> None:
    assert read_manifest(MANIFEST.to_bytes()) == MANIFEST


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b"{}",
        MANIFEST.to_bytes().replace(b'"format":1', b'"format":2'),
        MANIFEST.to_bytes().replace(b"[0,0.1,2,30.5,4]", b"[0,0.1,2,30.5]"),
        MANIFEST.to_bytes().replace(b"00000000-", b"x-"),
    ],
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_manifest(data)


def test_a_number_that_json_does_not_know_is_not_written() -> None:
    broken = replace(MANIFEST, images=(replace(IMAGE, boxes=(ManifestBox(0, float("nan"), 0, 1, 1),)),))
    with pytest.raises(ValueError, match="not JSON compliant"):
        broken.to_bytes()


def stored(storage: TenantStorage, data: bytes, folder: Path, **changes: str) -> Snapshot:
    """A snapshot whose manifest is `data`, put where its hash, or `changes`, say."""
    sha256 = hashlib.sha256(data).hexdigest()
    path = folder / sha256
    path.write_bytes(data)
    storage.put_once(manifest_key(sha256), path, content_type="application/json", sha256=sha256)
    fields = {"number": 1, "status": "READY", "manifest_sha256": sha256, "tenant_id": uuid.UUID(int=9)}
    return Snapshot(**fields | changes)


def test_a_stored_manifest_is_held_against_its_hash(storage: TenantStorage, tmp_path: Path) -> None:
    snapshot = stored(storage, MANIFEST.to_bytes(), tmp_path)
    assert load_manifest(snapshot=snapshot, storage=storage) == MANIFEST

    # What lies there now is another one: as good JSON, but not what was published.
    other = replace(MANIFEST, images=(replace(IMAGE, split="TEST"),))
    storage.put(manifest_key(snapshot.manifest_sha256), other.to_bytes(), content_type="application/json")
    with pytest.raises(ManifestDamaged, match="does not match") as caught:
        load_manifest(snapshot=snapshot, storage=storage)
    assert (caught.value.status, caught.value.code) == (409, "snapshot_damaged")
    assert "new snapshot" in caught.value.hint


def test_a_manifest_that_is_gone_or_is_none_is_damaged(storage: TenantStorage, tmp_path: Path) -> None:
    for snapshot in (
        Snapshot(number=1, status="READY", manifest_sha256="0" * 64, tenant_id=uuid.UUID(int=9)),
        stored(storage, json.dumps({"format": 7}).encode(), tmp_path),
    ):
        with pytest.raises(ManifestDamaged):
            load_manifest(snapshot=snapshot, storage=storage)


def test_a_snapshot_that_is_not_ready_has_none(storage: TenantStorage) -> None:
    for status in ("BUILDING", "FAILED"):
        with pytest.raises(SnapshotNotReady):
            load_manifest(snapshot=Snapshot(number=1, status=status, tenant_id=uuid.UUID(int=9)), storage=storage)


def test_it_is_not_fetched_in_a_scope(alice: Person, storage: TenantStorage, tmp_path: Path) -> None:
    snapshot = stored(storage, MANIFEST.to_bytes(), tmp_path)
    with tenant_scope(alice.tenant.id), pytest.raises(ScopeOpen):
        load_manifest(snapshot=snapshot, storage=storage)


def test_images_that_are_deleted_are_missing(
    alice: Person, project: str, queries: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    ids = [uuid.UUID(labelled(alice, project, f"{number}.png")) for number in range(3)]
    manifest = replace(MANIFEST, images=tuple(replace(IMAGE, id=image) for image in ids))

    def missing() -> list[uuid.UUID]:
        with tenant_scope(alice.tenant.id):
            with queries() as sql:
                found = missing_images(manifest=manifest)
            assert len(sql) == 1
            return [image.id for image in found]

    assert missing() == []
    alice.api.delete(f"/api/v1/images/{ids[1]}")
    assert missing() == [ids[1]]
    alice.api.delete(f"/api/v1/projects/{project}")
    assert missing() == ids
