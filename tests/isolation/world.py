"""Two furnished tenants: in each, one row of everything that could leak, and its objects in S3.

All that Acme has bears its name: in texts the word "acme", which nothing of Bolt's contains. Marks add its ids,
hashes and prefixes, so that a leak shows in whatever form it comes.
"""

import base64
import hashlib
import io
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from django.apps import apps
from django.db import connections
from django.db.models import Model
from PIL import Image as Picture

from fleet.domain.promotions import promote_model
from projects.domain.classes import create_class
from projects.domain.images import image_key, thumbnail_key
from projects.domain.ingest import INGEST, incoming_key
from projects.domain.manifests import coco_key, manifest_key
from projects.domain.projects import create_project
from projects.domain.registration import register_images
from projects.domain.snapshots import create_snapshot
from projects.models import Image
from tenants import jobs
from tenants.domain.invitations import accept_invitation, invite
from tenants.domain.keys import create_key
from tenants.ids import uuid7
from tenants.models import AuditEvent, IdempotencyRecord, Quota, Role, Tenant, TenantModel, TenantQueue
from tenants.scope import tenant_scope
from tenants.storage import TenantStorage
from tests.cast import PASSWORD, Cast, Person, assemble
from tests.heads import make_artifacts, shared_graphs
from tests.isolation.exports import exports
from tests.isolation.imports import imports
from tests.isolation.labels import annotated, frozen
from tests.isolation.trainings import trainings
from tests.serving import publish_model


@dataclass(frozen=True)
class Holdings:
    """One id of each kind that a tenant has; the names are the matrix's placeholders."""

    tenant: uuid.UUID
    member: uuid.UUID  # a labeler's seat
    invitation: uuid.UUID  # open
    key: uuid.UUID  # a second key of the labeler
    project: uuid.UUID
    label: uuid.UUID  # a class of the label book
    image: uuid.UUID  # READY, shows the class, with its objects
    awaiting: uuid.UUID  # AWAITING; its bytes have arrived, nobody said so yet
    arrived: uuid.UUID  # ARRIVED; `job` will ingest it
    job: uuid.UUID  # PENDING
    annotation: uuid.UUID  # of the image, accepted, with a box of the class
    snapshot: uuid.UUID  # READY, of that annotation, with its objects
    building: uuid.UUID  # a snapshot that `freezing` will make
    freezing: uuid.UUID  # PENDING
    export: uuid.UUID  # of the snapshot, READY, with its file
    packed: uuid.UUID  # an export that `packing` will make
    packing: uuid.UUID  # PENDING
    arriving: uuid.UUID  # an import whose archive has arrived, nobody said so yet
    inspecting: uuid.UUID  # an import that `checking` will check
    checking: uuid.UUID  # PENDING
    reported: uuid.UUID  # an import that was checked
    entering: uuid.UUID  # an import that `committing` will commit
    committing: uuid.UUID  # PENDING
    imported: uuid.UUID  # an import that is DONE, with its results
    run: uuid.UUID  # of the snapshot's data, done
    model: uuid.UUID  # what the run published, with its files
    promotion: uuid.UUID  # of the model: it answers for the project
    plain: uuid.UUID  # a model that `exporting` will export
    exporting: uuid.UUID  # PENDING
    waiting: uuid.UUID  # a run that `training` will compute
    training: uuid.UUID  # PENDING
    audit: uuid.UUID
    quota: uuid.UUID
    queue: uuid.UUID
    idempotency: uuid.UUID
    newest: uuid.UUID  # a project younger than anything else here

    @classmethod
    def nowhere(cls) -> "Holdings":
        """Ids of nothing."""
        return cls(**{field.name: uuid7() for field in fields(cls)})

    def places(self) -> Iterator[tuple[str, str]]:
        """Placeholder → what stands for it: ids, and cursors forged from them."""
        for field in fields(self):
            holding = getattr(self, field.name)
            yield field.name, str(holding)
            for direction in "np":
                forged = base64.urlsafe_b64encode(direction.encode() + holding.bytes)
                yield f"{direction}:{field.name}", forged.decode().rstrip("=")


@dataclass(frozen=True)
class World:
    cast: Cast
    acme: Holdings
    bolt: Holdings
    # Open invitations' tokens, by tenant.
    tokens: dict[uuid.UUID, str]
    # Texts of Acme's rows that stand in no other tenant's.
    marks: frozenset[str]


