"""What a furnished tenant has said of its image, and what was frozen of that."""

import hashlib
import uuid

from projects.domain import freezing
from projects.domain.coco import to_coco
from projects.domain.manifests import coco_key, manifest_key
from projects.models import Annotation, Box, DefectClass, Image, Project, Snapshot
from tenants.permissions import Principal


def annotated(image_id: uuid.UUID, *, label: uuid.UUID, by: Principal) -> Annotation:
    """An accepted annotation with one box, counted. In a scope."""
    annotation = Annotation.objects.create(image_id=image_id, number=1, author_id=by.member_id, box_count=1)
    Box.objects.create(annotation=annotation, defect_class_id=label, x=1, y=2, width=3, height=4)
    Image.objects.filter(id=image_id).update(accepted=annotation)
    Project.objects.filter(images__id=image_id).update(labelled_count=1)
    DefectClass.objects.filter(id=label).update(image_count=1, box_count=1)
    return annotation


def frozen(project: Project, *, by: Principal) -> tuple[Snapshot, dict[str, bytes]]:
    """A READY snapshot, and its files by key, to be stored. In a scope."""
    manifest = freezing._read(project)
    data = manifest.to_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    coco = to_coco(manifest, manifest_sha256=sha256)
    snapshot = Snapshot(
        project=project,
        number=1,
        status=Snapshot.Status.READY,
        manifest_sha256=sha256,
        coco_sha256=hashlib.sha256(coco).hexdigest(),
        created_by_id=by.member_id,
    )
    freezing._count(snapshot, manifest)
    snapshot.save(force_insert=True)
    return snapshot, {manifest_key(sha256): data, coco_key(snapshot.coco_sha256): coco}
