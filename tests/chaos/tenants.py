"""`python -m tests.chaos.tenants COUNT`: makes tenants and prints their ids and keys, one JSON list."""

import json
import sys

import django


def main(count: int) -> None:
    django.setup()
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
