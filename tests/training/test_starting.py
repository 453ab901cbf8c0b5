"""Asking for a run: what is refused at once, with what to add, and what is said of small classes."""

import uuid
from typing import Any

import pytest

from projects.models import Snapshot
from tenants.models import AuditEvent, Job
from tenants.scope import tenant_scope
from tests.cast import Cast
from tests.projects.uploading import post
from tests.training.making import BOXES, Works


def refusal(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The problem, which is complete."""
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert problem["detail"]
    assert problem["hint"]
    return problem


def snapshot_row(works: Works, snapshot: str, **changes: Any) -> None:
    with tenant_scope(works.person.tenant.id):
        Snapshot.objects.filter(id=snapshot).update(**changes)


def test_run_takes_the_newest_ready_snapshot(works: Works, snapshot: str) -> None:
    newer = works.freeze()
    building = post(works.person, f"projects/{works.project}/snapshots", {})
    assert building.status_code == 202

    answer = works.ask()
    run = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/api/v1/jobs/{run['job']}")
    assert (run["snapshot"], run["number"], run["recipe"], run["recipe_version"], run["seed"]) == (
        newer, 1, "fast", works.run(run["id"]).recipe_version, 0,
    )  # fmt: skip
    assert (run["state"], run["progress"], run["model"], run["error"], run["curve"]) == ("PENDING", {}, None, None, [])
    assert run["queue_place"] == 2
    assert works.shown(f"runs/{works.start(snapshot=snapshot, seed=3)}")["snapshot"] == snapshot


def test_asking_leaves_one_job_and_an_audit_line(works: Works, snapshot: str) -> None:
    run = works.start()
    with tenant_scope(works.person.tenant.id):
        job = Job.objects.get(kind="train")
        event = AuditEvent.objects.get(action="run.started")
    assert (str(job.key), job.spec, job.lane, job.max_attempts) == (run, {"run": run}, "LONG", 3)
    assert str(event.target_id) == run


def test_without_a_snapshot_it_says_what_to_do(works: Works) -> None:
    assert "snapshots" in refusal(works.ask(), 409, "no_snapshot")["hint"]
    works.label()
    assert post(works.person, f"projects/{works.project}/snapshots", {}).status_code == 202
    assert "Wait" in refusal(works.ask(), 409, "no_snapshot")["hint"]


@pytest.mark.parametrize("status", ["BUILDING", "FAILED"])
def test_snapshot_that_is_not_ready_is_refused(works: Works, snapshot: str, status: str) -> None:
    snapshot_row(works, snapshot, status=status)
    refusal(works.ask(snapshot=snapshot), 409, "snapshot_not_ready")


@pytest.mark.parametrize(
    ("boxes", "count", "code"), [([], 4, "no_boxes"), (BOXES, 1, "too_few_images")], ids=["no boxes", "one image"]
)
def test_snapshot_with_too_little_in_it_is_refused(works: Works, boxes: Any, count: int, code: str) -> None:
    works.label(count=count, boxes=boxes)
    works.freeze()
    refusal(works.ask(), 409, code)


def test_unknown_recipe_is_refused_with_those_there_are(works: Works, snapshot: str) -> None:
    problem = refusal(works.ask(recipe="quick"), 400, "validation_failed")
    assert problem["errors"][0]["field"] == "recipe"
    assert "fast" in problem["hint"]


@pytest.mark.parametrize(
    "asked", [{"seed": -1}, {"seed": 2**31}, {"seed": "x"}, {"snapshot": "x"}, {"recipe": "x" * 41}], ids=str
)
def test_input_that_cannot_be_is_refused(works: Works, snapshot: str, asked: dict[str, Any]) -> None:
    answer = works.ask(**asked)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")


def test_missing_and_other_projects_snapshots_are_alike(works: Works, snapshot: str) -> None:
    other = post(works.person, "projects", {"name": "Lids", "kind": "DETECTION"}).json()["id"]
    elsewhere = post(works.person, f"projects/{other}/runs", {"snapshot": snapshot})
    missing = post(works.person, f"projects/{other}/runs", {"snapshot": str(uuid.uuid4())})
    assert (elsewhere.status_code, elsewhere.content) == (404, missing.content)


def test_small_classes_are_named_in_warnings(works: Works) -> None:
    works.label(boxes=BOXES[:1])
    works.label(count=1, name="odd")
    works.freeze()
    (warning,) = works.ask().json()["warnings"]
    with tenant_scope(works.person.tenant.id):
        scratch = Snapshot.objects.get().classes[1]
    assert (warning["code"], warning["class"]) == ("class_too_small", scratch["id"])
    assert "'scratch' has one box" in warning["message"]


def test_repeated_request_with_the_same_key_starts_one_run(works: Works, snapshot: str) -> None:
    path, key = f"/api/v1/projects/{works.project}/runs", "once"
    answers = [works.person.api.post(path, {}, format="json", HTTP_IDEMPOTENCY_KEY=key) for _ in range(2)]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert len(works.shown(f"projects/{works.project}/runs")["results"]) == 1


def test_viewers_and_labelers_may_look_and_not_train(works: Works, snapshot: str, cast: Cast) -> None:
    run = works.start()
    for person in (cast.bob, cast.vera):
        assert post(person, f"projects/{works.project}/runs", {}).status_code == 403
        assert post(person, f"runs/{run}/cancel", {}).status_code == 403
        assert person.api.get(f"/api/v1/runs/{run}").status_code == 200


def test_waiting_run_is_canceled_at_once_and_stays_so(works: Works, snapshot: str) -> None:
    run = works.start()
    for _ in range(2):
        answer = post(works.person, f"runs/{run}/cancel", {})
        assert (answer.status_code, answer.json()["state"]) == (200, "CANCELED")
    assert works.hand.work() == []
    with tenant_scope(works.person.tenant.id):
        assert AuditEvent.objects.filter(action="run.canceled").count() == 1


def test_ended_run_stays_as_it_ended(works: Works, snapshot: str) -> None:
    run = works.start()
    assert works.hand.work() == ["SUCCEEDED"]
    assert post(works.person, f"runs/{run}/cancel", {}).json()["state"] == "SUCCEEDED"
