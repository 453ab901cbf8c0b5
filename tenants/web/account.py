"""One's own account, and the way in with an invitation."""

from django.contrib import messages
from django.contrib.auth import login, update_session_auth_hash
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from tenants.api.serializers import AcceptInput
from tenants.domain.invitations import join_tenant
from tenants.domain.sign_in import change_password
from tenants.models import User
from tenants.refusals import Refusal
from tenants.web.forms import form_values
from tenants.web.sign_in import PlainPage


class AccountPage(LoginRequiredMixin, PlainPage):
    """Changes the password, which ends every other session of the account."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "tenants/account.html")

    def post(self, request: HttpRequest) -> HttpResponse:
        given, user = request.POST, request.user
        if not isinstance(user, User):
            raise TypeError("LoginRequiredMixin lets nobody else in")
        try:
            changed = change_password(user=user, old=given.get("old", ""), new=given.get("new", ""))
        except Refusal as refusal:
            return render(request, "tenants/account.html", {"refusal": refusal}, status=refusal.status)
        update_session_auth_hash(request, changed)
        messages.success(request, "The password is changed, and every other session is signed out.")
        return redirect("account")


class AcceptInvitationPage(PlainPage):
    """Takes the seat that an invitation offers, and signs in. The token comes behind the #, which no server sees."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "tenants/accept.html")

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            given = form_values(AcceptInput, request.POST)
            seat = join_tenant(text=given["token"], name=given["name"], password=given["password"])
        except Refusal as refusal:
            context = {"refusal": refusal, "given": request.POST}
            return render(request, "tenants/accept.html", context, status=refusal.status)
        login(request, seat.user)
        messages.success(request, f"Welcome to {seat.tenant.name}.")
        return redirect("projects", seat.tenant.slug)
