"""The checkpoints of one attempt at a run: parts in S3, named with their hashes by the run's row.

A part is stored first and then named, under the lease; the one it replaces is deleted after. So the row never names
what is half-written, and an attempt that lost its lease changes nothing that a newer one goes on from.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenants.jobs import JobContext, LeaseLost
from tenants.storage import ObjectMissing, StorageUnavailable, TenantStorage
from training.domain.artifacts import MAX_CHECKPOINT_BYTES, checkpoint_folder, checkpoint_key
from training.domain.computing import Part
from training.models import Run

logger = logging.getLogger(__name__)


@dataclass
class RunCheckpoints:
    """`parts` is what the row names: part → {"key", "sha256", "step"}."""

    context: JobContext
    storage: TenantStorage
    run: Run
    parts: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, context: JobContext, storage: TenantStorage, run: Run) -> "RunCheckpoints":
        return cls(context, storage, run, dict(run.checkpoints))

    def fetch(self) -> dict[str, Path]:
        """Part → its file in the job's scratch. One that is gone or damaged is left out: it is computed again."""
        folder = self.context.scratch / "checkpoints"
        folder.mkdir()
        found = {}
        for name, part in self.parts.items():
            try:
                data = self.storage.read(part["key"], max_bytes=MAX_CHECKPOINT_BYTES)
            except (ObjectMissing, ValueError):
                data = b""
            if hashlib.sha256(data).hexdigest() != part["sha256"]:
                logger.warning("run %s: its checkpoint %s is gone or damaged, and not used", self.run.id, part["key"])
                continue
            path = folder / name
            path.write_bytes(data)
            found[name] = path
        return found

    def keep(self, part: Part, *, curve: Sequence[Any]) -> None:
        """Stores a part, and the losses so far. When S3 is away, the older one stands.

        Raises LeaseLost, and leaves nothing behind then: the newer attempt may have cleared up already.
        """
        key = checkpoint_key(run_id=self.run.id, token=self.context.token, name=part.name, step=part.step)
        try:
            self.storage.put(key, part.data, content_type="application/octet-stream")
        except StorageUnavailable as error:
            logger.warning("run %s: a checkpoint could not be stored: %s", self.run.id, error)
            return
        replaced = self.parts.get(part.name)
        self.parts[part.name] = {"key": key, "sha256": hashlib.sha256(part.data).hexdigest(), "step": part.step}
        try:
            with self.context.publishing():
                Run.objects.filter(id=self.run.id).update(checkpoints=self.parts, curve=list(curve))
        except LeaseLost:
            self._delete([key])
            raise
        if replaced is not None and replaced["key"] != key:
            self._delete([replaced["key"]])

    def clear(self) -> None:
        """Deletes them all, those of earlier attempts included: the run has ended. Raises LeaseLost."""
        with self.context.publishing():
            pass  # only who holds the lease may: a newer attempt goes on from them
        self.storage.delete_folder(checkpoint_folder(self.run.id))
        with self.context.publishing():
            Run.objects.filter(id=self.run.id).update(checkpoints={})

    def give_up(self) -> None:
        """`clear` where that is not what the job is about: what S3 does not take now, `sweep_runs` deletes later."""
        try:
            self.clear()
        except StorageUnavailable as error:
            logger.warning("run %s: its checkpoints are still there: %s", self.run.id, error)

    def _delete(self, keys: list[str]) -> None:
        try:
            self.storage.delete(keys)
        except StorageUnavailable as error:
            logger.warning("run %s: a checkpoint of no more use is still there: %s", self.run.id, error)
