"""A customer who labels photographs and has models trained on them."""

import io
import time
from typing import Any

from PIL import Image

from deploy.demo.casings import generate
from tests.chaos.customer import Customer
from tests.chaos.ground import until

LABELLED = 8
SIZE = (256, 192)
# Seconds for a run, on a machine with other work.
PATIENCE = 100.0


class Trainer(Customer):
    def make_snapshot(self) -> None:
        """Uploads and labels a few photographs, and freezes them."""
        casings = [generate(seed=7, index=index, size=SIZE) for index in range(LABELLED)]
        self.send([_encoded(casing.image) for casing in casings])
        self.complete(0)
        until(lambda: self.ready() == LABELLED)
        for name in sorted({box.label for casing in casings for box in casing.boxes}):
            self.post(f"/projects/{self._project}/classes", {"name": name})
        items = [
            {
                "image": image,
                "boxes": [{"class": b.label, "bbox": [b.x, b.y, b.width, b.height]} for b in casing.boxes],
            }
            for image, casing in zip(self._images, casings, strict=True)
        ]
        written = self.post(f"/projects/{self._project}/annotations", {"annotations": items})["results"]
        assert {result["status"] for result in written} == {"CREATED"}, written
        self.post(f"/projects/{self._project}/snapshots", {})
        until(self.all_done)

    def start_run(self) -> str:
        return str(self.post(f"/projects/{self._project}/runs", {"recipe": "fast", "seed": 3})["id"])

    def await_checkpoint(self, run: str) -> None:
        """Until the run is under way and could be resumed."""
        sql = "SELECT checkpoints FROM training_run WHERE id = %s"
        until(lambda: self.ground.query(sql, run)[0][0] or self._is_over(run), seconds=PATIENCE, every=0.1)
        assert not self._is_over(run), self.get(f"/runs/{run}")

    def await_model(self, run: str) -> tuple[str, ...]:
        """Hashes of what the run published: weights, parity images, predictions. There must be one model of it."""
        until(lambda: self._is_over(run), seconds=PATIENCE, every=0.1)
        ended = self.get(f"/runs/{run}")
        assert ended["state"] == "SUCCEEDED", ended
        sql = """SELECT m.id::text, weights_sha256, parity_sha256, predictions_sha256 FROM training_model m
                   JOIN training_evaluation e ON e.model_id = m.id WHERE m.run_id = %s"""
        ((model, *hashes),) = self.ground.query(sql, run)
        assert model == ended["model"]
        return tuple(hashes)

    def cancel(self, run: str) -> float:
        """Asks for it; how many seconds it took."""
        start = time.monotonic()
        self.post(f"/runs/{run}/cancel", {})
        until(lambda: self._is_over(run), every=0.1)
        assert self.get(f"/runs/{run}")["state"] == "CANCELED"
        return time.monotonic() - start

    def attempts(self, run: str) -> int:
        sql = "SELECT attempts FROM tenants_job j JOIN training_run r ON r.job_id = j.id WHERE r.id = %s"
        return int(self.ground.query(sql, run)[0][0])

    def stored(self, prefix: str) -> set[str]:
        """Keys below the tenant's prefix."""
        return {key for key in self._objects() if key.startswith(prefix)}

    def _is_over(self, run: str) -> Any:
        sql = "SELECT finished_at FROM tenants_job j JOIN training_run r ON r.job_id = j.id WHERE r.id = %s"
        return self.ground.query(sql, run)[0][0]


def _encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=92)
    return buffer.getvalue()
