"""Isolates the tables of this app (DESIGN §3)."""

from django.db import migrations

from tenants.row_security import isolate


class Migration(migrations.Migration):
    dependencies = [("projects", "0001_initial"), ("tenants", "0002_isolation")]

    operations = [
        *isolate("projects_project"),
        *isolate("projects_defectclass", foreign_keys={"project_id": "projects_project"}),
        *isolate("projects_image", foreign_keys={"project_id": "projects_project", "job_id": "tenants_job"}),
        *isolate(
            "projects_imageclass",
            foreign_keys={"image_id": "projects_image", "defect_class_id": "projects_defectclass"},
        ),
    ]
