"""What a client does to bring files in: asks for forms, sends to S3, says that it has sent."""

import json
from typing import Any

import httpx

from tests.cast import Person
from tests.projects.files import File


def post(person: Person, path: str, body: Any) -> Any:
    """The answer to a POST of JSON below /api/v1/, which may hold what UTF-8 cannot."""
    return person.api.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json")


def ask(person: Person, project: str, *items: Any) -> list[dict[str, Any]]:
    """Asks how to send the files; the answer's lines. `items` are files or what is said of them."""
    said = [item.item() if isinstance(item, File) else item for item in items]
    answer = post(person, f"projects/{project}/uploads", {"files": said})
    assert answer.status_code == 200, answer.content
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def send(upload: dict[str, Any], data: bytes, **changes: str) -> httpx.Response:
    """Sends a POST form to S3 as it was signed, but for `changes` of its fields (`_` in a name for `-`)."""
    fields = upload["fields"] | {name.replace("_", "-"): value for name, value in changes.items()}
    return httpx.post(upload["url"], data=fields, files={"file": ("file", data, fields["Content-Type"])})


def send_part(upload: dict[str, Any], number: int, data: bytes) -> httpx.Response:
    """Sends the part of this number of a file whose bytes are `data`."""
    part = upload["parts"][number - 1]
    assert part["number"] == number
    start = (number - 1) * upload["part_size"]
    return httpx.put(part["url"], content=data[start : start + part["size"]])


def complete(person: Person, project: str, *images: str) -> Any:
    """Asks which of the images have arrived."""
    return post(person, f"projects/{project}/uploads/complete", {"images": list(images)})


def statuses(answer: Any) -> list[str]:
    """What `complete` says of each image."""
    return [line["status"] for line in answer.json()["results"]]


def bring(person: Person, project: str, *files: File, **said: Any) -> list[str]:
    """Uploads the files and asks for their ingest; the images' ids. `said` holds of all of them."""
    lines = ask(person, project, *(file.item(**said) for file in files))
    for line, file in zip(lines, files, strict=True):
        sent = send(line["upload"], file.data)
        assert sent.status_code == 204, sent.text
    images = [line["image"] for line in lines]
    answer = complete(person, project, *images)
    assert statuses(answer) == ["ARRIVED"] * len(files)
    return images


def usage(person: Person) -> dict[str, int]:
    """What the tenant uses of its quota, as its members are told."""
    told: dict[str, int] = person.api.get("/api/v1/me").json()["usage"]
    return {name: told[f"{name}_used"] for name in ("images", "bytes", "projects")}
