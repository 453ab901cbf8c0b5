"""Ten thousand registered models behind one process: what a warm and a cold prediction cost, and how much memory.

Requests go through the web that `make up` starts, one at a time: to a warm model, to models not yet in memory, and to
an id that is missing, which costs all that a prediction costs (HTTP, key, scope, the same 100 kB of body) but the
prediction. The peer is the same detector as one merged ONNX file in one session, in this process, with Pillow for the
picture. Blocks alternate, so that the machine's drift meets all alike.
Usage: python -m tests.benchmarks.serve_many [--models 10000] [--json]
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from tests.benchmarks.load import Client, Request
from tests.benchmarks.population import Resident, populate
from tests.benchmarks.registered import Registered, register, store
from tests.benchmarks.stack import Stack, running_stack
from tests.heads import BACKBONE, Artifacts, fast_head_graph, make_artifacts, make_graphs
from training.vision.recipes import FAST
from training.vision.sessions import FeatureSession, open_session

WANT_RATIO, WANT_COLD_MS, WANT_TEN_MB = 1.1, 20.0, 100.0
LONG_SIDE, KINDS = 320, 40
# Models of the first tenant, and tenants whose one model is asked.
OF_ONE, TENANTS = 41, 60
ROUNDS, BLOCK = 40, 5
# Random heads as reserved as trained ones: a few of a thousand cells score above the graph's threshold.
EAGER = -4.0
# torch merges the graph; this process is to stay as small as one that serves.
_MERGE = """
import json, sys
from pathlib import Path
from safetensors.numpy import load
from training.vision.backbones import load_backbone
from training.vision.graph import HeadSpec, merge_graphs
from training.vision.sessions import open_session
folder, heads, weights, out, long_side = sys.argv[1:]
spec = open_session(Path(heads).read_bytes()).get_modelmeta().custom_metadata_map["spec"]
merged = merge_graphs(load_backbone("efficientnet_lite0", Path(folder)), HeadSpec(**json.loads(spec)),
                      load(Path(weights).read_bytes()), long_side=int(long_side), classes=["dent", "scratch"])
Path(out).write_bytes(merged.SerializeToString())
"""


def photograph() -> bytes:
    """A 640 × 480 JPEG of about 100 kB."""
    noise = np.random.default_rng(0).integers(0, 40, size=(480, 640, 3), dtype=np.uint8)
    slope = np.linspace(60, 200, 640, dtype=np.uint8)[None, :, None]
    data = io.BytesIO()
    Image.fromarray(noise + slope).save(data, "JPEG", quality=80)
    return data.getvalue()


def merged_session(folder: Path, own: Artifacts) -> Any:
    weights, out = folder / "weights", folder / "merged.onnx"
    weights.write_bytes(own.weights)
    arguments = [folder, folder / fast_head_graph(folder), weights, out, LONG_SIDE]
    subprocess.run([sys.executable, "-c", _MERGE, *map(str, arguments)], check=True)
    return open_session(out.read_bytes(), threads=1)


def took(work: Callable[[], object]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


class Asker:
    """One customer's kept connection."""

    def __init__(self, stack: Stack, photo: bytes) -> None:
        self._client = Client(stack.url)
        self._photo = photo

    def ask(self, model: str, key: str, *, expect: int = 200) -> Any:
        request = Request(
            "POST", f"/api/v1/models/{model}/predict?threshold=0.02", key, self._photo, (expect,), "image/jpeg"
        )
        return self._client.send(request)


def serving_memory(stack: Stack) -> float:
    """Megabytes of the serving process and its decode children that nobody else has."""
    for process in psutil.Process(stack.pid).children(recursive=True):
        if "config.serving_wsgi" in process.cmdline():
            family = [process, *process.children(recursive=True)]
            return sum(one.memory_full_info().uss for one in family) / 1e6
    raise RuntimeError("the serving process is not there")


