"""Seats, invitations and API keys."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from tenants.fields import TenantForeignKey
from tenants.models.base import TenantModel
from tenants.models.users import User


class Role(models.TextChoices):
    OWNER = "OWNER"
    ADMIN = "ADMIN"
    ENGINEER = "ENGINEER"
    LABELER = "LABELER"
    VIEWER = "VIEWER"


class Member(TenantModel):
    """A user's seat in a tenant. A removed seat stays, because keys and audit lines name it."""

    user = models.ForeignKey(User, models.PROTECT, db_constraint=False, db_index=False, related_name="seats")
    role = models.CharField(max_length=10, choices=Role.choices)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "user"], name="member_user_unique"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="member_role_valid"),
        ]
        # Sign-in asks, through a definer function, in which tenants a user has a seat.
        indexes = [models.Index(fields=["user"], name="member_user_lookup")]


class Invitation(TenantModel):
    """An offer of a seat. Only the hash of its token is kept; `prefix` finds it."""

    email = models.EmailField()
    role = models.CharField(max_length=10, choices=Role.choices)
    prefix = models.CharField(max_length=16)
    token_hash = models.CharField(max_length=64)
    invited_by = TenantForeignKey(Member, null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    # Wrong passwords tried through it.
    failures = models.PositiveSmallIntegerField(default=0)

    class Meta(TenantModel.Meta):
        constraints = [
            models.CheckConstraint(condition=Q(role__in=Role.values), name="invitation_role_valid"),
        ]
        indexes = [models.Index(fields=["prefix"], name="invitation_prefix_lookup")]


class ApiKey(TenantModel):
    """A key acts as its member, narrowed to its scopes. Only the hash of the secret is kept."""

    member = TenantForeignKey(Member)
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16)
    secret_hash = models.CharField(max_length=64)
    # Values of tenants.permissions.Permission; empty means all that the member's role allows.
    scopes = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["prefix"], name="api_key_prefix_lookup")]
