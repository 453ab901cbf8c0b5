"""Members of a tenant, and invitations to it."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from tenants.api.serializers import InvitationInput, RoleInput
from tenants.domain import invitations, members, queries
from tenants.models import Role
from tenants.pagination import page_of_rows
from tenants.permissions import Permission
from tenants.web.forms import form_values
from tenants.web.pages import TenantPage

# What a role may do, in the words of the page.
ROLES = {
    Role.OWNER: "everything, and makes other owners",
    Role.ADMIN: "everything but making owners: members, keys, audit log",
    Role.ENGINEER: "label book, snapshots, training, deciding which model answers",
    Role.LABELER: "uploads, labels, asks models",
    Role.VIEWER: "looks",
}
A_PAGE = 50
# Open at one time; more than a person invites, and they end by themselves.
MOST_INVITED = 200


class MembersPage(TenantPage):
    """Seats and open invitations; whoever administers may invite."""

    needs: ClassVar = {"GET": Permission.READ, "POST": Permission.ADMIN}
    template = "tenants/members.html"
    section = "members"

    def read(self, request: HttpRequest) -> dict[str, Any]:
        administers = self.seat.principal.may(Permission.ADMIN)
        return {
            "page": page_of_rows(queries.members(), cursor=request.GET.get("cursor"), limit=A_PAGE),
            "invitations": list(queries.open_invitations()[:MOST_INVITED]) if administers else [],
            "roles": [(role.value, role.label, ROLES[role]) for role in Role],
            "owner": Role.OWNER,
        }

    def act(self, request: HttpRequest) -> HttpResponse:
        """Invites. The link stands in this answer only, so it is an answer, not a redirect."""
        given = form_values(InvitationInput, request.POST)
        invitation, token = invitations.invite(**given, by=self.seat.principal)
        # The token stands behind the #, which browsers send to no server.
        link = f"{settings.PUBLIC_URL.rstrip('/')}{reverse('accept-invitation')}#{token.text}"
        context = self.read(request) | {"invited": invitation, "link": link}
        return self.rendered(request, context)


class MemberPage(TenantPage):
    """Changes a role, or removes a seat."""

    needs: ClassVar = {"POST": Permission.ADMIN}

    def act(self, request: HttpRequest, member_id: uuid.UUID) -> HttpResponse:
        if request.POST.get("do") == "remove":
            members.remove_member(member_id=member_id, by=self.seat.principal)
            messages.success(request, "The seat is removed; its keys stopped working at once.")
        else:
            role = form_values(RoleInput, request.POST)["role"]
            member = members.change_role(member_id=member_id, role=role, by=self.seat.principal)
            messages.success(request, f"The role is {member.get_role_display()} now.")
        return redirect(self.address("members"))


class InvitationPage(TenantPage):
    """Takes an open invitation back."""

    needs: ClassVar = {"POST": Permission.ADMIN}

    def act(self, request: HttpRequest, invitation_id: uuid.UUID) -> HttpResponse:
        invitations.revoke_invitation(invitation_id=invitation_id, by=self.seat.principal)
        messages.success(request, "The invitation is taken back.")
        return redirect(self.address("members"))
