"""`make demo`: the main job, from nothing.

Two manufacturers appear; one uploads sixty photographs and sees them ingested; the other cannot see a byte of it.
Everything after `tenant create` goes through the SDK, as a customer's own script would.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from deploy.demo.photographs import Photographs, casings, from_coco
from deploy.demo.stack import ROOT, DemoFailed, addresses, create_tenant, stack
from myriad import Client, MyriadError, NotFound, Project, read_coco
from myriad.cli.progress import Meter, ingest_line, upload_line

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
        project = inspect(acme, photographs)
        refuse(bolt, acme, project)
        images, seconds = acme.projects.get(project.id).image_count, time.monotonic() - begun
    say(f"Acme has {images} photographs, Bolt has none of them. ({seconds:.0f} s)")
    say("To go on as Acme:")
    print(f"  export MYRIAD_URL={url} MYRIAD_API_KEY={acme_key}")
    print(f"  .venv/bin/myriad image list --project {project.name!r} --limit 5")
    print(f"  API: {url}/api/v1/  schema: {url}/api/v1/schema  health: {url}/readyz", flush=True)


def enter(folder: Path, url: str, *, tenant: str, owner: str, name: str) -> str:
    """Makes a tenant, accepts its owner's invitation, and returns the owner's first API key."""
    invitation = create_tenant(folder, name=tenant, owner=owner)
    with Client(url) as nobody:
        accepted = nobody.invitations.accept(invitation["token"], name=name, password=PASSWORD)
    say(f"{tenant}: {name} has taken the owner's seat.")
    return accepted.api_key.secret


def inspect(acme: Client, photographs: Photographs) -> Project:
    """Acme's part: a project, its label book, its photographs, until each is ingested."""
    project = acme.projects.create("Casings", kind="detection", description="Back covers, after anodising")
    for name in photographs.classes:
        acme.classes.create(project.id, name)
    say(f"Acme made the project {project.name!r} with {len(photographs.classes)} classes.")
    with Meter(sys.stderr, live=sys.stderr.isatty(), every=0.5) as meter:
        report = acme.images.upload(
            project.id,
            photographs.files,
            sidecar=read_coco(photographs.coco),
            on_progress=lambda progress: meter.show(upload_line(progress, meter.seconds)),
        )
    say(f"Uploaded {len(report.uploaded)}, there already {len(report.duplicates)}.")
    with Meter(sys.stderr, live=sys.stderr.isatty(), every=0.5) as meter:
        ingest = acme.images.wait(report, on_progress=lambda progress: meter.show(ingest_line(progress)))
    problems = [*report.rejected, *report.failed, *ingest.failed, *ingest.pending]
    if problems:
        raise DemoFailed(f"{len(problems)} photographs were not taken, the first: {problems[0]}")
    say(f"Ingested {len(ingest.ready)} photographs.")
    return project


def refuse(bolt: Client, acme: Client, project: Project) -> None:
    """Bolt's key tries Acme's ids; each must answer 404, as an id that does not exist."""
    image = next(iter(acme.images.list(project.id)))
    job = next(iter(acme.jobs.list()))
    shown = next(iter(acme.classes.list(project.id)))
    attempts: dict[str, Callable[[], object]] = {
        f"GET    /projects/{project.id}": lambda: bolt.projects.get(project.id),
        f"GET    /projects/{project.id}/images": lambda: list(bolt.images.list(project.id)),
        f"GET    /images/{image.id}": lambda: bolt.images.get(image.id),
        f"GET    /images/{image.id}/file": lambda: bolt.images.file_url(image.id),
        f"GET    /images/{image.id}/thumbnail": lambda: bolt.images.file_url(image.id, thumbnail=True),
        f"PATCH  /images/{image.id}": lambda: bolt.images.update(image.id, split="TEST"),
        f"DELETE /images/{image.id}": lambda: bolt.images.delete(image.id),
        f"GET    /classes/{shown.id}": lambda: bolt.classes.get(shown.id),
        f"GET    /jobs/{job.id}": lambda: bolt.jobs.get(job.id),
        f"POST   /jobs/{job.id}/cancel": lambda: bolt.jobs.cancel(job.id),
        f"POST   /projects/{project.id}/images/register": lambda: bolt.images.register(
            project.id, [{"filename": "x.jpg", "size": 1, "sha256": "0" * 64, "content_type": "image/jpeg"}]
        ),
    }
    say("Bolt's key tries Acme's ids:")
    for what, attempt in attempts.items():
        try:
            attempt()
        except NotFound as answer:
            print(f"  {what}  →  {answer.status}", flush=True)
        else:
            raise DemoFailed(f"{what} was answered to Bolt: isolation is broken")
    if any(bolt.projects.list()):
        raise DemoFailed("Bolt's list of projects is not empty: isolation is broken")
    print("  GET    /projects  →  an empty list", flush=True)


def say(line: str) -> None:
    print(f"demo: {line}", flush=True)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
