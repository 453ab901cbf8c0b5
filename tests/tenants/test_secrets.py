"""Tokens: their form, what is kept of them, and how they are compared."""

import hashlib

import pytest

from tenants.secrets import Token, matches, new_token, parse_token


def test_a_token_reads_kind_prefix_secret() -> None:
    token = new_token("myr")
    kind, prefix, secret = token.text.split("_")

    assert (kind, prefix) == ("myr", token.prefix)
    assert len(prefix) == 12
    assert len(secret) == 64
    assert parse_token("myr", token.text) == (prefix, secret)


def test_only_the_hash_of_the_secret_is_kept() -> None:
    token = new_token("myr")
    secret = token.text.rpartition("_")[2]

    assert token.secret_hash == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in (token.prefix, token.secret_hash)
    assert secret not in repr(token)


def test_no_two_tokens_are_alike() -> None:
    tokens = [new_token("myr") for _ in range(200)]

    assert len({token.prefix for token in tokens}) == len({token.secret_hash for token in tokens}) == 200


def good() -> str:
    return f"myr_{'0' * 12}_{'a' * 64}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "myr",
        "myr__",
        "myr_000000000000",
        f"inv_{'0' * 12}_{'a' * 64}",
        f"MYR_{'0' * 12}_{'a' * 64}",
        f"myr_{'0' * 11}_{'a' * 64}",
        f"myr_{'0' * 12}_{'a' * 63}",
        f"myr_{'0' * 12}_{'a' * 65}",
        f"myr_{'0' * 12}_{'a' * 64}_",
        f"myr_{'0' * 12}_{'A' * 64}",
        f"myr_{'0' * 12}_{'g' * 64}",
        "myr_" + "\x00" * 12 + "_" + "a" * 64,
        "myr_" + "\u0660" * 12 + "_" + "a" * 64,
        f" {good()}",
        f"{good()}\n",
        f"{good()} {good()}",
        "myr_" + "a" * 100_000,
    ],
)
def test_malformed_tokens_are_none(text: str) -> None:
    assert parse_token("myr", good()) is not None
    assert parse_token("myr", text) is None


def test_matches_the_secret_and_nothing_else() -> None:
    token = Token(text="", prefix="", secret_hash=hashlib.sha256(b"secret").hexdigest())

    assert matches("secret", token.secret_hash)
    assert not matches("Secret", token.secret_hash)
    assert not matches("", token.secret_hash)
    assert not matches(token.secret_hash, token.secret_hash)
