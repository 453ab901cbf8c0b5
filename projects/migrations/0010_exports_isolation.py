"""Isolates exports."""

from django.db import migrations

from tenants.row_security import isolate


class Migration(migrations.Migration):
    dependencies = [("projects", "0009_exports"), ("tenants", "0002_isolation")]

    operations = [
        *isolate(
            "projects_snapshotexport",
            foreign_keys={
                "snapshot_id": "projects_snapshot",
                "job_id": "tenants_job",
                "created_by_id": "tenants_member",
            },
        ),
    ]
