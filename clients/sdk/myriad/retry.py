"""How often, and after what pause, a request is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass

from myriad.errors import MyriadError, Unavailable


@dataclass(frozen=True)
class Retry:
    """A policy of retries: exponential, with jitter, obeying Retry-After.

    `attempts` counts the first one. `first`, `cap` and `longest` are seconds: the pause before the second
    attempt, the longest pause that we choose ourselves, and the longest that a server may ask of us before we
    give up instead.
    """

    attempts: int = 5
    first: float = 0.5
    cap: float = 8.0
    longest: float = 60.0

    def pause_after(self, attempt: int, error: MyriadError) -> float | None:
        """Give the seconds to wait after `attempt` (1 is the first) failed with `error`; None means: give up."""
        if attempt >= self.attempts or not is_passing(error):
            return None
        if error.retry_after is not None and error.retry_after > self.longest:
            return None
        # Half of the pause is random, so that clients which failed together do not come back together.
        own = min(self.cap, self.first * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        return max(own, error.retry_after or 0.0)


def is_passing(error: MyriadError) -> bool:
    """Tell whether the same request may well succeed later."""
    if isinstance(error, Unavailable):
        return error.code != "untrusted_certificate"
    return error.code == "idempotency_in_progress"
