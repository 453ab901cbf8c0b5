"""Views of a tenant's members, invitations, keys and audit log."""

import uuid
from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tenants.api.pagination import paginated
from tenants.api.schema import PAGE_PARAMETERS, page_of
from tenants.api.serializers import (
    AcceptInput,
    AuditSerializer,
    InvitationInput,
    InvitationSerializer,
    KeyInput,
    KeySerializer,
    MemberSerializer,
    MeSerializer,
    NewInvitationSerializer,
    NewKeySerializer,
    RoleInput,
    SeatSerializer,
    TenantSerializer,
)
from tenants.api.views import PublicView, TenantView, checked
from tenants.domain import invitations, keys, members, queries
from tenants.permissions import Permission

ADMIN: dict[str, Permission] = dict.fromkeys(("GET", "POST", "PATCH", "DELETE"), Permission.ADMIN)


class MeView(TenantView):
    needs: ClassVar = {"GET": Permission.READ}

    @extend_schema(operation_id="me", responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """Who this key is, in which tenant, and how much of the quota is used."""
        return Response(MeSerializer(queries.me(by=self.principal)).data)


class MembersView(TenantView):
    needs: ClassVar = {"GET": Permission.READ}

    @extend_schema(operation_id="members_list", parameters=PAGE_PARAMETERS, responses=page_of(MemberSerializer))
    def get(self, request: Request) -> Response:
        """The tenant's seats."""
        return paginated(request, queries.members(), MemberSerializer)


class MemberView(TenantView):
    needs: ClassVar = ADMIN | {"GET": Permission.READ}
    tagged = MemberSerializer

    @extend_schema(operation_id="members_read", responses=MemberSerializer)
    def get(self, request: Request, member_id: uuid.UUID) -> Response:
        """One of the tenant's seats."""
        return Response(MemberSerializer(queries.member_named(member_id)).data)

    @extend_schema(operation_id="members_update", request=RoleInput, responses=MemberSerializer)
    def patch(self, request: Request, member_id: uuid.UUID) -> Response:
        """Changes a member's role."""
        role = checked(RoleInput, request)["role"]
        member = members.change_role(member_id=member_id, role=role, by=self.principal, expect=self.expected)
        return Response(MemberSerializer(member).data)

    @extend_schema(operation_id="members_remove", responses={204: None})
    def delete(self, request: Request, member_id: uuid.UUID) -> Response:
        """Removes a seat; its keys stop working at once."""
        members.remove_member(member_id=member_id, by=self.principal, expect=self.expected)
        return Response(status=204)


class InvitationsView(TenantView):
    needs: ClassVar = ADMIN

    @extend_schema(operation_id="invitations_list", parameters=PAGE_PARAMETERS, responses=page_of(InvitationSerializer))
    def get(self, request: Request) -> Response:
        """Invitations, open and past."""
        return paginated(request, queries.invitations(), InvitationSerializer)

    @extend_schema(operation_id="invitations_create", request=InvitationInput, responses={201: NewInvitationSerializer})
    def post(self, request: Request) -> Response:
        """Offers a seat. The token is in this answer only."""
        invitation, token = invitations.invite(**checked(InvitationInput, request), by=self.principal)
        return Response({**InvitationSerializer(invitation).data, "token": token.text}, status=201)


class InvitationView(TenantView):
    needs: ClassVar = ADMIN

    @extend_schema(operation_id="invitations_revoke", responses={204: None})
    def delete(self, request: Request, invitation_id: uuid.UUID) -> Response:
        """Takes an open invitation back."""
        invitations.revoke_invitation(invitation_id=invitation_id, by=self.principal)
        return Response(status=204)


class AcceptInvitationView(PublicView):
    @extend_schema(operation_id="invitations_accept", request=AcceptInput, responses={201: SeatSerializer}, auth=[])
    def post(self, request: Request) -> Response:
        """Takes the seat an invitation offers. The answer holds the seat's first API key, this once."""
        given = checked(AcceptInput, request)
        seat = invitations.accept_invitation(text=given["token"], name=given["name"], password=given["password"])
        key = {**KeySerializer(seat.key).data, "secret": seat.token.text}
        tenant, member = TenantSerializer(seat.tenant).data, MemberSerializer(seat.member).data
        return Response({"tenant": tenant, "member": member, "api_key": key}, status=201)


class KeysView(TenantView):
    needs: ClassVar = ADMIN

    @extend_schema(operation_id="keys_list", parameters=PAGE_PARAMETERS, responses=page_of(KeySerializer))
    def get(self, request: Request) -> Response:
        """API keys, revoked ones too; never their secrets."""
        return paginated(request, queries.keys(), KeySerializer)

    @extend_schema(operation_id="keys_create", request=KeyInput, responses={201: NewKeySerializer})
    def post(self, request: Request) -> Response:
        """Makes a key for the asking member. The secret is in this answer only."""
        seat = queries.own_seat(by=self.principal)
        key, token = keys.create_key(member=seat, by=self.principal, **checked(KeyInput, request))
        return Response({**KeySerializer(key).data, "secret": token.text}, status=201)


class KeyView(TenantView):
    needs: ClassVar = ADMIN

    @extend_schema(operation_id="keys_revoke", responses={204: None})
    def delete(self, request: Request, key_id: uuid.UUID) -> Response:
        """Revokes a key, at once."""
        keys.revoke_key(key_id=key_id, by=self.principal)
        return Response(status=204)


class AuditView(TenantView):
    needs: ClassVar = ADMIN

    @extend_schema(operation_id="audit_list", parameters=PAGE_PARAMETERS, responses=page_of(AuditSerializer))
    def get(self, request: Request) -> Response:
        """What was done in this tenant, newest first."""
        return paginated(request, queries.audit_events(), AuditSerializer)
