"""Counting what a tenant uses, exactly, under concurrency."""

from tenants.models import Quota
from tenants.refusals import Refusal


class QuotaExceeded(Refusal):
    status = 403
    code = "quota_exceeded"
    title = "The quota is used up"

    def __init__(self, resource: str, limit: int) -> None:
        super().__init__(
            f"The quota of {limit} {resource} is reached.",
            hint=f"Delete {resource} that are no longer needed, or ask the operator for a larger quota.",
        )


def lock_quota() -> Quota:
    """The tenant's quota, locked until the transaction ends, so that what is decided on it holds."""
    return Quota.objects.select_for_update().get()


def reserve(*, resource: str, amount: int) -> None:
    """Counts `amount` more of `resource`, or raises QuotaExceeded and counts nothing."""
    quota = lock_quota()
    limit = getattr(quota, f"{resource}_limit")
    used = getattr(quota, f"{resource}_used") + amount
    if used > limit:
        raise QuotaExceeded(resource, limit)
    Quota.objects.filter(id=quota.id).update(**{f"{resource}_used": used})


def add_usage(quota: Quota, **amounts: int) -> None:
    """Adds the amounts (negative to give back) to a quota locked by `lock_quota`."""
    used = {f"{resource}_used": getattr(quota, f"{resource}_used") + n for resource, n in amounts.items()}
    for name, value in used.items():
        setattr(quota, name, value)
    Quota.objects.filter(id=quota.id).update(**used)


def release(**amounts: int) -> None:
    """Gives back what is no longer used."""
    add_usage(lock_quota(), **{resource: -amount for resource, amount in amounts.items()})
