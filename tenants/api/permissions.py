"""Deny is the default: a view says for each method what it asks for."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tenants.permissions import Principal


class DeclaredPermission(BasePermission):
    """Allows a method only when the view's `needs` names its permission and the principal has it."""

    message = "This key may not do that."

    def has_permission(self, request: Request, view: Any) -> bool:
        needed = getattr(view, "needs", {}).get(request.method)
        principal = request.user
        return needed is not None and isinstance(principal, Principal) and principal.may(needed)
