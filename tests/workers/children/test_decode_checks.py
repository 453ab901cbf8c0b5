"""A child that was taken over may answer anything: the parent believes none of it unseen."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from projects.domain.decoding import DecodeCode, DecodedImage
from tests.workers.children import corpus
from workers.children.decode_checks import accepted, passed_on
from workers.children.process import ChildDied, ChildTooLarge

SOUND: dict[str, Any] = {
    "stored_type": "image/png",
    "width": 64,
    "height": 48,
    "near_hash": "0123456789abcdef",
    "orientation": 1,
}
PNG = corpus.encoded(corpus.photo(), "PNG")
WEBP = corpus.encoded(corpus.photo(), "WEBP")


def answer(folder: Path, stored: bytes = PNG, thumbnail: bytes = WEBP, **changes: Any) -> DecodedImage:
    request = corpus.request(folder, "a.png", PNG, "image/png")
    request.out_dir.mkdir()
    (request.out_dir / "stored").write_bytes(stored)
    (request.out_dir / "thumbnail").write_bytes(thumbnail)
    return accepted(request, SOUND | changes, request.out_dir / "stored", request.out_dir / "thumbnail")


def test_sound_answer_is_accepted(tmp_path: Path) -> None:
    assert answer(tmp_path).near_hash == "0123456789abcdef"


@pytest.mark.parametrize(
    "changes",
    [
        {"stored_type": "text/html"},
        {"stored_type": ["image/png"]},
        {"stored_type": "image/jpeg"},
        {"width": 0},
        {"width": True},
        {"width": 64.0},
        {"height": "48"},
        {"height": 20_001},
        {"orientation": 9},
        {"orientation": None},
        {"near_hash": 1234567890123456},
        {"near_hash": "0123456789ABCDEF"},
        {"stored": b"<html>"},
        {"stored": b""},
        {"thumbnail": b""},
    ],
)
def test_nonsense_counts_as_a_crash(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ChildDied):
        answer(tmp_path, **changes)


@pytest.mark.parametrize(
    "said",
    [
        {"code": "quota_exceeded", "message": "m", "hint": "h"},
        {"code": ["cmyk"], "message": "m", "hint": "h"},
        {"code": "cmyk", "message": None, "hint": "h"},
        {"code": "cmyk", "message": "m"},
        {"code": "decode_crashed"},
    ],
)
def test_refusal_that_is_none_counts_as_a_crash(tmp_path: Path, said: dict[str, Any]) -> None:
    with pytest.raises(ChildDied):
        passed_on(said, tmp_path)


def test_lack_of_memory_is_tried_again_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(ChildTooLarge):
        passed_on({"code": "decode_memory"}, tmp_path)


def test_refusal_is_cut_and_cleaned_for_terminals() -> None:
    said = {"code": "cmyk", "message": "\x1b]0;owned\x07" + "x" * 5000, "hint": "h\n\x00"}
    result = passed_on(said)
    assert result.code is DecodeCode.CMYK
    assert "\x1b" not in result.message
    assert len(result.message) < 400
    assert result.hint == "h"


def test_full_disk_is_not_the_files_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match="no space left"):
        passed_on({"code": "decode_crashed"}, tmp_path)
