"""Addresses below /api/v1/ of this app."""

from django.urls import path

from tenants.api import access

urlpatterns = [
    path("me", access.MeView.as_view()),
    path("members", access.MembersView.as_view()),
    path("members/<uuid:member_id>", access.MemberView.as_view()),
    path("invitations", access.InvitationsView.as_view()),
    path("invitations/accept", access.AcceptInvitationView.as_view()),
    path("invitations/<uuid:invitation_id>", access.InvitationView.as_view()),
    path("keys", access.KeysView.as_view()),
    path("keys/<uuid:key_id>", access.KeyView.as_view()),
    path("audit", access.AuditView.as_view()),
]
