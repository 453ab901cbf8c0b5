"""Reading the catalog of a database."""

from typing import Any

from psycopg2 import extensions

from tests.architecture import allowed

# Neither PostgreSQL's own nor a session's temporary tables.
OURS = "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname NOT LIKE 'pg_temp%%'"
RELATIONS = f"pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND {OURS}"


class Catalog:
    """The catalog of one database, as its superuser sees it."""

    def __init__(self, cursor: extensions.cursor, database: str) -> None:
        self.cursor = cursor
        # The one that was bootstrapped: a clone does not inherit the grants on it.
        self.database = database
        tables = self.rows(f"SELECT c.oid::regclass::text FROM {RELATIONS} WHERE c.relkind IN ('r', 'p') ORDER BY 1")
        self.tables = [name for (name,) in tables]
        self.owned = [name for name in self.tables if name not in allowed.SHARED_TABLES and name != allowed.TENANTS]

    def rows(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        self.cursor.execute(sql, arguments)
        return self.cursor.fetchall()
