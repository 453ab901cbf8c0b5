"""Quotas: counted exactly, whoever counts at the same moment."""

import random
import uuid
from functools import partial

import pytest
from django.db import IntegrityError, transaction

from tenants.domain.quotas import QuotaExceeded, add_usage, lock_quota, release, reserve
from tenants.models import Quota
from tenants.models.quotas import RESOURCES
from tenants.scope import tenant_scope
from tests.cast import Cast
from tests.tenants.rolled_back import rolled_back
from tests.tenants.threads import together


def used(tenant_id: uuid.UUID, resource: str = "images") -> int:
    with tenant_scope(tenant_id):
        count: int = getattr(Quota.objects.get(), f"{resource}_used")
    return count


def reserve_many(tenant_id: uuid.UUID, amounts: list[int]) -> int:
    """Reserves each amount in a transaction of its own; how much was granted."""
    granted = 0
    for amount in amounts:
        try:
            with tenant_scope(tenant_id):
                reserve(resource="images", amount=amount)
            granted += amount
        except QuotaExceeded:
            pass
    return granted


def test_what_eight_threads_reserve_adds_up(cast: Cast) -> None:
    tenant = cast.alice.tenant.id
    draws = [[random.randint(1, 5) for _ in range(25)] for _ in range(8)]
    results = together([partial(reserve_many, tenant, amounts) for amounts in draws])

    assert results == [sum(amounts) for amounts in draws]
    assert used(tenant) == sum(map(sum, draws))


def test_eight_threads_fill_a_quota_to_the_last_and_no_further(cast: Cast) -> None:
    tenant = cast.alice.tenant.id
    with tenant_scope(tenant):
        Quota.objects.update(images_limit=100)
    results = together([partial(reserve_many, tenant, [1] * 25)] * 8)

    assert sum(granted for granted in results if isinstance(granted, int)) == 100
    assert used(tenant) == 100


def give_and_take(tenant_id: uuid.UUID, rounds: int) -> int:
    for _ in range(rounds):
        with tenant_scope(tenant_id):
            reserve(resource="images", amount=3)
        with tenant_scope(tenant_id):
            release(images=2, bytes=0)
    return rounds


def test_giving_back_is_counted_too(cast: Cast) -> None:
    tenant = cast.alice.tenant.id
    results = together([partial(give_and_take, tenant, 10)] * 8)

    assert results == [10] * 8
    assert used(tenant) == 80


def test_a_refusal_counts_nothing_and_says_the_limit(standing_cast: Cast) -> None:
    with rolled_back(standing_cast.alice.tenant.id):
        Quota.objects.update(projects_limit=2, projects_used=1)
        reserve(resource="projects", amount=1)
        with pytest.raises(QuotaExceeded, match="quota of 2 projects") as refusal:
            reserve(resource="projects", amount=1)
        assert Quota.objects.get().projects_used == 2
    assert (refusal.value.status, refusal.value.code) == (403, "quota_exceeded")


def test_one_tenants_usage_is_not_anothers(cast: Cast) -> None:
    reserve_many(cast.alice.tenant.id, [10])

    assert used(cast.charlie.tenant.id) == 0


def test_what_was_reserved_falls_with_its_transaction(cast: Cast) -> None:
    before = used(cast.alice.tenant.id)
    with rolled_back(cast.alice.tenant.id):
        reserve(resource="images", amount=7)
        assert Quota.objects.get().images_used == before + 7

    assert used(cast.alice.tenant.id) == before


def test_the_locked_row_knows_what_was_added(standing_cast: Cast) -> None:
    with rolled_back(standing_cast.alice.tenant.id):
        quota = lock_quota()
        add_usage(quota, images=2, bytes=10)
        add_usage(quota, images=3)

        assert (quota.images_used, quota.bytes_used) == (5, 10)
        kept = Quota.objects.get()
        assert (kept.images_used, kept.bytes_used) == (5, 10)


@pytest.mark.parametrize("resource", RESOURCES)
def test_the_database_refuses_less_than_nothing(resource: str, standing_cast: Cast) -> None:
    with rolled_back(standing_cast.alice.tenant.id), pytest.raises(IntegrityError), transaction.atomic():
        release(**{resource: 1_000_000})


def test_a_limit_may_fall_below_what_is_used(standing_cast: Cast) -> None:
    """Then nothing more is granted until enough is given back."""
    with rolled_back(standing_cast.alice.tenant.id):
        Quota.objects.update(images_used=10, images_limit=5)
        with pytest.raises(QuotaExceeded):
            reserve(resource="images", amount=1)
        release(images=6)
        reserve(resource="images", amount=1)
        assert Quota.objects.get().images_used == 5


def test_me_shows_usage_and_limits(standing_cast: Cast) -> None:
    usage = standing_cast.vera.api.get("/api/v1/me").json()["usage"]

    assert set(usage) == {f"{resource}_{what}" for resource in RESOURCES for what in ("used", "limit")}
    assert usage["members_used"] == 4
