"""Runs that must not go on: canceled, given back by a drained worker, or with nothing sound to learn from."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from projects.domain.images import image_key
from projects.domain.manifests import manifest_key
from projects.domain.projects import delete_project
from projects.models import Image
from tenants.models import Job
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage
from tests.training.computing import EVERY, STEPS, straight
from tests.training.making import Works
from training.domain.computing import ComputationRefused
from training.models import Run
from workers.domain import execution


@pytest.fixture
def undrained() -> Iterator[None]:
    yield
    execution.draining.clear()


def test_canceled_run_ends_and_leaves_no_checkpoint(
    works: Works, snapshot: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "HEARTBEAT_SECONDS", 0.02)
    run = works.start()

    def cancel(step: int) -> None:
        if step == EVERY + 1:
            answer = works.person.api.post(f"/api/v1/runs/{run}/cancel")
            assert answer.status_code == 200, answer.content
        if step > EVERY + 1:
            import time

            time.sleep(0.2)  # the heartbeat's turn

    works.computer.before_step = cancel
    assert works.hand.work() == ["CANCELED"]
    assert works.published() == (0, 0)
    assert (works.run(run).checkpoints, works.objects("checkpoints")) == ({}, [])


def test_drained_worker_s_run_goes_on_elsewhere(works: Works, snapshot: str, undrained: None) -> None:
    run = works.start()
    works.computer.before_step = lambda step: execution.draining.set() if step == EVERY + 1 else None

    (job,) = works.hand.dispatched()
    assert execution.execute_job(job_id=job, worker="hand") == "PENDING"
    row = works.run(run)
    assert (row.job.attempts, row.checkpoints["final"]["step"]) == (0, EVERY + 1)
    execution.draining.clear()
    works.computer.before_step = lambda _: None
    assert works.hand.work() == ["SUCCEEDED"]

    assert works.computer.resumed[-1] == {"final": EVERY + 1}
    assert works.weights(run) == straight(works.computer.begun[0])


def _lose_manifest(works: Works, run: Run) -> None:
    TenantStorage(works.person.tenant.id).delete([manifest_key(run.snapshot.manifest_sha256)])


def _change_manifest(works: Works, run: Run) -> None:
    """As nobody can through our doors."""
    key = manifest_key(run.snapshot.manifest_sha256)
    storage = TenantStorage(works.person.tenant.id)
    changed = storage.read(key, max_bytes=10**6).replace(b"dent", b"bent")
    storage.put(key, changed, content_type="application/json")


def _delete_image(works: Works, run: Run) -> None:
    with tenant_scope(works.person.tenant.id):
        image = Image.objects.filter(project_id=run.project_id).latest("id")
    assert works.person.api.delete(f"/api/v1/images/{image.id}").status_code == 204


def _lose_file(works: Works, run: Run) -> None:
    with tenant_scope(works.person.tenant.id):
        image = Image.objects.filter(project_id=run.project_id).latest("id")
    TenantStorage(works.person.tenant.id).delete([image_key(image.stored_sha256)])


def _change_file(works: Works, run: Run) -> None:
    with tenant_scope(works.person.tenant.id):
        image = Image.objects.filter(project_id=run.project_id).latest("id")
    TenantStorage(works.person.tenant.id).put(image_key(image.stored_sha256), b"else", content_type="image/png")


def _delete_project(works: Works, run: Run) -> None:
    with tenant_scope(works.person.tenant.id):
        delete_project(project_id=run.project_id, by=works.person.principal)


def _older_recipe(works: Works, run: Run) -> None:
    with tenant_scope(works.person.tenant.id):
        Run.objects.filter(id=run.id).update(recipe_version=run.recipe_version + 1)


def _forgotten_recipe(works: Works, run: Run) -> None:
    with tenant_scope(works.person.tenant.id):
        Run.objects.filter(id=run.id).update(recipe="quick")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_lose_manifest, "snapshot_damaged"),
        (_change_manifest, "snapshot_damaged"),
        (_delete_image, "snapshot_reduced"),
        (_lose_file, "snapshot_reduced"),
        (_change_file, "image_damaged"),
        (_delete_project, "not_found"),
        (_older_recipe, "recipe_changed"),
        (_forgotten_recipe, "recipe_changed"),
    ],
)
def test_what_became_of_the_snapshot_fails_the_run_for_good(
    works: Works, snapshot: str, spoil: Callable[[Works, Run], None], code: str
) -> None:
    run = works.start()
    spoil(works, works.run(run))

    assert works.hand.work() == ["FAILED"]
    assert works.error(run)["code"] == code
    assert (works.published(), works.computer.asked) == ((0, 0), [])


def test_reduced_snapshot_s_error_names_the_images(works: Works, snapshot: str) -> None:
    run = works.start()
    images = works.shown(f"projects/{works.project}/images")["results"][:1:-1]
    names = [image["filename"] for image in images]
    for image in images:
        works.person.api.delete(f"/api/v1/images/{image['id']}")
    assert works.hand.work() == ["FAILED"]
    assert works.error(run)["message"] == f"2 images of the snapshot were deleted since: {', '.join(names)}."


def test_file_that_cannot_be_decoded_is_named(works: Works) -> None:
    """Its hash is right: it was stored so, by an older decoder, say."""
    images = works.label()
    import hashlib

    data = b"not a picture"
    sha256 = hashlib.sha256(data).hexdigest()
    TenantStorage(works.person.tenant.id).put(image_key(sha256), data, content_type="image/png")
    with tenant_scope(works.person.tenant.id):
        Image.objects.filter(id=images[0]).update(stored_sha256=sha256, filename="odd.png")
    works.freeze()
    run = works.start()

    assert works.hand.work() == ["FAILED"]
    assert "odd.png" in works.error(run)["message"]
    assert works.computer.asked == []


def test_pixels_without_end_are_refused_before_they_are_fetched(works: Works, snapshot: str, settings: Any) -> None:
    settings.ENGINE_SCRATCH_BYTES = 4 * 48 * 36 * 3 * 2 - 1
    run = works.start()
    assert works.hand.work() == ["FAILED"]
    assert works.error(run)["code"] == "snapshot_too_large"


def test_data_that_the_engine_refuses_fails_the_run_in_its_words(
    works: Works, snapshot: str, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(step: int) -> None:
        if step == EVERY + 1:
            raise ComputationRefused("nothing_to_learn", "Too few.", hint="Add some.", detail="for operators")

    run = works.start()
    works.computer.before_step = refuse
    assert works.hand.work() == ["FAILED"]
    assert works.error(run) == {"code": "nothing_to_learn", "message": "Too few.", "hint": "Add some."}
    assert "for operators" in caplog.text
    assert (works.run(run).checkpoints, works.objects("checkpoints")) == ({}, [])


def test_project_deleted_in_mid_run_gets_no_model(works: Works, snapshot: str) -> None:
    run = works.start()

    def delete(step: int) -> None:
        if step == 2 * STEPS - 1:
            _delete_project(works, works.run(run))

    works.computer.before_step = delete
    assert works.hand.work() == ["FAILED"]
    assert (works.error(run)["code"], works.published()) == ("not_found", (0, 0))


def test_job_that_names_no_run_says_so(works: Works, snapshot: str) -> None:
    run = works.start()
    with tenant_scope(works.person.tenant.id):
        Job.objects.filter(id=works.run(run).job_id).update(spec={"run": str(uuid.uuid4())})
    assert works.hand.work() == ["FAILED"]
    assert works.error(run)["code"] == "not_found"
