import threading
from pathlib import Path
from typing import Any

import pytest

from myriad import (
    Client,
    Facts,
    NotAuthenticated,
    NotFound,
    Outcome,
    Sidecar,
    Unavailable,
    UploadProgress,
    ValidationFailed,
)
from tests.clients.sdk.fake_service import FakeService
from tests.clients.sdk.upload.reading import COMPLETE, FORM, NOT_AUTHENTICATED, UPLOADS, codes, names


def test_folder_arrives_byte_for_byte(service: FakeService, client: Client, project: str, folder: Path) -> None:
    report = client.images.upload(project, folder)

    assert names(report.uploaded) == [
        *(f"{number}.jpg" for number in range(8)),
        "line 2/8.png",
        "line 2/9.JPG",
    ]
    assert (report.duplicates, report.rejected, report.failed, report.skipped) == ((), (), (), {})
    assert list(report.jobs) == list(service.tenant.jobs)
    for result in report.uploaded:
        assert result.image is not None
        assert service.tenant.storage.objects[result.image] == (folder / result.name).read_bytes()
        assert service.tenant.images[result.image]["filename"] == result.name


def test_storage_is_told_no_key(service: FakeService, client: Client, project: str, folder: Path) -> None:
    client.images.upload(project, folder)
    sent = service.requests("POST", FORM)
    assert len(sent) == 10
    assert [request for request in sent if "Authorization" in request.headers] == []


def test_same_bytes_are_sent_once(service: FakeService, client: Client, project: str, folder: Path) -> None:
    (folder / "0 copy.jpg").write_bytes((folder / "0.jpg").read_bytes())
    client.images.upload(project, folder / "3.jpg")

    report = client.images.upload(project, folder)

    assert len(service.requests("POST", FORM)) == 1 + 9
    assert names(report.duplicates) == ["0.jpg", "3.jpg"]
    assert names(report.uploaded)[0] == "0 copy.jpg"
    assert report.duplicates[0].image == report.uploaded[0].image


def test_refused_file_does_not_hold_up_the_others(
    service: FakeService, client: Client, project: str, folder: Path
) -> None:
    (folder / "4.jpg").write_bytes(b"")
    (folder / "4 copy.jpg").write_bytes(b"")

    report = client.images.upload(project, folder)

    assert len(report.uploaded) == 9
    (first, copy) = report.rejected
    assert (first.name, copy.name) == ("4 copy.jpg", "4.jpg")
    assert (first.code, first.message, first.hint) == (
        "empty_file",
        "4 copy.jpg is empty.",
        "Copy the file again.",
    )
    assert copy.code == "empty_file"


def test_quota_reached_in_mid_batch_is_told_file_by_file(
    service: FakeService, client: Client, project: str, folder: Path
) -> None:
    service.tenant.images_limit = 4
    report = client.images.upload(project, folder)
    assert names(report.uploaded) == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    assert set(codes(report.rejected).values()) == {"quota_exceeded"}
    assert len(report.rejected) == 6


def test_many_files_go_in_batches_of_a_hundred(
    service: FakeService, client: Client, project: str, tmp_path: Path
) -> None:
    for number in range(230):
        (tmp_path / f"{number:03}.jpg").write_bytes(b"%d" % number)

    report = client.images.upload(project, tmp_path)

    assert len(report.uploaded) == 230
    assert sorted(len(request.json["files"]) for request in service.requests("POST", UPLOADS)) == [
        30,
        100,
        100,
    ]
    assert sorted(len(request.json["images"]) for request in service.requests("POST", COMPLETE)) == [
        30,
        100,
        100,
    ]
    assert len(report.jobs) == 3


def test_forms_of_the_next_batch_are_asked_for_while_one_is_sent(
    service: FakeService, client: Client, project: str, tmp_path: Path
) -> None:
    for number in range(200):
        (tmp_path / f"{number:03}.jpg").write_bytes(b"%d" % number)

    client.images.upload(project, tmp_path, parallel=1)

    paths = [request.path.rsplit("/", 1)[1] for request in service.received]
    asked = [place for place, path in enumerate(paths) if path == "uploads"]
    assert asked[1] < paths.index("complete")


