"""`manage.py tenant create`: a tenant, and the invitation of its owner."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.domain.tenants import create_tenant
from tenants.refusals import Refusal


class Command(BaseCommand):
    help = "Makes a tenant and prints the invitation of its owner, once."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="make a tenant")
        create.add_argument("name")
        create.add_argument("--owner", required=True, metavar="EMAIL", help="who is invited as its owner")
        create.add_argument("--slug", default="", help="its name in web addresses (made from the name)")
        create.add_argument("--json", action="store_true", help="one JSON object instead of sentences")

    def handle(self, **options: Any) -> None:
        try:
            tenant, invitation, token = create_tenant(
                name=options["name"], owner_email=options["owner"], slug=options["slug"]
            )
        except Refusal as refusal:
            raise CommandError(f"{refusal.detail} {refusal.hint}") from refusal
        if options["json"]:
            answer = {"tenant": str(tenant.id), "slug": tenant.slug, "email": invitation.email, "token": token.text}
            self.stdout.write(json.dumps(answer))
            return
        self.stdout.write(f"Tenant {tenant.name} ({tenant.slug}, {tenant.id}) is made.")
        self.stdout.write(f"Invitation of {invitation.email}, good until {invitation.expires_at:%Y-%m-%d %H:%M} UTC:")
        self.stdout.write(f"  {token.text}")
        self.stdout.write("Accept it with `myriad invitation accept TOKEN`; it is shown only now.")
