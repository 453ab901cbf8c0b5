from pathlib import Path

import pytest

from myriad import Client, NotFound, Unavailable, ValidationFailed
from tests.clients.sdk.fake_service import FakeService


def test_file_is_saved_whole_with_its_folders(
    service: FakeService, client: Client, project: str, tmp_path: Path
) -> None:
    snapshot = service.tenant.add_snapshot(project)
    target = tmp_path / "new" / "coco.json"
    assert client.snapshots.export_coco(client.snapshots.get(snapshot), target) == target
    assert target.read_bytes() == service.tenant.storage.files["coco"]
    assert [path.name for path in target.parent.iterdir()] == ["coco.json"]


def test_file_of_another_hash_is_asked_for_again_and_then_not_kept(
    service: FakeService, client: Client, project: str, tmp_path: Path
) -> None:
    snapshot = client.snapshots.get(service.tenant.add_snapshot(project, coco_sha256="0" * 64))
    target = tmp_path / "coco.json"
    target.write_text("as before")

    with pytest.raises(Unavailable) as raised:
        client.snapshots.export_coco(snapshot, target)

    assert raised.value.code == "damaged_download"
    assert len(service.requests("GET", "/s3/files/coco")) == 5
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("coco.json", "as before")]


def test_address_that_expired_on_the_way_is_asked_for_again(
    service: FakeService, client: Client, project: str, tmp_path: Path
) -> None:
    service.fail("GET", "/s3/files/coco", 403, b"<Error>Request has expired</Error>")
    service.fail("GET", "/s3/files/coco", None)
    snapshot = client.snapshots.get(service.tenant.add_snapshot(project))
    client.snapshots.export_coco(snapshot, tmp_path / "coco.json")
    assert len(service.requests("GET", ".*/coco")) == 6  # three addresses, three fetches


def test_service_that_refuses_is_asked_once(service: FakeService, client: Client) -> None:
    with pytest.raises(NotFound):
        client.images.read("none")
    assert len(service.received) == 1


def test_target_that_cannot_be_written_is_said(
    service: FakeService, client: Client, project: str, tmp_path: Path
) -> None:
    snapshot = client.snapshots.get(service.tenant.add_snapshot(project))
    (tmp_path / "file").write_text("")
    with pytest.raises(ValidationFailed) as raised:
        client.snapshots.export_coco(snapshot, tmp_path / "file" / "coco.json")
    assert raised.value.code == "unwritable"
