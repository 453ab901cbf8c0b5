"""Rate limits over HTTP: what each answer says, who is held back, and who is not."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from pytest_django import Settings
from rest_framework.test import APIClient

from deploy.local.engines import Engines
from projects.models import Project
from tenants import rate_limits
from tenants.domain.keys import create_key
from tenants.models import ApiKey, Member
from tenants.rate_limits import Circuit, LocalBuckets
from tenants.scope import tenant_scope
from tenants.secrets import new_token
from tests.cast import PASSWORD, Cast, Person
from tests.tenants.api.test_problems import problem

HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
# None comes back during a test.
SLOW = 0.1


@pytest.fixture(autouse=True)
def _no_tokens_of_others(stack: Engines, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The cast has the same ids in every test, and the broker is the whole session's."""
    monkeypatch.setattr(rate_limits, "_local", LocalBuckets())
    monkeypatch.setattr(rate_limits, "_circuit", Circuit())
    with redis.Redis.from_url(stack.addresses.redis_url) as client:
        yield
        for name in client.scan_iter("rate:*"):
            client.delete(name)


def told(answer: Any) -> list[int]:
    return [int(answer.headers[name]) for name in HEADERS]


def another_key(person: Person) -> APIClient:
    """A client with a key of its own, in the same tenant."""
    with tenant_scope(person.tenant.id):
        seat = Member.objects.get(id=person.seat.member.id)
        _, token = create_key(member=seat, name="robot", by=None)
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token.text}")
    return client


def from_address(address: str, **headers: str) -> APIClient:
    return APIClient(raise_request_exception=False, REMOTE_ADDR=address, headers=headers)


def statuses(client: Any, times: int, address: str = "/api/v1/me") -> list[int]:
    return [client.get(address).status_code for _ in range(times)]


def test_every_answer_tells_what_is_left(cast: Cast, settings: Settings) -> None:
    settings.RATE_LIMIT_KEY = (SLOW, 40)
    api, left = cast.bob.api, 40
    for method, address, status in (
        ("get", "me", 200),
        ("get", "projects?limit=0", 400),
        ("post", "projects", 403),
        ("get", "keys", 403),
        ("get", "projects/0198c0de-0000-7000-8000-000000000000", 404),
        ("put", "projects", 405),
    ):
        answer = getattr(api, method)(f"/api/v1/{address}")
        left -= 1
        assert answer.status_code == status
        assert told(answer) == [40, left, (40 - left) * 10]


def test_a_key_that_asks_too_much_is_refused_and_its_neighbors_are_not(cast: Cast, settings: Settings) -> None:
    settings.RATE_LIMIT_KEY = (SLOW, 3)
    busy, other = another_key(cast.alice), another_key(cast.alice)
    assert statuses(busy, 3) == [200] * 3
    answer = busy.post("/api/v1/projects", {"name": "x", "kind": "DETECTION"}, format="json")

    assert "Retry-After" in problem(answer, 429, "rate_limited")["hint"]
    assert int(answer.headers["Retry-After"]) == 10
    assert told(answer)[:2] == [3, 0]
    with tenant_scope(cast.alice.tenant.id):
        assert not Project.objects.exists()
    assert statuses(other, 1) == [200]
    assert cast.charlie.api.get("/api/v1/me").status_code == 200


def test_a_tenants_keys_share_its_limit_and_no_other_tenants(cast: Cast, settings: Settings) -> None:
    settings.RATE_LIMIT_TENANT = (SLOW, 4)
    keys = [another_key(cast.alice) for _ in range(3)]
    assert [statuses(key, 2) for key in keys] == [[200, 200], [200, 200], [429, 429]]
    # The other tenant cannot tell that the first is busy.
    assert told(cast.charlie.api.get("/api/v1/me")) == [4, 3, 10]


def test_a_replay_counts_and_a_refusal_is_not_kept(cast: Cast, settings: Settings) -> None:
    settings.RATE_LIMIT_KEY = (SLOW, 1)
    api, body = another_key(cast.alice), {"name": "x", "kind": "DETECTION"}
    statuses(api, 1)
    assert api.post("/api/v1/projects", body, format="json", HTTP_IDEMPOTENCY_KEY="k").status_code == 429
    settings.RATE_LIMIT_KEY = (SLOW, 10)
    assert api.post("/api/v1/projects", body, format="json", HTTP_IDEMPOTENCY_KEY="k").status_code == 201


