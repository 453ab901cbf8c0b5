"""Validates what `0004_labels_isolation` tied to a table in use."""

from django.db import migrations

from tenants.row_security import validate


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("projects", "0005_image_labelled")]

    operations = [*validate("projects_image", {"accepted_id": "projects_annotation"})]
