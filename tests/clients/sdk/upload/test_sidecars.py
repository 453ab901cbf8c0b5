from pathlib import Path

import pytest

from myriad import Facts, Sidecar, ValidationFailed, read_coco, read_metadata_csv
from myriad.upload.sidecars import parse_pairs


@pytest.mark.parametrize(
    "text",
    [
        "filename,camera,lot,split,group\na.jpg,3,007,test,board 1\nline 2/b.jpg,,8,,\n",
        "filename;camera;lot;split;group\r\na.jpg;3;007;TEST;board 1\r\nline 2\\b.jpg;;8;;\r\n",
        "\ufefffilename\tcamera\tlot\tsplit\tgroup\na.jpg\t 3 \t007\tTest\tboard 1\nline 2/b.jpg\t\t8\n\n",
    ],
    ids=["commas", "semicolons and backslashes", "tabs and a byte order mark"],
)
def test_table_gives_metadata_split_and_group(tmp_path: Path, text: str) -> None:
    (tmp_path / "metadata.csv").write_text(text, encoding="utf-8", newline="")

    sidecar = read_metadata_csv(tmp_path / "metadata.csv")

    assert len(sidecar) == 2
    assert sidecar.facts_of("a.jpg") == Facts({"camera": "3", "lot": "007"}, split="TEST", group="board 1")
    assert sidecar.facts_of("line 2/b.jpg") == Facts({"lot": "8"})
    assert sidecar.facts_of("c.jpg") is None


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (b"file,camera\na.jpg,3\n", "has no column `filename` in its first line."),
        (b"", "has no column `filename` in its first line."),
        (b"filename,camera\na.jpg,3,4\n", "line 2 has more cells than the first line."),
        (b"filename,camera\n,3\n", "line 2 has no file name."),
        (b"filename,camera\na.jpg,3\na.jpg,4\n", "line 3 names a.jpg a second time."),
        (b"filename,split\na.jpg,dev\n", "line 2 has the split 'dev'."),
        (b"filename,camera\n\xff,3\n", "is not UTF-8 text."),
    ],
)
def test_bad_table_is_refused_naming_the_line(tmp_path: Path, text: bytes, detail: str) -> None:
    table = tmp_path / "metadata.csv"
    table.write_bytes(text)
    with pytest.raises(ValidationFailed) as raised:
        read_metadata_csv(table)
    assert raised.value.detail == f"{table} {detail}"


def test_coco_gives_group_and_metadata_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "annotations.json").write_text(
        '{"images": [{"id": 1, "file_name": "a.jpg", "group": 4, "split": "test", "metadata": {"camera": 3}},'
        ' {"id": 2, "file_name": "b.jpg", "width": 9}], "annotations": [{"bbox": [1, 2, 3, 4]}]}'
    )

    sidecar = read_coco(tmp_path / "annotations.json")

    assert sidecar.facts_of("a.jpg") == Facts({"camera": 3}, group="4")
    assert sidecar.facts_of("b.jpg") == Facts()


@pytest.mark.parametrize("text", ["[]", '{"images": 3}', '{"images": [{"id": 1}]}', '{"images": ["a.jpg"]}'])
def test_no_coco_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "annotations.json").write_text(text)
    with pytest.raises(ValidationFailed) as raised:
        read_coco(tmp_path / "annotations.json")
    assert raised.value.detail == f"{tmp_path / 'annotations.json'} is not a COCO file."


def test_name_may_be_the_end_of_a_path_or_a_longer_one() -> None:
    bare, longer = Facts({"of": "bare"}), Facts({"of": "longer"})
    sidecar = Sidecar({"a.jpg": bare, "images/b.jpg": longer, "x/c.jpg": longer, "y/c.jpg": longer})
    assert sidecar.facts_of("images/a.jpg") == bare
    assert sidecar.facts_of("b.jpg") == longer
    assert sidecar.facts_of("other/b.jpg") is None
    assert sidecar.facts_of("c.jpg") is None


def test_pairs_are_read_as_text() -> None:
    assert parse_pairs(["camera=3", "note = a=b "]) == {"camera": "3", "note": "a=b"}
    with pytest.raises(ValidationFailed) as raised:
        parse_pairs(["camera"])
    assert raised.value.detail == "'camera' is not of the form key=value."
