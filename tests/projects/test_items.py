"""Reading one item of a registration: each kind of nonsense has its code, names the file, and helps."""

from typing import Any

import pytest

from projects.domain.items import ItemRefused, NewImage, echoed, parse_item, parse_metadata
from tests.projects.files import described

NAN, INFINITY = float("nan"), float("inf")


def nested(depth: int) -> list[Any]:
    """A list in a list in a list, deeper than Python recurses."""
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


DEEP = nested(100_000)
BAD: list[tuple[str, Any, str]] = [
    ("content_type", None, "unsupported_type"),
    ("content_type", "", "unsupported_type"),
    ("content_type", "image/gif", "unsupported_type"),
    ("content_type", "image/svg+xml", "unsupported_type"),
    ("content_type", "image/jpeg; charset=utf-8", "unsupported_type"),
    ("content_type", "image/jpeg\x00", "unsupported_type"),
    ("content_type", "\ud800", "unsupported_type"),
    ("content_type", ["image/jpeg"], "unsupported_type"),
    ("content_type", DEEP, "unsupported_type"),
    ("sha256", None, "bad_sha256"),
    ("sha256", "a" * 63, "bad_sha256"),
    ("sha256", "A" * 64, "bad_sha256"),
    ("sha256", "a" * 64 + "\n", "bad_sha256"),
    ("sha256", "\u0660" * 64, "bad_sha256"),
    ("sha256", int("1" * 64), "bad_sha256"),
    ("size", None, "bad_size"),
    ("size", "1000", "bad_size"),
    ("size", 1000.0, "bad_size"),
    ("size", True, "bad_size"),
    ("size", -1, "bad_size"),
    ("size", NAN, "bad_size"),
    ("size", 0, "empty_file"),
    ("size", 128 * 1024 * 1024 + 1, "too_large"),
    ("size", 10**4000, "too_large"),
    ("metadata", [], "bad_metadata"),
    ("metadata", "camera=3", "bad_metadata"),
    ("metadata", {"camera": {"id": 3}}, "bad_metadata"),
    ("metadata", {"cameras": [3]}, "bad_metadata"),
    ("metadata", {"camera": DEEP}, "bad_metadata"),
    ("metadata", {"camera": NAN}, "bad_metadata"),
    ("metadata", {"camera": INFINITY}, "bad_metadata"),
    ("metadata", {"camera": -INFINITY}, "bad_metadata"),
    ("metadata", {"camera": "3\x00"}, "bad_metadata"),
    ("metadata", {"camera": "\udfff"}, "bad_metadata"),
    ("metadata", {"": "3"}, "bad_metadata"),
    ("metadata", {"x" * 65: "3"}, "bad_metadata"),
    ("metadata", {"cam\nera": "3"}, "bad_metadata"),
    ("metadata", {"cam\x00era": "3"}, "bad_metadata"),
    ("metadata", {"cam\ud800era": "3"}, "bad_metadata"),
    ("metadata", {"part": "x" * 201}, "bad_metadata"),
    ("metadata", {"note": "x" * 8192}, "metadata_too_large"),
    ("metadata", {"note": "é" * 4096}, "metadata_too_large"),
    ("metadata", {f"n{number}": number for number in range(2000)}, "metadata_too_large"),
    ("split", "train", "bad_split"),
    ("split", "", "bad_split"),
    ("split", ["TRAIN"], "bad_split"),
    ("split", False, "bad_split"),
    ("group", 5, "bad_group"),
    ("group", "x" * 201, "bad_group"),
    ("group", "a\x00", "bad_group"),
    ("group", "\ud800", "bad_group"),
    ("classes", "dent", "unknown_class"),
    ("classes", {"dent": 1}, "unknown_class"),
    ("classes", [1], "unknown_class"),
    ("classes", [None], "unknown_class"),
    ("classes", ["dent"] * 51, "unknown_class"),
]


def refusal(given: object) -> dict[str, str]:
    """The error of an item, which must be fit to be sent as JSON."""
    with pytest.raises(ItemRefused) as caught:
        parse_item(given)
    error = caught.value.error
    assert set(error) == {"code", "message", "hint"}
    assert all(text.isprintable() and 0 < len(text.encode()) < 400 for text in error.values()), error
    return error


@pytest.mark.parametrize(("name", "value", "code"), BAD, ids=[f"{name}-{at}" for at, (name, _, _) in enumerate(BAD)])
def test_bad_value_has_its_code_and_names_the_file(name: str, value: object, code: str) -> None:
    error = refusal(described(7, **{name: value}))

    assert error["code"] == code
    assert error["message"].startswith("7.jpg")


@pytest.mark.parametrize(
    "name", [None, "", 5, ["a.jpg"], "x" * 256, "a\x00.jpg", "a\n.jpg", "\x7f", "\ud800.jpg", DEEP]
)
def test_bad_filename_is_shown_as_far_as_it_can_be(name: object) -> None:
    assert refusal(described(7, filename=name))["code"] == "bad_filename"
    assert echoed(name).isprintable()
    assert len(echoed(name)) <= 80


@pytest.mark.parametrize("given", [None, [], "a.jpg", 5, True])
def test_item_that_is_no_object_is_refused(given: object) -> None:
    assert refusal(given)["code"] == "validation_failed"


def test_least_and_most_that_is_taken() -> None:
    least = parse_item(described(7))
    most = parse_item(
        described(
            7,
            filename="检" * 255,
            size=128 * 1024 * 1024,
            metadata={"note": "x" * (8192 - len('{"note": ""}'))},
            split="VALIDATION",
            group="g" * 200,
            classes=[str(number) for number in range(50)],
        )
    )

    sha256 = described(7)["sha256"]
    assert least == NewImage(filename="7.jpg", size=1000, sha256=sha256, content_type="image/jpeg")
    assert (most.size, most.split, len(most.group), len(most.classes)) == (134217728, "VALIDATION", 200, 50)
    assert echoed("检" * 255) == most.filename


def test_other_spellings_of_a_type_are_understood() -> None:
    spellings = {"image/jpg": "image/jpeg", "image/PNG": "image/png", "image/x-ms-bmp": "image/bmp"}

    assert {given: parse_item(described(7, content_type=given)).content_type for given in spellings} == spellings


def test_plain_metadata_is_taken_as_it_is() -> None:
    given = {"camera": "3", "größe 2.x-y": 1.5, "n": 10**300, "night": True, "gap": None, "quote": "'\"; --\n"}

    assert parse_metadata("7.jpg", given) == given
    assert parse_metadata("7.jpg", None) == {}


def test_class_named_twice_counts_once() -> None:
    assert parse_item(described(7, classes=["dent", "pit", "dent"])).classes == ("dent", "pit")
