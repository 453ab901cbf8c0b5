"""A furnished database behind real processes."""

from collections.abc import Iterator

import pytest

from tests.fuzz.server import serving
from tests.heads import shared_graphs
from tests.isolation.world import World, furnish


@pytest.fixture
def world(database: str) -> World:
    return furnish()


@pytest.fixture
def url(database: str, world: World) -> Iterator[str]:
    """Where the service answers."""
    with serving(database, graphs=shared_graphs()) as (address, parts):
        yield address
        said = [line for part in parts for line in part.last_lines(1000) if " WARNING django.request " not in line]
        print("\n".join(said[-100:]))  # noqa: T201 - pytest shows it when the test failed
