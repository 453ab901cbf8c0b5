"""Acme at work: what a run needs before it, and the rows and objects that it leaves behind."""

from dataclasses import dataclass
from typing import Any

from projects.domain.images import image_key
from projects.models import Image
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage
from tests.cast import Person
from tests.isolation.objects import _owner
from tests.projects.files import File, photograph
from tests.projects.uploading import post
from tests.projects.working import Hand
from tests.training.computing import Quick
from training.models import Evaluation, Model, Run

# Of the classes 0 and 1, within the 48 × 36 pixels of a photograph.
BOXES = [(0, 1.0, 2.0, 10.0, 8.0), (1, 20.0, 12.0, 8.5, 9.25)]
CLASSES = ("dent", "scratch")


@dataclass(frozen=True)
class Works:
    """A project of a person's, and who does its jobs."""

    person: Person
    project: str
    hand: Hand
    computer: Quick

    def label(self, *, count: int = 4, boxes: Any = BOXES, name: str = "part") -> list[str]:
        """READY images with these boxes each, as ingest leaves them; makes the classes where they are missing."""
        for label in CLASSES:
            post(self.person, f"projects/{self.project}/classes", {"name": label})
        images = [self.ready(photograph(f"{name} {number}", "PNG")) for number in range(count)]
        drawn = [{"class": CLASSES[index], "bbox": box} for index, *box in boxes]
        items = [{"image": image, "boxes": drawn} for image in images]
        answer = post(self.person, f"projects/{self.project}/annotations", {"annotations": items})
        assert [line["status"] for line in answer.json()["results"]] == ["CREATED"] * count, answer.content
        return images

    def ready(self, file: File) -> str:
        """The file as an image that ingest has published: stored at the address of its bytes."""
        answer = post(self.person, f"projects/{self.project}/images/register", {"files": [file.item()]})
        image: str = answer.json()["results"][0]["image"]
        self.storage.put(image_key(file.sha256), file.data, content_type=file.content_type)
        with tenant_scope(self.person.tenant.id):
            Image.objects.filter(id=image).update(
                status=Image.Status.READY,
                stored_sha256=file.sha256,
                stored_type=file.content_type,
                thumbnail_sha256=file.sha256,
                width=48,
                height=36,
            )
        return image

    def freeze(self) -> str:
        """A READY snapshot of what is labelled."""
        answer = post(self.person, f"projects/{self.project}/snapshots", {})
        assert answer.status_code == 202, answer.content
        assert self.hand.work() == ["SUCCEEDED"]
        made: str = answer.json()["id"]
        return made

    def ask(self, **asked: Any) -> Any:
        """The answer to a request for a run."""
        return post(self.person, f"projects/{self.project}/runs", asked)

    def start(self, **asked: Any) -> str:
        """A run that waits."""
        answer = self.ask(**asked)
        assert answer.status_code == 202, answer.content
        made: str = answer.json()["id"]
        return made

    def trained(self, **asked: Any) -> str:
        """A run that has published its model; the model."""
        run = self.start(**asked)
        assert self.hand.work() == ["SUCCEEDED"]
        return str(self.model(run).id)

    @property
    def storage(self) -> TenantStorage:
        return TenantStorage(self.person.tenant.id)

    def shown(self, path: str) -> dict[str, Any]:
        """What stands below /api/v1/."""
        answer = self.person.api.get(f"/api/v1/{path}")
        assert answer.status_code == 200, answer.content
        found: dict[str, Any] = answer.json()
        return found

    def run(self, run: str) -> Run:
        with tenant_scope(self.person.tenant.id):
            return Run.objects.select_related("job", "snapshot").get(id=run)

    def change(self, run: str, **changes: Any) -> None:
        """Changes the run's row."""
        with tenant_scope(self.person.tenant.id):
            Run.objects.filter(id=run).update(**changes)

    def model(self, run: str) -> Model:
        """What the run published."""
        with tenant_scope(self.person.tenant.id):
            return Model.objects.get(run_id=run)

    def evaluation(self, run: str) -> Evaluation:
        with tenant_scope(self.person.tenant.id):
            return Evaluation.objects.get(model__run_id=run)

    def published(self) -> tuple[int, int]:
        """How many models there are, and evaluations."""
        with tenant_scope(self.person.tenant.id):
            return Model.objects.count(), Evaluation.objects.count()

    def error(self, run: str) -> dict[str, str]:
        """What a failed run tells its customer; it has words for people."""
        error = self.run(run).job.error
        assert isinstance(error, dict)
        assert error["message"]
        assert error["hint"]
        return error

    def weights(self, run: str) -> bytes:
        """As they are stored."""
        return self.storage.read(f"artifacts/{self.model(run).weights_sha256}", max_bytes=10**7)

    def objects(self, folder: str) -> list[str]:
        """The keys that lie in a folder, as the bucket's owner sees them."""
        listed = _owner().list_objects_v2(Bucket="myriad", Prefix=f"t/{self.person.tenant.id}/{folder}/")
        return [entry["Key"].partition(f"{folder}/")[2] for entry in listed.get("Contents", [])]
