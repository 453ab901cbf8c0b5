"""A furnished tenant's trainings: a model with all its files, one that is to be exported, and a run that waits."""

import json
import uuid
from hashlib import sha256

from projects.models import Project, Snapshot
from tenants import jobs
from tenants.ids import uuid7
from tenants.permissions import Principal
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage
from tests.cast import Person
from tests.heads import Artifacts
from tests.serving import insert_model
from training.domain.artifacts import artifact_key
from training.domain.models import export_model
from training.domain.recipes import recipe_named
from training.domain.runs import TRAIN
from training.models import Evaluation, Model, Run


def trainings(owner: Person, model: Model, artifacts: Artifacts, *, word: str) -> dict[str, uuid.UUID]:
    """Adds to a tenant that has the model; ids by their names among the holdings."""
    storage, kept = TenantStorage(owner.tenant.id), _files(word)
    for data in kept.values():
        storage.put(artifact_key(sha256(data).hexdigest()), data, content_type="application/octet-stream")
    hashes = {name: sha256(data).hexdigest() for name, data in kept.items()}
    by = owner.principal
    with tenant_scope(owner.tenant.id):
        exported = {"onnx_sha256": hashes["onnx"], "onnx_size": 9, "manifest_sha256": hashes["manifest"]}
        Model.objects.filter(id=model.id).update(parity_sha256=hashes["parity"], export=exported)
        Evaluation.objects.filter(model=model).update(predictions_sha256=hashes["predictions"])
        names = (f"{word} dent", f"{word} burr")
        plain = insert_model(owner, str(model.project_id), artifacts, backbone_sha256=uuid7().hex * 2, names=names)
        Model.objects.filter(id=plain.id).update(parity_sha256=hashes["parity"])
        _, exporting = export_model(model_id=plain.id, by=by)
        assert exporting is not None
        waiting = _waiting(model.project, model.snapshot, by=by)
    ids = {"plain": plain.id, "exporting": exporting.id}
    return ids | {"waiting": waiting.id, "training": waiting.job_id}


def _waiting(project: Project, snapshot: Snapshot, *, by: Principal) -> Run:
    # A run takes no fewer than two images; that the second is missing does not matter here.
    Snapshot.objects.filter(id=snapshot.id).update(image_count=2)
    run_id = uuid7()
    job, _ = jobs.enqueue(kind=TRAIN, key=str(run_id), spec={"run": str(run_id)})
    return Run.objects.create(
        id=run_id,
        project=project,
        number=Run.objects.filter(project=project).count() + 1,
        snapshot=snapshot,
        recipe="fast",
        recipe_version=recipe_named("fast", kind="DETECTION").version,
        seed=0,
        job=job,
        created_by_id=by.member_id,
    )


def _files(word: str) -> dict[str, bytes]:
    image = {"image": f"{word} image", "truth": [[0, 1, 2, 3, 4]], "predictions": [[0, 0.9, 1, 2, 3, 4]]}
    return {
        "parity": json.dumps({"images": [], "of": word}).encode(),
        "predictions": json.dumps({"images": [image]}).encode(),
        "onnx": f"{word} onnx".encode(),
        "manifest": json.dumps({"of": word}).encode(),
    }
