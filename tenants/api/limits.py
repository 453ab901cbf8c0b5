"""Rate limits of the API: what each request takes, and how its answer says so."""

import uuid

from django.conf import settings
from django.http import HttpRequest

from tenants.client_address import client_address
from tenants.permissions import Principal
from tenants.rate_limits import Bucket, Verdict, take
from tenants.refusals import Refusal


class RateLimited(Refusal):
    status = 429
    code = "rate_limited"
    title = "Too many requests"

    def __init__(self, verdict: Verdict) -> None:
        self.retry_after = verdict.retry_after_seconds
        super().__init__(
            f"More was asked than {verdict.limit} requests at once and the share of each second after them.",
            hint=f"Wait {self.retry_after} s (Retry-After), then ask at a steady pace; a bulk request counts once.",
        )


def take_for(principal: Principal) -> Verdict:
    """One request of a key (of a member, where a session asks) and of its tenant.

    Nothing but the principal counts, so what a request is answered with cannot be read from what is left.
    """
    asker = f"key/{principal.key_id}" if principal.key_id else f"member/{principal.member_id}"
    return _take(asker, principal.tenant_id)


def take_for_person(user_id: uuid.UUID, *, tenant_id: uuid.UUID) -> Verdict:
    """One page of a person who signed in, and of the tenant."""
    return _take(f"person/{user_id}", tenant_id)


def _take(asker: str, tenant_id: uuid.UUID) -> Verdict:
    tenant = f"t/{{{tenant_id}}}"
    return take(
        buckets=[
            Bucket(f"{tenant}/{asker}", *settings.RATE_LIMIT_KEY),
            Bucket(tenant, *settings.RATE_LIMIT_TENANT),
        ]
    )


def take_for_address(request: HttpRequest) -> Verdict:
    """One request of a client address that names no key."""
    return take(buckets=[Bucket(f"address/{{{client_address(request)}}}", *settings.RATE_LIMIT_ADDRESS)])


def take_for_failure(request: HttpRequest) -> Verdict:
    """One key of a client address that opens nothing.

    Good keys of the same address go on: a factory has one address, and a secret of 256 bits is not guessed at any
    speed. What is held back is the noise.
    """
    return take(buckets=[Bucket(f"failures/{{{client_address(request)}}}", *settings.RATE_LIMIT_FAILURES)])


def headers_of(verdict: Verdict) -> dict[str, str]:
    """As in the IETF's draft of RateLimit headers; they speak of the scarcest bucket."""
    return {
        "RateLimit-Limit": str(verdict.limit),
        "RateLimit-Remaining": str(verdict.remaining),
        "RateLimit-Reset": str(verdict.reset_seconds),
    }
