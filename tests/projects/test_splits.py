"""Splits: by group, in the promised shares, and the same on every machine for ever."""

import uuid
from collections import Counter

from projects.domain.splits import group_of, split_of
from tests.cast import Person
from tests.projects.files import described
from tests.projects.uploading import post

PROJECT = uuid.UUID("01900000-0000-7000-8000-000000000001")


def test_split_of_a_group_never_changes() -> None:
    """Pinned: another hash would move images from test to train under models that were judged by them."""
    splits = [split_of(project_id=PROJECT, group=f"part {number}", sha256="") for number in range(33)]

    assert [at for at, split in enumerate(splits) if split == "TEST"] == [18, 19, 26, 27, 28, 31, 32]
    assert [at for at, split in enumerate(splits) if split == "VALIDATION"] == [3, 10, 11, 14, 16, 25]
    assert splits.count("TRAIN") == 20
    assert split_of(project_id=PROJECT, group="", sha256="ab" * 32) == "TRAIN"
    assert split_of(project_id=PROJECT, group="part 3", sha256="ab" * 32) == splits[3]


def test_shares_are_70_15_15() -> None:
    drawn = Counter(split_of(project_id=PROJECT, group=str(number), sha256="") for number in range(20_000))

    assert abs(drawn["TEST"] - 3000) < 200
    assert abs(drawn["VALIDATION"] - 3000) < 200
    assert sum(drawn.values()) == 20_000


def test_another_project_deals_anew() -> None:
    other = uuid.UUID(int=PROJECT.int + 1)
    groups = [str(number) for number in range(1000)]

    same = sum(
        split_of(project_id=PROJECT, group=group, sha256="") == split_of(project_id=other, group=group, sha256="")
        for group in groups
    )
    # 0.7² + 2 × 0.15² = 0.535 by chance.
    assert 480 < same < 590


def test_group_is_the_one_given_or_the_first_that_metadata_names() -> None:
    cases: list[tuple[str, dict[str, object], str]] = [
        ("", {}, ""),
        ("tray 4", {"part": "A7"}, "tray 4"),
        ("", {"position": "p", "board": "b", "part": "A7"}, "A7"),
        ("", {"position": "p", "board": "b"}, "b"),
        ("", {"part": "", "board": None, "position": 0}, "0"),
        ("", {"group": "g", "part": "A7"}, "g"),
        ("", {"camera": "3"}, ""),
    ]
    assert [group_of(group=given, metadata=metadata) for given, metadata, _ in cases] == [group for *_, group in cases]


def test_look_alikes_fall_into_one_split_unless_pinned(alice: Person, project: str) -> None:
    of_parts = [described(part * 10 + shot, metadata={"part": f"A{part}"}) for part in range(20) for shot in range(3)]
    by_name = [described(500 + shot, group="tray", metadata={"part": f"B{shot}"}) for shot in range(3)]
    pinned = described(900, metadata={"part": "A0"}, split="VALIDATION")

    answer = post(alice, f"projects/{project}/images/register", {"files": [*of_parts, *by_name, pinned]})
    assert answer.status_code == 200
    images = alice.api.get(f"/api/v1/projects/{project}/images?limit=500").json()["results"]

    fallen = {(image["group"], image["split"]) for image in images if not image["split_pinned"]}
    groups = [f"A{part}" for part in range(20)] + ["tray"]
    assert fallen == {(group, split_of(project_id=uuid.UUID(project), group=group, sha256="")) for group in groups}
    pins = [(image["filename"], image["split"]) for image in images if image["split_pinned"]]
    assert pins == [("900.jpg", "VALIDATION")]
