"""Alice's project, and a hand that does the jobs."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from projects.domain.projects import create_project
from tenants.models import Quota
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage
from tests.cast import Cast, Person
from tests.projects.working import Hand


def project_of(person: Person, name: str = "Casings") -> str:
    """Makes a project; its id."""
    with tenant_scope(person.tenant.id):
        return str(create_project(name=name, kind="DETECTION", by=person.principal).id)


@pytest.fixture
def alice(cast: Cast) -> Person:
    return cast.alice


@pytest.fixture
def project(alice: Person) -> str:
    return project_of(alice)


@pytest.fixture
def hand(database: str) -> Hand:
    return Hand()


@pytest.fixture
def storage(alice: Person) -> TenantStorage:
    return TenantStorage(alice.tenant.id)


@pytest.fixture
def limit(alice: Person) -> Callable[..., None]:
    """Sets limits of Acme's quota: `limit(images_limit=2)`."""

    def set_limits(**limits: int) -> None:
        with tenant_scope(alice.tenant.id):
            Quota.objects.update(**limits)

    return set_limits


@pytest.fixture
def queries(database: str) -> Callable[[], AbstractContextManager[list[str]]]:
    """`with queries() as sql:` collects the statements that run meanwhile."""

    @contextmanager
    def captured() -> Iterator[list[str]]:
        sql: list[str] = []
        with CaptureQueriesContext(connections["default"]) as context:
            yield sql
        sql += [query["sql"] for query in context.captured_queries]

    return captured
