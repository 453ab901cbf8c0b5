from pathlib import Path

import pytest

from myriad import Client, ImageResult, IngestProgress
from tests.clients.sdk.fake_service import FakeService


def test_every_image_gets_its_result(service: FakeService, client: Client, project: str, folder: Path) -> None:
    (folder / "3.jpg").write_bytes(b"corrupt")
    (folder / "5 copy.jpg").write_bytes((folder / "5.jpg").read_bytes())
    report = client.images.upload(project, folder)

    ingested = client.images.wait(report)

    (failed,) = ingested.failed
    assert failed == ImageResult(
        name="3.jpg",
        image=failed.image,
        status="FAILED",
        code="truncated",
        message="The image ends too early.",
        hint="Copy it again.",
    )
    assert sorted(result.name for result in ingested.ready) == sorted(
        result.name for result in report.files if result.name != "3.jpg"
    )
    assert ingested.pending == ()


def test_nothing_is_waited_for_twice(service: FakeService, client: Client, project: str, folder: Path) -> None:
    client.images.wait(client.images.upload(project, folder))
    report = client.images.upload(project, folder)
    before = len(service.received)

    ingested = client.images.wait(report)

    assert len(ingested.ready) == 10
    assert len(service.received) == before


def test_images_of_an_interrupted_upload_are_followed_by_their_own_job(
    service: FakeService, client: Client, project: str, folder: Path
) -> None:
    client.images.upload(project, folder)
    report = client.images.upload(project, folder)
    assert (len(report.duplicates), report.jobs) == (10, ())

    ingested = client.images.wait(report)

    assert len(ingested.ready) == 10


def test_progress_counts_images_and_ends_complete(
    service: FakeService, client: Client, project: str, folder: Path
) -> None:
    service.tenant.looks_a_job = 3
    report = client.images.upload(project, folder)
    seen: list[IngestProgress] = []

    client.images.wait(report, on_progress=seen.append)

    waiting = IngestProgress(done=0, total=10, queue_place=1, eta_seconds=2.5)
    done = IngestProgress(done=10, total=10)
    assert seen == [waiting, waiting, done, done]


def test_wait_that_takes_too_long_leaves_images_pending(
    service: FakeService, client: Client, project: str, folder: Path
) -> None:
    service.tenant.looks_a_job = 10**9
    report = client.images.upload(project, folder)

    ingested = client.images.wait(report, timeout=0)

    assert [result.status for result in ingested.pending] == ["ARRIVED"] * 10
    assert (ingested.ready, ingested.failed) == ((), ())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, "not_ingested"),
        ({"code": "poison", "message": "It was tried three times.", "hint": "Ask support."}, "poison"),
    ],
)
def test_images_of_a_job_that_failed_have_failed(
    service: FakeService, client: Client, project: str, folder: Path, *, error: object, code: str
) -> None:
    report = client.images.upload(project, folder)
    service.tenant.jobs[report.jobs[0]].update(state="FAILED", error=error)

    ingested = client.images.wait(report)

    assert [result.code for result in ingested.failed] == [code] * 10


def test_image_deleted_meanwhile_has_failed(service: FakeService, client: Client, project: str, folder: Path) -> None:
    report = client.images.upload(project, folder)
    del service.tenant.images[str(report.uploaded[2].image)]

    ingested = client.images.wait(report)

    assert [(result.name, result.code) for result in ingested.failed] == [("2.jpg", "not_found")]
    assert len(ingested.ready) == 9


def test_image_without_any_job_is_left_pending(
    service: FakeService, client: Client, project: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("myriad.upload.ingest._ORPHAN_SECONDS", 0.0)
    report = client.images.upload(project, folder / "0.jpg")
    service.tenant.images[str(report.uploaded[0].image)].update(job=None, status="AWAITING")

    ingested = client.images.wait(report)

    assert [result.name for result in ingested.pending] == ["0.jpg"]
