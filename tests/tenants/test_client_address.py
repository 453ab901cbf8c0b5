"""The client's address: nobody chooses it for themselves."""

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from tenants.client_address import client_address


def ask(connected: str, *hops: str) -> str:
    forwarded = {"HTTP_X_FORWARDED_FOR": ", ".join(hops)} if hops else {}
    return client_address(RequestFactory().get("/", REMOTE_ADDR=connected, **forwarded))


def test_without_proxies_it_is_the_connections(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 0
    assert ask("203.0.113.5") == "203.0.113.5"
    assert ask("203.0.113.5", "198.51.100.1") == "203.0.113.5"


@pytest.mark.parametrize(
    ("trusted", "hops", "expected"),
    [
        (1, ("198.51.100.7",), "198.51.100.7"),
        # What the client wrote itself stands further left.
        (1, ("192.0.2.1", "192.0.2.2", "198.51.100.7"), "198.51.100.7"),
        (2, ("192.0.2.1", "198.51.100.7", "10.0.0.2"), "198.51.100.7"),
        # Fewer than there must be: it did not come that way.
        (2, ("198.51.100.7",), "10.0.0.1"),
        (1, (), "10.0.0.1"),
        (1, ("nonsense",), "10.0.0.1"),
        (1, ("198.51.100.7", ""), "10.0.0.1"),
    ],
)
def test_behind_proxies_of_ours_it_is_what_the_outermost_saw(
    trusted: int, hops: tuple[str, ...], expected: str, settings: Settings
) -> None:
    settings.TRUSTED_PROXIES = trusted
    assert ask("10.0.0.1", *hops) == expected


@pytest.mark.parametrize(
    ("connected", "expected"),
    [
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::9", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("", "unknown"),
    ],
)
def test_one_client_has_one_name(connected: str, expected: str) -> None:
    assert ask(connected) == expected
