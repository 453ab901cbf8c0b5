"""How snapshots and their differences look in JSON."""

from typing import Any

from rest_framework import serializers

from projects.api.serializers import ItemError
from projects.domain.snapshots import standing
from projects.models import Snapshot


class SnapshotInput(serializers.Serializer[Any]):
    note = serializers.CharField(max_length=500, allow_blank=True, default="")


class SnapshotClassSerializer(serializers.Serializer[Any]):
    """A class of the label book as it was, and how many of the snapshot's images and boxes show it."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    images = serializers.IntegerField()
    boxes = serializers.IntegerField()


class SnapshotSerializer(serializers.ModelSerializer[Snapshot]):
    project = serializers.UUIDField(source="project_id")
    job = serializers.UUIDField(source="job_id", allow_null=True)
    created_by = serializers.UUIDField(source="created_by_id")
    classes = SnapshotClassSerializer(many=True)
    splits = serializers.DictField(child=serializers.IntegerField())
    error = ItemError(allow_null=True)

    class Meta:
        model = Snapshot
        fields = (
            *("id", "project", "number", "note", "status", "job", "manifest_sha256", "coco_sha256"),
            *("image_count", "box_count", "classes", "splits", "error", "created_by", "created_at"),
        )

    def to_representation(self, snapshot: Snapshot) -> dict[str, Any]:
        """With the status as the job left it."""
        shown: dict[str, Any] = super().to_representation(snapshot)
        status, error = standing(snapshot)
        return shown | {"status": status, "error": error}


class DiffClassSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()


class RenamedSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    before = serializers.CharField()
    after = serializers.CharField()


class ImageDifferenceSerializer(serializers.Serializer[Any]):
    image = serializers.UUIDField()
    filename = serializers.CharField()
    change = serializers.ChoiceField(choices=["ADDED", "REMOVED", "CHANGED"])
    boxes_added = serializers.IntegerField()
    boxes_removed = serializers.IntegerField()
    boxes_changed = serializers.IntegerField()
    fields_changed = serializers.DictField(
        source="fields",
        child=serializers.ListField(),
        help_text="filename, split, group or metadata → [before, after].",
    )


class ChangesSerializer(serializers.Serializer[Any]):
    added = serializers.IntegerField()
    removed = serializers.IntegerField()
    changed = serializers.IntegerField()


class ImageChangesSerializer(ChangesSerializer):
    unchanged = serializers.IntegerField()


class DifferenceSerializer(serializers.Serializer[Any]):
    """What changed from `against` to the snapshot. The counts are of all; at most 1,000 images are listed."""

    images = ImageChangesSerializer()
    boxes = ChangesSerializer()
    splits_changed = serializers.IntegerField()
    classes_added = DiffClassSerializer(many=True)
    classes_removed = DiffClassSerializer(many=True)
    classes_renamed = RenamedSerializer(many=True)
    listed = ImageDifferenceSerializer(many=True)
    truncated = serializers.BooleanField()


class SnapshotDiffSerializer(DifferenceSerializer):
    snapshot = serializers.UUIDField()
    against = serializers.UUIDField()
