"""Both tenants, furnished, for requests to things that are there."""

from typing import Any

import pytest

from tests.isolation.world import World, furnish


@pytest.fixture
def world(database: str) -> World:
    return furnish()


@pytest.fixture(autouse=True)
def _predictions_elsewhere(settings: Any) -> None:
    """Predictions have a process of their own, which is not asked here: 503 is the answer then."""
    settings.SERVES_PREDICTIONS = False
