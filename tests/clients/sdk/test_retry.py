import httpx
import pytest

from myriad import Conflict, MyriadError, NotFound, RateLimited, Retry, Unavailable
from myriad.transport import unreachable


def test_pauses_grow_to_the_cap_and_differ() -> None:
    retry = Retry(attempts=10, first=1.0, cap=5.0)
    drawn = [[retry.pause_after(attempt, Unavailable("x")) for _ in range(50)] for attempt in range(1, 6)]
    longest = [1.0, 2.0, 4.0, 5.0, 5.0]
    for pauses, most in zip(drawn, longest, strict=True):
        assert all(pause is not None and most / 2 <= pause <= most for pause in pauses)
        assert len(set(pauses)) > 1


def test_last_attempt_is_the_last() -> None:
    retry = Retry(attempts=3)
    assert retry.pause_after(2, Unavailable("x")) is not None
    assert retry.pause_after(3, Unavailable("x")) is None
    assert Retry(attempts=1).pause_after(1, Unavailable("x")) is None


@pytest.mark.parametrize(
    "error",
    [
        NotFound("x"),
        Conflict("x"),
        MyriadError("x", status=500),
        Unavailable("x", code="untrusted_certificate"),
        RateLimited("x", retry_after=61.0),
    ],
)
def test_what_will_not_pass_is_not_repeated(error: MyriadError) -> None:
    assert Retry().pause_after(1, error) is None


def test_server_may_ask_for_longer_than_we_would_wait_ourselves() -> None:
    assert Retry(cap=2.0).pause_after(1, RateLimited("x", retry_after=30.0)) == 30.0
    assert Retry(first=4.0).pause_after(1, RateLimited("x", retry_after=0.0)) != 0.0


def test_certificate_that_is_not_trusted_has_a_remedy_of_its_own() -> None:
    error = unreachable("https://x.example", httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"))
    assert error.code == "untrusted_certificate"
    assert error.hint == "Point SSL_CERT_FILE at your company's certificate authority, or check the address."


def test_slow_server_is_told_from_one_that_is_away() -> None:
    assert unreachable("https://x.example", httpx.ReadTimeout("")).detail == (
        "https://x.example did not answer in time (ReadTimeout)."
    )
