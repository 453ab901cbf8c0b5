"""Rows and objects as a finished run leaves them, for tests of what comes after it."""

import hashlib
import tempfile
import uuid
from pathlib import Path

from projects.models import Snapshot
from tenants.ids import uuid7
from tenants.models import Job
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage
from tests.cast import Person
from tests.heads import BACKBONE, LONG_SIDE, Artifacts
from training.domain.artifacts import artifact_key
from training.models import Evaluation, Model, Run
from training.vision.recipes import FAST
from training.vision.sessions import FeatureSession


def put_object(tenant_id: uuid.UUID, key: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "object"
        path.write_bytes(data)
        TenantStorage(tenant_id).put_once(
            key, path, content_type="application/octet-stream", sha256=hashlib.sha256(data).hexdigest()
        )


def publish_model(
    owner: Person, project: str, folder: Path, artifacts: Artifacts, *, names: tuple[str, ...] = ("dent", "scratch")
) -> Model:
    """The rows and objects that a finished run leaves."""
    tenant_id = owner.tenant.id
    put_object(tenant_id, artifact_key(artifacts.weights_sha256), artifacts.weights)
    put_object(tenant_id, artifact_key(artifacts.description_sha256), artifacts.description)
    backbone = FeatureSession((folder / f"{BACKBONE}.onnx").read_bytes()).sha256
    with tenant_scope(tenant_id):
        return insert_model(owner, project, artifacts, backbone_sha256=backbone, names=names)


def insert_model(
    owner: Person, project: str, artifacts: Artifacts, *, backbone_sha256: str, names: tuple[str, ...]
) -> Model:
    """The rows alone, in the open scope."""
    member = owner.seat.member.id
    number = Model.objects.filter(project_id=project).count() + 1
    snapshot = Snapshot.objects.filter(project_id=project, status="READY").first() or Snapshot.objects.create(
        project_id=project,
        number=1,
        status=Snapshot.Status.READY,
        manifest_sha256=uuid7().hex * 2,
        coco_sha256=uuid7().hex * 2,
        created_by_id=member,
    )
    job = Job.objects.create(kind="train", key=str(uuid7()), pool="cpu", lane=Job.Lane.LONG, state="SUCCEEDED")
    run = Run.objects.create(
        project_id=project,
        number=number,
        snapshot=snapshot,
        recipe=FAST.name,
        recipe_version=FAST.version,
        seed=0,
        job=job,
        created_by_id=member,
    )
    model = Model.objects.create(
        project_id=project,
        number=number,
        run=run,
        snapshot=snapshot,
        recipe=FAST.name,
        classes=[{"id": str(uuid7()), "name": name} for name in names],
        backbone=BACKBONE,
        backbone_sha256=backbone_sha256,
        long_side=LONG_SIDE,
        weights_sha256=artifacts.weights_sha256,
        description_sha256=artifacts.description_sha256,
        parity_sha256=uuid7().hex * 2,
        size=len(artifacts.weights),
        lineage={},
    )
    Evaluation.objects.create(
        model=model,
        snapshot=snapshot,
        method=Evaluation.Method.OUT_OF_FOLD,
        folds=3,
        image_count=6,
        box_count=6,
        metrics={"ap50": {"value": 0.5, "low": 0.4, "high": 0.6}, "ap": None, "classes": []},
        predictions_sha256=uuid7().hex * 2,
    )
    return model
