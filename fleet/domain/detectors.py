"""The graphs that every model shares, and what a model adds to them.

Imports numpy and onnxruntime, and no torch: only the process that serves predictions imports this module.
"""

import json
import logging
import threading
import uuid
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load

from fleet.domain.byte_cache import Sized
from fleet.domain.fixed_graphs import fix_weights
from tenants.refusals import Refusal
from tenants.storage import TenantStorage
from training.domain.artifacts import DESCRIPTION, WEIGHTS, ModelDamaged, read_artifact
from training.models import Model
from training.vision.sessions import (
    FeatureSession,
    Floats,
    HeadSession,
    load_head_graph,
    widen_weights,
)

logger = logging.getLogger(__name__)

# Calls after which a model is asked often enough to be worth a session of its own.
SETTLES = 3
# Such a session's memory, in sizes of the weights: as they came, and laid out anew.
SESSION_COPIES = 3


class ModelUnavailable(Refusal):
    status = 503
    code = "model_unavailable"
    title = "This model cannot be served here"
    retry_after = 60

    def __init__(self, what: str) -> None:
        super().__init__(what, hint="The operator runs `manage.py backbone`, then restarts the prediction process.")


class Graphs:
    """The graphs of `folder`, opened at their first use and shared by all models. Safe for threads."""

    def __init__(self, folder: Path, *, threads: int) -> None:
        self._folder = folder
        self._threads = threads
        self._lock = threading.Lock()
        self._backbones: dict[str, FeatureSession] = {}
        self._heads: dict[str, HeadSession] = {}

    def open_all(self) -> None:
        """Opens what is there, so that no request has to."""
        for path in sorted(self._folder.glob("*.onnx")):
            if ".heads-" in path.name:
                self.head(path.name)
            else:
                self._backbone(path.stem)
        if not self._backbones:
            logger.warning("no backbone in %s: `manage.py backbone` makes them", self._folder)

    def backbone(self, name: str, *, sha256: str) -> FeatureSession:
        """Raises ModelUnavailable unless it is there, and that very one."""
        features = self._backbone(name)
        if features.sha256 != sha256:
            raise ModelUnavailable("The model was trained on another version of its backbone than is installed here.")
        return features

    def _backbone(self, name: str) -> FeatureSession:
        with self._lock:
            if name not in self._backbones:
                path = self._folder / f"{name}.onnx"
                if not path.is_file():
                    raise ModelUnavailable(f"The backbone {name} is not installed here.")
                self._backbones[name] = FeatureSession(path.read_bytes(), self._threads)
            return self._backbones[name]

    def head(self, name: str) -> HeadSession:
        """The shared head graph, which takes weights. Raises ModelUnavailable."""
        with self._lock:
            if name not in self._heads:
                self._heads[name] = HeadSession(self._head_graph(name), self._threads)
            return self._heads[name]

    def fixed_head(self, name: str, weights: dict[str, Floats]) -> HeadSession:
        """A session of one model's. Raises ModelUnavailable."""
        return HeadSession(fix_weights(self._head_graph(name), weights), self._threads)

    def _head_graph(self, name: str) -> bytes:
        try:
            return load_head_graph(self._folder, name)
        except FileNotFoundError as error:
            raise ModelUnavailable("The head graph of the model's recipe is not installed here.") from error


class OwnPart:
    """What a model adds to the shared graphs. Safe for threads.

    At first its weights go into the shared head graph with each call, so that a model is ready as soon as it is read.
    When it is asked for the `SETTLES`th time it gets a session of its own, in which they are constants.
    """

    def __init__(self, weights: dict[str, Floats], head_graph: str) -> None:
        self.weights = weights
        self.head_graph = head_graph
        self._lock = threading.Lock()
        self._asked = 0
        self._settled: HeadSession | None = None

    @property
    def size(self) -> int:
        """Bytes, those of a session of its own included."""
        return sum(weight.nbytes for weight in self.weights.values()) * (1 + SESSION_COPIES)

    def heads(self, graphs: Graphs) -> tuple[HeadSession, dict[str, Floats]]:
        """A session, and the weights to give it. Raises ModelUnavailable."""
        with self._lock:
            self._asked += 1
            settles = self._asked == SETTLES
        if settles:  # the others go on meanwhile
            self._settled = graphs.fixed_head(self.head_graph, self.weights)
        return (self._settled, {}) if self._settled else (graphs.head(self.head_graph), self.weights)


def load_own_part(model: Model, *, tenant_id: uuid.UUID) -> Sized[OwnPart]:
    """Reads a model's files from S3. Raises ModelDamaged."""
    storage = TenantStorage(tenant_id)
    data = read_artifact(storage=storage, name=WEIGHTS, sha256=model.weights_sha256)
    described = read_artifact(storage=storage, name=DESCRIPTION, sha256=model.description_sha256)
    try:
        own = OwnPart(widen_weights(load(data)), str(json.loads(described)["head_graph"]))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelDamaged(WEIGHTS) from error
    return Sized(own, own.size)
