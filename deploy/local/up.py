"""The whole stack from start to end, and the environment its processes get."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

from deploy.local.addresses import Addresses
from deploy.local.console import Console
from deploy.local.engines import Engines
from deploy.local.keys import write_private
from deploy.local.ports import HOST, is_free
from deploy.local.process import PartFailed
from deploy.local.services import preparations, services
from deploy.local.supervisor import StopRequested, Supervisor

# Engine by engine: the variable that replaces it, and what the names of all its variables begin with.
REPLACEMENTS = {
    "postgres": ("DATABASE_URL", ("DATABASE_",)),
    "valkey": ("REDIS_URL", ("REDIS_",)),
    "s3": ("S3_ENDPOINT_URL", ("S3_", "AWS_")),
}


def up(folder: Path, console: Console, *, port: int | None, ready_file: Path | None) -> int:
    """Starts everything over `folder`, and returns when all of it has stopped: 0 if that was asked for, 1 if not.

    A part that failed has been named by then. The caller holds the folder's lock. Raises PartFailed when an engine
    is not even installed.
    """
    begun = time.monotonic()
    keep_last_logs(folder / "log")
    replaced = {engine for engine, (variable, _) in REPLACEMENTS.items() if os.environ.get(variable)}
    engines = Engines(folder, replaced=replaced)
    supervisor = Supervisor(engines, console)
    supervisor.listen_to_signals()
    try:
        port = web_port(engines, port)
        env = environment(engines, os.environ, port=port)
        console.say(f"starting on {folder}")
        supervisor.start_engines()
        write_private(folder / "env", env_file(env))
        supervisor.prepare(preparations(env))
        supervisor.start_services(services(env, port=port), port=port)
        if ready_file:
            write_private(ready_file, json.dumps({"url": env["PUBLIC_URL"], "pid": os.getpid()}) + "\n")
        console.tick()
        console.say(f"data, logs and addresses are in {folder}; Ctrl-C stops")
        console.say(f"ready after {time.monotonic() - begun:.1f} s: {env['PUBLIC_URL']}")
        supervisor.watch()
    except StopRequested:
        console.say("stopping")
        return 0
    except PartFailed as error:
        console.tick()
        console.say(f"failed: {error}\nstopping everything")
        return 1
    finally:
        if ready_file:
            ready_file.unlink(missing_ok=True)
        supervisor.stop()
        console.say("everything is stopped")


def web_port(engines: Engines, wanted: int | None) -> int:
    if wanted and not is_free(wanted):
        raise PartFailed("web", f"cannot listen on {HOST}:{wanted}: the port is taken")
    return engines.ports.choose("web", wanted=wanted)


def environment(engines: Engines, given: Mapping[str, str], *, port: int) -> dict[str, str]:
    """The environment `given`, with what the engines say in place of all that it says of them.

    A profile or session token for AWS, say, must not reach into the local S3.
    """
    env = dict(given)
    for engine, (_, prefixes) in REPLACEMENTS.items():
        if engine not in engines.replaced:
            env = {name: value for name, value in env.items() if not name.startswith(prefixes)}
    predict_url = f"http://{HOST}:{engines.ports.choose('predict')}"
    own = replace(engines.addresses, public_url=f"http://{HOST}:{port}", predict_url=predict_url).env()
    chosen = ("SECRET_KEY", "ALLOWED_HOSTS", "PUBLIC_URL")
    return env | {name: value for name, value in own.items() if name not in chosen or not given.get(name)}


def env_file(env: Mapping[str, str]) -> str:
    """The lines by which `manage.py` in another terminal finds the same parts."""
    names = [field.name.upper() for field in fields(Addresses)]
    return "".join(f"{name}={env[name]}\n" for name in names if env.get(name))


def keep_last_logs(folder: Path) -> None:
    """The logs of the run before, as NAME.log.1; each run starts its own."""
    for log in folder.glob("*.log"):
        log.replace(log.with_name(log.name + ".1"))
