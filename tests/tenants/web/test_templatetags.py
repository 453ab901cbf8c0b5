"""What templates make of the service's words."""

import pytest

from tenants.templatetags.pages import for_people


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        ("Freeze one first (POST /api/v1/projects/{id}/snapshots).", "Freeze one first."),
        ("Wait 3 s (Retry-After), then ask again.", "Wait 3 s, then ask again."),
        ("Ask an owner (there is at least one).", "Ask an owner (there is at least one)."),
    ],
)
def test_a_page_leaves_out_what_a_hint_says_to_clients_of_the_api(hint: str, shown: str) -> None:
    assert for_people(hint) == shown
