"""Sessions, the lock-out of accounts, and the function that finds the tenant of a page's address."""

from django.db import migrations, models

from tenants.row_security import APP, definer_function, let_definer, share


class Migration(migrations.Migration):
    dependencies = [("tenants", "0002_isolation"), ("sessions", "0001_initial")]

    operations = [
        migrations.AddField("user", "failed_sign_ins", models.PositiveSmallIntegerField(default=0, db_default=0)),
        migrations.AddField("user", "locked_until", models.DateTimeField(null=True)),
        migrations.RunSQL(
            f"GRANT UPDATE (failed_sign_ins, locked_until) ON tenants_user TO {APP}", migrations.RunSQL.noop
        ),
        *share("django_session", grants="SELECT, INSERT, UPDATE, DELETE"),
        # The function below reads names of tenants, which no other one may.
        *let_definer("tenants_tenant", read=["id", "slug"]),
        # The tenant of this slug, for who has a seat there; for others it is not there.
        *definer_function(
            "seat_tenant(p_user uuid, p_slug text)",
            "uuid",
            "BEGIN RETURN (SELECT t.id FROM tenants_tenant t JOIN tenants_member m ON m.tenant_id = t.id"
            " WHERE t.slug = p_slug AND m.user_id = p_user AND m.removed_at IS NULL); END",
            stable=True,
        ),
    ]
