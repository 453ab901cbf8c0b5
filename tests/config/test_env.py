"""Reading the environment, and the local stack's file when there is none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config import env
from tests.architecture.source import ROOT


def test_text_has_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME", raising=False)
    assert (env.text("SOME"), env.text("SOME", "x")) == ("", "x")
    monkeypatch.setenv("SOME", "y")
    assert env.text("SOME", "x") == "y"


@pytest.mark.parametrize(("given", "expected"), [("7", 7), ("-1", -1), (" 8 ", 8), (None, 3)])
def test_numbers(given: str | None, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME", raising=False)
    if given is not None:
        monkeypatch.setenv("SOME", given)
    assert env.number("SOME", 3) == expected


@pytest.mark.parametrize("given", ["", "x", "1.5", "1e3", "0x10"])
def test_a_number_that_is_none_names_its_variable(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SECONDS", given)
    with pytest.raises(ValueError, match="SOME_SECONDS must be a whole number"):
        env.number("SOME_SECONDS", 3)


@pytest.mark.parametrize(
    ("given", "expected"), [(None, False), ("0", False), ("1", True), ("true", False), ("", False)]
)
def test_flags_are_on_only_by_one(given: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME", raising=False)
    if given is not None:
        monkeypatch.setenv("SOME", given)
    assert env.flag("SOME") is expected


def test_items_are_trimmed_and_never_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME", " a, b ,,c,")
    assert env.items("SOME") == ["a", "b", "c"]
    monkeypatch.delenv("SOME")
    assert env.items("SOME", "x,y") == ["x", "y"]
    assert env.items("SOME") == []


def test_a_database_address() -> None:
    entry = env.database("postgresql://my%40app:p%2Fw%3A%23@db.example:6543/myriad")

    assert {name: entry[name] for name in ("USER", "PASSWORD", "HOST", "PORT", "NAME")} == {
        "USER": "my@app",
        "PASSWORD": "p/w:#",
        "HOST": "db.example",
        "PORT": "6543",
        "NAME": "myriad",
    }
    assert entry["DISABLE_SERVER_SIDE_CURSORS"], "a transaction pooler does not keep them"
    assert entry["CONN_HEALTH_CHECKS"]


def test_a_database_address_without_port_or_password() -> None:
    entry = env.database("postgresql://app@db/myriad")

    assert (entry["PORT"], entry["PASSWORD"]) == ("5432", "")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DATABASE_URL", "SOME_A", "SOME_B", "SOME_C"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    (tmp_path / "env").write_text("# made by the local stack\nDATABASE_URL=x\nSOME_A=1=2\nSOME_B=\n\nnonsense\n")
    return tmp_path


def test_the_local_stacks_file_is_read_when_there_is_no_address(folder: Path) -> None:
    env.load_local_stack(folder)

    assert (os.environ["DATABASE_URL"], os.environ["SOME_A"], os.environ["SOME_B"]) == ("x", "1=2", "")
    assert "nonsense" not in os.environ
    assert not any(name.startswith("#") for name in os.environ)


def test_real_variables_win_over_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_A", "real")
    env.load_local_stack(folder)
    assert os.environ["SOME_A"] == "real"


def test_with_an_address_the_file_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/db")
    env.load_local_stack(folder)
    assert "SOME_A" not in os.environ


def test_without_a_file_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    before = dict(os.environ)
    env.load_local_stack(tmp_path)
    assert dict(os.environ) == before


def settings_with(variables: dict[str, str], *expressions: str) -> list[str]:
    """What the settings of a fresh process say, of which only these variables are set."""
    program = "from django.conf import settings\n" + "\n".join(f"print(repr({each}))" for each in expressions)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "config.settings"} | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_manage_py_finds_the_local_stack_from_another_terminal(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("DATABASE_URL=postgresql://myriad_app:s@127.0.0.1:4242/local\nSECRET_KEY=k\n")
    said = settings_with(
        {"MYRIAD_LOCAL_DIR": str(tmp_path)},
        "settings.DATABASES['default']['PORT']",
        "settings.SECRET_KEY",
        "sorted(settings.DATABASES)",
    )

    assert said == ["'4242'", "'k'", "['default', 'direct']"]


def test_defaults_are_safe() -> None:
    said = settings_with(
        {"MYRIAD_LOCAL_DIR": "/nonexistent", "SECRET_KEY": "k"},
        "settings.DEBUG",
        "settings.ALLOWED_HOSTS",
        "settings.S3_ADMIN_CREDENTIALS",
    )

    assert said == ["False", "['127.0.0.1', 'localhost']", "{}"]


def test_without_a_secret_key_nothing_is_signed() -> None:
    with pytest.raises(subprocess.CalledProcessError) as failure:
        settings_with({"MYRIAD_LOCAL_DIR": "/nonexistent"}, "settings.SECRET_KEY")
    assert "SECRET_KEY" in failure.value.stderr


def test_the_public_address_of_s3_is_the_servers_unless_told() -> None:
    base = {"MYRIAD_LOCAL_DIR": "/nonexistent", "SECRET_KEY": "k", "S3_ENDPOINT_URL": "http://s3:1"}

    assert settings_with(base, "settings.S3_PUBLIC_URL") == ["'http://s3:1'"]
    assert settings_with(base | {"S3_PUBLIC_URL": "https://s3.example"}, "settings.S3_PUBLIC_URL") == [
        "'https://s3.example'"
    ]


@pytest.mark.parametrize(("given", "expected"), [("50/500", (50.0, 500)), ("0.2/1", (0.2, 1)), (None, (1.0, 2))])
def test_rates(given: str | None, expected: tuple[float, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME", raising=False)
    if given is not None:
        monkeypatch.setenv("SOME", given)
    assert env.rate("SOME", "1/2") == expected


@pytest.mark.parametrize("given", ["", "5", "5/", "/5", "0/5", "5/0", "-1/5", "5/-1", "inf/5", "nan/5", "5/1.5", "x/y"])
def test_a_rate_that_is_none_names_its_variable(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_RATE", given)
    with pytest.raises(ValueError, match="SOME_RATE must be like 50/500"):
        env.rate("SOME_RATE", "1/2")
