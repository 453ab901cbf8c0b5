"""One installation for all: a scenario leaves every part running, and has a tenant of its own."""

from collections.abc import Iterator

import pytest

from tests.chaos.customer import Customer, photographs
from tests.chaos.ground import Ground, TenantKey, ground

SCENARIOS = 14


@pytest.fixture(scope="session")
def _started() -> Iterator[tuple[Ground, Iterator[TenantKey]]]:
    with ground(tenants=SCENARIOS, worker_app="tests.chaos.brief") as (running, tenants):
        yield running, iter(tenants)


@pytest.fixture
def installation(_started: tuple[Ground, Iterator[TenantKey]]) -> Ground:
    running, _ = _started
    running.wait_ready()
    return running


@pytest.fixture(scope="session")
def files() -> list[bytes]:
    return photographs()


@pytest.fixture
def customer(installation: Ground, _started: tuple[Ground, Iterator[TenantKey]]) -> Iterator[Customer]:
    """A new tenant's; with what the parts said, should its test fail."""
    _, tenants = _started
    with Customer(installation, next(tenants)) as made:
        yield made
    print(installation.logs())  # noqa: T201 - pytest shows it when the test failed