def furnish() -> World:
    """Fills the connected database, and S3. Takes half a second."""
    cast = assemble()
    tokens: dict[uuid.UUID, str] = {}
    early = _tenant(cast.alice, "Acme", tokens)
    bolt = _settled(cast.charlie, _tenant(cast.charlie, "Bolt", tokens), "Bolt caps")
    acme = _settled(cast.alice, early, "Acme lids")
    return World(cast=cast, acme=acme, bolt=bolt, tokens=tokens, marks=marks(acme, bolt))


def _tenant(owner: Person, name: str, tokens: dict[uuid.UUID, str]) -> dict[str, uuid.UUID]:
    word = name.lower()
    tenant_id, by = owner.tenant.id, owner.principal
    with tenant_scope(tenant_id):
        _, token = invite(email=f"worker@{word}.example", role=Role.LABELER, by=by)
    worker = accept_invitation(text=token.text, name=f"{name} worker", password=PASSWORD)
    with tenant_scope(tenant_id):
        invitation, token = invite(email=f"guest@{word}.example", role=Role.VIEWER, by=by)
        tokens[tenant_id] = token.text
        key, _ = create_key(member=worker.member, name=f"{name} line", by=by)
        project = create_project(name=f"{name} housings", kind="DETECTION", by=by, description=f"{word} only")
        label = create_class(project_id=project.id, by=by, name=f"{name} dent", definition=f"as {word} sees it")
        items = [item(f"{word} {part}", classes=[f"{name} dent"]) for part in ("ready", "awaiting", "arrived")]
        made = register_images(project_id=project.id, items=items, by=by)
        image, awaiting, arrived = (line.image.id for line in made if line.image is not None)
        job, _ = jobs.enqueue(
            kind=INGEST, key=f"{word} batch", spec={"project": str(project.id), "images": [str(arrived)]}
        )
        Image.objects.filter(id=arrived).update(status=Image.Status.ARRIVED, job=job)
        _make_ready(image, word)
        annotation = annotated(image, label=label.id, by=by)
        snapshot, files = frozen(project, by=by)
        building = create_snapshot(project_id=project.id, by=by, note=f"{word} again")
        packed, archives = exports(snapshot, word=word, by=by)
    storage = TenantStorage(tenant_id)
    for place, data in (files | archives).items():
        storage.put(place, data, content_type="application/json")
    kept = (("stored", image_key), ("thumbnail", thumbnail_key), ("stored", manifest_key), ("stored", coco_key))
    for part, key_of in kept:
        data = kept_bytes(word, part)
        storage.put(key_of(hashlib.sha256(data).hexdigest()), data, content_type="image/png")
    stock(tenant_id, word, awaiting=awaiting, arrived=arrived)
    graphs = shared_graphs()
    artifacts = make_artifacts(graphs, seed=len(tokens))  # other bytes in each tenant
    model = publish_model(owner, str(project.id), graphs, artifacts, names=(f"{word} dent", f"{word} burr"))
    with tenant_scope(tenant_id):
        promotion, _ = promote_model(model_id=model.id, by=by)
    ids = {"project": project.id, "label": label.id, "image": image, "awaiting": awaiting, "arrived": arrived}
    ids |= {"annotation": annotation.id, "snapshot": snapshot.id, "building": building.id, "freezing": building.job_id}
    ids |= {"run": model.run_id, "model": model.id, "promotion": promotion.id}
    ids |= imports(owner, project.id, word=word)
    ids |= trainings(owner, model, artifacts, word=word)
    ids |= packed
    return ids | {"job": job.id, "member": worker.member.id, "invitation": invitation.id, "key": key.id}


def _settled(owner: Person, ids: dict[str, uuid.UUID], newest: str) -> Holdings:
    """What comes last, so that a cursor made of its id spans everything that either tenant has."""
    body = {"name": newest, "kind": "ANOMALY"}
    made = owner.api.post("/api/v1/projects", body, format="json", HTTP_IDEMPOTENCY_KEY="first thing")
    assert made.status_code == 201, made.content
    with tenant_scope(owner.tenant.id):
        return Holdings(
            **ids,
            tenant=owner.tenant.id,
            audit=AuditEvent.objects.latest("id").id,
            quota=Quota.objects.get().id,
            queue=TenantQueue.objects.get().id,
            idempotency=IdempotencyRecord.objects.get().id,
            newest=uuid.UUID(made.json()["id"]),
        )


