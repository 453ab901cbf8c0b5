"""Which roles one may give."""

from tenants.models import Role
from tenants.permissions import ROLE_PERMISSIONS, Principal
from tenants.refusals import Invalid


def require_offerable(role: str, *, by: Principal) -> None:
    """Raises Invalid unless there is such a role, and `by` may give it: an owner's as an owner, none that can do more.

    The second keeps a key with few scopes from making a seat with many permissions.
    """
    if role not in Role.values:
        raise Invalid("role", f"There is no role {role[:40]!r}.", hint=f"Choose one of {', '.join(Role.values)}.")
    if role == Role.OWNER and by.role != Role.OWNER:
        raise Invalid("role", "Only an owner makes an owner.", hint="Choose another role, or ask an owner.")
    if not ROLE_PERMISSIONS[role] <= by.permissions:
        raise Invalid(
            "role", "This key may not give a role that can do more than itself.", hint="Use a key with more scopes."
        )
