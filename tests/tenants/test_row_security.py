"""Tying a column that came later: new rows are held from then on, older ones once they are validated."""

import os
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.db import IntegrityError, connections, transaction
from django.db.migrations.state import StateApps
from psycopg2 import extensions

from tenants.row_security import tie, validate
from tests.cast import Cast, Person
from tests.projects.conftest import project_of
from tests.projects.labelling import ready

KEY = {"accepted_id": "projects_annotation"}
CONSTRAINT = "projects_image_accepted_id_fk"


@pytest.fixture
def superuser(database: str) -> Iterator[extensions.cursor]:
    address = urlsplit(os.environ["DATABASE_ADMIN_URL"])._replace(path=f"/{database}").geturl()
    with closing(psycopg2.connect(address)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor


@pytest.fixture
def untied(cast: Cast, superuser: extensions.cursor) -> Person:
    """Alice, whose image names an annotation that is not there, which no constraint forbids yet."""
    ready(cast.alice, project_of(cast.alice), 0)
    superuser.execute(f"ALTER TABLE projects_image DROP CONSTRAINT {CONSTRAINT}")
    superuser.execute("UPDATE projects_image SET accepted_id = gen_random_uuid()")
    return cast.alice


def apply_tie() -> None:
    (operation,) = tie("projects_image", KEY)
    with connections["owner"].cursor() as cursor:
        for statement in operation.sql:
            cursor.execute(str(statement))


def apply_validate() -> None:
    (operation,) = validate("projects_image", KEY)
    with connections["owner"].schema_editor(atomic=False) as editor:
        operation.code(StateApps([], {}), editor)


def valid_and_forced(superuser: extensions.cursor) -> tuple[bool, bool]:
    superuser.execute("SELECT convalidated FROM pg_constraint WHERE conname = %s", [CONSTRAINT])
    (valid,) = superuser.fetchone() or (None,)
    superuser.execute("SELECT bool_and(relforcerowsecurity) FROM pg_class"
                      " WHERE relname IN ('projects_image', 'projects_annotation')")  # fmt: skip
    (forced,) = superuser.fetchone() or (None,)
    return bool(valid), bool(forced)


def test_tie_reads_no_rows_and_binds_what_is_written(untied: Person, superuser: extensions.cursor) -> None:
    apply_tie()

    assert valid_and_forced(superuser) == (False, True)
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        superuser.execute("UPDATE projects_image SET accepted_id = gen_random_uuid()")


def test_validate_sees_the_rows_of_every_tenant(untied: Person, superuser: extensions.cursor) -> None:
    apply_tie()
    with pytest.raises(IntegrityError, match=CONSTRAINT):
        apply_validate()
    assert valid_and_forced(superuser) == (False, True)

    superuser.execute("UPDATE projects_image SET accepted_id = NULL")
    apply_validate()
    assert valid_and_forced(superuser) == (True, True)


def test_validate_takes_no_transaction(database: str) -> None:
    with transaction.atomic("owner"), pytest.raises(ValueError, match="atomic = False"):
        apply_validate()
