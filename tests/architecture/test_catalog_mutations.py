"""The catalog test can fail: each breach of each rule is seen."""

from collections.abc import Iterator

import pytest
from psycopg2 import extensions

from tests.architecture.allowed import DEFINER_FUNCTIONS, SHARED_TABLES
from tests.architecture.catalog import breaches
from tests.architecture.conftest import Broken
from tests.architecture.mutations import MUTATIONS


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_breach_is_seen(mutation: str, broken: Broken, template: str) -> None:
    sql, words = MUTATIONS[mutation]

    found = broken(sql.replace("{database}", template))

    assert any(words in breach for breach in found), found


def each(superuser: extensions.connection, template: str, listing: str, change: str) -> Iterator[tuple[str, list[str]]]:
    """Makes `change` to each row of `listing` in turn: what was changed, and the breaches seen."""
    with superuser.cursor() as cursor:
        cursor.execute(listing)
        for row in cursor.fetchall():
            cursor.execute("SAVEPOINT before")
            cursor.execute(change.format(*row))
            yield " ".join(row), breaches(cursor, database=template)
            cursor.execute("ROLLBACK TO before")
    superuser.rollback()


POLICIES = "SELECT polname::text, polrelid::regclass::text FROM pg_policy"
TABLES = (
    "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    f" AND relname NOT IN {tuple(SHARED_TABLES)}"
)
FOREIGN_KEYS = (
    "SELECT conrelid::regclass::text, conname::text FROM pg_constraint WHERE contype = 'f'"
    f" AND conrelid::regclass::text NOT IN {tuple(SHARED_TABLES)}"
)
FUNCTIONS = "SELECT oid::regprocedure::text FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"


@pytest.mark.parametrize(
    ("listing", "change", "at_least"),
    [
        pytest.param(POLICIES, "DROP POLICY {0} ON {1}", 25, id="any policy dropped"),
        pytest.param(POLICIES, "ALTER POLICY {0} ON {1} TO PUBLIC", 25, id="any policy for everybody"),
        pytest.param(TABLES, "ALTER TABLE {0} DISABLE ROW LEVEL SECURITY", 12, id="row security disabled on any table"),
        pytest.param(TABLES, "ALTER TABLE {0} NO FORCE ROW LEVEL SECURITY", 12, id="or not forced"),
        pytest.param(TABLES, "GRANT TRUNCATE ON {0} TO myriad_app", 12, id="or truncated by the server"),
        pytest.param(FOREIGN_KEYS, "ALTER TABLE {0} DROP CONSTRAINT {1}", 15, id="any foreign key dropped"),
        pytest.param(FUNCTIONS, "ALTER FUNCTION {0} RESET search_path", 8, id="any search_path unpinned"),
        pytest.param(FUNCTIONS, "GRANT EXECUTE ON FUNCTION {0} TO PUBLIC", 8, id="any function for everybody"),
    ],
)
def test_breach_is_seen_wherever_it_is(
    listing: str, change: str, at_least: int, superuser: extensions.connection, template: str
) -> None:
    seen = dict(each(superuser, template, listing, change))

    assert [what for what, found in seen.items() if not found] == []
    assert len(seen) >= at_least


def test_each_definer_function_stands_in_the_allow_list_with_a_reason() -> None:
    assert all(len(reason) > 10 for reason in DEFINER_FUNCTIONS.values())
