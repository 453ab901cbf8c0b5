"""`manage.py sweep_runs`: deletes what ended runs left behind. Run it once a day, beside `sweep`."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from tenants.storage import StorageUnavailable
from training.domain.sweeping import sweep_tenant, tenants_to_sweep


class Command(BaseCommand):
    help = "Deletes the checkpoints of runs that have ended."

    def handle(self, **_options: Any) -> None:
        if "maint" not in settings.DATABASES:
            raise CommandError("Set DATABASE_MAINT_URL: looking for what to sweep crosses tenants.")
        tenants = tenants_to_sweep()
        swept, left = 0, []
        for tenant_id in tenants:
            try:
                swept += sweep_tenant(tenant_id=tenant_id)
            except StorageUnavailable as error:
                left.append(f"{tenant_id}: {error}")
        self.stdout.write(f"The checkpoints of {swept} ended runs were deleted.")
        if left:
            raise CommandError("Not swept, call again later:\n" + "\n".join(left))
