"""Isolates the tables of this app (DESIGN §3)."""

from django.db import migrations

from tenants.row_security import isolate


class Migration(migrations.Migration):
    dependencies = [("training", "0001_initial"), ("projects", "0004_labels_isolation")]

    operations = [
        *isolate(
            "training_run",
            foreign_keys={
                "project_id": "projects_project",
                "snapshot_id": "projects_snapshot",
                "job_id": "tenants_job",
                "created_by_id": "tenants_member",
            },
        ),
        *isolate(
            "training_model",
            foreign_keys={
                "project_id": "projects_project",
                "run_id": "training_run",
                "snapshot_id": "projects_snapshot",
            },
        ),
        *isolate(
            "training_evaluation",
            foreign_keys={"model_id": "training_model", "snapshot_id": "projects_snapshot"},
        ),
    ]
