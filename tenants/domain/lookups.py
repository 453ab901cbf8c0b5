"""What must be found before a tenant is known, through definer functions that return ids only."""

import uuid

from django.db import connection


def tenant_of_key(*, prefix: str) -> uuid.UUID | None:
    return _one("SELECT key_tenant(%s)", prefix)


def tenant_of_invitation(*, prefix: str) -> uuid.UUID | None:
    return _one("SELECT invitation_tenant(%s)", prefix)


def tenant_of_job(*, job_id: uuid.UUID) -> uuid.UUID | None:
    return _one("SELECT job_tenant(%s)", str(job_id))


def tenants_of_user(*, user_id: uuid.UUID) -> list[uuid.UUID]:
    """The tenants in which a user has a seat."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT member_tenants(%s)", [str(user_id)])
        return [row[0] for row in cursor.fetchall()]


def tenant_of_seat(*, user_id: uuid.UUID, slug: str) -> uuid.UUID | None:
    """The tenant of this slug, where the user has a seat there."""
    return _one("SELECT seat_tenant(%s, %s)", str(user_id), slug)


def _one(sql: str, *arguments: str) -> uuid.UUID | None:
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments)
        found: uuid.UUID | None = cursor.fetchone()[0]
        return found
