import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from myriad import Client, Retry
from myriad.cli.main import run
from tests.clients.sdk.fake_service import KEY, FakeService

# As many attempts as in earnest, without their pauses.
QUICK = Retry(first=0.001, cap=0.002)


@pytest.fixture
def service() -> Iterator[FakeService]:
    with FakeService().running() as running:
        yield running


@pytest.fixture
def client(service: FakeService) -> Iterator[Client]:
    with Client(service.url, KEY, retry=QUICK, pause=lambda _: None) as made:
        yield made


@pytest.fixture
def project(service: FakeService) -> str:
    return service.tenant.add_project("Casings")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten photographs, no two alike, two of them in a folder of their own."""
    root = tmp_path / "photographs"
    (root / "line 2").mkdir(parents=True)
    for number in range(8):
        (root / f"{number}.jpg").write_bytes(b"photograph %d " % number * 50)
    (root / "line 2" / "8.png").write_bytes(b"photograph 8 " * 50)
    (root / "line 2" / "9.JPG").write_bytes(b"photograph 9 " * 50)
    return root


@dataclass(frozen=True)
class Ended:
    """A run of the command: its exit code, and what it said where."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Myriad = Callable[..., Ended]


@pytest.fixture
def myriad(service: FakeService, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Myriad:
    """The command, in this process, talking to the fake service; the canary key must never show."""
    monkeypatch.setenv("MYRIAD_URL", service.url)
    monkeypatch.setenv("MYRIAD_API_KEY", KEY)

    def invoke(*arguments: str) -> Ended:
        code = run(arguments)
        said = capsys.readouterr()
        assert KEY not in said.out + said.err
        return Ended(code, said.out, said.err)

    return invoke
