"""What the process that serves predictions holds for its whole life. Imported by it alone: numpy comes with it."""

import functools
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from fleet.domain.byte_cache import ByteCache
from fleet.domain.detectors import Graphs, OwnPart, load_own_part
from fleet.domain.pixels import PixelPool
from projects.domain.decoding import PixelsRefused, PixelsUnavailable
from tenants.refusals import Refusal
from tenants.scope import refuse_open_transaction
from training.models import Model
from training.vision.sessions import PairedDetector, Prediction

# Seconds that a picture waits for its turn before its sender is told to come back.
PATIENCE = 20


class Busy(Refusal):
    status = 503
    code = "predictions_busy"
    title = "Too much to do"
    retry_after = 2

    def __init__(self) -> None:
        super().__init__("More pictures wait than can be computed soon.", hint="Try again in a few seconds.")


class PictureRefused(Refusal):
    """The bytes are no picture that can be used; `code` says why, as it does for an upload."""

    status = 422
    title = "The image cannot be used"

    def __init__(self, error: PixelsRefused) -> None:
        super().__init__(error.message, hint=error.hint)
        self.code = str(error.code)  # type: ignore[misc]  # the decoder has a code for each cause


@dataclass(frozen=True)
class Computed:
    """A model's findings in one picture of `width` × `height` pixels, and what took how many seconds."""

    found: Prediction
    width: int
    height: int
    seconds: dict[str, float]


class Hosting:
    """Pixel decoders, shared graphs and models' weights of one process. Safe for threads."""

    def __init__(self, pool: PixelPool, graphs: Graphs, *, cache_bytes: int, slots: int) -> None:
        self.pool = pool
        self.graphs = graphs
        self.own_parts: ByteCache[OwnPart] = ByteCache(cache_bytes)
        self._slots = threading.BoundedSemaphore(slots)

    def open(self) -> None:
        """Makes ready what the first request would have to wait for."""
        self.pool.start()
        self.graphs.open_all()

    def compute(self, model: Model, data: bytes, declared_type: str | None, *, tenant_id: uuid.UUID) -> Computed:
        """Raises ModelDamaged, ModelUnavailable, PictureRefused or Busy. No transaction may be open."""
        refuse_open_transaction("a prediction")
        began = time.perf_counter()
        own = self.own_parts.get(
            tenant_id=tenant_id,
            sha256=model.weights_sha256,
            load=lambda: load_own_part(model, tenant_id=tenant_id),
        )
        features = self.graphs.backbone(model.backbone, sha256=model.backbone_sha256)
        heads, weights = own.heads(self.graphs)
        loaded = time.perf_counter()
        with self._turn():
            turn = time.perf_counter()
            pixels = self._decoded(tenant_id, data, declared_type)
            decoded = time.perf_counter()
            found = PairedDetector(features, heads).predict(pixels, weights, model.long_side)
            computed = time.perf_counter()
        height, width = pixels.shape[:2]
        times = {"load": loaded - began, "wait": turn - loaded, "decode": decoded - turn, "compute": computed - decoded}
        return Computed(found, width, height, {name: round(seconds, 5) for name, seconds in times.items()})

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Decoded pictures are large (120 MB at 40 megapixels), so no more exist at a time than are computed."""
        if not self._slots.acquire(timeout=PATIENCE):
            raise Busy
        try:
            yield
        finally:
            self._slots.release()

    def _decoded(self, tenant_id: uuid.UUID, data: bytes, declared_type: str | None) -> Any:
        try:
            return self.pool.decode(tenant_id, data, declared_type)
        except PixelsRefused as error:
            raise PictureRefused(error) from error
        except PixelsUnavailable as error:
            raise Busy from error


@functools.cache
def hosting() -> Hosting:
    """This process's, made at the first call: by `config.serving_wsgi`, before there are threads."""
    return Hosting(
        import_string(settings.PIXEL_POOL)(),
        Graphs(Path(settings.BACKBONE_DIR), threads=settings.SERVING_THREADS),
        cache_bytes=settings.SERVING_CACHE_BYTES,
        slots=settings.SERVING_SLOTS,
    )
