"""Uploads that meet trouble half-way."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from myriad import (
    Client,
    UnexpectedAnswer,
    UploadProgress,
)
from tests.clients.sdk.conftest import QUICK
from tests.clients.sdk.fake_service import KEY, FakeService
from tests.clients.sdk.upload.reading import FORM, UPLOADS, codes


def test_upload_is_left_although_the_storage_never_answers(service: FakeService, project: str, folder: Path) -> None:
    """Whoever presses Ctrl-C does not wait for an answer that does not come."""
    service.tenant.storage.seconds_a_file = 4.0

    def on_progress(progress: UploadProgress) -> None:
        if service.requests("POST", FORM):
            raise KeyboardInterrupt

    with Client(service.url, KEY, timeout=5.0, retry=QUICK) as client:
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            client.images.upload(project, folder, parallel=1, on_progress=on_progress)
        assert time.monotonic() - started < 3.5


def test_server_that_leaves_a_file_out_is_not_guessed_about(
    service: FakeService, client: Client, project: str, folder: Path
) -> None:
    service.fail("POST", UPLOADS, 200, {"results": []})
    with pytest.raises(UnexpectedAnswer) as raised:
        client.images.upload(project, folder)
    assert raised.value.detail == "The server did not answer for every file."


def test_file_that_the_server_finds_wrong_on_arrival_is_rejected(
    service: FakeService, client: Client, project: str, folder: Path
) -> None:
    complete = service.tenant._complete
    error = {"code": "size_mismatch", "message": "Another size arrived.", "hint": "Upload it again."}

    def wrong(request: Any, project_id: str) -> Any:
        status, document, headers = complete(request, project_id)
        document["results"][0] |= {"status": "FAILED", "error": error}
        document["results"][1] |= {"status": "NOT_FOUND"}
        return status, document, headers

    service.tenant.routes.insert(0, ("POST", r"/projects/([^/]+)/uploads/complete", wrong))

    report = client.images.upload(project, folder)

    assert codes(report.rejected) == {"0.jpg": "size_mismatch", "1.jpg": "not_found"}
    assert len(report.uploaded) == 8


def test_one_file_that_never_gets_through_does_not_end_the_upload(
    service: FakeService, client: Client, project: str, folder: Path
) -> None:
    service.fail("POST", FORM, None, times=5)
    report = client.images.upload(project, folder, parallel=1)
    assert codes(report.failed) == {"0.jpg": "storage_unreachable"}
    assert len(report.uploaded) == 9


def test_several_uploads_may_share_a_client(service: FakeService, client: Client, project: str, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
        for number in range(20):
            (folder / f"{number}.jpg").write_bytes(f"{folder.name}{number}".encode())

    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(lambda folder: client.images.upload(project, folder), folders))

    assert [len(report.uploaded) for report in reports] == [20, 20, 20]
    assert len(service.tenant.storage.objects) == 60
