"""How annotations, and the answers to annotating, look in JSON."""

from typing import Any

from rest_framework import serializers

from projects.api.serializers import ItemError
from projects.domain.annotations import CREATED, REJECTED, UNCHANGED
from projects.domain.statistics import Statistics
from projects.models import Annotation, DefectClass, Image


class AuthorSerializer(serializers.Serializer[Any]):
    """The member who said so."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class BoxSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="Of the class.")
    bbox = serializers.ListField(
        child=serializers.FloatField(), help_text="x, y, width, height in pixels of the upright image."
    )

    def get_fields(self) -> dict[str, Any]:
        """With `class`, which is no name for an attribute."""
        return {"class": serializers.UUIDField()} | super().get_fields()


class AnnotationSerializer(serializers.ModelSerializer[Annotation]):
    """A version; `accepted` is whether it is its image's ground truth.

    In projects whose images have one class each, `class` is that (null: the image is good); `boxes` then has one that
    covers the image. In detection projects there is no `class`.
    """

    image = serializers.UUIDField()
    author = AuthorSerializer()
    accepted = serializers.BooleanField()
    boxes = BoxSerializer(many=True)

    class Meta:
        model = Annotation
        fields = ("id", "image", "number", "author", "accepted", "boxes", "created_at")

    def get_fields(self) -> dict[str, Any]:
        """With `class`, as above."""
        return super().get_fields() | {"class": serializers.UUIDField(required=False, allow_null=True)}

    def to_representation(self, annotation: Annotation) -> dict[str, Any]:
        """The declared fields, read directly: an image may have a thousand boxes."""
        author = annotation.author
        answer = {
            "id": str(annotation.id),
            "image": str(annotation.image_id),
            "number": annotation.number,
            "author": {"id": str(author.id), "name": author.user.name},
            "accepted": annotation.image.accepted_id == annotation.id,
            "boxes": [
                {
                    "class": str(box.defect_class_id),
                    "name": box.defect_class.name,
                    "bbox": [box.x, box.y, box.width, box.height],
                }
                for box in annotation.boxes.all()
            ],
            "created_at": annotation.created_at,
        }
        if not annotation.image.project.takes_boxes:
            answer["class"] = answer["boxes"][0]["class"] if answer["boxes"] else None
        return answer


class BoxItem(serializers.Serializer[Any]):
    bbox = serializers.ListField(child=serializers.FloatField(), min_length=4, max_length=4)

    def get_fields(self) -> dict[str, Any]:
        """With `class`, as above."""
        named = serializers.CharField(help_text="A name or an id of the label book.")
        return {"class": named} | super().get_fields()


class AnnotationItem(serializers.Serializer[Any]):
    """One image. For the schema only: items are read by `projects.domain.boxes`."""

    image = serializers.UUIDField(required=False, allow_null=True)
    filename = serializers.CharField(
        required=False, allow_null=True, help_text="Instead of `image`, where one READY image has this name."
    )
    boxes = BoxItem(
        many=True,
        required=False,
        allow_null=True,
        help_text="In a project of kind DETECTION. At most 1,000; none: the image shows no defect.",
    )
    if_number = serializers.IntegerField(
        required=False, allow_null=True, help_text="Only if the image's annotation has this number (0: none) by now."
    )

    def get_fields(self) -> dict[str, Any]:
        """With `class`, as above."""
        named = serializers.CharField(
            required=False,
            allow_null=True,
            help_text="Instead of `boxes`, in a project of another kind: what the whole image shows, a name or an id of"
            " the label book; null: no defect.",
        )
        return super().get_fields() | {"class": named}


class AnnotationsInput(serializers.Serializer[Any]):
    annotations = AnnotationItem(many=True)


class BoxWarningSerializer(serializers.Serializer[Any]):
    """What was mended (`box_clipped`) or looks wrong (`faint_box`); `boxes` are indexes of the item's."""

    code = serializers.CharField()
    message = serializers.CharField()
    boxes = serializers.ListField(child=serializers.IntegerField())


class AnnotatedSerializer(serializers.Serializer[Any]):
    """One line of the answer, in the order of the request."""

    index = serializers.IntegerField()
    filename = serializers.CharField()
    status = serializers.ChoiceField(choices=[CREATED, UNCHANGED, REJECTED])
    image = serializers.UUIDField(required=False)
    annotation = serializers.UUIDField(required=False)
    number = serializers.IntegerField(required=False)
    error = ItemError(required=False)
    warnings = BoxWarningSerializer(many=True)


class AnnotatingSerializer(serializers.Serializer[Any]):
    results = AnnotatedSerializer(many=True)


class StatusCounts(serializers.Serializer[Any]):
    def get_fields(self) -> dict[str, Any]:
        """A number for each status."""
        return {status: serializers.IntegerField() for status in Image.Status.values}


class SplitCounts(serializers.Serializer[Any]):
    def get_fields(self) -> dict[str, Any]:
        """A number for each split."""
        return {split: serializers.IntegerField() for split in Image.Split.values}


class ImageCounts(serializers.Serializer[Statistics]):
    total = serializers.IntegerField()
    by_status = StatusCounts()
    by_split = SplitCounts()


class ClassCounts(serializers.ModelSerializer[DefectClass]):
    """Of a class: labelled images that show it, and its boxes."""

    images = serializers.IntegerField(source="image_count")
    boxes = serializers.IntegerField(source="box_count")

    class Meta:
        model = DefectClass
        fields = ("id", "name", "images", "boxes")


class StatisticsSerializer(serializers.Serializer[Statistics]):
    """`unlabelled` are the READY images without an annotation."""

    images = ImageCounts(source="*")
    labelled = serializers.IntegerField()
    unlabelled = serializers.IntegerField()
    labelled_by_split = SplitCounts()
    classes = ClassCounts(many=True)
