"""PostgreSQL, Valkey and S3 together, over one folder: for the local stack and for test fixtures.

    with engines(folder, durable=False) as running:
        os.environ.update(running.addresses.env())

First start about 1.5 s, later ones 1 s. The `with` must be entered by the main thread (see `Process`).
"""

import contextlib
import os
import time
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.addresses import Addresses
from deploy.local.keys import Keys, load_or_create
from deploy.local.policies import ROLE_ARN
from deploy.local.ports import HOST, Ports
from deploy.local.postgres import Postgres
from deploy.local.process import Process, wait_until_answers
from deploy.local.s3 import REGION, S3
from deploy.local.valkey import Valkey

NAMES = ("postgres", "valkey", "s3")
START_SECONDS = 30
# weed takes 1 to 12 s for an orderly end; its files bear a kill (needles are appended, the index is rebuilt).
STOP_SECONDS = 4.0


@dataclass
class Engines:
    """The engines over `folder`, those in `replaced` left out (names of NAMES)."""

    folder: Path
    durable: bool = True
    bucket: str = "myriad"
    replaced: Container[str] = ()
    keys: Keys = field(init=False)
    ports: Ports = field(init=False)
    postgres: Postgres | None = field(init=False, default=None)
    valkey: Valkey | None = field(init=False, default=None)
    s3: S3 | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        folder = self.folder = self.folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        # Root's PostgreSQL runs under another account, which must be able to pass.
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
        self.keys = load_or_create(folder / "secrets.json")
        self.ports = ports = Ports(folder / "ports.json")
        if "postgres" not in self.replaced:
            self.postgres = Postgres(
                folder / "postgres",
                ports=ports,
                password=self.keys.postgres_password,
                log=self.log("postgres"),
                durable=self.durable,
            )
        if "valkey" not in self.replaced:
            password = self.keys.valkey_password
            self.valkey = Valkey(folder / "valkey", ports=ports, password=password, log=self.log("valkey"))
        if "s3" not in self.replaced:
            self.s3 = S3(folder / "s3", ports=ports, keys=self.keys, log=self.log("s3"), bucket=self.bucket)

    def log(self, part: str) -> Path:
        return self.folder / "log" / f"{part}.log"

    @property
    def processes(self) -> list[Process]:
        return [engine.process for engine in (self.postgres, self.valkey, self.s3) if engine]

    @property
    def addresses(self) -> Addresses:
        return addresses(self)

    def start(self, *, pause: Callable[[float], None] = time.sleep) -> None:
        """Starts all and waits until each answers, calling `pause` meanwhile.

        Raises PartFailed, and whatever `pause` does; end what had started with `stop`.
        """
        # PostgreSQL last: its first start takes longest, and the others boot meanwhile.
        for engine in (self.s3, self.valkey, self.postgres):
            if engine:
                engine.prepare()
                engine.process.start()
        for engine in (self.postgres, self.valkey, self.s3):
            if engine:
                wait_until_answers(engine.process, engine.answers, seconds=START_SECONDS, pause=pause)

    def stop(self, *, grace: float = STOP_SECONDS) -> None:
        """Ends all at the same time; kills what has not ended after `grace` seconds."""
        for process in self.processes:
            process.ask_to_stop()
        deadline = time.monotonic() + grace
        for process in self.processes:
            process.wait(deadline - time.monotonic())
            process.kill()
        if self.s3:
            self.s3.clean()


@contextlib.contextmanager
def engines(
    folder: Path, *, durable: bool = True, bucket: str = "myriad", replaced: Container[str] = ()
) -> Iterator[Engines]:
    """Runs the engines for the length of a `with`. Raises PartFailed when one does not start.

    `durable=False` is for data that is thrown away: nothing is forced to the disk, and the end is a kill.
    """
    running = Engines(folder, durable=durable, bucket=bucket, replaced=replaced)
    try:
        running.start()
        yield running
    finally:
        running.stop(grace=STOP_SECONDS if durable else 0)


def addresses(running: Engines) -> Addresses:
    known: dict[str, str] = {"secret_key": running.keys.django, "allowed_hosts": f"{HOST},localhost"}
    keys = running.keys
    if postgres := running.postgres:
        app = postgres.url("myriad", role="myriad_app", password=keys.app_password)
        known |= {
            "database_url": app,
            "database_direct_url": app,
            "database_owner_url": postgres.url("myriad", role="myriad_owner", password=keys.owner_password),
            "database_maint_url": postgres.url("myriad", role="myriad_maint", password=keys.maint_password),
            "database_admin_url": postgres.url("postgres"),
        }
    if running.valkey:
        known["redis_url"] = running.valkey.url
    if s3 := running.s3:
        known |= {
            "s3_endpoint_url": s3.url,
            "s3_public_url": s3.url,
            "s3_bucket": s3.bucket,
            "s3_role_arn": ROLE_ARN,
            "aws_access_key_id": keys.s3_service_id,
            "aws_secret_access_key": keys.s3_service_secret,
            "aws_region": REGION,
            "s3_admin_access_key_id": keys.s3_admin_id,
            "s3_admin_secret_access_key": keys.s3_admin_secret,
        }
    return Addresses(**known)
