"""What cannot be predicted is refused clearly: who sends it is told what to mend."""

import hashlib
import io
import random
import zlib
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from PIL import Image as Picture

from fleet.domain import hosting as process
from fleet.domain.detectors import Graphs
from fleet.domain.hosting import Hosting
from fleet.domain.predictions import HEADER_BYTES, most_stored_bytes
from fleet.domain.turns import Patience, Turns
from projects.domain.images import image_key
from projects.models import Image
from tenants.scope import ScopeOpen, tenant_scope
from tenants.storage import TenantStorage
from tests.cast import Cast, Person
from tests.fleet.asking import PHOTO, name_image, send, send_form, stored_image
from tests.heads import Artifacts
from tests.projects.conftest import project_of
from tests.serving import publish_model
from training.domain.artifacts import artifact_key
from training.models import Model
from workers.children.png_writing import write_png

OCTETS = "application/octet-stream"


def code_of(answer: Any) -> tuple[int, str]:
    body = answer.json()
    assert body["hint"], body
    return answer.status_code, body["code"]


def bomb() -> bytes:
    """A PNG of 100 megapixels in a few kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = (10_000).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    packed = io.BytesIO()
    compressor = zlib.compressobj(9)
    for _ in range(10_000):
        packed.write(compressor.compress(bytes(10_001)))
    packed.write(compressor.flush())
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed.getvalue()) + chunk(b"IEND", b"")


@pytest.fixture
def address(model: Model, serving: Hosting) -> str:
    return f"models/{model.id}/predict"


def test_what_is_no_picture(alice: Person, address: str) -> None:
    texts = {"text": b"no picture at all", "html": b"<html>", "cut short": PHOTO[:40], "zeros": bytes(5000)}
    for name, data in texts.items():
        for answer in (send(alice, address, data), send_form(alice, address, data)):
            assert answer.status_code == 422, name
            assert answer.json()["code"] in {"not_an_image", "truncated", "unsupported_type"}, (name, answer.json())
            assert answer.json()["hint"], name


def test_a_hundred_megapixels(alice: Person, address: str) -> None:
    data = bomb()
    assert len(data) < 200_000
    assert code_of(send(alice, address, data)) == (422, "too_many_pixels")
    assert send(alice, address).status_code == 200  # and the process serves on


def test_nothing_sent(alice: Person, address: str) -> None:
    path = f"/api/v1/{address}"
    ways = {
        "no body": alice.api.post(path),
        "no bytes": send(alice, address, b""),
        "empty file": send_form(alice, address, b""),
        "a form without a file": alice.api.post(path, {"other": "x"}, format="multipart"),
        "an empty object": alice.api.post(path, {}, format="json"),
        "a list": alice.api.post(path, [], format="json"),
        "no id": alice.api.post(path, {"image": "casing.png"}, format="json"),
    }
    assert {way: code_of(answer) for way, answer in ways.items()} == dict.fromkeys(ways, (400, "validation_failed"))


def test_bodies_of_other_types(alice: Person, address: str) -> None:
    assert code_of(send(alice, address, b"a=1", "application/x-www-form-urlencoded")) == (415, "unsupported_media_type")
    assert code_of(send(alice, address, b"<a/>", "text/xml")) == (415, "unsupported_media_type")


def test_bodies_that_are_too_large(alice: Person, address: str) -> None:
    mebibyte = 1024 * 1024
    assert code_of(send(alice, address, bytes(20 * mebibyte + 1))) == (413, "too_large")
    assert code_of(send(alice, address, bytes(22 * mebibyte), OCTETS)) == (413, "too_large")
    assert code_of(send_form(alice, address, bytes(20 * mebibyte + 1))) == (413, "too_large")
    assert code_of(send(alice, address, b'{"image": "' + b"x" * 20_000 + b'"}', "application/json")) == (
        413,
        "too_large",
    )


def test_images_that_are_not_to_be_had(alice: Person, project: str, address: str) -> None:
    waiting = stored_image(alice, project, b"not come yet", status="AWAITING", stored_sha256="", thumbnail_sha256="")
    assert code_of(name_image(alice, address, waiting)) == (409, "image_not_ready")

    gone = stored_image(alice, project)
    with tenant_scope(alice.tenant.id):
        Image.objects.filter(id=gone).update(deleted_at=timezone.now())
    assert code_of(name_image(alice, address, gone)) == (404, "not_found")


def test_images_whose_file_is_gone_or_damaged(alice: Person, project: str, address: str) -> None:
    storage = TenantStorage(alice.tenant.id)
    image = stored_image(alice, project)
    with tenant_scope(alice.tenant.id):
        key = image_key(Image.objects.get(id=image).stored_sha256)
    assert name_image(alice, address, image).status_code == 200
    storage.put(key, PHOTO + b"x", content_type="image/png")
    assert code_of(name_image(alice, address, image)) == (409, "image_file_missing")
    storage.delete([key])
    assert code_of(name_image(alice, address, image)) == (409, "image_file_missing")


def test_a_file_larger_than_ingest_stores_is_not_read(alice: Person, project: str, address: str) -> None:
    data = PHOTO + bytes(1_000_000)  # decoders do not mind what follows a picture
    assert code_of(name_image(alice, address, stored_image(alice, project, data))) == (409, "image_file_missing")


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg"])
@pytest.mark.parametrize("size", [(1, 700), (700, 1), (17, 33), (640, 480)])
def test_what_ingest_stores_of_noise_is_not_too_large(kind: str, size: tuple[int, int]) -> None:
    """Where nothing compresses and the tables of a JPEG spare nothing."""
    noise = Picture.frombytes("RGB", size, random.Random(0).randbytes(3 * size[0] * size[1]))
    file = io.BytesIO()
    if kind == "image/png":
        write_png(noise, file)
    else:
        noise.save(file, "JPEG", qtables=[[1] * 64] * 2, subsampling=0)
    assert file.tell() < most_stored_bytes(kind, *size) - HEADER_BYTES + 1000
    assert most_stored_bytes(kind, 8000, 5000) <= 256 * 2**20


def test_another_tenants_model_and_image_are_missing(cast: Cast, project: str, model: Model, address: str) -> None:
    charlie = cast.charlie
    missing = send(charlie, "models/00000000-0000-7000-8000-000000000000/predict")
    for answer in (send(charlie, address), send(charlie, f"projects/{project}/predict")):
        assert (answer.status_code, answer.content) == (404, missing.content)


@pytest.fixture
def bolts(cast: Cast, graphs: Path, artifacts: Artifacts) -> Model:
    """A model of Charlie's with the same weights as Acme's."""
    return publish_model(cast.charlie, project_of(cast.charlie), graphs, artifacts)


def test_another_tenants_image_is_missing(cast: Cast, project: str, bolts: Model, serving: Hosting) -> None:
    """Named by who has a model of their own."""
    image = stored_image(cast.alice, project)
    assert code_of(name_image(cast.charlie, f"models/{bolts.id}/predict", image)) == (404, "not_found")


def test_two_tenants_of_equal_weights_each_load_their_own(
    cast: Cast, model: Model, bolts: Model, serving: Hosting
) -> None:
    """What Acme has in memory is not Bolt's: without the file in Bolt's own prefix there is no answer."""
    assert model.weights_sha256 == bolts.weights_sha256
    assert send(cast.alice, f"models/{model.id}/predict").status_code == 200
    TenantStorage(cast.charlie.tenant.id).delete([artifact_key(bolts.weights_sha256)])
    assert code_of(send(cast.charlie, f"models/{bolts.id}/predict")) == (409, "model_damaged")
    assert send(cast.alice, f"models/{model.id}/predict").status_code == 200


@pytest.mark.parametrize("name", ["weights_sha256", "description_sha256"])
@pytest.mark.parametrize("data", [b"something else", None], ids=["other bytes", "missing"])
def test_a_damaged_model_file_is_not_used(
    name: str, data: bytes | None, alice: Person, model: Model, address: str
) -> None:
    storage, key = TenantStorage(alice.tenant.id), artifact_key(getattr(model, name))
    storage.delete([key])
    if data is not None:
        storage.put(key, data, content_type=OCTETS)
    assert code_of(send(alice, address)) == (409, "model_damaged")
    assert code_of(send(alice, address)) == (409, "model_damaged")  # nothing of it was kept


def test_a_restored_file_serves_again(alice: Person, model: Model, artifacts: Artifacts, address: str) -> None:
    storage, key = TenantStorage(alice.tenant.id), artifact_key(model.weights_sha256)
    storage.put(key, artifacts.weights[:-1], content_type=OCTETS)
    assert code_of(send(alice, address)) == (409, "model_damaged")
    storage.put(key, artifacts.weights, content_type=OCTETS)
    assert send(alice, address).status_code == 200


def test_a_file_that_matches_its_hash_and_is_no_weights(alice: Person, model: Model, address: str) -> None:
    data = b"not safetensors"
    sha256 = hashlib.sha256(data).hexdigest()
    TenantStorage(alice.tenant.id).put(artifact_key(sha256), data, content_type=OCTETS)
    with tenant_scope(alice.tenant.id):
        Model.objects.filter(id=model.id).update(weights_sha256=sha256)
    assert code_of(send(alice, address)) == (409, "model_damaged")


def test_a_model_of_another_backbone(alice: Person, model: Model, address: str) -> None:
    with tenant_scope(alice.tenant.id):
        Model.objects.filter(id=model.id).update(backbone_sha256="0" * 64)
    answer = send(alice, address)
    assert code_of(answer) == (503, "model_unavailable")
    assert "Retry-After" in answer.headers


def test_without_graphs(alice: Person, model: Model, serving: Hosting, tmp_path: Path) -> None:
    serving.graphs = Graphs(tmp_path, threads=1)
    serving.open()  # says so in the log, and goes on
    assert code_of(send(alice, f"models/{model.id}/predict")) == (503, "model_unavailable")


def test_a_process_that_does_not_serve_says_so(alice: Person, cast: Cast, model: Model) -> None:
    answer = send(alice, f"models/{model.id}/predict")
    assert code_of(answer) == (503, "prediction_unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert send(cast.charlie, f"models/{model.id}/predict").content == answer.content
    assert send(cast.vera, f"models/{model.id}/predict").status_code == 403


def test_who_waits_too_long_is_told_to_come_back(
    alice: Person, address: str, serving: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "PATIENCE", 0.05)
    serving._turns = Turns(1)
    with serving._turns.slot(Patience(0)):
        answer = send(alice, address)
    assert code_of(answer) == (503, "predictions_busy")
    assert answer.headers["Retry-After"] == "2"
    assert send(alice, address).status_code == 200


def test_no_slot_is_lost_by_bad_pictures(alice: Person, address: str, serving: Hosting) -> None:
    serving._turns = Turns(1)
    for _ in range(3):
        assert send(alice, address, b"no picture").status_code == 422
    assert send(alice, address).status_code == 200


def test_storage_that_is_away(alice: Person, model: Model, address: str, settings: Any) -> None:
    TenantStorage(alice.tenant.id)
    settings.S3_ENDPOINT_URL = "http://127.0.0.1:1"
    assert code_of(send(alice, address)) == (503, "unavailable")


def test_no_prediction_while_a_transaction_is_open(alice: Person, model: Model, serving: Hosting) -> None:
    with tenant_scope(alice.tenant.id), pytest.raises(ScopeOpen):
        serving.compute(model, lambda: PHOTO, None, tenant_id=alice.tenant.id)
