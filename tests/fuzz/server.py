"""The processes that answer a campaign: web and prediction, as the local stack starts them, over a test's database."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.local.ports import HOST, Ports
from deploy.local.process import Process
from deploy.local.services import readiness, services
from tests.chaos.ground import until

# Nobody is to be told to come back later: a campaign asks as fast as it can, from one address.
UNHURRIED = "1000000/1000000"
LIMITS = ("RATE_LIMIT_KEY", "RATE_LIMIT_TENANT", "RATE_LIMIT_ADDRESS", "RATE_LIMIT_FAILURES")


@contextmanager
def serving(
    database: str, *, graphs: Path, parts: Sequence[str] = ("web", "predict")
) -> Iterator[tuple[str, "list[Process]"]]:
    """The web's address, and the processes; their output is kept until the end."""
    with tempfile.TemporaryDirectory(prefix="myriad-fuzz-") as name:
        folder = Path(name)
        ports = Ports(folder / "ports")
        port, predict = ports.choose("web"), ports.choose("predict")
        env = _environment(database) | {"PREDICT_URL": f"http://{HOST}:{predict}", "BACKBONE_DIR": str(graphs)}
        started = [
            Process(service.name, service.command, log=folder / f"{service.name}.log")
            for service in services(env, port=port)
            if service.name in parts
        ]
        try:
            for part in started:
                part.start()
            awaited = ["database", "storage", *(["predictions"] if "predict" in parts else [])]
            until(lambda: all((readiness(port).get(name) == "ok") for name in awaited))
            yield f"http://{HOST}:{port}", started
        finally:
            for part in started:
                part.kill()


def _environment(database: str) -> dict[str, str]:
    kept = ("PATH", "REDIS_", "S3_", "AWS_", "SECRET")
    base, _, _ = os.environ["DATABASE_URL"].rpartition("/")
    return {
        **{name: value for name, value in os.environ.items() if name.startswith(kept)},
        **dict.fromkeys(LIMITS, UNHURRIED),
        "DATABASE_URL": f"{base}/{database}",
        "ALLOWED_HOSTS": HOST,
        "MYRIAD_LOCAL_DIR": "/nonexistent",
        "WEB_PROCESSES": "1",
    }