@pytest.mark.parametrize("foreign", [True, False])
def test_what_is_left_does_not_tell_a_foreign_id_from_a_missing_one(
    foreign: bool, cast: Cast, settings: Settings
) -> None:
    settings.RATE_LIMIT_KEY = settings.RATE_LIMIT_TENANT = (SLOW, 50)
    made = cast.alice.api.post("/api/v1/projects", {"name": "x", "kind": "DETECTION"}, format="json").json()["id"]
    named = made if foreign else "0198c0de-0000-7000-8000-000000000000"
    address = f"/api/v1/projects/{named}"
    patched = {"format": "json", "HTTP_IF_MATCH": '"x"'}
    answers = [
        cast.charlie.api.get(address),
        cast.charlie.api.get(address, HTTP_IF_NONE_MATCH="*"),
        cast.charlie.api.patch(address, {"name": "y"}, **patched),
        cast.charlie.api.delete(address, HTTP_IF_MATCH='"x"'),
    ]
    assert [(answer.status_code, told(answer)) for answer in answers] == [
        (404, [50, 50 - number, 10 * number]) for number in (1, 2, 3, 4)
    ]


def test_keys_that_open_nothing_are_answered_slower_and_slower(standing_cast: Cast, settings: Settings) -> None:
    settings.RATE_LIMIT_FAILURES = (SLOW, 3)
    guesser = from_address("203.0.113.5")
    seen = []
    for _ in range(5):
        guesser.credentials(HTTP_AUTHORIZATION=f"Bearer {new_token('myr').text}")
        seen.append(guesser.get("/api/v1/me"))

    assert [answer.status_code for answer in seen] == [401, 401, 401, 429, 429]
    problem(seen[-1], 429, "rate_limited")
    assert seen[-1].headers["Retry-After"] == "10"
    # A known prefix with another secret counts like an unknown one.
    prefix = standing_cast.alice.seat.token.prefix
    guesser.credentials(HTTP_AUTHORIZATION=f"Bearer myr_{prefix}_{'0' * 64}")
    assert guesser.get("/api/v1/me").status_code == 429


def test_good_keys_behind_the_same_address_go_on(standing_cast: Cast, settings: Settings) -> None:
    settings.RATE_LIMIT_FAILURES = (SLOW, 1)
    client = from_address("203.0.113.6")
    client.credentials(HTTP_AUTHORIZATION="Bearer nonsense")
    assert statuses(client, 2) == [401, 429]
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {standing_cast.alice.seat.token.text}")
    assert statuses(client, 2) == [200, 200]


def test_who_sends_no_key_is_only_told_to(standing_cast: Cast, settings: Settings) -> None:
    settings.RATE_LIMIT_FAILURES = (SLOW, 1)
    assert statuses(from_address("203.0.113.7"), 3) == [401] * 3


def test_an_address_accepts_invitations_at_a_slow_pace(standing_cast: Cast, settings: Settings) -> None:
    settings.RATE_LIMIT_ADDRESS = (SLOW, 2)
    body = {"token": new_token("inv").text, "name": "x", "password": PASSWORD}

    def accept(address: str) -> Any:
        return from_address(address).post("/api/v1/invitations/accept", body, format="json")

    answers = [accept("203.0.113.8") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [400, 400, 429]
    assert [told(answer)[1] for answer in answers] == [1, 0, 0]
    problem(answers[-1], 429, "rate_limited")
    assert accept("203.0.113.9").status_code == 400


def test_without_redis_the_same_limits_hold(cast: Cast, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"  # nobody listens there
    settings.RATE_LIMIT_KEY = (SLOW, 3)
    assert statuses(another_key(cast.alice), 5) == [200, 200, 200, 429, 429]
    with tenant_scope(cast.alice.tenant.id):
        assert ApiKey.objects.filter(name="robot").count() == 1


def test_what_holds_unless_told() -> None:
    """Tests run without; nobody else does."""
    import importlib
    import os

    import config.settings

    told_otherwise = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("RATE_LIMIT_")}
    try:
        fresh = importlib.reload(config.settings)
    finally:
        os.environ.update(told_otherwise)
    assert fresh.RATE_LIMIT_KEY == (50.0, 500)
    assert fresh.RATE_LIMIT_TENANT == (200.0, 2000)
    assert fresh.TRUSTED_PROXIES == 0
    assert django_settings.RATE_LIMIT_KEY == (10_000.0, 100_000)
