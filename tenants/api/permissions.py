"""Deny is the default: a view says for each method what it asks for."""

from typing import Any

from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tenants.permissions import Principal


class DeclaredPermission(BasePermission):
    """Allows a method only when the view's `needs` names its permission and the principal has it.

    Raises MethodNotAllowed where the view has no such method to deny.
    """

    message = "This key may not do that."

    def has_permission(self, request: Request, view: Any) -> bool:
        principal: object = request.user
        if not isinstance(principal, Principal):
            return False
        method = request.method or ""
        needed = getattr(view, "needs", {}).get("GET" if method == "HEAD" else method)
        if needed is None and method not in view.allowed_methods:
            raise MethodNotAllowed(method)
        return needed is not None and principal.may(needed)
