"""Idempotency-Key: one effect a key, whatever the network repeats."""

import hashlib
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from tenants.ids import uuid7
from tenants.models import IdempotencyRecord
from tenants.permissions import Principal
from tenants.refusals import Refusal

# How long a request may hold its key before a repetition may run it again: longer than the server's time-out.
LOCK = timedelta(seconds=60)
KEPT = timedelta(hours=72)
# Shown once; a replay must not need us to keep them.
SECRET_FIELDS = ("secret", "token")


class IdempotencyMismatch(Refusal):
    status = 422
    code = "idempotency_mismatch"
    title = "This Idempotency-Key was used for another request"

    def __init__(self) -> None:
        super().__init__(
            "The key was sent before, with another method, address or body.",
            hint="Use a new Idempotency-Key for a new request.",
        )


class IdempotencyInProgress(Refusal):
    code = "idempotency_in_progress"
    title = "The same request is still at work"
    retry_after = 1

    def __init__(self) -> None:
        super().__init__("A request with this Idempotency-Key is at work.", hint="Wait a second and send it again.")


@dataclass(frozen=True)
class Replay:
    status: int
    body: Any
    location: str


def request_hash(*, method: str, path: str, body: bytes, boundary: str = "") -> str:
    """`boundary` is a multipart body's, which clients draw anew for each attempt; it does not count."""
    digest = hashlib.sha256(f"{method} {path}\n".encode())
    digest.update(body.replace(boundary.encode(), b"") if boundary else body)
    return digest.hexdigest()


def begin(*, key: str, request: str, by: Principal) -> uuid.UUID | Replay:
    """Takes the key for this request, in the open scope: the record's id, or what was answered before.

    Raises IdempotencyMismatch or IdempotencyInProgress. The caller commits before it does the work, so that a
    concurrent repetition finds the record.
    """
    now = timezone.now()
    record = IdempotencyRecord(member_id=by.member_id, key=key, request_hash=request, locked_until=now + LOCK)
    IdempotencyRecord.objects.bulk_create([record], ignore_conflicts=True)
    kept = IdempotencyRecord.objects.select_for_update().get(member_id=by.member_id, key=key)
    if kept.id == record.id:
        return record.id
    if kept.created_at < now - KEPT:
        return _take_over(kept, request=request)
    if kept.request_hash != request:
        raise IdempotencyMismatch
    if kept.status:
        return Replay(status=kept.status, body=kept.body, location=kept.location)
    if kept.locked_until > now:
        raise IdempotencyInProgress
    return _take_over(kept, request=request)


def finish(*, record_id: uuid.UUID, status: int, body: Any, location: str) -> None:
    """Keeps the answer for replays, without what is shown once.

    Raises IdempotencyInProgress when a repetition has taken the key over, because the lock ran out: the caller's
    effect must not be committed beside the other's.
    """
    kept = IdempotencyRecord.objects.filter(id=record_id)
    if not kept.update(status=status, body=_without_secrets(body), location=location):
        raise IdempotencyInProgress


def abandon(*, record_id: uuid.UUID) -> None:
    """Frees the key of a request that failed on our side, so that its repetition runs."""
    IdempotencyRecord.objects.filter(id=record_id).delete()


def _take_over(kept: IdempotencyRecord, *, request: str) -> uuid.UUID:
    # Under a new id, so that whoever held it before finds nothing to finish or abandon.
    now, new_id = timezone.now(), uuid7()
    IdempotencyRecord.objects.filter(id=kept.id).update(
        id=new_id, request_hash=request, status=0, body=None, location="", created_at=now, locked_until=now + LOCK
    )
    return new_id


def _without_secrets(body: Any) -> Any:
    if isinstance(body, dict):
        return {name: None if name in SECRET_FIELDS else _without_secrets(value) for name, value in body.items()}
    if isinstance(body, list):
        return [_without_secrets(value) for value in body]
    return body
