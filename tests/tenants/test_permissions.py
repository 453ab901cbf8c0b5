"""The table of roles, in full, and denial by default."""

from typing import Any

import pytest
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.test import APIRequestFactory

from tenants.api.permissions import DeclaredPermission
from tenants.api.views import TenantView
from tenants.ids import uuid7
from tenants.models import Role
from tenants.permissions import ROLE_PERMISSIONS, Permission, Principal

TABLE = {
    #         read   label  upload edit   train  deploy predict admin
    "OWNER": (True, True, True, True, True, True, True, True),
    "ADMIN": (True, True, True, True, True, True, True, True),
    "ENGINEER": (True, True, True, True, True, True, True, False),
    "LABELER": (True, True, True, False, False, False, True, False),
    "VIEWER": (True, False, False, False, False, False, False, False),
}


def principal(*permissions: Permission) -> Principal:
    return Principal(tenant_id=uuid7(), member_id=uuid7(), role="VIEWER", permissions=frozenset(permissions))


def test_each_role_may_exactly_this() -> None:
    given = {role: tuple(choice in ROLE_PERMISSIONS[role] for choice in Permission) for role in Role}

    assert list(Permission) == ["read", "label", "upload", "edit", "train", "deploy", "predict", "admin"]
    assert given == TABLE


def test_a_principal_may_what_it_has() -> None:
    who = principal(Permission.READ, Permission.LABEL)

    assert who.may(Permission.READ)
    assert not who.may(Permission.ADMIN)
    assert who.is_authenticated
    assert who.pk == who.member_id


class Declared(TenantView):
    needs = {"GET": Permission.READ, "POST": Permission.EDIT}

    def get(self, request: Any) -> None: ...
    def post(self, request: Any) -> None: ...
    def delete(self, request: Any) -> None:
        """A handler that somebody forgot to declare."""


class Undeclared(TenantView):
    def get(self, request: Any) -> None: ...


def allowed(view: type[TenantView], method: str, user: Any) -> bool:
    request = getattr(APIRequestFactory(), method.lower())("/")
    made = view()
    made.setup(request)
    request.user = user
    return DeclaredPermission().has_permission(request, made)


@pytest.mark.parametrize(
    ("view", "method", "permissions", "expected"),
    [
        (Declared, "GET", [Permission.READ], True),
        (Declared, "HEAD", [Permission.READ], True),
        (Declared, "GET", [Permission.EDIT], False),
        (Declared, "POST", [Permission.READ], False),
        (Declared, "POST", [Permission.EDIT], True),
        (Declared, "DELETE", list(Permission), False),
        (Undeclared, "GET", list(Permission), False),
        (Undeclared, "HEAD", list(Permission), False),
    ],
)
def test_a_method_is_allowed_only_as_declared(
    view: type[TenantView], method: str, permissions: list[Permission], expected: bool
) -> None:
    assert allowed(view, method, principal(*permissions)) is expected


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "TRACE"])
def test_a_method_that_is_not_there_is_said_so(method: str) -> None:
    with pytest.raises(MethodNotAllowed):
        allowed(Declared, method, principal(*Permission))


@pytest.mark.parametrize("user", [None, object(), "alice"])
def test_nobody_is_denied_everything(user: object) -> None:
    for method in ("GET", "POST", "DELETE", "PUT", "OPTIONS"):
        assert allowed(Declared, method, user) is False
