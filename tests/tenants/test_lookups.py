"""What is found before a tenant is known: ids, through definer functions, and nothing else."""

import pytest
from django.db import connection

from tenants.domain.invitations import accept_invitation, invite
from tenants.domain.lookups import tenant_of_invitation, tenant_of_job, tenant_of_key, tenants_of_user
from tenants.domain.members import remove_member
from tenants.ids import uuid7
from tenants.models import Job
from tenants.scope import scope_or_none, tenant_scope
from tests.cast import PASSWORD, Cast


def test_a_key_an_invitation_and_a_job_lead_to_their_tenant(cast: Cast) -> None:
    acme, bolt = cast.alice.tenant.id, cast.charlie.tenant.id
    with tenant_scope(bolt):
        _, token = invite(email="x@bolt.example", role="VIEWER", by=None)
        job = Job.objects.create(kind="test", key="k", pool="cpu", lane="SHORT")

    assert (tenant_of_key(prefix=cast.bob.seat.token.prefix), tenant_of_key(prefix="none")) == (acme, None)
    assert (tenant_of_invitation(prefix=token.prefix), tenant_of_invitation(prefix="none")) == (bolt, None)
    assert (tenant_of_job(job_id=job.id), tenant_of_job(job_id=uuid7())) == (bolt, None)
    assert scope_or_none() is None


def test_a_users_tenants_are_those_of_seats_that_are_not_removed(cast: Cast) -> None:
    acme, bolt = cast.alice.tenant.id, cast.charlie.tenant.id
    charlie = cast.charlie.seat.user.id
    assert tenants_of_user(user_id=charlie) == [bolt]
    with tenant_scope(acme):
        _, token = invite(email="charlie@bolt.example", role="VIEWER", by=None)
    seat = accept_invitation(text=token.text, name="Charlie", password=PASSWORD)

    assert set(tenants_of_user(user_id=charlie)) == {acme, bolt}
    with tenant_scope(acme):
        remove_member(member_id=seat.member.id, by=cast.alice.principal)
    assert tenants_of_user(user_id=charlie) == [bolt]
    assert tenants_of_user(user_id=uuid7()) == []


@pytest.mark.parametrize("inside", [True, False], ids=["in another's scope", "outside"])
def test_they_open_nothing_else(inside: bool, standing_cast: Cast) -> None:
    """After a look-up the rows of the tenant found are as hidden as before."""
    prefix = standing_cast.charlie.seat.token.prefix

    def rows_of_bolt() -> int:
        tenant_of_key(prefix=prefix)
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM tenants_apikey WHERE prefix = %s", [prefix])
            count: int = cursor.fetchone()[0]
            return count

    if inside:
        with tenant_scope(standing_cast.alice.tenant.id):
            assert rows_of_bolt() == 0
    else:
        assert rows_of_bolt() == 0
