"""Isolates imports and their chunks."""

from django.db import migrations

from tenants.row_security import isolate


class Migration(migrations.Migration):
    dependencies = [("projects", "0007_imports"), ("tenants", "0002_isolation")]

    operations = [
        *isolate(
            "projects_import",
            foreign_keys={
                "project_id": "projects_project",
                "job_id": "tenants_job",
                "created_by_id": "tenants_member",
            },
        ),
        *isolate("projects_importchunk", foreign_keys={"source_id": "projects_import"}),
    ]
