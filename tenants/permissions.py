"""Who may do what: permissions, roles and the principal of a request."""

import uuid
from dataclasses import dataclass

from django.db import models

from tenants.models.access import Role


class Permission(models.TextChoices):
    """What a route asks for. An API key's scopes are values of this list."""

    READ = "read"
    LABEL = "label"
    UPLOAD = "upload"
    EDIT = "edit"  # projects, label book, image metadata
    TRAIN = "train"  # snapshots, runs, models
    DEPLOY = "deploy"  # which model answers for a project
    PREDICT = "predict"
    ADMIN = "admin"  # members, invitations, keys, audit log


_LABELER = frozenset({Permission.READ, Permission.LABEL, Permission.UPLOAD, Permission.PREDICT})
_ENGINEER = _LABELER | {Permission.EDIT, Permission.TRAIN, Permission.DEPLOY}
ROLE_PERMISSIONS: dict[str, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.READ}),
    Role.LABELER: _LABELER,
    Role.ENGINEER: _ENGINEER,
    Role.ADMIN: _ENGINEER | {Permission.ADMIN},
    # Alike in permissions; only an owner may make or unmake an owner (tenants.domain.members).
    Role.OWNER: _ENGINEER | {Permission.ADMIN},
}


@dataclass(frozen=True)
class Principal:
    """A member of one tenant, as an API key lets them act. The tenant of a request comes from here alone."""

    tenant_id: uuid.UUID
    member_id: uuid.UUID
    role: str
    permissions: frozenset[Permission]
    key_id: uuid.UUID | None = None

    is_authenticated = True  # what Django REST framework asks of a user

    @property
    def pk(self) -> uuid.UUID:
        return self.member_id

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions
