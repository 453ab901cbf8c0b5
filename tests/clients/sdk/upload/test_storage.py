import logging
from pathlib import Path

import pytest

from myriad import Client
from tests.clients.sdk.fake_service import FakeService


def test_signatures_stay_out_of_the_log(
    service: FakeService, client: Client, project: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """httpx logs every address at INFO; that of a part is as good as a key while it lasts."""
    caplog.set_level(logging.INFO, logger="httpx")
    path = tmp_path / "large.tif"
    path.write_bytes(b"x" * (17 * 1024 * 1024))

    client.images.upload(project, path)

    logged = [record.getMessage() for record in caplog.records if "/s3/parts/" in record.getMessage()]
    assert len(logged) == 3
    assert [message for message in logged if "sig" in message.lower()] == []