def warm_figures(asker: Asker, model: Registered, key: str, peer: Callable[[], object]) -> dict[str, float]:
    """Median milliseconds of a warm prediction, of its parts as it tells them itself, of the same request for nothing,
    and of the peer."""
    missing = str(uuid.uuid4())
    told: list[dict[str, float]] = []
    works: dict[str, Callable[[], object]] = {
        "warm_ms": lambda: told.append(asker.ask(model.model, key)["seconds"]),
        "http_ms": lambda: asker.ask(missing, key, expect=404),
        "peer_ms": peer,
    }
    figures: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(ROUNDS + 1):
        for name, work in works.items():
            block = [took(work) for _ in range(BLOCK)]
            figures[name] += block if turn else []
    for part in ("decode", "compute"):
        figures[f"warm_{part}_ms"] = [1000 * seconds[part] for seconds in told]
    return {name: statistics.median(block) for name, block in figures.items()}


def cold_figures(
    asker: Asker, models: list[Registered], others: list[tuple[Registered, str]], key: str
) -> dict[str, float]:
    """Median milliseconds that a model's first prediction takes, of a tenant that was here and of one that was not.

    Each is asked once more at once: the difference is what being cold adds, whatever the machine does meanwhile.
    """
    figures = {}
    for name, asked in (("cold", [(model, key) for model in models]), ("cold_tenant", others)):
        adds = []
        for model, whose in asked:
            first = took(lambda model=model, whose=whose: asker.ask(model.model, whose))
            adds.append(first - took(lambda model=model, whose=whose: asker.ask(model.model, whose)))
        figures[f"{name}_adds_ms"] = statistics.median(adds)
    return figures


def measure(count: int) -> dict[str, float]:
    photo = photograph()
    with tempfile.TemporaryDirectory(prefix="myriad-bench-") as name:
        folder = Path(name)
        make_graphs(folder)
        heads = fast_head_graph(folder)
        kinds = [
            make_artifacts(folder, seed=seed, eager=EAGER, name=heads, rank=FAST.tuned_rank) for seed in range(KINDS)
        ]
        session = merged_session(folder, kinds[0])
        backbone = FeatureSession((folder / f"{BACKBONE}.onnx").read_bytes()).sha256
    with running_stack() as stack:
        residents = populate(stack.env["DATABASE_MAINT_URL"], first=1, last=count - OF_ONE + 1, images=0)
        registered = register(stack, kinds, first=OF_ONE, sha256=backbone, long_side=LONG_SIDE)
        asked = registered[: OF_ONE + TENANTS]
        store(stack, asked)
        figures = _figures(stack, residents, asked, photo, session)
    return {"registered": float(len(registered)), **figures}


def _figures(
    stack: Stack, residents: list[Resident], asked: list[Registered], photo: bytes, session: Any
) -> dict[str, float]:
    key, asker = residents[0].key, Asker(stack, photo)
    own, others = asked[:OF_ONE], asked[OF_ONE:]

    def peer() -> object:
        pixels = np.asarray(Image.open(io.BytesIO(photo)).convert("RGB"))
        return session.run(None, {"image": pixels})

    warm = warm_figures(asker, own[0], key, peer)
    one = serving_memory(stack)
    for model in own[1:10]:
        asker.ask(model.model, key)
    ten = serving_memory(stack)
    keys = [resident.key for resident in residents[1 : 1 + len(others)]]
    cold = cold_figures(asker, own[10:], list(zip(others, keys, strict=True)), key)
    after = serving_memory(stack)
    memory = {"one_model_mb": one, "ten_models_add_mb": ten - one, "all_asked_add_mb": after - one}
    return {**warm, **cold, **memory, "models_asked": float(len(asked))}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=10_000, help="registered in all")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.models)
    ratio = figures["warm_ms"] / (figures["peer_ms"] + figures["http_ms"])
    well = (
        ratio <= WANT_RATIO and figures["cold_adds_ms"] <= WANT_COLD_MS and figures["ten_models_add_mb"] <= WANT_TEN_MB
    )
    for name, figure in figures.items():
        print(f"{name}: {figure:.1f}")
    print(f"warm over one session in-process plus HTTP: {ratio:.3f} (want ≤ {WANT_RATIO}) on {os.cpu_count()} cores")
    print("well" if well else "MISSED")
    if options.json:
        against = "the same detector as one ONNX session in-process, plus the same request for a missing model"
        print(json.dumps({"ratio": round(ratio, 3), "against": against, **figures}))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
