"""What labelers say of images. Nothing here is overwritten: a correction is a new version by a named author."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from projects.models.projects import DefectClass
from tenants.fields import TenantForeignKey
from tenants.models import Member, TenantModel


class Annotation(TenantModel):
    """One version of what one labeler said of one image; without boxes it says that the image is good.

    `Image.accepted` names the version that is the ground truth.
    """

    # By name: an image names its accepted annotation in turn.
    image = TenantForeignKey("projects.Image", related_name="annotations")
    # 1, 2, … within the image.
    number = models.PositiveIntegerField()
    author = TenantForeignKey(Member, related_name="+")
    box_count = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "image", "number"], name="annotation_number_unique"),
        ]


class Box(TenantModel):
    """A defect of one class: COCO's x, y, width and height, in pixels of the upright image, inside it."""

    annotation = TenantForeignKey(Annotation, related_name="boxes")
    defect_class = TenantForeignKey(DefectClass, related_name="+")
    x = models.FloatField()
    y = models.FloatField()
    width = models.FloatField()
    height = models.FloatField()

    class Meta(TenantModel.Meta):
        constraints = [
            models.CheckConstraint(condition=Q(x__gte=0, y__gte=0, width__gt=0, height__gt=0), name="box_valid"),
        ]
        indexes = [models.Index(fields=["tenant_id", "annotation"], name="box_annotation")]
