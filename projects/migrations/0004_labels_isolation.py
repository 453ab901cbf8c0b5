"""Isolates annotations, boxes and snapshots, and ties an image to its accepted annotation within the tenant."""

from django.db import migrations

from tenants.row_security import isolate, tie


class Migration(migrations.Migration):
    dependencies = [("projects", "0003_labels"), ("tenants", "0002_isolation")]

    operations = [
        *isolate("projects_annotation", foreign_keys={"image_id": "projects_image", "author_id": "tenants_member"}),
        *isolate(
            "projects_box",
            foreign_keys={"annotation_id": "projects_annotation", "defect_class_id": "projects_defectclass"},
        ),
        *isolate(
            "projects_snapshot",
            foreign_keys={
                "project_id": "projects_project",
                "job_id": "tenants_job",
                "created_by_id": "tenants_member",
            },
        ),
        *tie("projects_image", {"accepted_id": "projects_annotation"}),
    ]
