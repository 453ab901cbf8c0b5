"""How imports look in JSON."""

from typing import Any

from rest_framework import serializers

from projects.api.serializers import ItemError
from projects.domain.archives.contents import MAX_ARCHIVE_BYTES
from projects.domain.imports import standing
from projects.models import Import


class ImportInput(serializers.Serializer[Any]):
    filename = serializers.CharField(max_length=255, trim_whitespace=False)
    size = serializers.IntegerField(min_value=1, max_value=MAX_ARCHIVE_BYTES)
    sha256 = serializers.RegexField(r"^[0-9a-f]{64}$", help_text="Of the zip, in lower-case hexadecimal digits.")


class CommitInput(serializers.Serializer[Any]):
    unknown_classes = serializers.ChoiceField(
        choices=Import.UnknownClasses.choices,
        default=Import.UnknownClasses.SKIP,
        help_text="CREATE makes classes that the label book lacks (permission `edit`); SKIP leaves their boxes out.",
    )


class ReportClassSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    boxes = serializers.IntegerField()
    known = serializers.BooleanField(help_text="Whether the label book has it.")


class ReferenceSerializer(serializers.Serializer[Any]):
    """A place in the archive: an entry, and a line, number or id in it."""

    file = serializers.CharField()
    where = serializers.CharField()
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """One kind of problem. The first hundred places are listed; `count` counts all."""

    kind = serializers.CharField()
    count = serializers.IntegerField()
    message = serializers.CharField(help_text="What was found.")
    action = serializers.CharField(help_text="What the commit will do about it.")
    references = ReferenceSerializer(many=True)


class ReportSerializer(serializers.Serializer[Any]):
    """What the check found, and what a commit would do."""

    format = serializers.ChoiceField(choices=Import.Format.choices)
    images = serializers.IntegerField(help_text="All that the archive holds or speaks of.")
    new = serializers.IntegerField(help_text="Images that the project does not have yet.")
    existing = serializers.IntegerField(help_text="Images that it has.")
    missing = serializers.IntegerField(help_text="Images that are labelled and not there.")
    labelled = serializers.IntegerField(help_text="Images that will be labelled, good ones included.")
    good = serializers.IntegerField(help_text="Images that will be labelled as showing no defect.")
    unlabelled = serializers.IntegerField(help_text="Images that will be taken without labels.")
    boxes = serializers.IntegerField(help_text="Boxes that will be drawn, if unknown classes are created.")
    classes = ReportClassSerializer(many=True)
    splits = serializers.DictField(
        child=serializers.IntegerField(), help_text="New images by split; UNASSIGNED ones fall by their group."
    )
    problems = ProblemSerializer(many=True)


class ResultSerializer(serializers.Serializer[Any]):
    """What the commit did; a line an image is at `results`."""

    images = serializers.DictField(
        child=serializers.IntegerField(), help_text="CREATED, UPDATED, UNCHANGED, DUPLICATE and REJECTED."
    )
    labelled = serializers.IntegerField()
    boxes = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]  # a field, which DRF takes out of the class
    classes = serializers.ListField(child=serializers.CharField(), help_text="Classes that were made.")

    def get_attribute(self, instance: Import) -> Any:
        """None until the import is done: before, the row keeps the classes alone."""
        return instance.result if instance.status == Import.Status.DONE else None


class ImportLineSerializer(serializers.ModelSerializer[Import]):
    """An import without its report."""

    project = serializers.UUIDField(source="project_id")
    job = serializers.UUIDField(source="job_id", allow_null=True)
    created_by = serializers.UUIDField(source="created_by_id")
    format = serializers.ChoiceField(choices=Import.Format.choices, allow_blank=True)
    unknown_classes = serializers.ChoiceField(choices=Import.UnknownClasses.choices, allow_blank=True)
    result = ResultSerializer(allow_null=True)
    error = ItemError(allow_null=True)

    class Meta:
        model = Import
        fields: tuple[str, ...] = (
            *("id", "project", "filename", "format", "status", "size", "sha256", "unknown_classes", "job"),
            *("result", "error", "created_by", "created_at"),
        )

    def to_representation(self, row: Import) -> dict[str, Any]:
        """With the status as the job left it."""
        shown: dict[str, Any] = super().to_representation(row)
        status, error = standing(row)
        return shown | {"status": status, "error": error}


class ImportSerializer(ImportLineSerializer):
    report = ReportSerializer(allow_null=True)

    class Meta(ImportLineSerializer.Meta):
        fields = (*ImportLineSerializer.Meta.fields, "report")


class UploadFormSerializer(serializers.Serializer[Any]):
    """A form to send the file with: its fields, then `file`, as multipart/form-data."""

    method = serializers.CharField()
    url = serializers.CharField()
    fields = serializers.DictField(child=serializers.CharField())  # type: ignore[assignment]  # as `errors` above
    expires_at = serializers.DateTimeField()


class NewImportSerializer(ImportSerializer):
    """An import, and how to send its archive."""

    upload = UploadFormSerializer(read_only=True)

    class Meta(ImportSerializer.Meta):
        fields = (*ImportSerializer.Meta.fields, "upload")
