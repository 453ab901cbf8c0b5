"""The named cast: Alice owns Acme, Bob labels and Vera looks there; Charlie owns Bolt Works."""

from dataclasses import dataclass
from functools import cached_property

from django.test import Client
from rest_framework.test import APIClient

from tenants.domain.invitations import Seat, accept_invitation, invite
from tenants.domain.keys import revoke_key
from tenants.domain.tenants import create_tenant
from tenants.models import Role, Tenant
from tenants.permissions import ROLE_PERMISSIONS, Principal
from tenants.scope import tenant_scope

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Person:
    """A member with an API key."""

    seat: Seat

    @property
    def tenant(self) -> Tenant:
        return self.seat.tenant

    @property
    def principal(self) -> Principal:
        """As the domain's verbs take it."""
        return Principal(
            tenant_id=self.tenant.id,
            member_id=self.seat.member.id,
            role=self.seat.member.role,
            permissions=ROLE_PERMISSIONS[self.seat.member.role],
            key_id=self.seat.key.id,
        )

    @cached_property
    def api(self) -> APIClient:
        """A client that sends the person's key. Server errors come back as answers, as over HTTP."""
        client = APIClient(raise_request_exception=False)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {self.seat.token.text}")
        return client

    @property
    def web(self) -> Client:
        """Another browser that is signed in as the person, in the database that is connected now."""
        client = Client(raise_request_exception=False)
        client.force_login(self.seat.member.user)
        return client

    def page(self, path: str) -> str:
        """The address of a page of the person's tenant: `page("projects")`."""
        return f"/t/{self.tenant.slug}/{path}"


@dataclass(frozen=True)
class Cast:
    alice: Person  # owner of Acme
    bob: Person  # labeler at Acme
    vera: Person  # viewer at Acme
    charlie: Person  # owner of Bolt Works
    revoked: Person  # an owner of Acme whose key was revoked

    @property
    def anonymous(self) -> APIClient:
        return APIClient(raise_request_exception=False)


def assemble() -> Cast:
    """Makes both tenants and everyone in them, in the connected database."""
    alice = _owner("Acme Casings", "alice@acme.example", "Alice")
    revoked = _join(alice, "Rita", Role.OWNER)
    with tenant_scope(alice.tenant.id):
        revoke_key(key_id=revoked.seat.key.id, by=alice.principal)
    return Cast(
        alice=alice,
        bob=_join(alice, "Bob", Role.LABELER),
        vera=_join(alice, "Vera", Role.VIEWER),
        charlie=_owner("Bolt Works", "charlie@bolt.example", "Charlie"),
        revoked=revoked,
    )


def _owner(tenant: str, email: str, name: str) -> Person:
    _, _, token = create_tenant(name=tenant, owner_email=email)
    return Person(accept_invitation(text=token.text, name=name, password=PASSWORD))


def _join(host: Person, name: str, role: str) -> Person:
    with tenant_scope(host.tenant.id):
        _, token = invite(email=f"{name.lower()}@acme.example", role=role, by=host.principal)
    return Person(accept_invitation(text=token.text, name=name, password=PASSWORD))
