"""Snapshots that are asked for at once, or made while labels change."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from projects.domain import freezing
from projects.domain.manifests import load_manifest
from tenants.storage import TenantStorage
from tests.cast import Person
from tests.projects.labelled import label, labelled, snapshot_of, snapshot_row
from tests.projects.labelling import book
from tests.projects.working import Hand, jobs_of


def test_asked_for_at_once_each_has_its_own_number_and_job(alice: Person, project: str, hand: Hand) -> None:
    labelled(alice, project, "a.png")

    def ask(_: int) -> tuple[int, str]:
        try:
            made = snapshot_of(alice, project)
            return made["number"], made["job"]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        asked = list(pool.map(ask, range(6)))

    assert sorted(number for number, _ in asked) == [1, 2, 3, 4, 5, 6]
    assert {job for _, job in asked} == {str(job.id) for job in jobs_of(alice)}
    assert hand.work() == ["SUCCEEDED"] * 6


def test_what_is_corrected_while_it_is_read_stands_as_it_was(
    alice: Person, project: str, hand: Hand, storage: TenantStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version that the images named when they were read counts, with all its boxes and no other's."""
    book(alice, project, "dent")
    images = [
        labelled(alice, project, f"{number}.png", ("dent", 1, 1, 1, 1), ("dent", 2, 2, 2, 2)) for number in (0, 1)
    ]
    original = freezing._boxes_of

    def correct() -> None:
        try:
            book(alice, project, "burr")
            for image in images:
                label(alice, image, ("burr", 9, 9, 9, 9))
        finally:
            connection.close()

    def boxes_of(*args: object) -> object:
        with ThreadPoolExecutor(1) as pool:  # nobody waits: no lock is held
            pool.submit(correct).result(timeout=10)
        return original(*args)

    monkeypatch.setattr(freezing, "_boxes_of", boxes_of)
    snapshot = snapshot_of(alice, project)
    assert hand.work() == ["SUCCEEDED"]

    manifest = load_manifest(snapshot=snapshot_row(alice, snapshot), storage=storage)
    assert [[box.x for box in image.boxes] for image in manifest.images] == [[1, 2], [1, 2]]
    assert [label.name for label in manifest.classes] == ["dent", "burr"]
