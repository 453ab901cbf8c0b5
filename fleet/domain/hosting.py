"""What the process that serves predictions holds for its whole life. Imported by it alone: numpy comes with it."""

import contextvars
import functools
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from fleet.domain.byte_cache import ByteCache
from fleet.domain.detectors import Graphs, OwnPart, load_own_part
from fleet.domain.judges import Judged, JudgePart
from fleet.domain.pixels import PixelPool
from fleet.domain.turns import Busy, Patience, Turns
from projects.domain.decoding import PixelsRefused, PixelsUnavailable
from tenants.refusals import Refusal
from tenants.scope import refuse_open_transaction
from training.models import Model
from training.vision.image_sessions import PairedJudge
from training.vision.sessions import PairedDetector, Prediction

# Seconds that a picture waits for its turn before its sender is told to come back, and those that all of it may take.
# The web waits a little longer (`config.gateway.ANSWER_SECONDS`).
PATIENCE = 15
SECONDS = 40
# More than the process answers requests at a time: what took too long goes on until it ends.
THREADS = 32


class PictureRefused(Refusal):
    """The bytes are no picture that can be used; `code` says why, as it does for an upload."""

    status = 422
    title = "The image cannot be used"

    def __init__(self, error: PixelsRefused) -> None:
        super().__init__(error.message, hint=error.hint)
        self.code = str(error.code)  # type: ignore[misc]  # the decoder has a code for each cause


@dataclass(frozen=True)
class Computed:
    """What a model says of one picture of `width` × `height` pixels, and what took how many seconds."""

    found: Prediction | Judged
    width: int
    height: int
    seconds: dict[str, float]


class Hosting:
    """Pixel decoders, shared graphs and models' weights of one process. Safe for threads."""

    def __init__(self, pool: PixelPool, graphs: Graphs, *, cache_bytes: int, slots: int) -> None:
        self.pool = pool
        self.graphs = graphs
        self.own_parts: ByteCache[OwnPart | JudgePart] = ByteCache(cache_bytes)
        self._turns = Turns(slots)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="prediction")

    def open(self) -> None:
        """Makes ready what the first request would have to wait for."""
        self.pool.start()
        self.graphs.open_all()

    def compute(
        self, model: Model, read: Callable[[], bytes], declared_type: str | None, *, tenant_id: uuid.UUID
    ) -> Computed:
        """What `model` finds in the picture that `read` gives, which is called when it is the picture's turn.

        Raises ModelDamaged, ModelUnavailable, PictureRefused, Busy, or what `read` raises. No transaction may be open.
        """
        refuse_open_transaction("a prediction")
        # In a thread of its own, which holds its turn until it has really ended: decoding cannot be broken off.
        traced = contextvars.copy_context()
        work = self._threads.submit(traced.run, self._compute, model, read, declared_type, tenant_id)
        done, _ = wait([work], timeout=SECONDS)
        if not done:
            work.cancel()
            raise Busy
        return work.result()

    def _compute(
        self, model: Model, read: Callable[[], bytes], declared_type: str | None, tenant_id: uuid.UUID
    ) -> Computed:
        marks = [time.perf_counter()]
        own = self.own_parts.get(
            tenant_id=tenant_id,
            sha256=model.weights_sha256,
            load=lambda: load_own_part(model, tenant_id=tenant_id),
        )
        look = self._looking(own, model)
        marks.append(time.perf_counter())
        with ExitStack() as slot:
            patience = Patience(PATIENCE)
            # A tenant's pictures are decoded one by one: those that wait for it hold no slot that others could use.
            with self._turns.of_tenant(tenant_id, patience):
                # Decoded pictures are large (120 MB at 40 megapixels): no more exist at a time than are computed.
                slot.enter_context(self._turns.slot(patience))
                marks.append(time.perf_counter())
                data = read()
                marks.append(time.perf_counter())
                pixels = self._decoded(tenant_id, data, declared_type)
            del data
            marks.append(time.perf_counter())
            found = look(pixels)
        marks.append(time.perf_counter())
        height, width = pixels.shape[:2]
        return Computed(found, width, height, _seconds(marks))

    def _looking(self, own: OwnPart | JudgePart, model: Model) -> Callable[[Any], Prediction | Judged]:
        """What looks at pixels (H, W, 3), with its sessions open. Raises ModelUnavailable."""
        features = self.graphs.features(own.feature_graph, sha256=model.backbone_sha256)
        if isinstance(own, JudgePart):
            paired = PairedJudge(features, self.graphs.judge(own.head_graph))
            return lambda pixels: Judged(own.kind, paired.judge(pixels, own.weights, model.long_side), own.threshold)
        heads, weights = own.heads(self.graphs)
        detector = PairedDetector(features, heads)
        return lambda pixels: detector.predict(pixels, weights, model.long_side, own.tiling)

    def _decoded(self, tenant_id: uuid.UUID, data: bytes, declared_type: str | None) -> Any:
        try:
            return self.pool.decode(tenant_id, data, declared_type)
        except PixelsRefused as error:
            raise PictureRefused(error) from error
        except PixelsUnavailable as error:
            raise Busy from error


def _seconds(marks: list[float]) -> dict[str, float]:
    load, waiting, reading, decode, compute = (after - before for before, after in pairwise(marks))
    parts = {"load": load + reading, "wait": waiting, "decode": decode, "compute": compute}
    return {name: round(seconds, 5) for name, seconds in parts.items()}


@functools.cache
def hosting() -> Hosting:
    """This process's, made at the first call: by `config.serving_wsgi`, after all forks."""
    return Hosting(
        import_string(settings.PIXEL_POOL)(),
        Graphs(Path(settings.BACKBONE_DIR), threads=settings.SERVING_THREADS),
        cache_bytes=settings.SERVING_CACHE_BYTES,
        slots=settings.SERVING_SLOTS,
    )
