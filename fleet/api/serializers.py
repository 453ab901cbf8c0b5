"""How promotions and predictions look in JSON."""

from typing import Any

from rest_framework import serializers

from fleet.domain.predictions import Prediction
from fleet.models import Promotion
from tenants.api.schema import SentFile


class PromotionSerializer(serializers.ModelSerializer[Promotion]):
    project = serializers.UUIDField(source="project_id")
    model = serializers.UUIDField(source="model_id")
    promoted_by = serializers.UUIDField(source="promoted_by_id")

    class Meta:
        model = Promotion
        fields = ("id", "project", "number", "model", "promoted_by", "created_at")


class PredictInput(serializers.Serializer[Any]):
    image = serializers.UUIDField(help_text="A READY image of the tenant's.")


class PictureInput(serializers.Serializer[Any]):
    file = SentFile(allow_empty_file=True, help_text="JPEG, PNG, BMP, TIFF or WebP, at most 20 MB.")


class FindingSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    score = serializers.FloatField(help_text="0 to 1.")
    bbox = serializers.ListField(
        child=serializers.FloatField(), help_text="x, y, width, height in pixels of the upright image."
    )

    def get_fields(self) -> dict[str, Any]:
        """With `class`, which Python takes for itself."""
        return {"class": serializers.UUIDField(source="class_id"), **super().get_fields()}


class PredictionSerializer(serializers.Serializer[Any]):
    model = serializers.UUIDField(source="model_id")
    image = serializers.UUIDField(source="image_id", allow_null=True)
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    predictions = FindingSerializer(many=True, source="findings", help_text="Best first.")
    seconds = serializers.DictField(
        child=serializers.FloatField(), help_text="Spent on the model's files, waiting, decoding and computing."
    )

    def to_representation(self, prediction: Prediction) -> dict[str, Any]:
        """The declared fields, read directly: field by field, a hundred findings cost milliseconds."""
        findings = [
            {"class": found.class_id, "name": found.name, "score": found.score, "bbox": found.bbox}
            for found in prediction.findings
        ]
        return {
            "model": str(prediction.model_id),
            "image": str(prediction.image_id) if prediction.image_id else None,
            "width": prediction.width,
            "height": prediction.height,
            "predictions": findings,
            "seconds": prediction.seconds,
        }
