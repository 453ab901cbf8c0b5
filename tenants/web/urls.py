"""Addresses of this app's pages: those outside any tenant, and those below /t/<slug>/."""

from django.urls import path

from tenants.web import account, audit, keys, members, sign_in

plain = [
    path("", sign_in.HomePage.as_view(), name="home"),
    path("sign-in", sign_in.SignInPage.as_view(), name="sign-in"),
    path("sign-out", sign_in.SignOutPage.as_view(), name="sign-out"),
    path("tenants", sign_in.TenantsPage.as_view(), name="tenants"),
    path("account", account.AccountPage.as_view(), name="account"),
    path("accept-invitation", account.AcceptInvitationPage.as_view(), name="accept-invitation"),
]
urlpatterns = [
    path("members", members.MembersPage.as_view(), name="members"),
    path("members/<uuid:member_id>", members.MemberPage.as_view(), name="member"),
    path("invitations/<uuid:invitation_id>", members.InvitationPage.as_view(), name="invitation"),
    path("keys", keys.KeysPage.as_view(), name="keys"),
    path("keys/<uuid:key_id>", keys.KeyPage.as_view(), name="key"),
    path("audit", audit.AuditPage.as_view(), name="audit"),
]
