"""Objects: what S3 itself refuses to one tenant's credentials, whatever key our code would name."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.conf import settings

from projects.domain.images import image_key
from tenants import s3 as s3_door
from tenants import storage
from tenants.storage import ObjectMissing, StorageUnavailable, TenantStorage
from tests.isolation.objects import BUCKET, PROBES, STORED, Probe, acmes_objects, client, refused, session
from tests.isolation.world import World, kept_bytes

ALL_PROBES = pytest.mark.parametrize("probe", [pytest.param(probe, id=name) for name, probe in PROBES.items()])


@ALL_PROBES
def test_one_tenants_credentials_do_not_reach_anothers_objects(probe: Probe, world: World) -> None:
    before = acmes_objects(world)
    assert len(before) >= 4
    assert refused(probe, client(world.bolt.tenant), world) in ("AccessDenied", "403")
    assert acmes_objects(world) == before


def test_the_same_calls_within_the_own_prefix_pass(world: World) -> None:
    """So the refusals above are about whose prefix it is."""
    s3, own = client(world.acme.tenant), f"t/{world.acme.tenant}/"
    for name in (
        "get",
        "get a manifest",
        "get an export",
        "get an import",
        "get a model",
        "list checkpoints",
        "put",
        "copy out",
        "copy a part out",
        "list",
        "begin an upload in parts",
    ):
        PROBES[name](s3, own, own)
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": own + "incoming/x"}, {"Key": own + "incoming/loot"}]})


def test_deleting_many_deletes_none_of_anothers(world: World) -> None:
    before = acmes_objects(world)
    answer = client(world.bolt.tenant).delete_objects(
        Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in before]}
    )
    assert {error["Code"] for error in answer["Errors"]} == {"AccessDenied"}
    assert len(answer["Errors"]) == len(before)
    assert acmes_objects(world) == before


@pytest.mark.parametrize("key", ["t/{bolt}B/x", "t/{bolt}", "t/{bolt}/../{acme}/incoming/x", "t//{acme}/x", "x", "t/"])
def test_a_prefix_is_a_folder_and_not_a_beginning(key: str, world: World) -> None:
    before = acmes_objects(world)
    key = key.format(bolt=world.bolt.tenant, acme=world.acme.tenant)
    s3 = client(world.bolt.tenant)
    for call in (s3.get_object, s3.put_object, s3.delete_object):
        with pytest.raises(ClientError) as caught:
            call(Bucket=BUCKET, Key=key)
        assert caught.value.response["Error"]["Code"] in ("AccessDenied", "InvalidRequest")
    with pytest.raises(ClientError):
        s3.list_objects_v2(Bucket=BUCKET, Prefix=f"t/{world.bolt.tenant}")
    assert acmes_objects(world) == before


def test_a_session_cannot_become_more(world: World) -> None:
    given = s3_door.assume_role(world.bolt.tenant)
    credentials = {name: given[name] for name in ("access_key", "secret_key", "token")}
    sts = session("sts", **credentials)
    with pytest.raises(ClientError) as caught:
        sts.assume_role(RoleArn=settings.S3_ROLE_ARN, RoleSessionName="more")
    assert caught.value.response["Error"]["Code"] == "AccessDenied"
    # Nor does the service's own pair without the session's token, nor the session's with another's.
    others = s3_door.assume_role(world.acme.tenant)
    for mixed in (
        credentials | {"token": others["token"]},
        {"access_key": given["access_key"], "secret_key": "x" * 40},
    ):
        s3 = session("s3", **mixed)
        with pytest.raises(ClientError):
            s3.get_object(Bucket=BUCKET, Key=f"t/{world.acme.tenant}/{image_key(STORED)}")


@ALL_PROBES
def test_the_services_own_identity_does_nothing_but_write_to_incoming(probe: Probe, world: World) -> None:
    """It signs upload forms, which is why it may write there for any tenant."""
    s3 = s3_door.service_client("s3", settings.S3_ENDPOINT_URL)
    if probe is PROBES["put"]:
        probe(s3, f"t/{world.acme.tenant}/", "")
        TenantStorage(world.acme.tenant).delete(["incoming/x"])
        return
    before = acmes_objects(world)
    assert refused(probe, s3, world) in ("AccessDenied", "403", "InvalidAccessKeyId")
    assert acmes_objects(world) == before


def test_the_door_puts_every_key_below_its_own_tenant(world: World, tmp_path: Path) -> None:
    """Keys that no caller of ours passes."""
    before = acmes_objects(world)
    bolts = TenantStorage(world.bolt.tenant)
    theirs = f"t/{world.acme.tenant}/{image_key(STORED)}"
    for key in (theirs, f"/{theirs}", f"../{world.acme.tenant}/{image_key(STORED)}"):
        with pytest.raises((ObjectMissing, StorageUnavailable)):
            bolts.download(key, tmp_path / "loot", max_bytes=100)
    with pytest.raises(StorageUnavailable):
        bolts.put(f"../{world.acme.tenant}/incoming/x", b"x", content_type="image/png")
    bolts.delete([theirs])
    with pytest.raises(StorageUnavailable):
        bolts.delete(f"../../{key}" for key in before)
    assert bolts.sizes("incoming", names=[str(world.acme.awaiting)]) == {}
    assert not (tmp_path / "loot").exists()
    assert acmes_objects(world) == before


def test_equal_bytes_of_two_tenants_are_two_objects(world: World, tmp_path: Path) -> None:
    """Content addresses do not tell one tenant what another has stored."""
    copy = tmp_path / "copy"
    copy.write_bytes(kept_bytes("acme", "stored"))
    bolts = TenantStorage(world.bolt.tenant)
    with pytest.raises(ObjectMissing):
        bolts.download(image_key(STORED), tmp_path / "loot", max_bytes=100)
    assert bolts.put_once(image_key(STORED), copy, content_type="image/png", sha256=STORED) is True
    bolts.delete([image_key(STORED)])


def test_each_tenant_signs_with_its_own_credentials(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when they are taken anew, because there are more tenants than are kept."""
    monkeypatch.setattr(s3_door, "_MAX_CREDENTIALS", 1)
    kept = s3_door.TenantCredentials()
    monkeypatch.setattr(storage, "tenant_credentials", kept)
    for holdings in (world.acme, world.bolt, world.acme):
        own = TenantStorage(holdings.tenant)
        assert own.prefix == f"t/{holdings.tenant}/"
        names = [str(holdings.awaiting), str(holdings.arrived)]
        assert set(own.sizes("incoming", names=names)) == set(names)
        assert len(kept._kept) == 1


