from pathlib import Path

import pytest

from myriad import Outcome, UploadProgress
from myriad.upload.files import LocalFile
from myriad.upload.ledger import Ledger

ERROR = {"code": "empty_file", "message": "It is empty.", "hint": "Copy it again."}


@pytest.fixture
def ledger() -> Ledger:
    """Four files of 10, 20, 30 and 40 bytes."""
    return Ledger([LocalFile(Path(name), name, size, 0) for name, size in zip("abcd", (10, 20, 30, 40), strict=True)])


def progress(files: int, count: int, problems: int = 0) -> UploadProgress:
    return UploadProgress(files=files, files_total=4, bytes=count, bytes_total=100, problems=problems)


def test_bytes_count_when_sent_and_once(ledger: Ledger) -> None:
    ledger.sent(3, 1, 25)
    assert ledger.progress() == progress(0, 25)
    ledger.sent(3, 1, 25)
    assert ledger.progress() == progress(0, 25)
    ledger.sent(3, 2, 15)
    assert ledger.progress() == progress(1, 40)
    ledger.settle(3, Outcome.UPLOADED, image="i")
    assert ledger.progress() == progress(1, 40)
    ledger.sent(3, 2, 15)
    assert ledger.progress() == progress(1, 40)


def test_file_that_is_not_sent_counts_whole(ledger: Ledger) -> None:
    ledger.settle(1, Outcome.DUPLICATE, image="i")
    ledger.settle(2, Outcome.REJECTED, error=ERROR)
    ledger.same_as(0, 2)
    assert ledger.progress() == progress(3, 60, problems=1)


def test_file_with_the_bytes_of_another_shares_its_fate(ledger: Ledger) -> None:
    ledger.settle(0, Outcome.UPLOADED, image="i")
    ledger.same_as(1, 0)
    ledger.settle(2, Outcome.REJECTED, error=ERROR)
    ledger.same_as(3, 2)
    ledger.add_jobs(["j1", "j2", "j1"])

    report = ledger.report(project="p", skipped={"x": "hidden"}, seconds=1.5)

    assert [(file.name, file.size, file.image) for file in report.uploaded] == [("a", 10, "i")]
    assert [(file.name, file.size, file.image) for file in report.duplicates] == [("b", 20, "i")]
    assert [(file.name, file.size, file.code) for file in report.rejected] == [
        ("c", 30, "empty_file"),
        ("d", 40, "empty_file"),
    ]
    assert (report.jobs, report.skipped, report.seconds) == (("j1", "j2"), {"x": "hidden"}, 1.5)


def test_file_nothing_is_known_of_was_not_attempted(ledger: Ledger) -> None:
    ledger.same_as(1, 0)
    report = ledger.report(project="p", skipped={}, seconds=0.0)
    assert [(file.name, file.code) for file in report.failed] == [(name, "not_attempted") for name in "abcd"]
