"""Who owns what, who may do what, and what waits to be done."""

from tenants.models.access import ApiKey, Invitation, Member, Role
from tenants.models.audit import AuditEvent
from tenants.models.base import TenantModel
from tenants.models.idempotency import IdempotencyRecord
from tenants.models.jobs import Job, Pool, TenantQueue
from tenants.models.quotas import Quota
from tenants.models.tenants import Tenant
from tenants.models.users import User

__all__ = [
    "ApiKey",
    "AuditEvent",
    "IdempotencyRecord",
    "Invitation",
    "Job",
    "Member",
    "Pool",
    "Quota",
    "Role",
    "Tenant",
    "TenantModel",
    "TenantQueue",
    "User",
]
