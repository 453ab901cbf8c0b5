"""How projects, label books and images look in JSON. Inputs name all that can be set; the rest is not read."""

from typing import Any

from rest_framework import serializers

from projects.domain.decoding import ACCEPTED_TYPES
from projects.domain.items import MAX_FILE_BYTES
from projects.models import DefectClass, Image, Project
from tenants.api.schema import SentFile


class ProjectSerializer(serializers.ModelSerializer[Project]):
    drifts = ("image_count", "labelled_count")

    class Meta:
        model = Project
        fields = ("id", "name", "kind", "description", "image_count", "labelled_count", "created_at")


class ProjectInput(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=200)
    kind = serializers.ChoiceField(choices=Project.Kind.choices)
    description = serializers.CharField(max_length=10_000, allow_blank=True, default="")


class ProjectChange(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=200, required=False)
    description = serializers.CharField(max_length=10_000, allow_blank=True, required=False)


class ClassSerializer(serializers.ModelSerializer[DefectClass]):
    drifts = ("image_count", "box_count")
    project = serializers.UUIDField(source="project_id")

    class Meta:
        model = DefectClass
        fields = ("id", "project", "name", "definition", "rule", "color", "image_count", "box_count", "created_at")


class ClassInput(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100)
    definition = serializers.CharField(max_length=10_000, allow_blank=True, default="")
    rule = serializers.CharField(max_length=10_000, allow_blank=True, default="")
    color = serializers.RegexField(r"^#[0-9a-fA-F]{6}$", required=False, help_text="Unless given, one of its own.")


class ClassChange(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100, required=False)
    definition = serializers.CharField(max_length=10_000, allow_blank=True, required=False)
    rule = serializers.CharField(max_length=10_000, allow_blank=True, required=False)
    color = serializers.RegexField(r"^#[0-9a-fA-F]{6}$", required=False)


class ItemError(serializers.Serializer[Any]):
    """Why one item of a batch was not taken."""

    code = serializers.CharField()
    message = serializers.CharField()
    hint = serializers.CharField()


class ImageSerializer(serializers.ModelSerializer[Image]):
    drifts = ("status", "stored_sha256", "content_type", "size", "width", "height", "near_hash", "error", "job")
    project = serializers.UUIDField(source="project_id")
    job = serializers.UUIDField(source="job_id", allow_null=True)
    error = ItemError(allow_null=True)
    classes = serializers.ListField(child=serializers.UUIDField(), source="class_ids")
    annotation = serializers.UUIDField(source="accepted_id", allow_null=True, help_text="The accepted one.")

    class Meta:
        model = Image
        fields = (
            *("id", "project", "filename", "status", "sha256", "stored_sha256", "content_type", "size"),
            *("width", "height", "near_hash", "metadata", "split", "split_pinned", "group", "classes"),
            *("annotation", "error", "job", "created_at"),
        )

    def to_representation(self, image: Image) -> dict[str, Any]:
        """The declared fields, read directly: field by field, a page of 20 costs four times as much."""
        shown = {name: getattr(image, name) for name in _PLAIN}
        class_ids = image.class_ids  # type: ignore[attr-defined]  # annotated by projects.domain.queries.with_classes
        return shown | {
            "id": str(image.id),
            "project": str(image.project_id),
            "classes": [str(class_id) for class_id in class_ids],
            "annotation": str(image.accepted_id) if image.accepted_id else None,
            "job": str(image.job_id) if image.job_id else None,
            "created_at": image.created_at,
        }


# Fields of an image whose JSON is their value.
_SHOWN_OTHERWISE = ("id", "project", "classes", "annotation", "job", "created_at")
_PLAIN = [name for name in ImageSerializer.Meta.fields if name not in _SHOWN_OTHERWISE]


class ImageChange(serializers.Serializer[Any]):
    metadata = serializers.DictField(required=False)
    split = serializers.ChoiceField(choices=Image.Split.choices, required=False)
    classes = serializers.ListField(child=serializers.UUIDField(), max_length=50, required=False)


class FileItem(serializers.Serializer[Any]):
    """One file of a registration. For the schema only: items are read by `projects.domain.items`."""

    filename = serializers.CharField(max_length=255)
    size = serializers.IntegerField(help_text="Bytes.", min_value=1, max_value=MAX_FILE_BYTES)
    sha256 = serializers.RegexField(r"^[0-9a-f]{64}$", help_text="Of the file's bytes.")
    content_type = serializers.ChoiceField(choices=list(ACCEPTED_TYPES))
    metadata = serializers.DictField(required=False, help_text="Flat JSON, at most 8 KB.")
    split = serializers.ChoiceField(choices=Image.Split.choices, required=False)
    group = serializers.CharField(required=False)
    classes = serializers.ListField(child=serializers.CharField(), required=False)


class FilesInput(serializers.Serializer[Any]):
    files = FileItem(many=True)


class RegisteredSerializer(serializers.Serializer[Any]):
    """One line of the answer, in the order of the request."""

    index = serializers.IntegerField()
    filename = serializers.CharField()
    status = serializers.CharField()
    image = serializers.UUIDField(required=False)
    duplicate = serializers.BooleanField(required=False)
    upload = serializers.DictField(required=False, help_text="How to send the bytes: POST form or parts.")
    error = ItemError(required=False)


class RegistrationSerializer(serializers.Serializer[Any]):
    results = RegisteredSerializer(many=True)


class CompleteInput(serializers.Serializer[Any]):
    images = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=100)


class ArrivalSerializer(serializers.Serializer[Any]):
    image = serializers.UUIDField()
    status = serializers.CharField()
    error = ItemError(allow_null=True)


class CompletionSerializer(serializers.Serializer[Any]):
    results = ArrivalSerializer(many=True, source="arrivals")
    jobs = serializers.ListField(child=serializers.UUIDField())


class DirectUploadInput(serializers.Serializer[Any]):
    file = SentFile(allow_empty_file=True)
    metadata = serializers.CharField(required=False, help_text="A JSON object, as text.")
    split = serializers.CharField(required=False)
    group = serializers.CharField(required=False)


class DirectUploadSerializer(serializers.Serializer[Any]):
    image = ImageSerializer()
    job = serializers.UUIDField(allow_null=True)
