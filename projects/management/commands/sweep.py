"""`manage.py sweep`: clears away what was begun and never ended. Run it once a day."""

import dataclasses
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from projects.domain.sweeping import Swept, sweep_tenant, tenants_to_sweep


class Command(BaseCommand):
    help = "Clears uploads and imports that never came, ingests given up, old exports and idempotency records."

    def handle(self, **_options: Any) -> None:
        if "maint" not in settings.DATABASES:
            raise CommandError("Set DATABASE_MAINT_URL: looking for what to sweep crosses tenants.")
        tenants = tenants_to_sweep()
        swept = [dataclasses.astuple(sweep_tenant(tenant_id=tenant_id)) for tenant_id in tenants]
        total = Swept(*(sum(column) for column in zip(*swept, strict=True))) if swept else Swept()
        self.stdout.write(
            f"{len(tenants)} tenants: {total.abandoned} uploads never came, {total.given_up} ingests were given up,"
            f" {total.answers} kept answers were old, {total.imports} imports were never committed,"
            f" {total.exports} exports were old."
        )