def test_metadata_split_and_group_are_told(service: FakeService, client: Client, project: str, folder: Path) -> None:
    sidecar = Sidecar({"1.jpg": Facts({"camera": 4, "lot": "7"}, split="TEST", group="board 1")})

    client.images.upload(project, folder, metadata={"camera": 3}, split="train", sidecar=sidecar)

    told = {image["filename"]: image for image in service.tenant.images.values()}
    assert told["0.jpg"]["metadata"] == {"camera": 3}
    assert (told["0.jpg"]["split"], told["0.jpg"]["group"]) == ("TRAIN", "")
    assert told["1.jpg"]["metadata"] == {"camera": 4, "lot": "7"}
    assert (told["1.jpg"]["split"], told["1.jpg"]["group"]) == ("TEST", "board 1")


def test_expired_forms_are_asked_for_again(service: FakeService, client: Client, project: str, folder: Path) -> None:
    storage, answer = service.tenant.storage, service.tenant.storage.answer
    once = threading.Event()

    def expiring(request: Any) -> tuple[int, bytes]:
        if len(storage.objects) == 4 and not once.is_set():
            once.set()
            storage.expire()
        return answer(request)

    storage.answer = expiring  # type: ignore[method-assign]  # an expiry in the middle of a batch

    report = client.images.upload(project, folder, parallel=1)

    assert len(report.uploaded) == 10
    assert [len(request.json["files"]) for request in service.requests("POST", UPLOADS)] == [10, 6]
    assert len(service.requests("POST", FORM)) == 4 + 6 + 6


def test_storage_that_never_accepts_a_form_is_not_asked_for_ever(
    service: FakeService, client: Client, project: str, folder: Path
) -> None:
    service.fail("POST", FORM, 403, b"<Error><Code>AccessDenied</Code></Error>", times=10**6)
    report = client.images.upload(project, folder)
    assert set(codes(report.failed).values()) == {"not_stored"}
    assert len(service.requests("POST", UPLOADS)) == 3


def test_file_that_the_server_does_not_see_is_sent_again(
    service: FakeService, client: Client, project: str, folder: Path
) -> None:
    service.fail("POST", FORM, 204)
    report = client.images.upload(project, folder)
    assert len(report.uploaded) == 10
    assert [len(request.json["images"]) for request in service.requests("POST", COMPLETE)] == [10, 1]


@pytest.mark.parametrize("status", [None, 500, 503])
def test_failed_send_is_tried_again_with_the_same_form(
    service: FakeService, client: Client, project: str, folder: Path, status: int | None
) -> None:
    service.fail("POST", FORM, status, times=3)
    report = client.images.upload(project, folder)
    assert len(report.uploaded) == 10
    assert len(service.requests("POST", FORM)) == 13
    assert len(service.requests("POST", UPLOADS)) == 1


def test_file_that_storage_refuses_fails_alone_with_its_words(
    service: FakeService, client: Client, project: str, folder: Path
) -> None:
    service.fail("POST", FORM, 400, b"<Error><Code>EntityTooLarge</Code><Message>Too big.</Message></Error>")
    report = client.images.upload(project, folder)
    (failed,) = report.failed
    assert (failed.code, failed.message) == ("EntityTooLarge", "Too big.")
    assert len(report.uploaded) == 9


def test_file_that_changes_after_hashing_fails_alone(
    service: FakeService, client: Client, project: str, folder: Path
) -> None:
    asked = service.tenant._uploads

    def change(request: Any, project_id: str) -> Any:
        (folder / "0.jpg").write_bytes(b"longer than it was before " * 100)
        (folder / "1.jpg").write_bytes(b"short")
        (folder / "2.jpg").unlink()
        return asked(request, project_id)

    service.tenant.routes.insert(0, ("POST", r"/projects/([^/]+)/uploads", change))

    report = client.images.upload(project, folder)

    assert codes(report.failed) == {"0.jpg": "file_changed", "1.jpg": "file_changed", "2.jpg": "unreadable"}
    assert len(report.uploaded) == 7


def test_name_that_is_no_text_fails_alone(client: Client, project: str, folder: Path) -> None:
    (folder / "\udce9t\udce9.jpg").write_bytes(b"named in another century")
    report = client.images.upload(project, folder)
    assert codes(report.failed) == {"\udce9t\udce9.jpg": "bad_filename"}
    assert len(report.uploaded) == 10


