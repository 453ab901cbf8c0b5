"""How much may be asked at a time: token buckets in Redis, shared by all processes.

A bucket holds `burst` tokens and gets `rate_per_second` back; a request takes one of each of its buckets, or of none.
When Redis does not answer, buckets of this process with the same figures stand in: who asks is still held back, though
each process counts for itself, and nobody is locked out. Redis is left alone for a few seconds then, so that not every
request waits for it. A Redis that forgets makes the buckets full: no more is lost.
"""

import functools
import logging
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger(__name__)

# Seconds that Redis may take to connect, and to answer: long for a healthy one, short for whoever waits.
REDIS_SECONDS = 0.1
# Seconds for which a Redis that failed is not asked.
AWAY_SECONDS = 5.0
# Buckets that a process keeps at most while Redis is away; full ones are forgotten first.
MOST_LOCAL = 50_000
_SECOND = 1_000_000

# A bucket is one number, the microsecond at which it is full again. All of KEYS are taken from, or none.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local owed, allowed = {}, 1
for i, key in ipairs(KEYS) do
  local interval, whole = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local full_at = tonumber(redis.call('GET', key) or 0)
  owed[i] = math.min(math.max(full_at - now, 0), whole)
  if owed[i] + interval > whole then allowed = 0 end
end
if allowed == 1 then
  for i, key in ipairs(KEYS) do
    owed[i] = owed[i] + tonumber(ARGV[2 * i - 1])
    redis.call('SET', key, string.format('%.0f', now + owed[i]), 'PX', math.ceil(owed[i] / 1000))
  end
end
table.insert(owed, 1, allowed)
return owed
"""


@dataclass(frozen=True)
class Bucket:
    """`name` says whose it is, the tenant's id included: it is the key in Redis, after `rate:`.

    Buckets taken from together have the same part in braces, so that a Redis cluster keeps them in one place.
    """

    name: str
    rate_per_second: float
    burst: int

    @property
    def interval(self) -> int:
        """Microseconds that a token takes to come back."""
        return max(1, round(_SECOND / self.rate_per_second))

    @property
    def whole(self) -> int:
        """Microseconds in which an empty bucket fills."""
        return self.interval * self.burst


@dataclass(frozen=True)
class Verdict:
    """Whether one may go on, and how the scarcest of the buckets stands.

    `limit` is its burst, `remaining` what could be taken at once now, `reset_seconds` when it is full again, and
    `retry_after_seconds` when there will be one to take; 0 for who is allowed.
    """

    allowed: bool
    limit: int
    remaining: int
    retry_after_seconds: int
    reset_seconds: int


def take(*, buckets: Sequence[Bucket]) -> Verdict:
    """Takes one token of each bucket; where any is empty, of none. Asks Redis once; never fails for want of it."""
    counted = _redis_take(buckets)
    allowed, owed = counted if counted is not None else _local.take(buckets)
    return _verdict(buckets, owed, allowed=allowed)


def _verdict(buckets: Sequence[Bucket], owed: Sequence[int], *, allowed: bool) -> Verdict:
    left = [(bucket.whole - debt) // bucket.interval for bucket, debt in zip(buckets, owed, strict=True)]
    scarcest = left.index(min(left))
    waits = [bucket.interval + debt - bucket.whole for bucket, debt in zip(buckets, owed, strict=True)]
    return Verdict(
        allowed=allowed,
        limit=buckets[scarcest].burst,
        remaining=left[scarcest],
        retry_after_seconds=0 if allowed else math.ceil(max(waits) / _SECOND),
        reset_seconds=math.ceil(owed[scarcest] / _SECOND),
    )


class LocalBuckets:
    """The same, in this process's memory."""

    def __init__(self) -> None:
        self._full_at: dict[str, int] = {}
        self._lock = threading.Lock()

    def take(self, buckets: Sequence[Bucket]) -> tuple[bool, list[int]]:
        """Whether all had a token, and the microseconds until each is full."""
        now = time.monotonic_ns() // 1000
        with self._lock:
            owed = [min(max(self._full_at.get(bucket.name, 0) - now, 0), bucket.whole) for bucket in buckets]
            if any(debt + bucket.interval > bucket.whole for bucket, debt in zip(buckets, owed, strict=True)):
                return False, owed
            owed = [debt + bucket.interval for bucket, debt in zip(buckets, owed, strict=True)]
            self._full_at |= {bucket.name: now + debt for bucket, debt in zip(buckets, owed, strict=True)}
            if len(self._full_at) > MOST_LOCAL:
                self._forget(now)
            return True, owed

    def _forget(self, now: int) -> None:
        """Full buckets go; where too many are not, the fuller half goes too."""
        kept = sorted((full_at, name) for name, full_at in self._full_at.items() if full_at > now)
        self._full_at = {name: full_at for full_at, name in kept[-(MOST_LOCAL // 2) :]}


class Circuit:
    """Keeps a peer that failed from being asked for `AWAY_SECONDS`; then one thread tries, and the others go on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed = False
        self._ask_at = 0.0

    def lets_pass(self) -> bool:
        with self._lock:
            now = time.monotonic()
            if now < self._ask_at:
                return False
            if self._failed:
                self._ask_at = now + AWAY_SECONDS
            return True

    def tell(self, *, failed: bool) -> bool:
        """Whether that is news."""
        with self._lock:
            news, self._failed = failed != self._failed, failed
            self._ask_at = time.monotonic() + AWAY_SECONDS if failed else 0.0
            return news


_local = LocalBuckets()
_circuit = Circuit()


def _redis_take(buckets: Sequence[Bucket]) -> tuple[bool, list[int]] | None:
    """None while Redis is away."""
    if not _circuit.lets_pass():
        return None
    keys = [f"rate:{bucket.name}" for bucket in buckets]
    figures = [figure for bucket in buckets for figure in (bucket.interval, bucket.whole)]
    try:
        allowed, *owed = _script(settings.REDIS_URL)(keys=keys, args=figures)
    except redis.RedisError as error:
        if _circuit.tell(failed=True):
            logger.warning("rate limits are each process's own for now: %s", type(error).__name__)
        return None
    if _circuit.tell(failed=False):
        logger.warning("rate limits are in Redis again")
    return bool(allowed), owed


@functools.cache
def _script(url: str) -> Any:
    # One more try, at once: a connection that lay idle may have been closed by the other side.
    client = redis.Redis.from_url(
        url,
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
        retry=Retry(NoBackoff(), 1),
    )
    return client.register_script(_TAKE)
