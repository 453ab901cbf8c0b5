"""Invitations: the only way to a seat."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from tenants import audit
from tenants.domain.keys import create_key
from tenants.domain.lookups import tenant_of_invitation
from tenants.domain.quotas import lock_quota, reserve
from tenants.domain.roles import require_offerable
from tenants.domain.sign_in import check_password, count_failure, rests
from tenants.models import ApiKey, Invitation, Member, Tenant, User
from tenants.permissions import Principal
from tenants.refusals import NotFound, Refusal, refuse_invalid
from tenants.scope import tenant_scope
from tenants.secrets import Token, matches, new_token, parse_token

KIND = "inv"
LIFETIME = timedelta(days=7)
# Wrong passwords of the address's account, after which the invitation is revoked.
MAX_FAILURES = 5
FIRST_KEY = "First key"


class InvitationUnusable(Refusal):
    """Unknown, expired, used or revoked; the answer does not say which."""

    status = 400
    code = "invitation_unusable"
    title = "The invitation cannot be used"

    def __init__(self) -> None:
        super().__init__(
            "This invitation is unknown, expired, revoked or already used.",
            hint="Ask whoever invited you for a new one.",
        )


class WrongPassword(Refusal):
    """The address has an account already, and this does not open it."""

    status = 400
    code = "wrong_password"
    title = "Wrong password"

    def __init__(self) -> None:
        super().__init__(
            "This e-mail address has an account, which the password does not open.",
            hint="Accept the invitation with the account's password. After several wrong ones in a row the account"
            " rests for 15 minutes, whatever is typed.",
        )


class HasSeat(Refusal):
    """An invitation gives a seat; it does not change the role of one, or it could unmake the last owner."""

    code = "has_seat"

    def __init__(self) -> None:
        super().__init__(
            "This account has a seat in the tenant already.", hint="Have an owner or admin change its role instead."
        )


@dataclass(frozen=True)
class Joined:
    """Who took a seat, and where."""

    tenant: Tenant
    member: Member
    user: User


@dataclass(frozen=True)
class Seat(Joined):
    """What accepting an invitation through the API gives: the seat and its first key."""

    key: ApiKey
    token: Token


def invite(*, email: str, role: str, by: Principal | None) -> tuple[Invitation, Token]:
    """Offers a seat. Only an owner offers an owner's. The token's text is shown once. Raises Invalid."""
    if by is not None:
        require_offerable(role, by=by)
    token = new_token(KIND)
    invitation = Invitation(
        email=email.strip().lower(),
        role=role,
        prefix=token.prefix,
        token_hash=token.secret_hash,
        invited_by_id=by.member_id if by else None,
        expires_at=timezone.now() + LIFETIME,
    )
    refuse_invalid(invitation, exclude={"invited_by"})
    invitation.save(force_insert=True)
    audit.record("invitation.created", by=by, target=invitation.id, email=invitation.email, role=role)
    return invitation, token


def revoke_invitation(*, invitation_id: uuid.UUID, by: Principal) -> None:
    """Raises NotFound when there is no open invitation of that id."""
    open_ones = Invitation.objects.filter(id=invitation_id, accepted_at=None, revoked_at=None)
    if not open_ones.update(revoked_at=timezone.now()):
        raise NotFound
    audit.record("invitation.revoked", by=by, target=invitation_id)


def accept_invitation(*, text: str, name: str, password: str) -> Seat:
    """Takes the seat an invitation offers, and makes its first API key. Opens the tenant's scope itself.

    Makes the user, unless the address has one: then `password` must be that account's. May be repeated, in case its
    answer was lost: until the first key is used, the same token and password give a fresh one, and revoke that.
    Raises InvitationUnusable, WrongPassword, Invalid (a weak password), HasSeat or QuotaExceeded; then nothing has
    changed, save that a few wrong passwords use the invitation up.
    """
    with _invitation_of(text) as invitation:
        unused = _unused_key(invitation) if invitation.accepted_at else None
        user = _user_for(email=invitation.email, name=name, password=password)
        member = _join(invitation, user=user) if unused is None else _without_key(unused)
        key, token = create_key(member=member, name=FIRST_KEY, by=None)
        return Seat(tenant=_tenant(invitation), member=member, user=user, key=key, token=token)


def join_tenant(*, text: str, name: str, password: str) -> Joined:
    """Takes the seat an invitation offers, without a key: for who goes on in a browser. Otherwise as above, but once:
    whoever has joined signs in.
    """
    with _invitation_of(text) as invitation:
        if invitation.accepted_at:
            raise InvitationUnusable
        user = _user_for(email=invitation.email, name=name, password=password)
        return Joined(tenant=_tenant(invitation), member=_join(invitation, user=user), user=user)


@contextmanager
def _invitation_of(text: str) -> Iterator[Invitation]:
    """The invitation of a token's text, locked, in its tenant's scope. Raises InvitationUnusable.

    A WrongPassword raised within is counted, after all else was undone.
    """
    parsed = parse_token(KIND, text)
    tenant_id = tenant_of_invitation(prefix=parsed[0]) if parsed else None
    if parsed is None or tenant_id is None:
        raise InvitationUnusable
    prefix, secret = parsed
    invitation = None
    try:
        with tenant_scope(tenant_id):
            invitation = Invitation.objects.select_for_update().filter(prefix=prefix).first()
            if invitation is None or not matches(secret, invitation.token_hash) or not _is_valid(invitation):
                raise InvitationUnusable
            yield invitation
    except WrongPassword:
        _count_failure(tenant_id, prefix=prefix)
        if invitation is not None:
            count_failure(invitation.email)
        raise


def _tenant(invitation: Invitation) -> Tenant:
    return Tenant.objects.get(id=invitation.tenant_id)


def _join(invitation: Invitation, *, user: User) -> Member:
    member = _take_seat(user=user, role=invitation.role)
    Invitation.objects.filter(id=invitation.id).update(accepted_at=timezone.now())
    audit.record("member.joined", by=None, target=member.id, role=member.role)
    return member


def _without_key(unused: ApiKey) -> Member:
    """The seat, its first key revoked: whoever asks again did not get it, or somebody else has read it."""
    ApiKey.objects.filter(id=unused.id).update(revoked_at=timezone.now())
    audit.record("key.revoked", by=None, target=unused.id, prefix=unused.prefix, reason="invitation accepted again")
    member: Member = unused.member
    return member


def _count_failure(tenant_id: uuid.UUID, *, prefix: str) -> None:
    """An invitation must not serve to guess the password of an account."""
    with tenant_scope(tenant_id):
        Invitation.objects.filter(prefix=prefix).update(failures=F("failures") + 1)
        exhausted = Invitation.objects.filter(prefix=prefix, failures__gte=MAX_FAILURES, revoked_at=None)
        if exhausted.update(revoked_at=timezone.now()):
            audit.record("invitation.exhausted", by=None, prefix=prefix)


def _is_valid(invitation: Invitation) -> bool:
    return not invitation.revoked_at and invitation.expires_at > timezone.now()


def _unused_key(invitation: Invitation) -> ApiKey:
    """The key that accepting it gave, locked. Raises InvitationUnusable when it was revoked, or a key was used since.

    Nor when the seat was lost, or lost and taken anew through another invitation.
    """
    later = Invitation.objects.filter(email=invitation.email, accepted_at__gt=invitation.accepted_at)
    since = ApiKey.objects.filter(member__user__email=invitation.email, created_at__gte=invitation.accepted_at)
    seated = since.filter(member__removed_at=None).select_related("member")
    keys = list(seated.select_for_update(of=("self",)).order_by("-id"))
    firsts = [key for key in keys if key.name == FIRST_KEY]
    if later.exists() or not firsts or firsts[0].revoked_at or any(key.last_used_at for key in keys):
        raise InvitationUnusable
    return firsts[0]


def _user_for(*, email: str, name: str, password: str) -> User:
    user = User.objects.filter(email=email).first()
    if user is None:
        made = _new_user(email=email, name=name, password=password)
        if made is not None:
            return made
        user = User.objects.get(email=email)
    if not user.check_password(password) or not user.is_active or rests(user):
        raise WrongPassword
    return user


def _new_user(*, email: str, name: str, password: str) -> User | None:
    """None when another tenant's invitation of the same address was accepted meanwhile."""
    check_password(password, email=email, name=name)
    try:
        with transaction.atomic():
            return User.objects.create_user(email=email, password=password, name=name)
    except IntegrityError:
        return None


def _take_seat(*, user: User, role: str) -> Member:
    lock_quota()  # two invitations of one user take turns
    member = Member.objects.select_for_update().filter(user=user).first()
    if member is not None and member.removed_at is None:
        raise HasSeat
    reserve(resource="members", amount=1)
    if member is None:
        return Member.objects.create(user=user, role=role)
    member.role, member.removed_at = role, None
    member.save(update_fields=["role", "removed_at"])
    return member
