"""Reads the environment, the one source of settings that differ between installations.

When `DATABASE_URL` is unset and a local stack has written `.local/env`, that file is read first, so that
`manage.py` works from a second terminal. Real variables always win over the file.
"""

import math
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent


def load_local_stack(folder: Path) -> None:
    """Puts `folder/env` (lines of KEY=VALUE) into the environment where a variable is not set yet."""
    path = folder / "env"
    if "DATABASE_URL" in os.environ or not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        name, found, value = line.partition("=")
        if found and not name.startswith("#"):
            os.environ.setdefault(name, value)


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, default)


def number(name: str, default: int) -> int:
    """Raises ValueError, naming the variable, when its text is not a whole number."""
    value = os.environ.get(name)
    if value is None:
        return default
    try:
        return int(value)
    except ValueError as error:
        raise ValueError(f"{name} must be a whole number, not {value!r}") from error


def rate(name: str, default: str) -> tuple[float, int]:
    """Of "50/500": so many a second, and so many at once. Raises ValueError, naming the variable, for anything else."""
    value = text(name, default)
    a_second, _, at_once = value.partition("/")
    try:
        figures = float(a_second), int(at_once)
    except ValueError:
        figures = 0.0, 0
    if not (math.isfinite(figures[0]) and figures[0] > 0 and figures[1] > 0):
        raise ValueError(f"{name} must be like 50/500 (a second / at once), not {value!r}")
    return figures


def flag(name: str) -> bool:
    return os.environ.get(name, "0") == "1"


def items(name: str, default: str = "") -> list[str]:
    return [part.strip() for part in os.environ.get(name, default).split(",") if part.strip()]


def database(url: str) -> dict[str, Any]:
    """Turns `postgresql://user:password@host:port/name` into an entry of Django's DATABASES.

    Scopes last one transaction, so transaction pooling is safe; server-side cursors are not, hence disabled.
    """
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or 5432),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        # Seconds. A server that went silent is noticed within half a minute, not after two hours.
        "OPTIONS": {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 4},
    }
