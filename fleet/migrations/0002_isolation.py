"""Isolates the tables of this app (DESIGN §3)."""

from django.db import migrations

from tenants.row_security import isolate


class Migration(migrations.Migration):
    dependencies = [("fleet", "0001_initial"), ("training", "0002_isolation")]

    operations = [
        *isolate(
            "fleet_promotion",
            foreign_keys={
                "project_id": "projects_project",
                "model_id": "training_model",
                "promoted_by_id": "tenants_member",
            },
        ),
    ]
