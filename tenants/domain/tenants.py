"""Making a tenant."""

from django.db import IntegrityError
from django.utils.text import slugify

from tenants import audit
from tenants.domain.invitations import invite
from tenants.ids import uuid7
from tenants.models import Invitation, Quota, Role, Tenant
from tenants.refusals import Refusal, refuse_invalid
from tenants.scope import tenant_scope
from tenants.secrets import Token


class TenantExists(Refusal):
    code = "tenant_exists"


def create_tenant(*, name: str, owner_email: str, slug: str = "") -> tuple[Tenant, Invitation, Token]:
    """Makes a tenant with its quota and an invitation for its owner, all or nothing.

    Opens the new tenant's scope. Raises TenantExists when the slug (made from the name if empty) is taken, or
    Invalid.
    """
    tenant = Tenant(id=uuid7(), name=name, slug=slug)
    if not slug:
        # A name may have no letter that can stand in an address.
        tenant.slug = slugify(name)[:60].strip("-") or f"tenant-{tenant.id.hex[-8:]}"
    refuse_invalid(tenant)
    try:
        with tenant_scope(tenant.id):
            tenant.save(force_insert=True)
            Quota.objects.create()
            audit.record("tenant.created", by=None, target=tenant.id, name=name)
            invitation, token = invite(email=owner_email, role=Role.OWNER, by=None)
    except IntegrityError as error:
        raise TenantExists(f"There is a tenant {tenant.slug!r} already.", hint="Give another --slug.") from error
    return tenant, invitation, token