def test_key_revoked_between_form_and_completion_ends_it_with_what_was_done(
    service: FakeService, client: Client, project: str, folder: Path
) -> None:
    service.fail("POST", COMPLETE, 401, NOT_AUTHENTICATED)

    with pytest.raises(NotAuthenticated) as raised:
        client.images.upload(project, folder)

    report = raised.value.report
    assert report is not None
    assert set(codes(report.failed).values()) == {"not_attempted"}

    again = client.images.upload(project, folder)
    assert len(again.uploaded) == 10


def test_project_of_somebody_else_is_not_found(client: Client, folder: Path) -> None:
    with pytest.raises(NotFound):
        client.images.upload("0197-foreign", folder)


def test_storage_that_is_away_ends_it(service: FakeService, client: Client, project: str, folder: Path) -> None:
    service.fail("POST", FORM, None, times=10**6)
    with pytest.raises(Unavailable) as raised:
        client.images.upload(project, folder, parallel=2)
    assert raised.value.code == "storage_unreachable"
    # Three files with all their attempts, and what the other thread had begun by then; not ten.
    assert len(service.requests("POST", FORM)) < 35


def test_service_that_goes_away_ends_it_and_the_next_call_goes_on(
    service: FakeService, client: Client, project: str, tmp_path: Path
) -> None:
    for number in range(150):
        (tmp_path / f"{number:03}.jpg").write_bytes(b"%d" % number)
    service.fail("POST", COMPLETE, None, times=10**6, after=1)

    with pytest.raises(Unavailable) as raised:
        client.images.upload(project, tmp_path)
    assert raised.value.report is not None
    assert len(raised.value.report.uploaded) == 100

    service.recover()
    again = client.images.upload(project, tmp_path)

    assert (len(again.duplicates), len(again.uploaded)) == (100, 50)
    assert len(service.tenant.images) == 150


def test_progress_ends_complete_and_never_goes_back(client: Client, project: str, folder: Path) -> None:
    seen: list[UploadProgress] = []
    threads: set[str] = set()

    def on_progress(progress: UploadProgress) -> None:
        threads.add(threading.current_thread().name)
        seen.append(progress)

    client.images.upload(project, folder, on_progress=on_progress)

    total = sum(path.stat().st_size for path in folder.rglob("*.*"))
    last = UploadProgress(files=10, files_total=10, bytes=total, bytes_total=total, problems=0)
    assert seen[-1] == last
    assert [one.bytes for one in seen] == sorted(one.bytes for one in seen)
    assert threads == {threading.current_thread().name}


def test_error_in_the_callback_ends_the_upload_promptly(
    service: FakeService, client: Client, project: str, folder: Path
) -> None:
    service.tenant.storage.seconds_a_file = 0.2

    def on_progress(progress: UploadProgress) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        client.images.upload(project, folder, parallel=1, on_progress=on_progress)

    assert len(service.tenant.storage.objects) < 5
    assert [thread for thread in threading.enumerate() if thread.name.startswith("myriad")] == []


def test_empty_folder_is_an_empty_report(client: Client, project: str, tmp_path: Path) -> None:
    assert client.images.upload(project, tmp_path).files == ()


def test_bad_arguments_are_refused_before_anything_is_sent(
    service: FakeService, client: Client, project: str, folder: Path
) -> None:
    with pytest.raises(ValidationFailed):
        client.images.upload(project, folder, split="dev")
    with pytest.raises(ValidationFailed):
        client.images.upload(project, folder, parallel=0)
    assert service.received == []


def test_report_as_json(service: FakeService, client: Client, project: str, folder: Path) -> None:
    (folder / "notes.txt").write_text("x")
    (folder / "1.jpg").write_bytes(b"")

    document = client.images.upload(project, [folder / "0.jpg", folder / "1.jpg"]).to_json()

    assert document.pop("seconds") > 0
    (image,) = service.tenant.images
    error = {"code": "empty_file", "message": "1.jpg is empty.", "hint": "Copy the file again."}
    assert document == {
        "project": project,
        "counts": {"uploaded": 1, "duplicates": 0, "rejected": 1, "failed": 0, "skipped": 0},
        "files": [
            {"name": "0.jpg", "size": 650, "outcome": Outcome.UPLOADED.value, "image": image, "error": None},
            {"name": "1.jpg", "size": 0, "outcome": Outcome.REJECTED.value, "image": None, "error": error},
        ],
        "skipped": [],
        "jobs": list(service.tenant.jobs),
    }
