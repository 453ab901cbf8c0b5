from pathlib import Path

import pytest

from myriad import Client, UploadProgress
from tests.clients.sdk.fake_service import FakeService

MEGABYTE = 1024 * 1024
PARTS = "/s3/parts/[^/]+/[0-9]+"


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of 18 MB: two parts of 8 and one of 2, no two alike."""
    path = tmp_path / "large.tif"
    path.write_bytes(b"".join(bytes([number]) * MEGABYTE for number in range(18)))
    return path


def test_large_file_goes_in_parts(service: FakeService, client: Client, project: str, large: Path) -> None:
    report = client.images.upload(project, large)

    (result,) = report.uploaded
    assert result.image is not None
    assert service.tenant.storage.objects[result.image] == large.read_bytes()
    sizes = sorted(len(request.body) for request in service.requests("PUT", PARTS))
    assert sizes == [2 * MEGABYTE, 8 * MEGABYTE, 8 * MEGABYTE]


def test_interrupted_large_file_goes_on_with_the_parts_that_are_missing(
    service: FakeService, client: Client, project: str, large: Path
) -> None:
    service.fail("PUT", "/s3/parts/[^/]+/2", 400, b"<Error><Code>InvalidPart</Code></Error>")
    first = client.images.upload(project, large)
    assert [result.code for result in first.failed] == ["InvalidPart"]
    seen: list[UploadProgress] = []

    again = client.images.upload(project, large, on_progress=seen.append)

    sent = [request.path[-1] for request in service.requests("PUT", PARTS)]
    assert sorted(sent) == ["1", "2", "2", "3"]
    (result,) = again.uploaded
    assert result.image is not None
    assert service.tenant.storage.objects[result.image] == large.read_bytes()
    assert seen[-1].bytes == 18 * MEGABYTE


def test_part_addresses_that_expire_are_asked_for_again(
    service: FakeService, client: Client, project: str, large: Path
) -> None:
    service.fail("PUT", "/s3/parts/[^/]+/3", 403, b"<Error><Code>AccessDenied</Code></Error>")

    report = client.images.upload(project, large)

    assert len(report.uploaded) == 1
    sent = [request.path[-1] for request in service.requests("PUT", PARTS)]
    assert sorted(sent) == ["1", "2", "3", "3"]


def test_part_that_breaks_off_is_sent_again(service: FakeService, client: Client, project: str, large: Path) -> None:
    service.fail("PUT", "/s3/parts/[^/]+/1", None, times=2)
    report = client.images.upload(project, large)
    assert len(report.uploaded) == 1
    assert len(service.requests("PUT", PARTS)) == 5
