"""Tokens that are shown once: a prefix that finds the row, and a secret of which only the hash is kept."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

_PREFIX_BYTES = 6
# 256 bits from the system's source: too many to guess, so a plain hash is enough (no stretching needed).
_SECRET_BYTES = 32


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
    parts = text.split("_")
    well_formed = (
        len(parts) == 3
        and parts[0] == kind
        and len(parts[1]) == 2 * _PREFIX_BYTES
        and len(parts[2]) == 2 * _SECRET_BYTES
        and text.isascii()
    )
    return (parts[1], parts[2]) if well_formed else None


def matches(secret: str, secret_hash: str) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(_hash(secret), secret_hash)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
