"""API keys: made, checked, revoked."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from tenants import audit
from tenants.domain.lookups import tenant_of_key
from tenants.models import ApiKey, Member, Role
from tenants.permissions import ROLE_PERMISSIONS, Permission, Principal
from tenants.refusals import Invalid, NotFound
from tenants.scope import current_tenant_id, tenant_scope
from tenants.secrets import Token, matches, new_token, parse_token

KIND = "myr"
# Written at most this often, so that reading with a key does not write a row a request.
LAST_USED_RESOLUTION = timedelta(minutes=1)


def create_key(
    *, member: Member, name: str, by: Principal | None, scopes: Sequence[str] = (), expires_at: datetime | None = None
) -> tuple[ApiKey, Token]:
    """Makes a key for `member`; the token's text is shown once and kept nowhere.

    Raises Invalid when a scope is unknown, or more than whoever asks may do, or the expiry is past.
    """
    unknown = sorted(set(scopes) - set(Permission.values))
    if unknown:
        raise Invalid(
            "scopes", f"Unknown scope: {', '.join(unknown)}.", hint=f"Scopes are {', '.join(Permission.values)}."
        )
    if by is not None and not set(scopes or ROLE_PERMISSIONS[member.role]) <= set(by.permissions):
        raise Invalid("scopes", "A key cannot do more than the key that makes it.", hint="Name fewer scopes.")
    expires_at = _bounded(expires_at, by=by)
    if expires_at is not None and expires_at <= timezone.now():
        raise Invalid("expires_at", "The expiry lies in the past.", hint="Give a later time, or none.")
    token = new_token(KIND)
    key = ApiKey.objects.create(
        member=member,
        name=name,
        prefix=token.prefix,
        secret_hash=token.secret_hash,
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    audit.record("key.created", by=by, target=key.id, prefix=key.prefix, scopes=key.scopes)
    return key, token


def _bounded(expires_at: datetime | None, *, by: Principal | None) -> datetime | None:
    """A key made with a key ends no later than that one, or it would outlive what allowed it."""
    maker = ApiKey.objects.filter(id=by.key_id).first() if by is not None and by.key_id else None
    if maker is None or maker.expires_at is None:
        return expires_at
    return min(expires_at or maker.expires_at, maker.expires_at)


def revoke_key(*, key_id: uuid.UUID, by: Principal) -> None:
    """Revokes a key at once; revoking it again changes nothing. Raises NotFound, or Invalid for an owner's key."""
    key = ApiKey.objects.select_for_update(of=["self"]).select_related("member").filter(id=key_id).first()
    if key is None:
        raise NotFound
    if key.member.role == Role.OWNER and by.role != Role.OWNER:
        raise Invalid("id", "Only an owner revokes an owner's key.", hint="Ask an owner.")
    if key.revoked_at is None:
        ApiKey.objects.filter(id=key_id).update(revoked_at=timezone.now())
        audit.record("key.revoked", by=by, target=key_id, prefix=key.prefix)


# What each request asks of its key, and no more: whole rows of key, seat and user make a request a tenth slower.
_ASKED = (
    *("id", "secret_hash", "scopes", "expires_at", "revoked_at", "last_used_at"),
    *("member_id", "member__role", "member__removed_at", "member__user__is_active"),
)
_NOTE_USE = """SET LOCAL synchronous_commit TO off;
UPDATE "tenants_apikey" SET "last_used_at" = %s
WHERE "tenants_apikey"."id" = %s AND "tenants_apikey"."tenant_id" = %s"""


def authenticate(*, text: str) -> Principal | None:
    """The principal of a key's text, or None when it is malformed, unknown, expired, revoked or its seat removed."""
    parsed = parse_token(KIND, text)
    if parsed is None:
        return None
    prefix, secret = parsed
    tenant_id = tenant_of_key(prefix=prefix)
    if tenant_id is None:
        return None
    with tenant_scope(tenant_id):
        key = next(iter(ApiKey.objects.filter(prefix=prefix).values_list(*_ASKED, named=True)), None)
        if key is None or not matches(secret, key.secret_hash):
            return None
        now = timezone.now()
        if (
            not key.member__user__is_active
            or key.revoked_at
            or key.member__removed_at
            or (key.expires_at and key.expires_at <= now)
        ):
            return None
        if key.last_used_at is None or key.last_used_at < now - LAST_USED_RESOLUTION:
            _note_use(key.id, at=now)
        return _principal(key, tenant_id=tenant_id)


def _note_use(key_id: uuid.UUID, *, at: datetime) -> None:
    """Writes when a key was used, in a transaction of its own: or the first request a minute waits for the disk.

    With ten thousand tenants nearly every request is such a first one; hence both statements in one turn.
    """
    with connection.cursor() as cursor:
        cursor.execute(_NOTE_USE, [at, str(key_id), str(current_tenant_id())])


def _principal(key: Any, *, tenant_id: uuid.UUID) -> Principal:
    permissions = ROLE_PERMISSIONS[key.member__role]
    if key.scopes:
        permissions = frozenset(permission for permission in permissions if permission in key.scopes)
    return Principal(
        tenant_id=tenant_id,
        member_id=key.member_id,
        role=key.member__role,
        permissions=permissions,
        key_id=key.id,
    )
