"""`python -m tests.browser.people`: makes the database and the cast; prints their keys and tenants, one JSON object."""

import json
import sys

import django


def main() -> None:
    django.setup()
    from django.core.management import call_command

    call_command("database", "bootstrap", stdout=sys.stderr)
    call_command("migrate", database="owner", verbosity=0)
    call_command("storage", "bootstrap", stdout=sys.stderr)
    from tests.cast import assemble

    cast = assemble()
    people = {"alice": cast.alice, "bob": cast.bob, "vera": cast.vera, "charlie": cast.charlie}
    made = {
        name: {"email": who.seat.user.email, "tenant": who.tenant.slug, "key": who.seat.token.text}
        for name, who in people.items()
    }
    json.dump(made, sys.stdout)


if __name__ == "__main__":
    main()
