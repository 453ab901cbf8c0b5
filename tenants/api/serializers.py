"""How access to a tenant looks in JSON. Inputs are plain serializers: only what they name is read."""

from typing import Any

from rest_framework import serializers

from tenants.models import ApiKey, AuditEvent, Invitation, Member, Role
from tenants.permissions import Permission


class TenantSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    slug = serializers.CharField()


class MemberSerializer(serializers.ModelSerializer[Member]):
    email = serializers.EmailField(source="user.email")
    name = serializers.CharField(source="user.name")

    class Meta:
        model = Member
        fields = ("id", "email", "name", "role", "created_at")


class RoleInput(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=Role.choices)


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    class Meta:
        model = Invitation
        fields: tuple[str, ...] = ("id", "email", "role", "created_at", "expires_at", "accepted_at", "revoked_at")


class NewInvitationSerializer(InvitationSerializer):
    """With the token, which is shown once."""

    token = serializers.CharField(allow_null=True, help_text="Null in the answer to a repeated Idempotency-Key.")

    class Meta(InvitationSerializer.Meta):
        fields = (*InvitationSerializer.Meta.fields, "token")


class InvitationInput(RoleInput):
    email = serializers.EmailField(max_length=254)


class AcceptInput(serializers.Serializer[Any]):
    token = serializers.CharField(max_length=200)
    name = serializers.CharField(max_length=200)
    password = serializers.CharField(max_length=500, trim_whitespace=False)


class KeySerializer(serializers.ModelSerializer[ApiKey]):
    member = serializers.UUIDField(source="member_id")

    class Meta:
        model = ApiKey
        fields: tuple[str, ...] = (
            *("id", "name", "prefix", "scopes", "member"),
            *("created_at", "expires_at", "last_used_at", "revoked_at"),
        )


class NewKeySerializer(KeySerializer):
    """With the secret, which is shown once."""

    secret = serializers.CharField(allow_null=True, help_text="Null in the answer to a repeated Idempotency-Key.")

    class Meta(KeySerializer.Meta):
        fields = (*KeySerializer.Meta.fields, "secret")


class KeyInput(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Permission.choices), default=list, max_length=len(Permission)
    )
    expires_at = serializers.DateTimeField(allow_null=True, default=None)


class UsageSerializer(serializers.Serializer[Any]):
    images_used = serializers.IntegerField()
    images_limit = serializers.IntegerField()
    bytes_used = serializers.IntegerField()
    bytes_limit = serializers.IntegerField()
    projects_used = serializers.IntegerField()
    projects_limit = serializers.IntegerField()
    members_used = serializers.IntegerField()
    members_limit = serializers.IntegerField()


class OwnKeySerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    prefix = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())


class MeSerializer(serializers.Serializer[Any]):
    tenant = TenantSerializer()
    member = MemberSerializer()
    key = OwnKeySerializer()
    usage = UsageSerializer()


class SeatSerializer(serializers.Serializer[Any]):
    """What accepting an invitation answers; the key's secret is shown once."""

    tenant = TenantSerializer()
    member = MemberSerializer()
    api_key = NewKeySerializer()


class AuditSerializer(serializers.ModelSerializer[AuditEvent]):
    class Meta:
        model = AuditEvent
        fields = ("id", "at", "actor_kind", "actor_id", "action", "target_id", "detail", "request_id")
