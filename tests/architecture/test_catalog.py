"""The database keeps the rules of DESIGN §3.2 and §3.3."""

from django.apps import apps
from psycopg2 import extensions

from tenants.models import TenantModel
from tests.architecture.allowed import TENANTS
from tests.architecture.conftest import Broken
from tests.architecture.reading import Catalog


def test_a_migrated_database_breaks_no_rule(broken: Broken) -> None:
    assert broken("SELECT 1") == []


def test_each_tenant_owned_model_is_a_tenant_owned_table(superuser: extensions.connection, template: str) -> None:
    with superuser.cursor() as cursor:
        owned = set(Catalog(cursor, template).owned)
    superuser.rollback()

    models = {model._meta.db_table for model in apps.get_models() if issubclass(model, TenantModel)}
    assert models == owned
    assert TENANTS not in owned
