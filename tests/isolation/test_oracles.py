"""What one tenant has is not to be guessed by making, or asking for, the same."""

from typing import Any

import pytest

from tenants.models import Role
from tests.isolation.observing import ask
from tests.isolation.world import World, item, state_of

PROJECT = "projects/{project}"
# What is the same → address below /api/v1/, and bodies that name what Acme has and what nobody has.
MADE_ALIKE: dict[str, tuple[Any, ...]] = {
    "a project's name": ("projects", *({"name": name, "kind": "DETECTION"} for name in ("Acme housings", "new"))),
    "a class's name": (f"{PROJECT}/classes", *({"name": name} for name in ("Acme dent", "new"))),
    "a READY image's bytes": (
        f"{PROJECT}/images/register",
        *({"files": [item(name)]} for name in ("acme ready", "new")),
    ),
    "a READY image's bytes, to send": (
        f"{PROJECT}/uploads",
        *({"files": [item(name)]} for name in ("acme ready", "new")),
    ),
    "bytes that have arrived": (f"{PROJECT}/uploads", *({"files": [item(name)]} for name in ("acme arrived", "new"))),
    "a class of an item": (
        f"{PROJECT}/images/register",
        *({"files": [item("fresh", classes=[name])]} for name in ("Acme dent", "Other dent")),
    ),
    "an image's name": (
        f"{PROJECT}/annotations",
        *({"annotations": [{"filename": name, "boxes": []}]} for name in ("acme ready.png", "new.png")),
    ),
    "a class of a box": (
        f"{PROJECT}/annotations",
        *(
            {"annotations": [{"filename": "bolt ready.png", "boxes": [{"class": name, "bbox": [1, 2, 3, 4]}]}]}
            for name in ("Acme dent", "Other dent")
        ),
    ),
    "a member's address": (
        "invitations",
        *({"email": f"{who}@acme.example", "role": Role.VIEWER} for who in ("alice", "new")),
    ),
    "a guest's address": (
        "invitations",
        *({"email": f"{who}@acme.example", "role": Role.VIEWER} for who in ("guest", "new")),
    ),
    "a key's name": ("keys", *({"name": name} for name in ("Acme line", "new"))),
}
TELLING = ("status", "code", "duplicate", "method", "title")


def form(value: Any, name: str = "") -> Any:
    """An answer without what differs anyway: its fields, and what of their values means something."""
    if isinstance(value, dict):
        return {inner: form(value[inner], inner) for inner in sorted(value)}
    if isinstance(value, list):
        return [form(inner) for inner in value]
    return value if name in TELLING else type(value).__name__


@pytest.mark.parametrize(("address", "acmes", "nobodys"), MADE_ALIKE.values(), ids=list(MADE_ALIKE))
def test_making_what_acme_has_is_like_making_what_nobody_has(
    address: str, acmes: Any, nobodys: Any, world: World
) -> None:
    before = state_of(world.acme.tenant)
    where = "/api/v1/" + address.format(project=world.bolt.project)
    alike, new = (world.cast.charlie.api.post(where, body, format="json") for body in (acmes, nobodys))
    assert new.status_code in (200, 201)
    assert (alike.status_code, form(alike.json())) == (new.status_code, form(new.json()))
    assert state_of(world.acme.tenant) == before


@pytest.mark.parametrize("address", ["projects", "jobs", "audit", "members", "keys", "invitations"])
@pytest.mark.parametrize("limit", [1, 2])
def test_pages_hold_ones_own_rows_from_end_to_end(address: str, limit: int, world: World) -> None:
    """Page by page, forwards and back: the same rows as at once, and no link that leads to more."""
    api = world.cast.charlie.api
    at_once = [row["id"] for row in api.get(f"/api/v1/{address}?limit=500").json()["results"]]
    there, back = _walk(api, f"/api/v1/{address}?limit={limit}", "next")
    assert there == at_once
    _, last = _walk(api, back, "previous")
    assert last == f"/api/v1/{address}?limit={limit}" or api.get(last).json()["previous"] is None


def _walk(api: Any, address: str, way: str) -> tuple[list[str], str]:
    """The ids on the way, and the last page's address."""
    found: list[str] = []
    while True:
        page = api.get(address).json()
        found += [row["id"] for row in page["results"]]
        if page[way] is None:
            return found, address
        address = page[way]


def test_one_idempotency_key_in_two_tenants_is_two(world: World) -> None:
    """The world was furnished with this key, by Alice and by Charlie."""
    key: dict[str, Any] = {"HTTP_IDEMPOTENCY_KEY": "first thing"}
    again = {"name": "Acme lids", "kind": "ANOMALY"}
    acmes = world.cast.alice.api.post("/api/v1/projects", again, format="json", **key)
    assert (acmes.status_code, acmes.headers.get("Idempotency-Replayed")) == (201, "true")
    assert acmes.json()["id"] == str(world.acme.newest)
    bolts = world.cast.charlie.api.post("/api/v1/projects", again, format="json", **key)
    assert bolts.status_code == 422  # his own was another project
    assert "acme" not in bolts.content.decode().lower()
    fresh: dict[str, Any] = {"HTTP_IDEMPOTENCY_KEY": "second thing"}
    bodies = [world.cast.alice.api, world.cast.charlie.api]
    made = [api.post("/api/v1/projects", {"name": "twin", "kind": "ANOMALY"}, format="json", **fresh) for api in bodies]
    assert [answer.status_code for answer in made] == [201, 201]
    assert made[0].json()["id"] != made[1].json()["id"]
    assert "Idempotency-Replayed" not in made[1].headers


def test_a_kept_refusal_of_a_foreign_id_is_that_of_a_missing_one(world: World) -> None:
    """Also when it comes back by its Idempotency-Key."""
    nowhere = "0198c0de-0000-7000-8000-000000000000"
    api: Any = world.cast.charlie.api
    answers = []
    for number, project in enumerate((world.acme.project, nowhere)):
        for _ in range(2):
            api.credentials(**api._credentials | {"HTTP_IDEMPOTENCY_KEY": f"try {number}"})
            answers.append(ask(api, "POST", f"/api/v1/projects/{project}/classes", {"name": "x"}))
    del api._credentials["HTTP_IDEMPOTENCY_KEY"]
    assert {answer.status for answer in answers} == {404}
    assert answers[:2] == answers[2:]
