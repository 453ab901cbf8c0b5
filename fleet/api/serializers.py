"""How promotions and predictions look in JSON."""

from typing import Any

from rest_framework import serializers

from fleet.domain.predictions import Prediction
from fleet.models import Promotion
from projects.models import Project
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


class ShareSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    probability = serializers.FloatField()

    def get_fields(self) -> dict[str, Any]:
        """With `class`, as above."""
        label = serializers.UUIDField(source="class_id", allow_null=True, help_text="Null of a good image.")
        return {"class": label, **super().get_fields()}


class PredictionSerializer(serializers.Serializer[Any]):
    """By the model's kind: of DETECTION `predictions`; of CLASSIFICATION `class`, `name`, `probability` and
    `probabilities`; of ANOMALY `score`, `threshold`, `anomalous` and `heat`."""

    model = serializers.UUIDField(source="model_id")
    image = serializers.UUIDField(source="image_id", allow_null=True)
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=Project.Kind.choices)
    predictions = FindingSerializer(
        many=True, source="findings", help_text="Best first; none of a model that judges whole images."
    )
    name = serializers.CharField(required=False, help_text="Of the most probable class.")
    probability = serializers.FloatField(required=False, help_text="Of that class.")
    probabilities = ShareSerializer(many=True, required=False, source="shares", help_text="Their sum is 1.")
    score = serializers.FloatField(required=False, help_text="0 to 1: how little the image looks like good ones.")
    threshold = serializers.FloatField(required=False, help_text="From this score on it is anomalous.")
    anomalous = serializers.BooleanField(required=False)
    heat = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField()),
        required=False,
        help_text="The same by place: rows over the whole image, from above; each from left to right.",
    )
    seconds = serializers.DictField(
        child=serializers.FloatField(), help_text="Spent on the model's files, waiting, decoding and computing."
    )

    def get_fields(self) -> dict[str, Any]:
        """With `class`, as above."""
        label = serializers.UUIDField(required=False, allow_null=True, help_text="The most probable; null: good.")
        return {**super().get_fields(), "class": label}

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
            "kind": prediction.kind,
            "predictions": findings,
            "seconds": prediction.seconds,
            **_of_kind(prediction),
        }


def _of_kind(prediction: Prediction) -> dict[str, Any]:
    """What only models say that judge whole images."""
    if prediction.shares:
        best = max(prediction.shares, key=lambda share: share.probability)
        probabilities = [
            {"class": share.class_id, "name": share.name, "probability": share.probability}
            for share in prediction.shares
        ]
        told = {"class": best.class_id, "name": best.name, "probability": best.probability}
        return told | {"probabilities": probabilities}
    odd = prediction.oddness
    if odd is None:
        return {}
    return {"score": odd.score, "threshold": odd.threshold, "anomalous": odd.anomalous, "heat": odd.heat}
