"""Rate limits of the API: what each request takes, and how its answer says so."""

from django.conf import settings
from rest_framework.request import Request

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
            hint=f"Wait {self.retry_after} s (Retry-After), then ask at a steady pace; ask for more at a time in bulk.",
        )


def take_for(principal: Principal) -> Verdict:
    """One request of a key (of a member, where a session asks) and of its tenant.

    Nothing but the principal counts, so what a request is answered with cannot be read from what is left.
    """
    tenant = f"t/{{{principal.tenant_id}}}"
    asker = f"key/{principal.key_id}" if principal.key_id else f"member/{principal.member_id}"
    return take(
        buckets=[
            Bucket(f"{tenant}/{asker}", *settings.RATE_LIMIT_KEY),
            Bucket(tenant, *settings.RATE_LIMIT_TENANT),
        ]
    )


def take_for_address(request: Request) -> Verdict:
    """One request of a client address that names no key."""
    return take(buckets=[Bucket(f"address/{{{client_address(request._request)}}}", *settings.RATE_LIMIT_ADDRESS)])


def take_for_failure(request: Request) -> Verdict:
    """One key of a client address that opens nothing.

    Good keys of the same address go on: a factory has one address, and a secret of 256 bits is not guessed at any
    speed. What is held back is the noise.
    """
    return take(buckets=[Bucket(f"failures/{{{client_address(request._request)}}}", *settings.RATE_LIMIT_FAILURES)])


def headers_of(verdict: Verdict) -> dict[str, str]:
    """As in the IETF's draft of RateLimit headers; they speak of the scarcest bucket."""
    return {
        "RateLimit-Limit": str(verdict.limit),
        "RateLimit-Remaining": str(verdict.remaining),
        "RateLimit-Reset": str(verdict.reset_seconds),
    }