def kept_bytes(word: str, part: str) -> bytes:
    """What stands in S3 of a tenant's READY image: a picture, and something for its thumbnail."""
    return picture(f"{word} stored") if part == "stored" else f"{word} {part}".encode()


def picture(text: str) -> bytes:
    """A PNG of its own for each text."""
    shade = hashlib.sha256(text.encode()).digest()
    file = io.BytesIO()
    Picture.frombytes("RGB", (32, 24), (shade * 72)[: 32 * 24 * 3]).save(file, "PNG")
    return file.getvalue()


def item(text: str, **more: Any) -> dict[str, Any]:
    """What a client says of `picture(text)` to register it."""
    data = picture(text)
    return {
        "filename": f"{text}.png",
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "content_type": "image/png",
        "metadata": {"line": text},
        **more,
    }


def _make_ready(image_id: uuid.UUID, word: str) -> None:
    stored, thumbnail = (hashlib.sha256(kept_bytes(word, part)).hexdigest() for part in ("stored", "thumbnail"))
    Image.objects.filter(id=image_id).update(
        status=Image.Status.READY,
        stored_sha256=stored,
        stored_type="image/png",
        thumbnail_sha256=thumbnail,
        width=32,
        height=24,
        near_hash=stored[:16],
    )


def stock(tenant_id: uuid.UUID, word: str, *, awaiting: uuid.UUID, arrived: uuid.UUID) -> None:
    """Puts what was uploaded where it arrives; ingest takes it away."""
    storage = TenantStorage(tenant_id)
    storage.put(incoming_key(awaiting), picture(f"{word} awaiting"), content_type="image/png")
    storage.put(incoming_key(arrived), picture(f"{word} arrived"), content_type="image/png")


def tenant_models() -> list[type[TenantModel]]:
    return [model for model in apps.get_models() if issubclass(model, TenantModel)]


def tenant_tables() -> dict[str, str]:
    """Table → its column that names the tenant, for every table that row-level security guards."""
    return {model._meta.db_table: "tenant_id" for model in tenant_models()} | {Tenant._meta.db_table: "id"}


def marks(acme: Holdings, bolt: Holdings) -> frozenset[str]:
    """Ids, hashes and prefixes of all Acme's rows, as texts."""
    held = {acme: set[str](), bolt: set[str]()}
    hashes = ("sha256", "stored_sha256", "thumbnail_sha256", "manifest_sha256", "coco_sha256")
    hashes += ("results_sha256", "weights_sha256", "description_sha256", "parity_sha256", "predictions_sha256")
    columns = ("id", *hashes, "prefix", "user_id", "slug")
    models: list[type[Model]] = [*tenant_models(), Tenant]
    for model in models:
        named = [field.column for field in model._meta.fields if field.column in columns]
        for holdings, texts in held.items():
            for row in all_rows(model._meta.db_table, holdings.tenant):
                texts |= {str(row[name]) for name in named if row[name]}
    assert not held[acme] & held[bolt]
    return frozenset(held[acme])


def all_rows(table: str, tenant_id: uuid.UUID) -> list[dict[str, Any]]:
    """A tenant's rows as they are, past both guards."""
    with connections["maint"].cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} WHERE {tenant_tables()[table]} = %s ORDER BY id", [str(tenant_id)])
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def state_of(tenant_id: uuid.UUID) -> str:
    """A hash over all of a tenant's rows. Alike before and after: nothing was written."""
    rows = " UNION ALL ".join(
        # A key notes by itself when it was last used.
        f"SELECT '{table}' || (to_jsonb(it) - 'last_used_at')::text AS line FROM {table} it WHERE {column} = %(tenant)s"
        for table, column in tenant_tables().items()
    )
    with connections["maint"].cursor() as cursor:
        cursor.execute(
            f"SELECT md5(string_agg(line, E'\\n' ORDER BY line)) FROM ({rows}) all_rows", {"tenant": str(tenant_id)}
        )
        found: str = cursor.fetchone()[0]
        return found
