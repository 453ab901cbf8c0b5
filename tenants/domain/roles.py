"""Which roles one may give."""

from tenants.models import Role
from tenants.permissions import ROLE_PERMISSIONS, Principal
from tenants.refusals import Invalid


def require_offerable(role: str, *, by: Principal) -> None:
    """Raises Invalid unless `by` may give this role: an owner's only as an owner, and none that can do more than `by`.

    The second keeps a key with few scopes from making a seat with many permissions.
    """
    if role == Role.OWNER and by.role != Role.OWNER:
        raise Invalid("role", "Only an owner makes an owner.", hint="Choose another role, or ask an owner.")
    if not ROLE_PERMISSIONS[role] <= by.permissions:
        raise Invalid(
            "role", "This key may not give a role that can do more than itself.", hint="Use a key with more scopes."
        )
