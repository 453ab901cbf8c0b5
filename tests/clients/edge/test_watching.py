"""Each image once: through restarts, kills, torn lines, files that grow, and the end of the program."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.edge.bundles import encoded, flat
from tests.clients.edge.conftest import COMMAND, Running, edge, eventually, lines

RED, BLUE = encoded(flat((200, 20, 20))), encoded(flat((20, 20, 200)))
Start = Callable[..., Running]


def names(out: Path) -> list[str]:
    return [line["file"] for line in lines(out)]


def test_a_restart_repeats_nothing(classifier: Path, camera: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (camera / "a.png").write_bytes(RED)
    edge("run", classifier, camera, "--once", "--out", out)
    (camera / "b.PNG").write_bytes(BLUE)

    ended = edge("run", classifier, camera, "--once", "--out", out)

    assert "which has 1 so far" in ended.err
    assert names(out) == ["a.png", "b.PNG"]
    assert sorted(path.name for path in camera.iterdir()) == ["a.png", "b.PNG"], "nothing is written among the images"
    assert len(list((out / "drawn").iterdir())) == 2


def test_the_same_content_touched_is_the_same_image_and_other_content_another(classifier: Path, camera: Path) -> None:
    (camera / "a.png").write_bytes(RED)
    edge("run", classifier, camera, "--once")
    os.utime(camera / "a.png", (1_000_000_000, 1_000_000_000))
    edge("run", classifier, camera, "--once")
    assert names(camera / "results") == ["a.png"]

    (camera / "a.png").write_bytes(BLUE)
    edge("run", classifier, camera, "--once")

    told = lines(camera / "results")
    assert [(line["file"], line["class"]) for line in told] == [("a.png", "red"), ("a.png", "blue")]
    assert len({line["drawn"] for line in told}) == 2


@pytest.mark.parametrize("torn", [b'{"file": "b.png", "sha', b"\0\0\0\0", b'{"file": "b.png"}'])
def test_a_torn_last_line_is_dropped_and_its_image_done_again(torn: bytes, classifier: Path, camera: Path) -> None:
    (camera / "a.png").write_bytes(RED)
    edge("run", classifier, camera, "--once")
    (camera / "b.png").write_bytes(BLUE)
    path = camera / "results" / "results.jsonl"
    before = path.read_bytes()
    path.write_bytes(before + torn)

    edge("run", classifier, camera, "--once")

    assert path.read_bytes().startswith(before)
    assert [json.loads(line)["file"] for line in path.read_text().splitlines()] == ["a.png", "b.png"]


def test_lines_of_others_are_passed_over_and_kept(classifier: Path, camera: Path) -> None:
    (camera / "a.png").write_bytes(RED)
    (camera / "results").mkdir()
    path = camera / "results" / "results.jsonl"
    path.write_text('a note\n[1]\n{"file": 3}\n')

    edge("run", classifier, camera, "--once")

    assert path.read_text().startswith('a note\n[1]\n{"file": 3}\n')
    assert len(path.read_text().splitlines()) == 4


def test_new_images_are_seen_while_it_watches_and_sigterm_ends_it(classifier: Path, camera: Path, start: Start) -> None:
    (camera / "before.png").write_bytes(RED)
    running = start(classifier, camera, "--settle", "0.1")
    eventually(lambda: names(camera / "results") == ["before.png"])
    for number in range(3):
        (camera / f"{number}.png").write_bytes(BLUE)
    eventually(lambda: len(lines(camera / "results")) == 4)

    ended = running.end()

    assert ended.code == 0
    assert "Ended as asked: 4 images" in ended.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_image_at_hand_is_finished(number: int, classifier: Path, camera: Path, start: Start) -> None:
    _fill(camera, 60)
    running = start(classifier, camera)
    eventually(lambda: lines(camera / "results"))

    ended = running.end(number)

    assert ended.code == 0, ended.err
    done = lines(camera / "results")
    assert (camera / "results" / "results.jsonl").read_bytes().endswith(b"\n")
    assert {line["drawn"] for line in done} == _drawn(camera)
    edge("run", classifier, camera, "--once")
    assert Counter(names(camera / "results")) == Counter(path.name for path in camera.glob("*.png"))


def test_a_killed_program_goes_on_where_it_was(classifier: Path, camera: Path, start: Start) -> None:
    _fill(camera, 60)
    for more in (1, 10):
        before = len(lines(camera / "results"))
        running = start(classifier, camera)
        eventually(lambda least=before + more: len(lines(camera / "results")) >= least)
        running.end(signal.SIGKILL)

    assert edge("run", classifier, camera, "--once").code == 0

    assert Counter(names(camera / "results")) == Counter(path.name for path in camera.glob("*.png"))
    assert {line["drawn"] for line in lines(camera / "results")} == _drawn(camera)


def test_a_half_written_file_is_left_until_it_is_whole(classifier: Path, camera: Path, start: Start) -> None:
    running = start(classifier, camera, "--settle", "2")
    path = camera / "slow.png"
    path.write_bytes(RED[:60])
    # Inspected after it, so the half file has been looked at too.
    (camera / "whole.png").write_bytes(BLUE)
    eventually(lambda: lines(camera / "results"))
    assert names(camera / "results") == ["whole.png"]

    with path.open("ab") as file:
        file.write(RED[60:])
    eventually(lambda: len(lines(camera / "results")) == 2)

    assert running.end().code == 0
    assert lines(camera / "results")[1]["class"] == "red"


def test_a_folder_that_goes_away_is_waited_for(classifier: Path, camera: Path, tmp_path: Path, start: Start) -> None:
    running = start(classifier, camera, "--settle", "0.1", "--out", tmp_path / "out")
    (camera / "a.png").write_bytes(RED)
    eventually(lambda: lines(tmp_path / "out"))
    shutil.move(camera, tmp_path / "away")
    assert running.process.stderr is not None
    while "Waiting for its return" not in running.process.stderr.readline():
        pass
    shutil.move(tmp_path / "away", camera)
    (camera / "b.png").write_bytes(BLUE)
    eventually(lambda: len(lines(tmp_path / "out")) == 2)

    assert running.end().code == 0


def test_two_programs_do_not_share_results(classifier: Path, camera: Path, start: Start) -> None:
    (camera / "a.png").write_bytes(RED)
    start(classifier, camera)
    eventually(lambda: lines(camera / "results"))

    ended = edge("run", classifier, camera, "--once")

    assert ended.code == 2
    assert "Another myriad-edge" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [["nowhere"], ["camera", "--threads", "0"], ["camera", "--threshold", "nan"], ["camera", "--settle", "-1"]],
)
def test_bad_arguments_end_with_2(arguments: list[str], classifier: Path, camera: Path) -> None:
    folder, *options = arguments
    assert edge("run", classifier, camera.with_name(folder), "--once", *options).code == 2


def test_results_that_would_come_into_the_watched_folder_are_refused(classifier: Path, tmp_path: Path) -> None:
    (tmp_path / "drawn").mkdir()
    ended = edge("run", classifier, tmp_path / "drawn", "--once", "--out", tmp_path)
    assert ended.code == 2
    assert "--out" in ended.err


def test_a_full_disk_is_said_and_not_taken_for_an_image(classifier: Path, camera: Path) -> None:
    (camera / "a.png").write_bytes(RED)
    limited = ["bash", "-c", 'ulimit -f 0; exec "$@"', "-", COMMAND, "run", classifier, camera, "--once"]
    ended = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "Look at the disk" in ended.stderr
    assert "Traceback" not in ended.stderr
    edge("run", classifier, camera, "--once")
    assert [line["class"] for line in lines(camera / "results")] == ["red"]


def test_results_are_a_plain_file(classifier: Path, camera: Path) -> None:
    (camera / "results").mkdir()
    (camera / "results" / "results.jsonl").symlink_to("/dev/zero")
    ended = edge("run", classifier, camera, "--once")
    assert ended.code == 2
    assert "is not a plain file" in ended.err


OFFLINE = """
import socket, sys
def forbid(event, arguments):
    if event == "socket.__new__" and arguments[1] in (socket.AF_INET, socket.AF_INET6) or event in (
        "socket.connect", "socket.getaddrinfo", "socket.sendto"
    ):
        raise RuntimeError("network: " + event)
sys.addaudithook(forbid)
"""
RUN = "from myriad_edge.cli import main\nmain(sys.argv[1:])"


def test_it_opens_no_network_connection(detector: Path, camera: Path) -> None:
    (camera / "a.png").write_bytes(RED)

    def offline(program: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", OFFLINE + program, "run", detector, camera, "--once"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert "network: socket.__new__" in offline("socket.socket()").stderr, "the hook works"
    done = offline(RUN)
    assert done.returncode == 0, done.stderr
    assert names(camera / "results") == ["a.png"]


def _fill(camera: Path, count: int) -> None:
    for number in range(count):
        (camera / f"{number:03}.png").write_bytes(encoded(flat((200, number, 20))))


def _drawn(camera: Path) -> set[str]:
    """Drawn images; a kill may leave one that was not finished."""
    return {f"drawn/{path.name}" for path in (camera / "results" / "drawn").glob("*.jpg")}
