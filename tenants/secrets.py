"""Tokens that are shown once: a prefix that finds the row, and a secret of which only the hash is kept."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

_PREFIX_BYTES = 6
# 256 bits from the system's source: too many to guess, so a plain hash is enough (no stretching needed).
_SECRET_BYTES = 32
_FORM = re.compile(
    rf"(?P<kind>[a-z]+)_(?P<prefix>[0-9a-f]{{{2 * _PREFIX_BYTES}}})_(?P<secret>[0-9a-f]{{{2 * _SECRET_BYTES}}})"
)


@dataclass(frozen=True, repr=False)
class Token:
    """`text` goes to the holder; `prefix` and `secret_hash` go to the database."""

    text: str
    prefix: str
    secret_hash: str


def new_token(kind: str) -> Token:
    """Makes a token that reads `<kind>_<prefix>_<secret>`; `kind` lets scanners recognise a leaked one."""
    prefix = secrets.token_hex(_PREFIX_BYTES)
    secret = secrets.token_hex(_SECRET_BYTES)
    return Token(text=f"{kind}_{prefix}_{secret}", prefix=prefix, secret_hash=_hash(secret))


def parse_token(kind: str, text: str) -> tuple[str, str] | None:
    """The (prefix, secret) of a token's text, or None when it is not of that kind and form."""
    found = _FORM.fullmatch(text)
    return (found["prefix"], found["secret"]) if found and found["kind"] == kind else None


def matches(secret: str, secret_hash: str) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(_hash(secret), secret_hash)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
