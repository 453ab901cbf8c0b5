"""Acme's project with a snapshot, and a hand that does the jobs; the engine is replaced where a test asks for it."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from projects.domain.decoding import DecodedPixels, PixelRequest
from tenants import jobs
from tenants.jobs import JobContext, Kind
from tests.cast import Person
from tests.projects.conftest import (
    alice,
    database,
    hand,
    project,
    queries,
    shared,
    storage,
)
from tests.projects.working import Hand
from tests.training.computing import Quick
from tests.training.making import Works
from workers.children.decode import DecodeChild

__all__ = ["alice", "database", "hand", "project", "queries", "shared", "storage"]


class _Remembering:
    """The real decoder, which is started once for the same files: a start takes longer than most tests here."""

    known: dict[tuple[str, ...], list[bytes]] = {}

    def read_pixels(self, batch: Sequence[PixelRequest], *, out_dir: Path, should_stop: Any = None) -> list[Any]:
        key = tuple(hashlib.sha256(Path(str(request.path)).read_bytes()).hexdigest() for request in batch)
        if key not in self.known:
            results = DecodeChild().read_pixels(batch, out_dir=out_dir, should_stop=should_stop)
            if all(isinstance(result, DecodedPixels) for result in results):
                self.known[key] = [(out_dir / f"{request.key}.npy").read_bytes() for request in batch]
            return list(results)
        for request, data in zip(batch, self.known[key], strict=True):
            (out_dir / f"{request.key}.npy").write_bytes(data)
        paths = [(request.key, out_dir / f"{request.key}.npy") for request in batch]
        return [DecodedPixels(key, path, 48, 36) for key, path in paths]


class _Equipped:
    """A job's context whose children are a real decoder and the test's computer."""

    def __init__(self, context: JobContext, computer: Quick) -> None:
        self._context = context
        self.children = SimpleNamespace(decoder=_Remembering(), engine=computer)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


@pytest.fixture
def computer(monkeypatch: pytest.MonkeyPatch) -> Quick:
    """Computes for the job kinds of this app instead of the engine child (see `tests.training.computing`)."""
    quick = Quick()

    def equip(kind: Kind) -> Kind:
        return dataclasses.replace(kind, handler=lambda context: kind.handler(_Equipped(context, quick)))

    for name in ("train", "export"):
        monkeypatch.setitem(jobs._kinds, name, equip(jobs.kind_named(name)))
    return quick


@pytest.fixture
def works(alice: Person, project: str, hand: Hand, computer: Quick) -> Works:
    """Alice's project, empty."""
    return Works(alice, project, hand, computer)


@pytest.fixture
def snapshot(works: Works) -> str:
    """READY, of four images with a box of either class each."""
    works.label()
    return works.freeze()
