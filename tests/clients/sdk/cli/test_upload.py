"""`myriad image upload`, from the first file to the last ingested image."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from myriad import Client
from tests.clients.sdk.conftest import QUICK, Myriad
from tests.clients.sdk.fake_service import KEY, FakeService


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("myriad.cli.session.Client", lambda: Client(retry=QUICK, pause=lambda _: None))


def test_folder_is_uploaded_and_ingested(myriad: Myriad, project: str, folder: Path) -> None:
    (folder / "notes.txt").write_text("x")
    ended = myriad("image", "upload", str(folder), "--project", "Casings")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "Files: 10 uploaded, 1 skipped. Images: 10 ready.\n"

    again = myriad("image", "upload", str(folder), "--project", project)
    assert (again.code, again.out) == (
        0,
        "Files: 0 uploaded, 10 already there, 1 skipped. Images: 10 ready.\n",
    )


def test_corrupt_file_among_ten_fails_alone_and_exits_with_4(myriad: Myriad, project: str, folder: Path) -> None:
    (folder / "4.jpg").write_bytes(b"corrupt")
    (folder / "5.jpg").write_bytes(b"")

    ended = myriad("image", "upload", str(folder), "--project", project)

    assert ended.code == 4
    assert ended.err.splitlines() == [
        "5.jpg is empty. (empty_file)",
        "  hint: Copy the file again.",
        "4.jpg: The image ends too early. (truncated)",
        "  hint: Copy it again.",
    ]
    assert ended.out == "Files: 9 uploaded, 1 rejected. Images: 8 ready, 1 failed.\n"


def test_json_is_one_document_with_every_file(myriad: Myriad, project: str, folder: Path) -> None:
    (folder / "4.jpg").write_bytes(b"corrupt")

    ended = myriad("--json", "image", "upload", str(folder), "--project", project)

    assert ended.code == 4
    assert ended.out.count("\n") == 1
    assert ended.json["counts"] == {"uploaded": 10, "duplicates": 0, "rejected": 0, "failed": 0, "skipped": 0}
    assert ended.json["ingest"]["counts"] == {"ready": 9, "failed": 1, "pending": 0}
    (failed,) = [image for image in ended.json["ingest"]["images"] if image["status"] == "FAILED"]
    assert (failed["name"], failed["error"]["code"]) == ("4.jpg", "truncated")


def test_quota_reached_exits_with_7(service: FakeService, myriad: Myriad, project: str, folder: Path) -> None:
    service.tenant.images_limit = 4
    ended = myriad("image", "upload", str(folder), "--project", project)
    assert (ended.code, ended.out) == (7, "Files: 4 uploaded, 6 rejected. Images: 4 ready.\n")


def test_no_wait_leaves_the_ingest_alone(service: FakeService, myriad: Myriad, project: str, folder: Path) -> None:
    ended = myriad("image", "upload", str(folder), "--project", project, "--no-wait", "--json")
    assert (ended.code, ended.json["ingest"]) == (0, None)
    assert service.requests("GET", "/api/v1/jobs/.*") == []


def test_metadata_comes_from_options_and_from_a_table_in_the_folder(
    service: FakeService, myriad: Myriad, project: str, folder: Path
) -> None:
    (folder / "metadata.csv").write_text("filename,camera\n1.jpg,4\nline 2/8.png,5\n")
    options = ["--meta", "camera=3", "--meta", "lot=007", "--split", "train"]

    ended = myriad("image", "upload", str(folder), "--project", project, *options)

    assert ended.err == f"Metadata of 2 files from {folder / 'metadata.csv'}.\n"
    told = {image["filename"]: image for image in service.tenant.images.values()}
    assert told["0.jpg"]["metadata"] == {"camera": "3", "lot": "007"}
    assert told["1.jpg"]["metadata"] == {"camera": "4", "lot": "007"}
    assert told["line 2/8.png"]["metadata"] == {"camera": "5", "lot": "007"}
    assert {image["split"] for image in told.values()} == {"TRAIN"}


def test_group_and_metadata_come_from_a_coco_file(
    service: FakeService, myriad: Myriad, project: str, folder: Path
) -> None:
    entry = '{"file_name": "1.jpg", "group": "board 1", "metadata": {"camera": 3}}'
    (folder / "annotations.json").write_text(f'{{"images": [{entry}]}}')

    ended = myriad("image", "upload", str(folder), "--project", project, "--coco")

    told = {image["filename"]: image for image in service.tenant.images.values()}
    assert (ended.code, told["1.jpg"]["group"], told["1.jpg"]["metadata"]) == (0, "board 1", {"camera": 3})
    assert myriad("image", "upload", str(folder / "line 2"), "-p", project, "--coco").code == 5


def test_bad_table_is_told_before_anything_is_sent(
    service: FakeService, myriad: Myriad, project: str, folder: Path
) -> None:
    (folder / "metadata.csv").write_text("file\n1.jpg\n")
    ended = myriad("image", "upload", str(folder), "--project", project)
    assert (ended.code, service.received) == (5, [])


def test_folder_without_photographs_is_an_error(myriad: Myriad, project: str, tmp_path: Path) -> None:
    ended = myriad("image", "upload", str(tmp_path), "--project", project)
    assert (ended.code, ended.err.splitlines()[0]) == (5, f"error: There are no photographs in {tmp_path}.")


def test_key_that_is_revoked_on_the_way_tells_what_had_been_done(
    service: FakeService, myriad: Myriad, project: str, folder: Path
) -> None:
    problem = {"code": "not_authenticated", "detail": "No valid credentials.", "hint": "Send a key."}
    service.fail("POST", "/api/v1/projects/[^/]+/uploads/complete", 401, problem)

    ended = myriad("image", "upload", str(folder), "--project", project, "--json")

    assert ended.code == 6
    assert ended.json["error"]["code"] == "not_authenticated"
    assert ended.json["report"]["counts"]["failed"] == 10
    assert ended.err.splitlines()[:2] == ["Files: 0 uploaded, 10 failed.", "error: No valid credentials."]


def start(service: FakeService, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "MYRIAD_URL": service.url, "MYRIAD_API_KEY": KEY}
    command = [sys.executable, "-m", "myriad", *arguments]
    # A shell that runs the tests in the background lets them, and what they start, ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)


def test_interrupted_upload_ends_at_once_and_the_next_sends_the_rest(
    service: FakeService, myriad: Myriad, project: str, tmp_path: Path
) -> None:
    """Two batches: the first is complete when Ctrl-C comes, the second is not."""
    for number in range(120):
        (tmp_path / f"{number:03}.jpg").write_bytes(b"%d" % number)
    storage, answer = service.tenant.storage, service.tenant.storage.answer
    over = threading.Event()

    def slower_in_the_second(request: Any) -> tuple[int, bytes]:
        if len(storage.objects) >= 100:
            over.wait(1)  # twenty files, two at a time: ten seconds for Ctrl-C to come, one to be heeded in
        return answer(request)

    storage.answer = slower_in_the_second  # type: ignore[method-assign]  # so that Ctrl-C falls into it

    running = start(service, "image", "upload", str(tmp_path), "--project", project, "--parallel", "2")
    while not service.requests("POST", ".*/complete"):
        time.sleep(0.005)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=20)

    assert running.returncode == 130
    assert len(storage.objects) < 120  # it did not wait for the second batch to end
    assert err.strip() == "Interrupted. Give the same command again; what is there already is not sent twice."
    over.set()
    again = myriad("image", "upload", str(tmp_path), "--project", project)
    assert again.out == "Files: 20 uploaded, 100 already there. Images: 120 ready.\n"
    assert len(service.tenant.images) == 120


def test_whole_process_speaks_json_on_standard_output_only(service: FakeService, project: str, folder: Path) -> None:
    running = start(service, "image", "upload", str(folder), "--project", project, "--json")
    out, err = running.communicate(timeout=20)
    assert (running.returncode, err) == (0, "")
    assert out.startswith('{"project":')
    assert out.count("\n") == 1
    assert KEY not in out


def test_long_list_of_problems_is_cut(myriad: Myriad, project: str, tmp_path: Path) -> None:
    for number in range(25):
        (tmp_path / f"{number:02}.gif").write_bytes(b"%d" % number)
    ended = myriad("image", "upload", str(tmp_path), "--project", project)
    lines = ended.err.splitlines()
    assert (ended.code, lines[-1]) == (4, "And 5 more; --json lists all.")
    assert lines[:2] == ["00.gif is no image. (unsupported_type)", "  hint: Send JPEG."]


def test_table_and_coco_exclude_each_other(myriad: Myriad, project: str, folder: Path) -> None:
    ended = myriad("image", "upload", str(folder), "-p", project, "--coco", "--metadata", "x.csv")
    assert (ended.code, ended.err.splitlines()[0]) == (2, "error: --coco and --metadata exclude each other.")


def test_quiet_says_only_what_came_of_it(myriad: Myriad, project: str, folder: Path) -> None:
    (folder / "5.jpg").write_bytes(b"")
    ended = myriad("image", "upload", str(folder), "-p", project, "-q")
    assert (ended.out, ended.err) == ("Files: 9 uploaded, 1 rejected. Images: 9 ready.\n", "")


def test_key_does_not_show_in_a_traceback(
    service: FakeService, myriad: Myriad, project: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fixture looks for the key in all that is said."""
    monkeypatch.setenv("MYRIAD_DEBUG", "1")
    service.fail("POST", "/api/v1/projects/[^/]+/uploads", 503, times=5)
    ended = myriad("image", "upload", str(folder), "--project", project)
    assert ended.code == 8
    assert "Traceback (most recent call last):" in ended.err
