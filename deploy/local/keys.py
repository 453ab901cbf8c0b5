"""The passwords and keys of one local stack: made on its first start, kept in a file for its owner's eyes."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path


def _key() -> str:
    # Hexadecimal, so that it needs no quoting in an address, a configuration file or the environment.
    return secrets.token_hex(24)


@dataclass(frozen=True)
class Keys:
    """`*_password`: PostgreSQL's superuser and roles, Valkey. The rest belongs to S3, but for `django`."""

    postgres_password: str = field(default_factory=_key)
    owner_password: str = field(default_factory=_key)
    app_password: str = field(default_factory=_key)
    maint_password: str = field(default_factory=_key)
    valkey_password: str = field(default_factory=_key)
    django: str = field(default_factory=_key)
    s3_service_id: str = field(default_factory=lambda: "AKIASERVICE" + secrets.token_hex(5).upper())
    s3_service_secret: str = field(default_factory=_key)
    s3_admin_id: str = field(default_factory=lambda: "AKIAADMIN" + secrets.token_hex(6).upper())
    s3_admin_secret: str = field(default_factory=_key)
    sts_signing: str = field(default_factory=_key)
    weed_internal: str = field(default_factory=_key)


def load_or_create(path: Path) -> Keys:
    """Reads the keys, adding and saving those that are missing."""
    known: dict[str, str] = {}
    if path.exists():
        known = json.loads(path.read_text(encoding="ascii"))
    names = {f.name for f in fields(Keys)}
    keys = Keys(**{name: value for name, value in known.items() if name in names})
    if asdict(keys) != known:
        write_private(path, json.dumps(asdict(keys), indent=1))
    return keys


def write_private(path: Path, text: str) -> None:
    """Replaces the file in one step; only its owner may read it, at no moment anybody else."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
