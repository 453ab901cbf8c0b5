"""How exports of snapshots look in JSON."""

from typing import Any

from rest_framework import serializers

from projects.api.serializers import ItemError
from projects.domain.exports import standing
from projects.models import SnapshotExport


class ExportInput(serializers.Serializer[Any]):
    format = serializers.ChoiceField(choices=SnapshotExport.Format.choices)


class SnapshotExportSerializer(serializers.ModelSerializer[SnapshotExport]):
    """`missing_count`: images of the snapshot that were deleted before the zip was made, and are not in it."""

    snapshot = serializers.UUIDField(source="snapshot_id")
    job = serializers.UUIDField(source="job_id", allow_null=True)
    created_by = serializers.UUIDField(source="created_by_id")
    error = ItemError(allow_null=True)

    class Meta:
        model = SnapshotExport
        fields = (
            *("id", "snapshot", "format", "status", "job", "size", "sha256", "image_count", "missing_count"),
            *("error", "created_by", "created_at", "ready_at"),
        )

    def to_representation(self, export: SnapshotExport) -> dict[str, Any]:
        """With the status as the job left it."""
        shown: dict[str, Any] = super().to_representation(export)
        status, error = standing(export)
        return shown | {"status": status, "error": error}
