"""How far a project has come, as the apps above it tell: its runs, its models, its promotion."""

import uuid

import pytest

from projects.domain.milestones import steps
from tenants import jobs
from tenants.ids import uuid7
from tenants.models import Job
from tenants.refusals import NotFound
from tenants.scope import tenant_scope
from tests.cast import Cast, Person
from tests.projects.conftest import project_of
from training.domain.runs import TRAIN
from training.models import Model, Run


def states(person: Person, project: str) -> dict[str, str]:
    with tenant_scope(person.tenant.id):
        _, found = steps(project_id=uuid.UUID(project))
    return {step.name: step.state for step in found}


def test_a_model_is_next_promoted_and_then_nothing_is_left(alice: Person, project: str, model: Model) -> None:
    done = dict.fromkeys(("upload", "label", "snapshot", "run", "model"), "done")
    assert states(alice, project) == done | {"promote": "next"}
    assert alice.api.post(f"/api/v1/models/{model.id}/promote").status_code == 201
    assert states(alice, project) == done | {"promote": "done"}


@pytest.mark.parametrize(
    ("state", "expected"),
    [("PENDING", "done"), ("RUNNING", "done"), ("SUCCEEDED", "done"), ("FAILED", "later"), ("CANCELED", "later")],
)
def test_a_run_that_came_to_nothing_does_not_count(state: str, expected: str, alice: Person, model: Model) -> None:
    other = project_of(alice, "Lids")
    assert states(alice, other) == {"upload": "next"} | dict.fromkeys(
        ("label", "snapshot", "run", "model", "promote"), "later"
    )
    with tenant_scope(alice.tenant.id):
        job, _ = jobs.enqueue(kind=TRAIN, key=str(uuid7()), spec={})
        Run.objects.create(
            project_id=uuid.UUID(other),
            number=1,
            snapshot=model.snapshot,
            recipe="fast",
            recipe_version=1,
            seed=0,
            job=job,
            created_by_id=alice.seat.member.id,
        )
        Job.objects.filter(id=job.id).update(state=state)
    assert states(alice, other)["run"] == expected


def test_another_tenants_project_is_missing(cast: Cast, project: str) -> None:
    with tenant_scope(cast.charlie.tenant.id), pytest.raises(NotFound):
        steps(project_id=uuid.UUID(project))
