"""A project with a model, and this process made one that serves predictions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.domain import hosting
from fleet.domain.detectors import Graphs
from fleet.domain.hosting import Hosting
from tests.cast import Cast, Person
from tests.heads import Artifacts, make_artifacts, shared_graphs
from tests.projects.conftest import database, project_of, queries, shared
from tests.serving import publish_model
from training.models import Model
from workers.children.pixel_pool import PixelPool

__all__ = ["database", "queries", "shared"]


@pytest.fixture(scope="session")
def graphs() -> Path:
    return shared_graphs()


@pytest.fixture(scope="session")
def artifacts(graphs: Path) -> Artifacts:
    return make_artifacts(graphs)


@pytest.fixture(scope="package")
def opened(graphs: Path) -> Iterator[Hosting]:
    """Graphs and decode children of the process, opened once; other packages' tests count this process's children."""
    made = Hosting(PixelPool(), Graphs(graphs, threads=1), cache_bytes=0, slots=1)
    made.open()
    yield made
    made.pool.close()


@pytest.fixture
def serving(opened: Hosting, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Hosting:
    """What this process, which serves predictions, holds to do so; no model is loaded yet."""
    settings.SERVES_PREDICTIONS = True
    made = Hosting(opened.pool, opened.graphs, cache_bytes=50_000_000, slots=2)
    monkeypatch.setattr(hosting, "hosting", lambda: made)
    return made


@pytest.fixture
def alice(cast: Cast) -> Person:
    return cast.alice


@pytest.fixture
def project(alice: Person) -> str:
    return project_of(alice)


@pytest.fixture
def model(alice: Person, project: str, graphs: Path, artifacts: Artifacts) -> Model:
    return publish_model(alice, project, graphs, artifacts)
