"""The three engines start, answer on this machine alone, and keep what they are told to keep."""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import psutil
import psycopg2
import pytest
import redis

from deploy.local.engines import Engines, engines
from deploy.local.ports import HIGHEST, HOST, LOWEST, Ports, is_free
from deploy.local.process import Command, PartFailed, Process
from deploy.local.services import ROOT

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@pytest.fixture(scope="module")
def running() -> Iterator[Engines]:
    with scratch() as folder, engines(folder, durable=False) as started:
        yield started


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    # Not pytest's own folder: the next pytest closes that to PostgreSQL's account.
    folder = Path(tempfile.mkdtemp(prefix="myriad-engines-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def admin_s3(running: Engines) -> "S3Client":
    env = running.addresses.env()
    return boto3.client(
        "s3",
        endpoint_url=env["S3_ENDPOINT_URL"],
        region_name=env["AWS_REGION"],
        aws_access_key_id=env["S3_ADMIN_ACCESS_KEY_ID"],
        aws_secret_access_key=env["S3_ADMIN_SECRET_ACCESS_KEY"],
    )


def execute(running: Engines, statement: str) -> list[tuple[object, ...]]:
    url = running.addresses.database_admin_url
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def status(port: int, method: str, path: str) -> int:
    with closing(http.client.HTTPConnection(HOST, port, timeout=5)) as connection:
        connection.request(method, path, body=b"x" if method in {"PUT", "POST"} else None)
        return connection.getresponse().status


def test_all_three_answer(running: Engines) -> None:
    assert execute(running, "SELECT current_setting('server_version_num')::int >= 180000") == [(True,)]
    with redis.Redis.from_url(running.addresses.redis_url) as broker:
        assert broker.ping()
    admin_s3(running).head_bucket(Bucket="myriad")


def test_a_throwaway_database_is_not_forced_to_the_disk(running: Engines) -> None:
    assert execute(running, "SELECT current_setting('fsync')") == [("off",)]


def test_only_this_machine_can_reach_them(running: Engines) -> None:
    listening = [
        connection.laddr.ip
        for process in running.processes
        for connection in psutil.Process(process.pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 3
    assert set(listening) == {HOST}


@pytest.mark.parametrize("part", ["s3-filer", "s3-master"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_filer_and_master_are_closed(running: Engines, part: str, method: str) -> None:
    assert running.s3
    admin_s3(running).put_object(Bucket="myriad", Key="t/a/kept", Body=b"kept")
    for path in ("/buckets/myriad/t/a/kept", "/dir/assign", "/submit", "/col/delete?collection=myriad"):
        assert status(running.s3.ports[part], method, path) == 404
    assert admin_s3(running).get_object(Bucket="myriad", Key="t/a/kept")["Body"].read() == b"kept"


def test_volumes_want_a_token(running: Engines) -> None:
    assert running.s3
    assert status(running.s3.ports["s3-volume"], "GET", "/1,01") == 401
    assert status(running.s3.ports["s3-volume"], "PUT", "/1,01") == 401


def test_nobody_enters_without_a_password(running: Engines) -> None:
    assert running.postgres
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(running.postgres.url("postgres", password="wrong"))
    with socket.create_connection((HOST, running.ports.choose("valkey"))) as broker:
        broker.sendall(b"PING\r\n")
        assert broker.recv(64).startswith(b"-NOAUTH")


def test_secrets_are_for_their_owner_alone(running: Engines) -> None:
    for name in ("secrets.json", "s3/identities.json", "s3/iam.json", "valkey/valkey.conf"):
        assert stat.S_IMODE((running.folder / name).stat().st_mode) == 0o600, name


def test_no_password_shows_in_the_list_of_processes(running: Engines) -> None:
    secrets = asdict(running.keys).values()
    for process in running.processes:
        for argument in psutil.Process(process.pid).cmdline():
            assert not any(secret in argument for secret in secrets)


def test_rows_and_objects_survive_a_restart() -> None:
    with scratch() as folder:
        with engines(folder) as first:
            execute(first, "CREATE TABLE kept AS SELECT 7 AS value")
            admin_s3(first).put_object(Bucket="myriad", Key="t/a/kept", Body=b"seven")
            addresses = first.addresses
        with engines(folder) as second:
            assert second.addresses == addresses
            assert execute(second, "SELECT value FROM kept") == [(7,)]
            assert admin_s3(second).get_object(Bucket="myriad", Key="t/a/kept")["Body"].read() == b"seven"


def test_other_ports_are_taken_when_the_old_ones_are_in_use() -> None:
    with scratch() as folder, contextlib.ExitStack() as guests:
        with engines(folder, durable=False) as first:
            admin_s3(first).put_object(Bucket="myriad", Key="t/a/kept", Body=b"seven")
            assert first.s3
            old = {
                "postgres": first.ports.choose("postgres"),
                "valkey": first.ports.choose("valkey"),
                **first.s3.ports,
            }
        for port in old.values():
            guests.enter_context(socket.create_server((HOST, port)))
        with engines(folder, durable=False) as second:
            assert not set(old.values()) & {second.ports.choose(name) for name in old}
            assert admin_s3(second).get_object(Bucket="myriad", Key="t/a/kept")["Body"].read() == b"seven"


def test_a_killed_engine_recovers_on_the_same_data() -> None:
    with scratch() as folder:
        with engines(folder) as first:
            execute(first, "CREATE TABLE kept AS SELECT 7 AS value")
            admin_s3(first).put_object(Bucket="myriad", Key="t/a/kept", Body=b"seven")
            for process in first.processes:
                process.kill()
        with engines(folder) as second:
            assert execute(second, "SELECT value FROM kept") == [(7,)]
            assert admin_s3(second).get_object(Bucket="myriad", Key="t/a/kept")["Body"].read() == b"seven"


def test_a_replaced_engine_is_not_started() -> None:
    with scratch() as folder, engines(folder, durable=False, replaced={"postgres", "s3"}) as partial:
        assert [process.name for process in partial.processes] == ["valkey"]
        assert set(partial.addresses.env()) == {"REDIS_URL", "SECRET_KEY", "ALLOWED_HOSTS"}


def test_an_engine_that_cannot_start_is_named_with_its_last_lines() -> None:
    with scratch() as folder:
        with engines(folder, durable=False, replaced={"valkey", "s3"}):
            pass
        (folder / "postgres" / "data" / "PG_VERSION").write_text("9.6\n")
        broken = Engines(folder, durable=False, replaced={"valkey", "s3"})
        with pytest.raises(PartFailed, match=r"(?s)^postgres ended .*last lines:.*not compatible"):
            broken.start()


def test_ports_are_kept_and_free(tmp_path: Path) -> None:
    chosen = [Ports(tmp_path / "ports.json").choose(name) for name in ("a", "b", "a")]
    assert chosen[0] == chosen[2] != chosen[1]
    assert all(LOWEST <= port < HIGHEST for port in chosen)
    with socket.create_server((HOST, chosen[0])):
        assert not is_free(chosen[0])
        assert Ports(tmp_path / "ports.json").choose("a") != chosen[0]


def test_last_lines_are_of_the_last_start(tmp_path: Path) -> None:
    for text in ("first", "second"):
        command = Command([sys.executable, "-c", f"print('{text}')"], {}, tmp_path)
        process = Process("part", command, log=tmp_path / "part.log")
        process.start()
        assert process.wait(10)
        assert process.last_lines() == [text]


def test_a_leftover_of_a_dead_supervisor_is_ended_at_the_next_start(tmp_path: Path) -> None:
    command = Command([sys.executable, "-c", "import time; time.sleep(60)"], {}, tmp_path)
    left = Process("part", command, log=tmp_path / "part.log")
    left.start()
    successor = Process("part", command, log=tmp_path / "part.log")
    successor.start()
    try:
        assert left.wait(0)
        assert successor.alive
    finally:
        successor.kill()


def test_children_die_with_a_killed_parent(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux sends a signal at a parent's death; elsewhere the next start ends what is left")
    script = (
        "import pathlib, sys, time\n"
        "from deploy.local.process import Command, Process\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "part = Process('part', Command([sys.executable, '-c', 'import time; time.sleep(60)'], {}, folder),"
        " log=folder / 'part.log')\n"
        "part.start(); print(part.pid, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs([child], timeout=10)
    assert not alive


def test_an_unprivileged_user_can_run_them() -> None:
    """As root, all again in a process of another account. For other users the tests above have shown it."""
    if os.geteuid() != 0:
        pytest.skip("the tests run unprivileged already")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    pythons = [Path(sys.executable).resolve(), Path(shutil.which(version, path=os.defpath) or "/nowhere")]
    usable = [python for python in pythons if python.exists() and open_to_others(python)]
    if not usable or not open_to_others(Path(sys.executable)) or not open_to_others(ROOT / "deploy"):
        pytest.skip("Python or this clone is under a folder that is closed to other accounts")
    script = (
        "import os, pathlib, sys\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "from deploy.local.engines import engines\n"
        "with engines(pathlib.Path(sys.argv[1]), durable=False) as running:\n"
        "    assert all(process.alive for process in running.processes); print('all three')\n"
    )
    env = {
        "PYTHONPATH": f"{ROOT}:{sysconfig.get_path('purelib')}",
        "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
    }
    with scratch() as folder:
        os.chown(folder, 65534, 65534)
        command = [str(usable[0]), "-c", script, str(folder)]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "all three\n", done.stderr


def open_to_others(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)


def test_stopping_is_orderly_and_quick() -> None:
    with scratch() as folder:
        with engines(folder) as running:
            begun = time.monotonic()
        assert time.monotonic() - begun < 6
        log = (folder / "log" / "postgres.log").read_text()
        assert "database system is shut down" in log
        assert not list(Path("/tmp").glob(f"seaweedfs-*-{running.ports.choose('s3-grpc')}.sock"))
