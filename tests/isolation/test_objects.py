"""Objects that were read in one tenant's scope and are used in another's: nothing is read, nothing is written."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, IntegrityError, models, transaction

from projects.models import DefectClass, Image, ImageClass, Project
from tenants.models import AuditEvent, TenantModel
from tenants.scope import ForeignScope, NoScope, tenant_scope
from tests.isolation.world import World, all_rows, state_of, tenant_models

MODELS = pytest.mark.parametrize("model", tenant_models(), ids=lambda model: model.__name__)
# What either guard, or the composite foreign key behind them, answers.
REFUSED = (ForeignScope, DatabaseError)


def acmes(model: type[TenantModel], world: World) -> Any:
    with tenant_scope(world.acme.tenant):
        return model.objects.order_by("id").first()


WRITES: dict[str, Callable[[Any], Any]] = {
    "save": lambda row: row.save(),
    "save a field": lambda row: row.save(update_fields=[row._meta.fields[2].name]),
    "save anew": lambda row: row.save(force_insert=True),
    "save past our check": models.Model.save,
    "delete": lambda row: row.delete(),
    "bulk_create": lambda row: type(row).objects.bulk_create([row]),
    "upsert": lambda row: type(row).objects.bulk_create(
        [row], update_conflicts=True, unique_fields=["tenant_id", "id"], update_fields=["id"]
    ),
}


@MODELS
@pytest.mark.parametrize("write", [pytest.param(use, id=name) for name, use in WRITES.items()])
def test_writing_it_raises(write: Callable[[Any], Any], model: type[TenantModel], world: World) -> None:
    before = state_of(world.acme.tenant), state_of(world.bolt.tenant)
    row = acmes(model, world)
    with tenant_scope(world.bolt.tenant), pytest.raises(REFUSED), transaction.atomic():
        write(row)
    with pytest.raises((NoScope, DatabaseError)):
        write(row)
    assert (state_of(world.acme.tenant), state_of(world.bolt.tenant)) == before


@MODELS
def test_writing_by_its_id_changes_no_row(model: type[TenantModel], world: World) -> None:
    before = state_of(world.acme.tenant)
    row = acmes(model, world)
    with tenant_scope(world.bolt.tenant):
        if model is not AuditEvent:
            assert model.objects.filter(id=row.id).update(id=row.id) == 0
            assert model.objects.filter(id=row.id).delete()[0] == 0
            assert model.objects.bulk_update([row], [row._meta.fields[2].name]) == 0
        with pytest.raises(ForeignScope):
            model.objects.update(tenant_id=world.acme.tenant)
        with pytest.raises(model.DoesNotExist):
            row.refresh_from_db()
    assert state_of(world.acme.tenant) == before


def test_making_or_updating_by_its_id_makes_ones_own(world: World) -> None:
    """The same id may exist in two tenants, so this tells nothing of Acme's row and does nothing to it."""
    before = state_of(world.acme.tenant)
    kind = {"kind": "ANOMALY"}
    with tenant_scope(world.bolt.tenant):
        first, new = Project.objects.get_or_create(id=world.acme.project, defaults=kind | {"name": "one"})
        second, newer = Project.objects.update_or_create(id=world.acme.newest, defaults=kind | {"name": "two"})
        assert (new, newer) == (True, True)
        assert {first.tenant_id, second.tenant_id} == {world.bolt.tenant}
        conflicting = Project(id=world.acme.project, name="three", kind="ANOMALY")
        Project.objects.bulk_create(
            [conflicting], update_conflicts=True, unique_fields=["tenant_id", "id"], update_fields=["name"]
        )
        first.refresh_from_db()
        assert first.name == "three"
    assert state_of(world.acme.tenant) == before


def test_relations_of_it_find_nothing(world: World) -> None:
    project, image, shown = acmes(Project, world), acmes(Image, world), acmes(ImageClass, world)
    with tenant_scope(world.bolt.tenant):
        assert list(project.images.all()) == list(project.classes.all()) == list(image.shown_classes.all()) == []
        models.prefetch_related_objects([project], "images")
        assert list(project.images.all()) == []
        for row, relation in ((image, "project"), (image, "job"), (shown, "image"), (shown, "defect_class")):
            if getattr(row, f"{relation}_id") is None:
                continue
            with pytest.raises(ObjectDoesNotExist):
                getattr(row, relation)
    with pytest.raises(NoScope):
        list(acmes(Project, world).images.all())
    with pytest.raises(NoScope):
        _ = acmes(Image, world).project


def test_fields_left_out_are_not_read_later(world: World) -> None:
    with tenant_scope(world.acme.tenant):
        project = Project.objects.only("id").get(id=world.acme.project)
    with tenant_scope(world.bolt.tenant), pytest.raises(Project.DoesNotExist):
        _ = project.name
    with pytest.raises(NoScope):
        _ = project.name


ATTACH: dict[str, Callable[[Any, World], Any]] = {
    "create below it": lambda project, _: project.classes.create(name="x"),
    "create with it": lambda project, _: DefectClass.objects.create(project=project, name="x"),
    "create with its id": lambda project, _: DefectClass.objects.create(project_id=project.id, name="x"),
    "bulk": lambda project, _: DefectClass.objects.bulk_create([DefectClass(project=project, name="x")]),
    "update": lambda project, _: DefectClass.objects.update(project=project),
    "add": lambda project, world: project.classes.add(DefectClass.objects.get(id=world.bolt.label)),
    "get_or_create": lambda project, _: project.classes.get_or_create(name="x"),
    "update_or_create": lambda project, _: DefectClass.objects.update_or_create(
        id=world_label(project), defaults={"project": project, "name": "x"}
    ),
}


def world_label(project: Project) -> Any:
    """The id of the one class that Bolt has."""
    return DefectClass.objects.exclude(project=project).get().id


@pytest.mark.parametrize("attach", [pytest.param(use, id=name) for name, use in ATTACH.items()])
def test_no_row_of_ones_own_is_tied_to_it(attach: Callable[[Any, World], Any], world: World) -> None:
    before = all_rows("projects_defectclass", world.bolt.tenant)
    project = acmes(Project, world)
    with tenant_scope(world.bolt.tenant), pytest.raises(IntegrityError, match="foreign key"), transaction.atomic():
        attach(project, world)
    assert all_rows("projects_defectclass", world.bolt.tenant) == before
