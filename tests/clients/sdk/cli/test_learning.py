"""The command from labels to a served model: what it says, and how it exits."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.clients.sdk.annotations.coco_files import coco_file
from tests.clients.sdk.conftest import Myriad
from tests.clients.sdk.fake_service import FakeService

DENT: tuple[str, list[Any]] = ("dent", [1, 1, 2, 2])


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("myriad.resources.runs._RUNNING_LOOK", 0.0)
    monkeypatch.setattr("myriad.resources.runs._WAITING_LOOK", 0.0)


@pytest.fixture
def photographs(service: FakeService, project: str) -> dict[str, str]:
    service.tenant.classes["c1"] = {"id": "c1", "project": project, "name": "dent"}
    return {name: service.tenant.add_image(project, name) for name in ("1.jpg", "2.jpg")}


@pytest.fixture
def model(service: FakeService, project: str) -> str:
    return service.tenant.add_model(project)


def told(lines: str) -> dict[str, str]:
    pairs = (line.partition("  ") for line in lines.splitlines())
    return {name: value.strip() for name, _, value in pairs}


# Annotations


@pytest.mark.usefixtures("photographs")
def test_import_tells_what_came_of_it(myriad: Myriad, tmp_path: Path) -> None:
    path = coco_file(tmp_path, {"1.jpg": [DENT, DENT], "2.jpg": [("dent", [-1, 1, 2, 2])]})
    ended = myriad("annotation", "import", str(path), "--project", "Casings")
    assert (ended.code, ended.out) == (0, "Images: 2 annotated. Boxes: 3 written.\n")
    assert ended.err == "2.jpg: 1 of its boxes stick out and were cut.\n"
    assert myriad("annotation", "import", str(path), "-p", "Casings").out == (
        "Images: 0 annotated, 2 unchanged. Boxes: 0 written.\n"
    )


@pytest.mark.usefixtures("photographs")
def test_import_with_rejected_images_exits_with_4(myriad: Myriad, tmp_path: Path) -> None:
    path = coco_file(tmp_path, {"1.jpg": [("dent", [1, 1, -2, 2])], "2.jpg": [], "3.jpg": [DENT]})

    ended = myriad("annotation", "import", str(path), "-p", "Casings")
    assert (ended.code, ended.out) == (4, "Images: 1 annotated, 2 rejected. Boxes: 0 written.\n")
    assert ended.err.splitlines()[:2] == ["1.jpg: boxes[0] is inverted or empty. (bad_box)", "  hint: Mend it."]

    as_json = myriad("annotation", "import", str(path), "-p", "Casings", "--json")
    assert (as_json.code, as_json.err) == (4, "")
    assert as_json.json["counts"] == {"created": 0, "unchanged": 1, "rejected": 2, "crowds": 0}
    assert [line["error"]["code"] for line in as_json.json["images"][1:]] == ["bad_box", "unknown_image"]


@pytest.mark.usefixtures("photographs")
def test_import_makes_classes_only_if_told(service: FakeService, myriad: Myriad, tmp_path: Path) -> None:
    path = coco_file(tmp_path, {"1.jpg": [("scratch", [1, 1, 2, 2])]})
    refused = myriad("annotation", "import", str(path), "-p", "Casings")
    assert refused.code == 5
    assert refused.err.splitlines() == [
        "error: The label book lacks 1 of the file's categories: scratch.",
        "  hint: Add them with `myriad class create NAME`, or let the import do it with --create-classes.",
    ]
    assert len(service.tenant.classes) == 1
    made = myriad("annotation", "import", str(path), "-p", "Casings", "--create-classes")
    assert (made.code, made.err) == (0, "Classes made: scratch.\n")


@pytest.mark.usefixtures("project")
def test_import_of_what_is_no_coco_file_exits_with_5(myriad: Myriad, tmp_path: Path) -> None:
    (tmp_path / "coco.json").write_text("[]")
    assert myriad("annotation", "import", str(tmp_path / "coco.json"), "-p", "Casings").code == 5
    empty = coco_file(tmp_path, {})
    assert myriad("annotation", "import", str(empty), "-p", "Casings").err.splitlines()[0] == (
        f"error: {empty} names no image."
    )


def test_annotations_of_an_image_are_listed(myriad: Myriad, photographs: dict[str, str], tmp_path: Path) -> None:
    myriad("annotation", "import", str(coco_file(tmp_path, {"1.jpg": [DENT]})), "-p", "Casings")
    (row,) = myriad("annotation", "list", photographs["1.jpg"], "-q").out.splitlines()
    assert row.split()[1:] == ["1", "1", "c1", "Alice", "yes", "-"]


# Snapshots


def test_snapshot_is_made_waited_for_and_found_by_its_number(
    service: FakeService, myriad: Myriad, project: str
) -> None:
    made = myriad("snapshot", "create", "-p", "Casings", "--note", "first")
    (snapshot,) = service.tenant.snapshots
    assert (made.code, made.out) == (0, f"Snapshot 1 (READY, 2 images, 3 boxes) made: {snapshot}\n")
    assert myriad("snapshot", "create", "-p", "Casings", "--no-wait").out.startswith("Snapshot 2 (BUILDING) made: ")
    shown = told(myriad("snapshot", "show", "1", "-p", "Casings").out)
    assert (shown["snapshot"], shown["class dent"]) == (f"{snapshot} (number 1)", "2 images, 3 boxes")
    assert myriad("snapshot", "show", snapshot, "--json").json["note"] == "first"
    assert myriad("snapshot", "show", "1").code == 5
    assert len(myriad("snapshot", "list", "-p", "Casings", "-q").out.splitlines()) == 2


def test_snapshot_that_fails_exits_with_4(service: FakeService, myriad: Myriad, project: str) -> None:
    error = {"code": "nothing_labelled", "message": "No image is labelled any more.", "hint": "Annotate some."}
    failed = service.tenant.add_snapshot(project, status="FAILED", error=error)
    service.fail("POST", ".*/snapshots", 202, service.tenant.snapshots[failed])
    ended = myriad("snapshot", "create", "-p", project)
    assert ended.code == 4
    assert ended.err.splitlines() == ["No image is labelled any more. (nothing_labelled)", "  hint: Annotate some."]


def test_difference_is_told(service: FakeService, myriad: Myriad, project: str) -> None:
    old, new = service.tenant.add_snapshot(project), service.tenant.add_snapshot(project)
    entries = [
        {"filename": "1.jpg", "change": "ADDED", "boxes_added": 2},
        {"filename": "2.jpg", "change": "CHANGED", "fields_changed": {"split": ["TRAIN", "TEST"]}},
    ]
    counts = {"images": {"added": 1, "removed": 0, "changed": 1}, "boxes": {"added": 2}, "splits_changed": 1}
    classes = {"classes_added": [{"id": "c2", "name": "dent"}], "classes_renamed": []}
    service.fail("GET", f".*/{new}/diff", 200, counts | classes | {"listed": entries, "truncated": False}, times=2)

    ended = myriad("snapshot", "diff", "1", "2", "-p", "Casings")

    assert ended.out.splitlines() == [
        "images   1 added, 0 removed, 1 changed",
        "boxes    2 added",
        "splits   1 changed",
        "classes  +dent",
        "+ 1.jpg  2 boxes added",
        "~ 2.jpg  split TRAIN -> TEST",
    ]
    assert service.requests("GET", ".*/diff")[0].query == {"against": [old]}
    assert myriad("snapshot", "diff", old, new, "--json").json["listed"] == entries


def test_snapshot_is_exported(service: FakeService, myriad: Myriad, project: str, tmp_path: Path) -> None:
    snapshot, target = service.tenant.add_snapshot(project), tmp_path / "coco.json"
    ended = myriad("snapshot", "export", snapshot, "-o", str(target))
    assert ended.out == f"Snapshot 1, 2 images, 3 boxes: {target}\n"
    assert target.read_bytes() == service.tenant.storage.files["coco"]
    as_json = myriad("snapshot", "export", "1", "-p", "Casings", "--manifest", "-o", str(target), "--json").json
    assert target.read_bytes() == service.tenant.storage.files["manifest"]
    assert (as_json["snapshot"], as_json["path"]) == (snapshot, str(target))
    assert as_json["sha256"] in ("", hashlib.sha256(target.read_bytes()).hexdigest())


# Runs


def test_run_is_watched_to_its_model(service: FakeService, myriad: Myriad, project: str) -> None:
    service.tenant.add_snapshot(project)
    service.tenant.course = [{"state": "RUNNING"}, {"state": "SUCCEEDED", "model": "m1", "queue_place": None}]
    ended = myriad("run", "start", "-p", "Casings", "--snapshot", "1", "--seed", "7", "--watch")
    assert ended.code == 0
    (run,) = service.tenant.runs
    assert ended.err == f"Run 1 (fast) started: {run}\n"
    assert (told(ended.out)["state"], told(ended.out)["model"]) == ("SUCCEEDED", "m1")
    sent = service.requests("POST", ".*/runs")[0].json
    assert sent == {"recipe": "fast", "seed": 7, "snapshot": next(iter(service.tenant.snapshots))}


@pytest.mark.parametrize(("state", "code"), [("FAILED", 4), ("CANCELED", 4), ("SUCCEEDED", 0)])
def test_run_that_does_not_succeed_exits_with_4(
    service: FakeService, myriad: Myriad, project: str, state: str, code: int
) -> None:
    error = {"code": "too_few_groups", "message": "All images show one part.", "hint": "Add other parts."}
    run = service.tenant.add_run(project, state=state, queue_place=None, error=error if code else None)
    ended = myriad("run", "watch", run)
    assert ended.code == code
    assert ("hint" in told(ended.out)) == bool(code)


def test_run_is_started_and_left_alone(service: FakeService, myriad: Myriad, project: str) -> None:
    service.tenant.add_snapshot(project)
    assert myriad("run", "start", "-p", "Casings", "-q").out.strip() in service.tenant.runs
    assert service.requests("GET", ".*/runs/.*") == []
    (row,) = myriad("run", "list", "-p", "Casings", "-q").out.splitlines()
    assert row.split()[1:6] == ["1", "PENDING", "fast", "0", "%"]
    assert told(myriad("run", "show", "1", "-p", "Casings").out)["queue place"] == "2"
    assert told(myriad("run", "cancel", "1", "-p", "Casings").out)["state"] == "CANCELED"


def test_warnings_of_a_run_are_told(service: FakeService, myriad: Myriad, project: str) -> None:
    service.tenant.add_snapshot(project)
    warning = {
        "code": "class_too_small",
        "message": "The class 'dent' has one box.",
        "hint": "Annotate.",
        "class": "c1",
    }
    run = service.tenant.add_run(project, warnings=[warning])
    service.fail("POST", ".*/runs", 202, service.tenant.runs[run])
    assert myriad("run", "start", "-p", project).err == "warning: The class 'dent' has one box.\n"


def test_interrupted_watch_leaves_the_run_alone(
    service: FakeService, myriad: Myriad, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = service.tenant.add_run(project)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("myriad.resources.runs.Runs.wait", interrupted)
    ended = myriad("run", "watch", run)
    assert ended.code == 130
    assert ended.err.strip() == (
        f"The run goes on; `myriad run watch {run}` follows it, `myriad run cancel {run}` ends it."
    )
    assert service.requests("POST", ".*") == []


def test_run_that_takes_too_long_exits_with_4(service: FakeService, myriad: Myriad, project: str) -> None:
    run = service.tenant.add_run(project, state="RUNNING")
    service.tenant.course = []
    assert myriad("run", "watch", run, "--timeout", "0").code == 4


# Models


@pytest.mark.usefixtures("model")
def test_model_is_shown_with_its_table(myriad: Myriad) -> None:
    shown = myriad("model", "show", "1", "-p", "Casings")
    lines = shown.out.splitlines()
    assert told(shown.out)["evaluated"] == "out of fold, 3 folds, 50 images, 1,015 boxes"
    assert lines[-4].split() == ["CLASS", "IMAGES", "BOXES", "AP50", "95", "%", "0", "1", "AP", "95", "%"]
    assert lines[-3] == ("dent     12      1,015  0.61  0.42-0.78  ............------#-----......  0.30  0.20-0.40")
    assert lines[-2].split() == ["scratch", "0", "0", "-", "-", "." * 30, "-", "-"]
    assert lines[-1].startswith("ALL      50      1,015  0.61  0.42-0.78")


def test_models_are_listed_with_their_ap50(myriad: Myriad, model: str) -> None:
    (row,) = myriad("model", "list", "-p", "Casings", "-q").out.splitlines()
    assert row.split()[:5] == [model, "1", "fast", "0.61", "(0.42-0.78)"]


def test_models_are_compared(service: FakeService, myriad: Myriad, project: str, model: str) -> None:
    other = service.tenant.add_model(project)
    difference = {"a": 0.61, "b": 0.63, "value": 0.02, "low": -0.1, "high": 0.14}
    nothing = {"a": None, "b": None, "value": None, "low": None, "high": None}
    classes = [{"id": "c1", "name": "dent", "ap50": difference}, {"id": "c2", "name": "scratch", "ap50": nothing}]
    document = {"a": model, "b": other, "images": 50, "verdict": "CANNOT_TELL", "ap50": difference, "classes": classes}
    service.fail("GET", f".*/{model}/compare", 200, document)
    ended = myriad("model", "compare", "1", other, "-p", "Casings")
    assert told(ended.out)["verdict"] == "cannot tell them apart with these images"
    assert ended.out.splitlines()[-4:] == [
        "CLASS    AP50 A  AP50 B  B - A  95 %",
        "dent     0.61    0.63    +0.02  -0.10 to +0.14",
        "scratch  -       -       -      -",
        "ALL      0.61    0.63    +0.02  -0.10 to +0.14",
    ]


def test_prediction_is_told_and_drawn(myriad: Myriad, model: str, tmp_path: Path) -> None:
    Image.new("L", (80, 60), 90).save(tmp_path / "in.png")
    target = tmp_path / "out" / "drawn.png"

    ended = myriad("model", "predict", model, str(tmp_path / "in.png"), "-o", str(target))

    assert [line.split() for line in ended.out.splitlines()] == [
        ["CLASS", "SCORE", "LEFT", "TOP", "WIDTH", "HEIGHT"],
        ["dent", "0.91", "10.0", "20.0", "30.0", "15.5"],
        ["scratch", "0.33", "50.0", "5.0", "4.0", "40.0"],
    ]
    assert (ended.code, ended.err) == (0, f"Drawn: {target}\n")
    with Image.open(target) as drawn:
        colors = drawn.convert("RGB").getcolors(maxcolors=2**20)
        assert drawn.size == (640, 480)
        assert colors is not None
        assert {"#ff5252", "#40c4ff"} <= {"#{:02x}{:02x}{:02x}".format(*color) for _, color in colors}


def test_prediction_of_an_image_is_drawn_on_its_file(
    service: FakeService, myriad: Myriad, project: str, model: str, tmp_path: Path
) -> None:
    image = service.tenant.add_image(project, "a.png")
    Image.new("RGB", (80, 60)).save(tmp_path / "in.png")
    service.tenant.storage.objects[image] = (tmp_path / "in.png").read_bytes()
    ended = myriad("model", "predict", "1", image, "-p", "Casings", "-o", str(tmp_path / "a.png"), "--json")
    assert (ended.code, ended.json["image"]) == (0, image)
    assert (tmp_path / "a.png").exists()


def test_nothing_found_is_said(myriad: Myriad, model: str, tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(b"pixels")
    ended = myriad("model", "predict", model, str(tmp_path / "in.png"), "--threshold", "0.99")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err.startswith("Nothing was found.")


def test_target_that_cannot_be_drawn_is_told_before_anything_is_asked(
    service: FakeService, myriad: Myriad, model: str, tmp_path: Path
) -> None:
    ended = myriad("model", "predict", model, str(tmp_path / "in.png"), "-o", str(tmp_path / "drawn.txt"))
    assert (ended.code, service.requests("POST", ".*")) == (5, [])


def test_model_is_exported(myriad: Myriad, model: str, tmp_path: Path) -> None:
    ended = myriad("model", "export", model, "-o", str(tmp_path / "out"))
    assert ended.out == f"Model 1: {tmp_path}/out/model.onnx, {tmp_path}/out/manifest.json\n"
    assert (tmp_path / "out" / "model.onnx").read_bytes() == b"onnx"


def test_model_is_promoted_and_answers_for_its_project(myriad: Myriad, model: str, tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(b"pixels")
    before = myriad("project", "predict", "Casings", str(tmp_path / "in.png"))
    assert (before.code, before.err.splitlines()[1]) == (5, "  hint: Promote one.")
    assert myriad("model", "promote", model).out == "Model 1 answers for its project from now on.\n"
    after = myriad("project", "predict", "Casings", str(tmp_path / "in.png"), "--json")
    assert (after.code, after.json["model"]) == (0, model)


def test_project_is_shown_with_what_it_has(service: FakeService, myriad: Myriad, project: str) -> None:
    promotion = {"id": "x", "project": project, "model": "m1"}
    service.fail("GET", ".*/promotions", 200, {"next": None, "results": [promotion]})
    shown = told(myriad("project", "show", "Casings").out)
    assert (shown["labelled"], shown["promoted"], shown["class dent"]) == ("2", "m1", "2 images, 3 boxes")
    assert myriad("project", "show", project, "--json").json["statistics"]["labelled"] == 2
