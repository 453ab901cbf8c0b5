"""Whose turn it is: no tenant's waiting keeps another's pictures from being computed, and nobody waits for ever."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from config import gateway
from fleet.domain import hosting as process
from fleet.domain.hosting import Computed, Hosting
from fleet.domain.pixels import PixelPool
from fleet.domain.turns import Busy, Patience, Turns
from tests.cast import Cast
from tests.fleet.asking import PHOTO
from tests.heads import Artifacts
from tests.projects.conftest import project_of
from tests.serving import publish_model
from training.models import Model


class Stuck:
    """A pool whose decoder does not come back for one tenant, until it is let go."""

    def __init__(self, pool: PixelPool, tenant_id: uuid.UUID) -> None:
        self._pool = pool
        self._tenant_id = tenant_id
        self.asked: list[uuid.UUID] = []
        self.let_go = threading.Event()

    def start(self) -> None:
        """It is the fixture's."""

    close = start

    def decode(self, tenant_id: uuid.UUID, data: bytes, declared_type: str | None) -> Any:
        self.asked.append(tenant_id)
        if tenant_id == self._tenant_id:
            self.let_go.wait(30)
        return self._pool.decode(tenant_id, data, declared_type)


@pytest.fixture
def stuck(cast: Cast, serving: Hosting) -> Iterator[Stuck]:
    """Alice's pictures are not decoded."""
    made = Stuck(serving.pool, cast.alice.tenant.id)
    serving.pool = made
    yield made
    made.let_go.set()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as made:
        yield made


Ask = Callable[[], "Future[Computed]"]


@pytest.fixture
def acme(cast: Cast, model: Model, serving: Hosting, threads: ThreadPoolExecutor) -> Ask:
    return lambda: threads.submit(serving.compute, model, lambda: PHOTO, None, tenant_id=cast.alice.tenant.id)


@pytest.fixture
def bolt(cast: Cast, graphs: Path, artifacts: Artifacts, serving: Hosting, threads: ThreadPoolExecutor) -> Ask:
    model = publish_model(cast.charlie, project_of(cast.charlie), graphs, artifacts)
    return lambda: threads.submit(serving.compute, model, lambda: PHOTO, None, tenant_id=cast.charlie.tenant.id)


def until(condition: Callable[[], object]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it does not come")


def test_a_tenant_whose_decoder_is_at_work_takes_one_slot_only(stuck: Stuck, acme: Ask, bolt: Ask) -> None:
    """There are two; three of Acme's pictures wait for its one decoder."""
    waiting = [acme() for _ in range(3)]
    until(lambda: stuck.asked)
    for _ in range(3):
        assert bolt().result(timeout=10).width == 160
    assert len([one for one in stuck.asked if one != stuck.asked[0]]) == 3
    assert not any(one.done() for one in waiting)
    stuck.let_go.set()
    assert [one.result(timeout=20).width for one in waiting] == [160] * 3


def test_a_stored_picture_is_read_when_it_is_its_turn(
    cast: Cast, model: Model, serving: Hosting, threads: ThreadPoolExecutor
) -> None:
    """Many that wait hold no pictures in memory."""
    serving._turns = Turns(1)
    read: list[bytes] = []

    def reading() -> bytes:
        read.append(PHOTO)
        return PHOTO

    with serving._turns.slot(Patience(0)):
        asked = threads.submit(serving.compute, model, reading, None, tenant_id=cast.alice.tenant.id)
        until(lambda: len(serving._turns._own) == 1)  # the model is loaded, the tenant's turn is taken
        time.sleep(0.05)
        assert read == []
    assert asked.result(timeout=10).width == 160
    assert read == [PHOTO]
    assert serving._turns._own == {}


def test_what_takes_too_long_is_given_up_and_keeps_its_turn_until_it_ends(
    stuck: Stuck, acme: Ask, bolt: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "SECONDS", 1)
    monkeypatch.setattr(process, "PATIENCE", 0.1)
    began = time.monotonic()
    with pytest.raises(Busy):
        acme().result(timeout=10)
    assert time.monotonic() - began < 3
    with pytest.raises(Busy):
        acme().result(timeout=10)
    assert len(stuck.asked) == 1  # the second was not let in beside the first
    assert bolt().result(timeout=10).width == 160
    monkeypatch.setattr(process, "PATIENCE", 5)
    stuck.let_go.set()
    assert acme().result(timeout=10).width == 160


def test_the_web_waits_longer_than_a_prediction_may_take() -> None:
    assert process.PATIENCE < process.SECONDS
    assert process.SECONDS + 5 <= gateway.ANSWER_SECONDS


def test_turns_of_one_tenant_come_one_by_one_and_leave_nothing() -> None:
    turns, tenant, other = Turns(2), uuid.uuid4(), uuid.uuid4()
    with turns.of_tenant(tenant, Patience(0)):
        with pytest.raises(Busy), turns.of_tenant(tenant, Patience(0.01)):
            pytest.fail("two turns at a time")
        with turns.of_tenant(other, Patience(0)):
            assert set(turns._own) == {tenant, other}
    assert turns._own == {}
    with turns.of_tenant(tenant, Patience(0)):
        pass
