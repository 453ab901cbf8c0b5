"""Holds a migrated database against DESIGN §3.2 and §3.3. What is allowed beyond the rule stands in `allowed`.

Everything is read from the catalogs, so a rule binds whatever migration, hand or tool made the object.
"""

from psycopg2 import extensions

from tests.architecture import rights, structure
from tests.architecture.reading import Catalog

CHECKS = (
    structure.tables,
    structure.other_relations,
    structure.row_security,
    structure.policies,
    structure.volatile_functions,
    structure.indexes,
    structure.foreign_keys,
    structure.validated,
    structure.ids,
    structure.triggers,
    rights.roles,
    rights.settings,
    rights.table_grants,
    rights.column_grants,
    rights.schema_and_database_grants,
    rights.definer_functions,
)


def breaches(cursor: extensions.cursor, *, database: str) -> list[str]:
    """Every breach of the rules; empty when all is well. `cursor` is a superuser's, `database` the bootstrapped one."""
    catalog = Catalog(cursor, database)
    return [breach for check in CHECKS for breach in check(catalog)]
