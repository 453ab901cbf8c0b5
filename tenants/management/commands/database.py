"""`manage.py database bootstrap`: the roles and the database, on the first start."""

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.database_roles import UnusableAddress, bootstrap
from tenants.row_security import APP, MAINT, OWNER

VARIABLES = {OWNER: "DATABASE_OWNER_URL", APP: "DATABASE_URL", MAINT: "DATABASE_MAINT_URL"}


class Command(BaseCommand):
    help = "Makes the database roles and the database. Repeatable; needs DATABASE_ADMIN_URL."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["bootstrap"])

    def handle(self, **_options: Any) -> None:
        missing = [name for name in ("DATABASE_ADMIN_URL", *VARIABLES.values()) if not os.environ.get(name)]
        if missing:
            raise CommandError(f"Set {', '.join(missing)} first (see README, 'Your own servers').")
        try:
            bootstrap(
                admin_url=os.environ["DATABASE_ADMIN_URL"],
                urls={role: os.environ[name] for role, name in VARIABLES.items()},
            )
        except UnusableAddress as error:
            raise CommandError(str(error)) from error
        self.stdout.write("Roles and database are in place.")
