"""Bolt's key tries Acme's ids; each must answer as an id that does not exist."""

import uuid
from collections.abc import Callable, Mapping

from deploy.demo.console import say
from deploy.demo.stack import DemoFailed
from myriad import Client, Model, MyriadError, NotFound, Snapshot

Attempts = Mapping[str, Callable[[str], object]]
"""What is tried → how, given the id to try it on."""


def refuse(bolt: Client, what: str, tried: str, attempts: Attempts) -> None:
    """Raises DemoFailed unless each attempt on the id `tried` is answered word for word as on one that nobody has."""
    say(f"Bolt's key tries Acme's {what}:")
    nobodys = str(uuid.uuid4())
    for name, attempt in attempts.items():
        answer, usual = _refusal(name, attempt, tried), _refusal(name, attempt, nobodys)
        if answer != usual:
            raise DemoFailed(f"{name} tells Bolt that the id exists: {answer}, and not {usual}")
        print(f"  {name.format(tried)}  →  404", flush=True)
    if any(bolt.projects.list()):
        raise DemoFailed("Bolt's list of projects is not empty: isolation is broken")


def _refusal(name: str, attempt: Callable[[str], object], tried: str) -> dict[str, object]:
    try:
        attempt(tried)
    except NotFound as answer:
        return {key: value for key, value in answer.to_json().items() if key != "request_id"}
    except MyriadError as answer:
        raise DemoFailed(f"{name} was answered to Bolt with {answer.status}, not 404: {answer}") from answer
    raise DemoFailed(f"{name} was answered to Bolt: isolation is broken")


def of_project(bolt: Client) -> Attempts:
    file = {"filename": "x.jpg", "size": 1, "sha256": "0" * 64, "content_type": "image/jpeg"}
    return {
        "GET    /projects/{}": bolt.projects.get,
        "GET    /projects/{}/images": lambda tried: list(bolt.images.list(tried)),
        "GET    /projects/{}/statistics": bolt.projects.statistics,
        "POST   /projects/{}/images/register": lambda tried: bolt.images.register(tried, [file]),
        "POST   /projects/{}/annotations": lambda tried: bolt.annotations.write(
            tried, [{"filename": "x.jpg", "boxes": []}]
        ),
        "POST   /projects/{}/snapshots": bolt.snapshots.create,
        "POST   /projects/{}/runs": bolt.runs.start,
        "POST   /projects/{}/predict": lambda tried: bolt.projects.predict(tried, b"GIF89a"),
    }


def of_image(bolt: Client) -> Attempts:
    return {
        "GET    /images/{}": bolt.images.get,
        "GET    /images/{}/file": bolt.images.file_url,
        "GET    /images/{}/thumbnail": lambda tried: bolt.images.file_url(tried, thumbnail=True),
        "GET    /images/{}/annotations": lambda tried: list(bolt.annotations.list(tried)),
        "PATCH  /images/{}": lambda tried: bolt.images.update(tried, split="TEST"),
        "DELETE /images/{}": bolt.images.delete,
    }


def of_class(bolt: Client) -> Attempts:
    return {"GET    /classes/{}": bolt.classes.get}


def of_job(bolt: Client) -> Attempts:
    return {"GET    /jobs/{}": bolt.jobs.get, "POST   /jobs/{}/cancel": bolt.jobs.cancel}


def of_annotation(bolt: Client) -> Attempts:
    return {"GET    /annotations/{}": bolt.annotations.get}


def of_snapshot(bolt: Client, acme: Snapshot) -> Attempts:
    return {
        "GET    /snapshots/{}": bolt.snapshots.get,
        "GET    /snapshots/{}/diff": lambda tried: bolt.snapshots.diff(tried, against=acme.id),
        "GET    /snapshots/{}/coco": bolt.snapshots.coco_url,
        "GET    /snapshots/{}/manifest": bolt.snapshots.manifest_url,
    }


def of_run(bolt: Client) -> Attempts:
    return {"GET    /runs/{}": bolt.runs.get, "POST   /runs/{}/cancel": bolt.runs.cancel}


def of_model(bolt: Client, acme: Model, picture: bytes) -> Attempts:
    return {
        "GET    /models/{}": bolt.models.get,
        "GET    /models/{}/predictions": bolt.models.predictions,
        "GET    /models/{}/compare": lambda tried: bolt.models.compare(tried, acme.id),
        "POST   /models/{}/predict": lambda tried: bolt.models.predict(tried, picture),
        "POST   /models/{}/export": bolt.models.start_export,
        "GET    /models/{}/export/onnx": bolt.models.onnx_url,
        "POST   /models/{}/promote": bolt.models.promote,
    }
