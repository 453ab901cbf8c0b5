"""Both tenants' owners, as a campaign takes them: what is theirs, and what they must not be told."""

from tests.cast import Person
from tests.fuzz.campaign import Asker
from tests.isolation.world import Holdings, World, marks

# Which of a tenant's things goes by which names: in paths, then in queries and bodies.
NAMES = {
    "annotation": ("annotation_id",),
    "export": ("export_id",),
    "label": ("class_id", "class", "classes"),
    "image": ("image_id", "image", "images"),
    "invitation": ("invitation_id",),
    "job": ("job_id", "job"),
    "reported": ("import_id",),
    "key": ("key_id",),
    "member": ("member_id",),
    "model": ("model_id", "with"),
    "project": ("project_id",),
    "run": ("run_id",),
    "snapshot": ("snapshot_id", "snapshot", "against"),
}


def charlie(world: World) -> Asker:
    """Bolt's owner, who must be told nothing of Acme's."""
    return _asker(world.cast.charlie, own=world.bolt, theirs=world.acme, word="acme")


def alice(world: World) -> Asker:
    """Acme's owner, who must be told nothing of Bolt's."""
    return _asker(world.cast.alice, own=world.acme, theirs=world.bolt, word="bolt")


def _asker(person: Person, *, own: Holdings, theirs: Holdings, word: str) -> Asker:
    return Asker(
        token=person.seat.token.text,
        marks=sorted(marks(theirs, own)),
        words=[word],
        own=_by_name(own),
        foreign=_by_name(theirs),
        spared=[str(person.seat.key.id), str(person.seat.member.id)],
    )


def _by_name(holdings: Holdings) -> dict[str, str]:
    return {name: str(getattr(holdings, thing)) for thing, names in NAMES.items() for name in names}
