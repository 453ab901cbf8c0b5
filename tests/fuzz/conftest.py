"""A furnished database behind real processes, and both tenants' owners as askers."""

from collections.abc import Iterator

import pytest

from tests.fuzz.campaign import Asker
from tests.fuzz.server import serving
from tests.heads import shared_graphs
from tests.isolation.world import Holdings, World, furnish, marks

# Which of a tenant's things goes by which names: in paths, then in queries and bodies.
NAMES = {
    "annotation": ("annotation_id",),
    "label": ("class_id", "class", "classes"),
    "image": ("image_id", "image", "images"),
    "invitation": ("invitation_id",),
    "job": ("job_id", "job"),
    "key": ("key_id",),
    "member": ("member_id",),
    "model": ("model_id", "with"),
    "project": ("project_id",),
    "run": ("run_id",),
    "snapshot": ("snapshot_id", "snapshot", "against"),
}


@pytest.fixture
def world(database: str) -> World:
    return furnish()


@pytest.fixture
def url(database: str, world: World) -> Iterator[str]:
    """Where the service answers."""
    with serving(database, graphs=shared_graphs()) as (address, parts):
        yield address
        for part in parts:
            print("\n".join(part.last_lines(60)))  # noqa: T201 - pytest shows it when the test failed


def charlie(world: World) -> Asker:
    """Bolt's owner, who must be told nothing of Acme's."""
    seat = world.cast.charlie.seat
    return _asker(seat.token.text, [seat.key.id, seat.member.id], world.acme, world.bolt, "acme")


def alice(world: World) -> Asker:
    """Acme's owner, who must be told nothing of Bolt's."""
    seat = world.cast.alice.seat
    return _asker(seat.token.text, [seat.key.id, seat.member.id], world.bolt, world.acme, "bolt")


def _asker(token: str, spared: list[object], theirs: Holdings, own: Holdings, word: str) -> Asker:
    return Asker(
        token=token,
        marks=sorted(marks(theirs, own)),
        words=[word],
        own=_by_name(own),
        foreign=_by_name(theirs),
        spared=[str(one) for one in spared],
    )


def _by_name(holdings: Holdings) -> dict[str, str]:
    return {name: str(getattr(holdings, thing)) for thing, names in NAMES.items() for name in names}
