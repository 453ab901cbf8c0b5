"""The command's zips: `snapshot export --format`, `dataset import`."""

import hashlib
from pathlib import Path

import pytest

from tests.clients.sdk.conftest import Myriad
from tests.clients.sdk.fake_service import FakeService

REFUSED = {"code": "archive_format_unknown", "message": "The zip holds no labels.", "hint": "Add some."}
OVER = {"code": "quota_exceeded", "message": "The quota is full.", "hint": "Ask for more."}
BAD = {"code": "truncated", "message": "It is cut short.", "hint": "Export it again."}


@pytest.fixture
def snapshot(service: FakeService, project: str) -> str:
    return service.tenant.add_snapshot(project)


@pytest.fixture
def archive(tmp_path: Path, project: str) -> str:
    path = tmp_path / "parts.zip"
    path.write_bytes(b"PK" + b"archive" * 1000)
    return str(path)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)


@pytest.mark.usefixtures("snapshot")
def test_export_fetches_a_zip_and_says_what_is_missing(service: FakeService, myriad: Myriad, tmp_path: Path) -> None:
    service.tenant.missing_images = 1
    target = tmp_path / "parts.zip"
    ended = myriad("snapshot", "export", "1", "-p", "Casings", "--format", "yolo", "-o", str(target))

    assert ended.code == 0
    assert ended.out.startswith("Snapshot 1 as YOLO, 2 images, ")
    assert "1 images were deleted since the snapshot was made" in ended.err
    as_json = myriad("snapshot", "export", "1", "-p", "Casings", "--format", "YOLO", "-o", str(target), "--json")
    assert as_json.json["sha256"] == hashlib.sha256(target.read_bytes()).hexdigest()
    assert (as_json.json["images"], as_json.json["missing"], as_json.json["format"]) == (2, 1, "YOLO")


@pytest.mark.usefixtures("snapshot")
def test_export_of_both_kinds_is_refused(myriad: Myriad, tmp_path: Path) -> None:
    target = str(tmp_path / "parts.zip")
    ended = myriad("snapshot", "export", "1", "-p", "Casings", "--format", "coco", "--manifest", "-o", target)
    assert (ended.code, "exclude each other" in ended.err) == (2, True)
    assert myriad("snapshot", "export", "1", "-p", "Casings", "--format", "csv", "-o", target).code == 2


def test_import_shows_the_report_and_what_was_done(service: FakeService, myriad: Myriad, archive: str) -> None:
    ended = myriad("dataset", "import", archive, "-p", "Casings", "--create-classes", "--yes")

    assert ended.code == 0
    lines = ended.out.splitlines()
    assert lines[0].split() == ["format", "YOLO"]
    assert "3: 2 new, 1 there, 0 missing" in lines[1]
    assert [line.split()[-1] for line in lines if line.startswith("not in the label book")] == ["dent"]
    assert [line.split()[0] for line in lines if "label book does not have" in line] == ["4"]
    assert lines[-1] == "Images: 1 created, 1 unchanged. Labelled: 1, with 4 boxes. Classes made: dent."
    assert "unknown_class: labels/0.txt  line 1  dent" in ended.err
    assert "unknown_class: and 1 more" in ended.err
    (row,) = service.tenant.imports.values()
    assert (row["status"], row["unknown_classes"]) == ("DONE", "CREATE")


def test_dry_run_imports_nothing(service: FakeService, myriad: Myriad, archive: str) -> None:
    ended = myriad("dataset", "import", archive, "-p", "Casings", "--dry-run")
    as_json = myriad("dataset", "import", archive, "-p", "Casings", "--dry-run", "--json")

    assert (ended.code, as_json.code) == (0, 0)
    assert "Nothing was imported" in ended.err
    assert as_json.json["import"]["report"]["boxes"] == 7
    (row,) = service.tenant.imports.values()  # the second went on with the first's archive
    assert row["status"] == "CHECKED"
    assert service.requests("POST", ".*/commit") == []


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(("said", "status"), [(True, "DONE"), (False, "CHECKED")])
def test_people_are_asked(
    service: FakeService, myriad: Myriad, archive: str, monkeypatch: pytest.MonkeyPatch, *, said: bool, status: str
) -> None:
    asked: list[str] = []

    def confirm(question: str, **_: object) -> bool:
        asked.append(question)
        return said

    monkeypatch.setattr("click.confirm", confirm)
    ended = myriad("dataset", "import", archive, "-p", "Casings")

    assert (ended.code, asked) == (0, ["Import this?"])
    (row,) = service.tenant.imports.values()
    assert row["status"] == status
    assert ("Nothing was imported" in ended.err) is not said


def test_scripts_must_say_yes(service: FakeService, myriad: Myriad, archive: str) -> None:
    ended = myriad("dataset", "import", archive, "-p", "Casings")
    assert (ended.code, "--yes, or --dry-run" in ended.err) == (2, True)
    assert service.tenant.imports == {}


def test_refused_archive_exits_with_4(service: FakeService, myriad: Myriad, archive: str) -> None:
    service.tenant.refusal = REFUSED
    ended = myriad("dataset", "import", archive, "-p", "Casings", "--yes")
    assert (ended.code, ended.out) == (4, "")
    assert ended.err.splitlines()[:2] == ["error: The zip holds no labels.", "  hint: Add some."]


@pytest.mark.parametrize(("error", "code"), [(BAD, 4), (OVER, 7)])
def test_images_that_were_not_taken_are_named(
    service: FakeService, myriad: Myriad, archive: str, error: dict[str, str], code: int
) -> None:
    service.tenant.lines.append({"file": "images/c.jpg", "outcome": "REJECTED", "boxes": 0, "error": error})
    ended = myriad("dataset", "import", archive, "-p", "Casings", "--yes")

    assert ended.code == code
    assert f"images/c.jpg: {error['message']} ({error['code']})" in ended.err
    assert ended.out.splitlines()[-1].startswith("Images: 1 created, 1 rejected, 1 unchanged.")


def test_import_as_json_is_one_document(myriad: Myriad, archive: str) -> None:
    ended = myriad("dataset", "import", archive, "-p", "Casings", "--yes", "--json")
    assert ended.code == 0
    assert ended.json["import"]["status"] == "DONE"
    assert [line["outcome"] for line in ended.json["files"]] == ["CREATED", "UNCHANGED"]


@pytest.mark.usefixtures("archive")
def test_imports_are_listed(myriad: Myriad, archive: str) -> None:
    assert myriad("dataset", "imports", "-p", "Casings").err == "There are none.\n"
    myriad("dataset", "import", archive, "-p", "Casings", "--yes")
    listed = myriad("dataset", "imports", "-p", "Casings").out.splitlines()
    assert listed[0].split() == ["ID", "FILE", "FORMAT", "STATUS", "BYTES", "MADE"]
    assert listed[1].split()[1:4] == ["parts.zip", "YOLO", "DONE"]
