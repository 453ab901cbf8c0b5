"""A worker and its dispatcher, in the test's own thread: real claims, leases and decode child."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from projects.models import Image
from tenants.models import Job
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage
from tests.cast import Person
from workers.domain import dispatching, execution, registry

# Status and error code of an image that is through, and of one whose turn is to come.
READY = ("READY", None)
WAITS = ("ARRIVED", None)


@dataclass
class Hand:
    """Does the jobs that wait, when told to."""

    worker_id: uuid.UUID = field(default_factory=lambda: registry.enter(name="hand", pool="cpu", slots=4))

    def dispatched(self) -> list[uuid.UUID]:
        """One turn of the dispatcher; the jobs it sent."""
        sent: list[uuid.UUID] = []

        def send(*, job_id: uuid.UUID, pool: str) -> None:
            sent.append(job_id)

        registry.beat(worker_id=self.worker_id)
        dispatching.turn(send=send)
        return sent

    def work(self) -> list[str | None]:
        """Does what waits until nothing can start any more; the state that each attempt left its job in."""
        states: list[str | None] = []
        while sent := self.dispatched():
            states += [execution.execute_job(job_id=job_id, worker="hand") for job_id in sent]
        return states


def hasten(person: Person) -> None:
    """Lets the tenant's jobs that wait for another attempt be tried now."""
    with tenant_scope(person.tenant.id):
        Job.objects.filter(state=Job.State.PENDING).update(due_at=timezone.now())


def expire(person: Person, job_id: uuid.UUID) -> None:
    """Lets a lease run out, as it does seconds after its worker died."""
    with tenant_scope(person.tenant.id):
        Job.objects.filter(id=job_id).update(expires_at=timezone.now())


def row(person: Person, image: str) -> Image:
    """The image as it stands in the database, deleted or not."""
    with tenant_scope(person.tenant.id):
        return Image.objects.select_related("job").get(id=image)


def rows(person: Person, *images: str) -> list[tuple[str, Any]]:
    """Status and error code of each image, in the order given."""
    found = [row(person, image) for image in images]
    return [(image.status, image.error and image.error["code"]) for image in found]


def error_of(person: Person, image: str) -> dict[str, str]:
    """What a FAILED image tells its owner."""
    error = row(person, image).error
    assert isinstance(error, dict)
    return error


def jobs_of(person: Person) -> list[Job]:
    """All the tenant's jobs, oldest first."""
    with tenant_scope(person.tenant.id):
        return list(Job.objects.order_by("id"))


def job_of(person: Person, image: str) -> Job:
    """The job that ingests the image."""
    found = row(person, image).job
    assert isinstance(found, Job)
    return found


def published(person: Person, *images: str) -> bool:
    """Whether all are READY with both objects, and nothing that came in is left."""
    storage = TenantStorage(person.tenant.id)
    found = [row(person, image) for image in images]
    stored = storage.sizes("images", names=[image.stored_sha256 for image in found])
    thumbnails = storage.sizes("thumbnails", names=[image.thumbnail_sha256 for image in found])
    left = storage.sizes("incoming", names=images)
    return rows(person, *images) == [READY] * len(images) and len(stored) == len(thumbnails) == len(images) and not left
