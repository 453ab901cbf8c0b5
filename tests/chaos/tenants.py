"""`python -m tests.chaos.tenants COUNT`: makes the database and tenants; prints their ids and keys, one JSON list.

All in one process, since each start of Django takes a second.
"""

import json
import sys

import django


def main(count: int) -> None:
    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # stretching takes long, on purpose
    call_command("database", "bootstrap", stdout=sys.stderr)
    call_command("migrate", database="owner", verbosity=0)
    from tenants.domain.invitations import accept_invitation
    from tenants.domain.tenants import create_tenant

    made = []
    for number in range(count):
        tenant, _, token = create_tenant(name=f"Works {number}", owner_email=f"owner{number}@works.example")
        seat = accept_invitation(text=token.text, name="Owner", password="correct horse battery staple")
        made.append({"id": str(tenant.id), "key": seat.token.text})
    json.dump(made, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]))
