import pytest

from myriad import Client, NotDone, NotFound, ValidationFailed
from myriad.resources.snapshots import NamedClass, RenamedClass
from tests.clients.sdk.fake_service import FakeService


def test_snapshot_is_made_and_waited_for(service: FakeService, client: Client, project: str) -> None:
    asked = client.snapshots.create(project, note="before the audit")
    assert (asked.status, asked.note, asked.image_count) == ("BUILDING", "before the audit", 0)
    states: list[str] = []

    ready = client.snapshots.wait(asked, on_progress=lambda job: states.append(job.state))

    assert (ready.status, ready.number, ready.image_count, ready.classes[0].boxes) == ("READY", 1, 2, 3)
    assert states == ["PENDING", "SUCCEEDED"]
    assert client.snapshots.wait(ready) == ready


def test_snapshot_that_takes_too_long_raises(service: FakeService, client: Client, project: str) -> None:
    service.tenant.looks_a_job = 10**9
    with pytest.raises(NotDone):
        client.snapshots.wait(client.snapshots.create(project), timeout=0)


def test_snapshot_is_found_by_id_or_by_number_in_its_project(
    service: FakeService, client: Client, project: str
) -> None:
    first, second = service.tenant.add_snapshot(project), service.tenant.add_snapshot(project)
    assert client.snapshots.find(first).id == first
    assert client.snapshots.find("2", project_id=project).id == second
    assert client.snapshots.find("#1", project_id=project).id == first
    with pytest.raises(ValidationFailed, match="which each project counts for itself"):
        client.snapshots.find("2")
    with pytest.raises(NotFound, match="The project has no snapshot number 3"):
        client.snapshots.find("3", project_id=project)


def test_difference_is_read(service: FakeService, client: Client) -> None:
    entry = {"image": "i1", "filename": "1.jpg", "change": "CHANGED", "boxes_added": 2, "boxes_removed": 0}
    document = {
        "images": {"added": 1, "removed": 0, "changed": 1, "unchanged": 7},
        "boxes": {"added": 2, "removed": 0, "changed": 0},
        "splits_changed": 1,
        "classes_added": [{"id": "c2", "name": "dent"}],
        "classes_removed": [],
        "classes_renamed": [{"id": "c1", "before": "line", "after": "scratch"}],
        "listed": [entry | {"boxes_changed": 0, "fields_changed": {"split": ["TRAIN", "TEST"]}}],
        "truncated": False,
    }
    service.fail("GET", "/api/v1/snapshots/new/diff", 200, document)

    difference = client.snapshots.diff("new", against="old")

    assert service.received[0].query == {"against": ["old"]}
    assert (difference.images["unchanged"], difference.splits_changed) == (7, 1)
    assert difference.classes_added == (NamedClass(id="c2", name="dent"),)
    assert difference.classes_renamed == (RenamedClass(id="c1", before="line", after="scratch"),)
    assert difference.listed[0].fields_changed == {"split": ["TRAIN", "TEST"]}


def test_addresses_of_the_files_are_given(service: FakeService, client: Client, project: str) -> None:
    snapshot = service.tenant.add_snapshot(project)
    assert client.snapshots.coco_url(snapshot).startswith(f"{service.url}/s3/files/coco?")
    assert client.snapshots.manifest_url(snapshot).startswith(f"{service.url}/s3/files/manifest?")
