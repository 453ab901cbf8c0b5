"""The four database roles (DESIGN §3.2) and who may enter the database. Run once, by an administrator."""

from collections.abc import Mapping
from contextlib import closing
from urllib.parse import unquote, urlsplit

import psycopg2
from psycopg2 import extensions, sql

from tenants.row_security import APP, DEFINER, MAINT, OWNER

# Of the server's role. The longest lawful statement, a registration of 5,000 images, takes some seconds.
TIME_OUTS = {
    "lock_timeout": "15s",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",
}


class UnusableAddress(ValueError):
    """A database address does not name the role it is for."""


def bootstrap(*, admin_url: str, urls: Mapping[str, str]) -> None:
    """Makes the roles and the database, or brings their attributes and passwords up to date. Repeatable.

    `urls` maps `myriad_owner`, `myriad_app` and `myriad_maint` to their addresses, whose passwords are set.
    Needs PostgreSQL 16 or later (role grants WITH SET). Raises UnusableAddress when an address names another role.
    """
    database = urlsplit(urls[APP]).path.lstrip("/")
    with closing(psycopg2.connect(admin_url)) as connection:
        connection.autocommit = True  # CREATE DATABASE takes no transaction
        with connection.cursor() as cursor:
            for role in (OWNER, APP, MAINT):
                _login_role(cursor, role, urls[role])
            _role(cursor, DEFINER, sql.SQL("NOLOGIN"))
            _bound(cursor)
            # The owner gives functions to the definer, and otherwise has nothing of its rights.
            cursor.execute(f"GRANT {DEFINER} TO {OWNER} WITH INHERIT FALSE, SET TRUE")
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database])
            if cursor.fetchone() is None:
                cursor.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), sql.Identifier(OWNER))
                )
            cursor.execute(
                sql.SQL(
                    "REVOKE ALL ON DATABASE {0} FROM PUBLIC; GRANT CONNECT ON DATABASE {0} TO {1}, {2};"
                    # Backfills stage their rows.
                    " GRANT TEMPORARY ON DATABASE {0} TO {2}"
                ).format(sql.Identifier(database), sql.Identifier(APP), sql.Identifier(MAINT))
            )
    _close_schema(urls[OWNER])


def _bound(cursor: extensions.cursor) -> None:
    """Ends what would hold a web thread, a lock or a connection for ever."""
    for setting, limit in TIME_OUTS.items():
        cursor.execute(f"ALTER ROLE {APP} SET {setting} = '{limit}'")


def _close_schema(owner_url: str) -> None:
    with closing(psycopg2.connect(owner_url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            f"REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA public TO {APP}, {MAINT}, {DEFINER}"
        )


def _login_role(cursor: extensions.cursor, role: str, url: str) -> None:
    parts = urlsplit(url)
    if unquote(parts.username or "") != role:
        raise UnusableAddress(f"the address for {role} names the role {parts.username!r}; policies name {role}")
    _role(cursor, role, sql.SQL("LOGIN PASSWORD {}").format(sql.Literal(unquote(parts.password or ""))))


def _role(cursor: extensions.cursor, role: str, login: sql.Composable) -> None:
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
    verb = sql.SQL("ALTER" if cursor.fetchone() else "CREATE")
    cursor.execute(
        sql.SQL("{} ROLE {} NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION {}").format(
            verb, sql.Identifier(role), login
        )
    )
