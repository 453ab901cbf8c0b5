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
from fleet.domain.judges import JudgePart, judge_part
from tenants.refusals import Refusal
from tenants.storage import TenantStorage
from training.domain.artifacts import DESCRIPTION, WEIGHTS, ModelDamaged, read_artifact
from training.models import Model
from training.vision.image_sessions import ImageHeadSession
from training.vision.sessions import FeatureSession, HeadSession, load_head_graph
from training.vision.tiling import Tiling, read_tiling
from training.vision.weights import Floats, restore_weights

logger = logging.getLogger(__name__)

# Calls after which a model is asked often enough to be worth a session of its own.
SETTLES = 3
# In the names of head graphs: those that judge whole images.
_JUDGES = ("classification", "anomaly")
# Such a session's memory, in sizes of the weights: as they came, and laid out anew.
SESSION_COPIES = 3
LARGEST_COPY = 1_000_000  # bytes of a head graph


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
        self._features: dict[str, FeatureSession] = {}
        self._heads: dict[str, HeadSession] = {}
        self._judges: dict[str, ImageHeadSession] = {}

    def open_all(self) -> None:
        """Opens what is there, so that no request has to."""
        for path in sorted(self._folder.glob("*.onnx")):
            if any(f".heads-{kind}-" in path.name for kind in _JUDGES):
                self.judge(path.name)
            elif ".heads-" in path.name:
                self.head(path.name)
            else:
                self._open_features(path.name)
        if not self._features:
            logger.warning("no backbone in %s: `manage.py backbone` makes them", self._folder)

    def features(self, name: str, *, sha256: str) -> FeatureSession:
        """A backbone's graph, or that of its first blocks.

        Raises ModelUnavailable unless it is there, and of that very backbone.
        """
        features = self._open_features(name)
        if features.sha256 != sha256:
            raise ModelUnavailable("The model was trained on another version of its backbone than is installed here.")
        return features

    def _open_features(self, name: str) -> FeatureSession:
        with self._lock:
            if name not in self._features:
                self._features[name] = FeatureSession(self._file(name).read_bytes(), self._threads)
            return self._features[name]

    def _file(self, name: str) -> Path:
        path = self._folder / name
        if Path(name).name != name or not path.is_file():
            raise ModelUnavailable(f"The backbone's file {name} is not installed here.")
        return path

    def head(self, name: str) -> HeadSession:
        """The shared head graph, which takes weights. Raises ModelUnavailable."""
        with self._lock:
            if name not in self._heads:
                self._heads[name] = HeadSession(self._head_graph(name), self._threads)
            return self._heads[name]

    def judge(self, name: str) -> ImageHeadSession:
        """The shared head graph of a kind that judges whole images. Raises ModelUnavailable."""
        with self._lock:
            if name not in self._judges:
                self._judges[name] = ImageHeadSession(self._head_graph(name), self._threads)
            return self._judges[name]

    def can_fix(self, name: str) -> bool:
        """Whether a head graph is small enough to be copied for a model. Raises ModelUnavailable."""
        return len(self._head_graph(name)) < LARGEST_COPY

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
    When it is asked for the `SETTLES`th time it gets a session of its own, in which they are constants, unless the
    graph holds blocks of the backbone: those are laid out already, and a copy for each model would fill the memory.
    """

    def __init__(
        self, weights: dict[str, Floats], head_graph: str, feature_graph: str, tiling: Tiling | None = None
    ) -> None:
        self.weights = weights
        self.tiling = tiling
        self.head_graph = head_graph
        self.feature_graph = feature_graph
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
        if settles and graphs.can_fix(self.head_graph):  # the others go on meanwhile
            self._settled = graphs.fixed_head(self.head_graph, self.weights)
        return (self._settled, {}) if self._settled else (graphs.head(self.head_graph), self.weights)


def load_own_part(model: Model, *, tenant_id: uuid.UUID) -> Sized[OwnPart | JudgePart]:
    """Reads a model's files from S3. Raises ModelDamaged."""
    storage = TenantStorage(tenant_id)
    data = read_artifact(storage=storage, name=WEIGHTS, sha256=model.weights_sha256)
    described = read_artifact(storage=storage, name=DESCRIPTION, sha256=model.description_sha256)
    try:
        weights = restore_weights(load(data))
        facts = json.loads(described)
        # Models from before there was a choice do not say it.
        if facts.get("kind", "DETECTION") != "DETECTION":
            judge = judge_part(facts, weights)
            return Sized(judge, judge.size)
        features = str(facts.get("feature_graph", f"{model.backbone}.onnx"))
        own = OwnPart(weights, str(facts["head_graph"]), features, read_tiling(facts))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelDamaged(WEIGHTS) from error
    return Sized(own, own.size)
