"""Which model answers at a project's stable address."""

import uuid
from pathlib import Path

from fleet.domain.hosting import Hosting
from fleet.domain.promotions import current_model
from fleet.models import Promotion
from tenants.ids import uuid7
from tenants.models import AuditEvent
from tenants.scope import tenant_scope
from tests.cast import Cast, Person
from tests.fleet.asking import send
from tests.heads import Artifacts, make_artifacts
from tests.projects.conftest import project_of
from tests.projects.test_lists import Queries, queries_around, read
from tests.serving import insert_model, publish_model
from training.models import Model


def promote(person: Person, model: Model) -> tuple[int, dict[str, str]]:
    answer = person.api.post(f"/api/v1/models/{model.id}/promote")
    return answer.status_code, answer.json()


def test_nothing_is_promoted_at_first(alice: Person, project: str, model: Model, serving: Hosting) -> None:
    answer = send(alice, f"projects/{project}/predict")
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_promoted")
    assert "/promote" in answer.json()["hint"]
    assert alice.api.get(f"/api/v1/projects/{project}/promotions").json()["results"] == []


def test_the_newest_promotion_answers(
    alice: Person, project: str, model: Model, serving: Hosting, graphs: Path
) -> None:
    second = publish_model(alice, project, graphs, make_artifacts(graphs, seed=1))
    for chosen in (model, second, model):
        status, promotion = promote(alice, chosen)
        assert (status, promotion["model"], promotion["project"]) == (201, str(chosen.id), project)
        assert send(alice, f"projects/{project}/predict").json()["model"] == str(chosen.id)

    listed = alice.api.get(f"/api/v1/projects/{project}/promotions").json()["results"]
    assert [promotion["model"] for promotion in listed] == [str(chosen.id) for chosen in (model, second, model)]
    assert {promotion["promoted_by"] for promotion in listed} == {str(alice.seat.member.id)}


def test_promoting_what_answers_already_changes_nothing(alice: Person, model: Model) -> None:
    (status, first), (again, second) = promote(alice, model), promote(alice, model)
    assert (status, again) == (201, 200)
    assert first == second
    with tenant_scope(alice.tenant.id):
        assert Promotion.objects.count() == 1
        assert AuditEvent.objects.filter(action="model.promoted", target_id=model.id).count() == 1


def test_the_newest_is_the_newest_whatever_the_clocks_say(
    alice: Person, project: str, model: Model, artifacts: Artifacts
) -> None:
    """The first promotion comes from a machine whose clock is a day ahead."""
    with tenant_scope(alice.tenant.id):
        second = insert_model(alice, project, artifacts, backbone_sha256="0" * 64, names=("dent", "scratch"))
        Promotion.objects.create(
            id=uuid.UUID(int=uuid7().int + (86_400_000 << 80)),
            project_id=project,
            number=1,
            model=model,
            promoted_by_id=alice.seat.member.id,
        )
    for number, chosen in enumerate((second, model, second), start=2):
        status, promotion = promote(alice, chosen)
        assert (status, promotion["number"], promotion["model"]) == (201, number, str(chosen.id))
        with tenant_scope(alice.tenant.id):
            assert current_model(uuid.UUID(project)) == chosen
    listed = alice.api.get(f"/api/v1/projects/{project}/promotions").json()["results"]
    assert [promotion["number"] for promotion in listed] == [4, 3, 2, 1]


def test_each_project_counts_for_itself(alice: Person, project: str, model: Model, artifacts: Artifacts) -> None:
    promote(alice, model)
    with tenant_scope(alice.tenant.id):
        other = insert_model(
            alice, project_of(alice, "Lids"), artifacts, backbone_sha256="0" * 64, names=("dent", "scratch")
        )
    assert promote(alice, other)[1]["number"] == 1


def test_labelers_may_not_promote(cast: Cast, model: Model) -> None:
    assert [promote(person, model)[0] for person in (cast.bob, cast.vera, cast.charlie)] == [403, 403, 404]


def test_each_project_has_its_own(alice: Person, project: str, model: Model, serving: Hosting) -> None:
    other = project_of(alice, "Lids")
    promote(alice, model)
    assert send(alice, f"projects/{other}/predict").json()["code"] == "nothing_promoted"


def test_a_deleted_projects_model_is_gone(alice: Person, project: str, model: Model, serving: Hosting) -> None:
    promote(alice, model)
    assert alice.api.delete(f"/api/v1/projects/{project}").status_code == 204
    assert promote(alice, model)[0] == 404
    for address in (f"models/{model.id}/predict", f"projects/{project}/predict"):
        assert send(alice, address).status_code == 404


def test_the_list_takes_as_many_queries_for_three_as_for_one(
    alice: Person, project: str, model: Model, artifacts: Artifacts, queries: Queries
) -> None:
    path = f"projects/{project}/promotions"
    around = queries_around(alice, queries, project)
    promote(alice, model)
    assert read(alice, queries, path) == (1, around + 2)
    for _ in range(2):
        with tenant_scope(alice.tenant.id):
            another = insert_model(alice, project, artifacts, backbone_sha256="0" * 64, names=("dent", "scratch"))
        promote(alice, another)
    assert read(alice, queries, path) == (3, around + 2)
