"""Addresses of this app's pages: those outside any tenant, and those below /t/<slug>/."""

from django.urls import path

from tenants.web import audit, keys, members, sign_in

plain = [
    path("", sign_in.HomePage.as_view(), name="home"),
    path("sign-in", sign_in.SignInPage.as_view(), name="sign-in"),
    path("sign-out", sign_in.SignOutPage.as_view(), name="sign-out"),
    path("tenants", sign_in.TenantsPage.as_view(), name="tenants"),
    path("account", sign_in.TenantsPage.as_view(), name="account"),
]
urlpatterns = [
    path("members", members.MembersPage.as_view(), name="members"),
    path("keys", keys.KeysPage.as_view(), name="keys"),
    path("audit", audit.AuditPage.as_view(), name="audit"),
]
