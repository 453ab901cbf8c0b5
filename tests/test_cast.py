"""The cast is who it says it is."""

from tests.cast import Cast


def test_each_key_leads_to_its_own_tenant_and_role(cast: Cast) -> None:
    people = {"alice": cast.alice, "bob": cast.bob, "vera": cast.vera, "charlie": cast.charlie}
    answers = {name: person.api.get("/api/v1/me").json() for name, person in people.items()}

    assert {name: (answer["tenant"]["name"], answer["member"]["role"]) for name, answer in answers.items()} == {
        "alice": ("Acme Casings", "OWNER"),
        "bob": ("Acme Casings", "LABELER"),
        "vera": ("Acme Casings", "VIEWER"),
        "charlie": ("Bolt Works", "OWNER"),
    }
    assert cast.revoked.api.get("/api/v1/me").status_code == 401
    assert cast.anonymous.get("/api/v1/me").status_code == 401
