"""The index of labelled images, made while images are written: their table is the largest of those in use."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("projects", "0004_labels_isolation")]

    operations = [
        AddIndexConcurrently(
            model_name="image",
            index=models.Index(
                fields=["tenant_id", "project", "-id"],
                condition=Q(deleted_at=None, status="READY", accepted__isnull=False),
                name="image_labelled",
            ),
        ),
    ]
