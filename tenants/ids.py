"""UUIDv7 identifiers (RFC 9562 §5.7): they sort by time of creation and leak no volume."""

import os
import threading
import time
import uuid

_lock = threading.Lock()
_last = 0


def uuid7() -> uuid.UUID:
    """Returns a UUIDv7, larger than every one this process returned before.

    The 60 bits behind the milliseconds' field hold the nanoseconds within the millisecond, then random bits; when
    the clock stands still or steps back, the time part is counted on by one (RFC 9562 §6.2, method 3).
    """
    global _last  # noqa: PLW0603 - the last time part is what makes the sequence monotonic
    with _lock:
        # 60 bits of time: 48 of milliseconds, 12 of the fraction (about 244 ns each).
        nanoseconds = time.time_ns()
        milliseconds, rest = divmod(nanoseconds, 1_000_000)
        stamp = max((milliseconds << 12) | (rest * 4096 // 1_000_000), _last + 1)
        _last = stamp
    random = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    value = (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62 | random
    return uuid.UUID(int=value)
