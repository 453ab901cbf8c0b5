"""Signing in with e-mail address and password: slowed down by address, locked by account."""

import logging
from datetime import timedelta

from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from tenants.models import User
from tenants.refusals import Invalid, Refusal
from tenants.scope import commit_without_waiting

logger = logging.getLogger(__name__)

# Wrong passwords in a row before the account rests, and for how long.
MAX_FAILURES = 8
LOCKED = timedelta(minutes=15)


class WrongCredentials(Refusal):
    """The same words for an unknown address, a wrong password and a locked account: none can be told from another."""

    status = 401
    code = "wrong_credentials"
    title = "Not signed in"

    def __init__(self) -> None:
        super().__init__(
            "This e-mail address and password do not open an account.",
            hint=f"After {MAX_FAILURES} wrong passwords in a row an account rests for 15 minutes, whatever is typed.",
        )


def sign_in(*, email: str, password: str) -> User:
    """The user whose address and password these are; ends the count of wrong ones.

    Raises WrongCredentials, after as much computing in each case. Needs no scope: a user belongs to no tenant.
    """
    address = email.strip().lower().replace("\x00", "")  # which PostgreSQL takes in no text
    user = authenticate(username=address, password=password)
    if not isinstance(user, User) or rests(user):
        count_failure(address)
        raise WrongCredentials
    if user.failed_sign_ins or user.locked_until:
        User.objects.filter(id=user.id).update(failed_sign_ins=0, locked_until=None)
    return user


def change_password(*, user: User, old: str, new: str) -> User:
    """Raises Invalid when `old` is not the password, or `new` is too weak. Other sessions end by it."""
    if not user.check_password(old) or rests(user):
        count_failure(user.email)
        raise Invalid("old", "This is not your password.", hint="Type the password that you signed in with.")
    check_password(new, email=user.email, name=user.name)
    user.set_password(new)
    user.save(update_fields=["password"])
    return user


def check_password(password: str, *, email: str, name: str) -> None:
    """Raises Invalid when the password is too weak for an account of this address and name."""
    try:
        validate_password(password, User(email=email, name=name))
    except ValidationError as error:
        raise Invalid("password", " ".join(error.messages), hint="Choose a longer, less common password.") from error


def rests(user: User) -> bool:
    """Whether no password opens the account for now. Who checks one asks this too, and counts a refusal."""
    return user.locked_until is not None and user.locked_until > timezone.now()


def count_failure(address: str) -> None:
    """Counts a password that did not open the account of this address, if it has one.

    One statement, so that attempts at the same moment are all counted; none waits for the disk, which would tell an
    address with an account from one without.
    """
    now = timezone.now()
    open_account = User.objects.filter(email=address).filter(Q(locked_until=None) | Q(locked_until__lte=now))
    tired = User.objects.filter(email=address, failed_sign_ins__gte=MAX_FAILURES)
    with transaction.atomic():
        commit_without_waiting()
        open_account.update(failed_sign_ins=F("failed_sign_ins") + 1, locked_until=None)
        if tired.update(failed_sign_ins=0, locked_until=now + LOCKED):
            logger.warning("an account rests after %d wrong passwords", MAX_FAILURES)