def test_shared_client_signs_nothing_outside_a_tenants_storage(world: World) -> None:
    own = TenantStorage(world.acme.tenant)
    assert own.sizes("incoming", names=[str(world.acme.awaiting)])
    with pytest.raises(RuntimeError, match="through TenantStorage"):
        own._client.list_objects_v2(Bucket=BUCKET, Prefix=own.prefix)


def test_threads_of_two_tenants_on_the_shared_client_do_not_mix(world: World) -> None:
    def look(holdings: Any) -> bool:
        names = [str(holdings.awaiting), str(holdings.arrived)]
        return set(TenantStorage(holdings.tenant).sizes("incoming", names=names)) == set(names)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(look, [world.acme, world.bolt] * 40))


def test_what_is_lent_for_one_call_is_taken_back(world: World, tmp_path: Path) -> None:
    """Also after an error, and when another tenant's storage is used meanwhile."""
    acmes, bolts = (TenantStorage(holdings.tenant) for holdings in (world.acme, world.bolt))
    with pytest.raises(ObjectMissing):
        acmes.download("incoming/nothing", tmp_path / "x", max_bytes=1)
    with pytest.raises(RuntimeError, match="through TenantStorage"):
        acmes._client.list_objects_v2(Bucket=BUCKET, Prefix=acmes.prefix)
    with s3_door.borrowed.lend(acmes._credentials):
        assert bolts.sizes("incoming", names=[str(world.bolt.awaiting)])
        assert acmes._client.list_objects_v2(Bucket=BUCKET, Prefix=acmes.prefix)["KeyCount"]
        with pytest.raises(ClientError):
            acmes._client.list_objects_v2(Bucket=BUCKET, Prefix=bolts.prefix)


def test_storage_is_built_from_a_tenants_id_only(world: World) -> None:
    wrong: list[Any] = ["", "not an id", None, b"x", str(world.acme.tenant)]
    for value in wrong:
        with pytest.raises(TypeError):
            TenantStorage(value)
