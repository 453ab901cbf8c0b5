"""Where runs and models keep their files: artifacts at the address of their own bytes, checkpoints by run."""

import hashlib
import uuid
from pathlib import Path
from typing import Final

from tenants.refusals import Refusal
from tenants.storage import ObjectMissing, ObjectTooLarge, TenantStorage

WEIGHTS, DESCRIPTION, PARITY = "heads.safetensors", "model.json", "parity.json"
PREDICTIONS = "predictions.json"
ONNX, EXPORT_MANIFEST = "model.onnx", "manifest.json"
CONTENT_TYPES: Final = {
    WEIGHTS: "application/octet-stream",
    DESCRIPTION: "application/json",
    PARITY: "application/json",
    PREDICTIONS: "application/json",
    ONNX: "application/octet-stream",
    EXPORT_MANIFEST: "application/json",
}
# Head weights take half a megabyte, parity images a few, the predictions of ten thousand images some fifty.
MAX_ARTIFACT_BYTES = 256 * 1024 * 1024
# A training's weights, averages and moments of the optimiser take some five.
MAX_CHECKPOINT_BYTES = 256 * 1024 * 1024


class ModelDamaged(Refusal):
    """What S3 holds is not what was published: it is neither run, shipped nor compared."""

    code = "model_damaged"
    title = "The model's files are damaged"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The model's stored {name} is missing or does not match its hash.",
            hint="Train the snapshot again, or use another model; tell the operator, who may restore the file.",
        )


def artifact_key(sha256: str) -> str:
    return f"artifacts/{sha256}"


def checkpoint_folder(run_id: uuid.UUID) -> str:
    return f"checkpoints/{run_id}"


def checkpoint_key(*, run_id: uuid.UUID, token: int, name: str, step: int) -> str:
    """Of its own for each attempt and step, so that what a row refers to is never overwritten."""
    return f"{checkpoint_folder(run_id)}/{token}-{name}-{step}"


def store_artifact(*, storage: TenantStorage, name: str, data: bytes, folder: Path) -> str:
    """Puts a file at its address and returns its SHA-256; one that is there already is as good. Not in a scope."""
    sha256 = hashlib.sha256(data).hexdigest()
    path = folder / f"artifact-{sha256}"
    path.write_bytes(data)
    storage.put_once(artifact_key(sha256), path, content_type=CONTENT_TYPES[name], sha256=sha256)
    path.unlink()
    return sha256


def read_artifact(*, storage: TenantStorage, name: str, sha256: str, max_bytes: int = MAX_ARTIFACT_BYTES) -> bytes:
    """One of a model's files, held against its hash. Not in a scope.

    Raises ModelDamaged, or ObjectTooLarge where the caller takes less than a sound file may have.
    """
    try:
        data = storage.read(artifact_key(sha256), max_bytes=max_bytes)
    except ObjectTooLarge as error:
        if max_bytes < MAX_ARTIFACT_BYTES:
            raise
        raise ModelDamaged(name) from error
    except (ObjectMissing, ValueError) as error:
        raise ModelDamaged(name) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelDamaged(name)
    return data
