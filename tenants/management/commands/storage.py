"""`manage.py storage bootstrap`: the bucket, on the first start."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tenants import storage


class Command(BaseCommand):
    help = "Makes the S3 bucket if it is missing. Repeatable."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["bootstrap"])

    def handle(self, **_options: Any) -> None:
        storage.bootstrap()
        self.stdout.write("The bucket is in place.")
