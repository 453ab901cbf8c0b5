"""`make demo`: the main job, from nothing.

Two manufacturers appear. One turns fifty labelled photographs into a model that finds defects on ten others; the other
cannot see a byte of it at any step. Everything after `tenant create` goes through the SDK, as a customer's own script
would.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from deploy.demo import acme as steps
from deploy.demo import refusals
from deploy.demo.console import say
from deploy.demo.photographs import Photographs, casings, from_coco
from deploy.demo.refusals import refuse
from deploy.demo.stack import ROOT, DemoFailed, addresses, create_tenant, stack
from myriad import Client, Model, MyriadError, Project

PASSWORD = "demo-only-passphrase"  # noqa: S105 - of a stack that answers on this machine only


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo", description=__doc__)
    parser.add_argument("--once", action="store_true", default=os.environ.get("ONCE") == "1", help="end when done")
    parser.add_argument("--data", type=Path, default=os.environ.get("DATA") or None, help="a COCO folder to use")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    folder = ROOT / ".local" / "demo"
    try:
        with stack(folder) as process:
            show(folder, data=options.data)
            if not options.once:
                say("Serving until Ctrl-C.")
                process.wait()
    except KeyboardInterrupt:
        say("Stopped.")
    except (DemoFailed, MyriadError) as failure:
        print(f"demo: {failure}", file=sys.stderr)
        return 1
    return 0


def show(folder: Path, *, data: Path | None) -> None:
    """The demo proper, on a running stack."""
    begun = time.monotonic()
    url = addresses(folder)["PUBLIC_URL"]
    say(f"The stack answers at {url}.")
    acme_key = enter(folder, url, tenant="Acme Casings", owner="alice@acme.example", name="Alice")
    bolt_key = enter(folder, url, tenant="Bolt Works", owner="charlie@bolt.example", name="Charlie")
    photographs = from_coco(data) if data else casings(folder / "casings")
    with Client(url, acme_key) as acme, Client(url, bolt_key) as bolt:
        project, model = build(acme, bolt, photographs)
        picture = photographs.files[0].read_bytes()
        steps.serve(acme, project, model, photographs, sheet=folder / "predictions.png")
        refuse(bolt, "model", model.id, refusals.of_model(bolt, model, picture))
        refuse(bolt, "project once more", project.id, refusals.of_project(bolt))
    say(f"Acme has a served model, Bolt has seen none of it. ({time.monotonic() - begun:.0f} s)")
    say("To go on as Acme, in a browser:")
    print(f"  {url}/  sign in as alice@acme.example with the password {PASSWORD}")
    say("From the command line:")
    print(f"  export MYRIAD_URL={url} MYRIAD_API_KEY={acme_key}")
    print(f"  .venv/bin/myriad model show {model.number} --project {project.name!r}")
    print(f"  .venv/bin/myriad project predict {project.name!r} {photographs.files[-1]} -o drawn.png")
    print(f"  API: {url}/api/v1/docs  health: {url}/readyz", flush=True)


def build(acme: Client, bolt: Client, photographs: Photographs) -> tuple[Project, Model]:
    """From photographs to an evaluated model, with Bolt's attempts after each step."""
    project = steps.inspect(acme, photographs)
    refuse(bolt, "project", project.id, refusals.of_project(bolt))
    refuse(bolt, "image", next(iter(acme.images.list(project.id))).id, refusals.of_image(bolt))
    refuse(bolt, "class", next(iter(acme.classes.list(project.id))).id, refusals.of_class(bolt))
    annotation = steps.label(acme, project, photographs)
    refuse(bolt, "annotation", annotation, refusals.of_annotation(bolt))
    snapshot = steps.freeze(acme, project)
    refuse(bolt, "snapshot", snapshot.id, refusals.of_snapshot(bolt, snapshot))
    run = steps.train(acme, project, snapshot)
    refuse(bolt, "run", run.id, refusals.of_run(bolt))
    refuse(bolt, "job", str(run.job), refusals.of_job(bolt))
    return project, steps.report(acme, run)


def enter(folder: Path, url: str, *, tenant: str, owner: str, name: str) -> str:
    """Makes a tenant, accepts its owner's invitation, and returns the owner's first API key."""
    invitation = create_tenant(folder, name=tenant, owner=owner)
    with Client(url) as nobody:
        accepted = nobody.invitations.accept(invitation["token"], name=name, password=PASSWORD)
    say(f"{tenant}: {name} has taken the owner's seat.")
    return accepted.api_key.secret


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
