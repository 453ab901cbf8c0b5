"""`manage.py storage bootstrap`: the bucket, on the first start. `check`: whether S3 takes what pages send it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants import cors, storage


class Command(BaseCommand):
    help = (
        "bootstrap: makes the S3 bucket if it is missing, and lets our pages send files to it. Repeatable. "
        "check: asks S3 who we are, and as a browser would whether pages may send files; says what to do if not."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["bootstrap", "check"])

    def handle(self, *, action: str, **_options: Any) -> None:
        try:
            if action == "bootstrap":
                self._bootstrap()
            else:
                self._check()
        except storage.StorageUnavailable as error:
            raise CommandError(f"S3: {error}.") from error

    def _bootstrap(self) -> None:
        storage.bootstrap()
        self.stdout.write("The bucket is in place.")
        if not cors.allow_pages():
            self.stderr.write(
                "This S3 took no CORS rule from us; `manage.py storage check` tells whether it needs one."
            )
            self.stderr.write(cors.remedy())

    def _check(self) -> None:
        storage.answers()
        refused = cors.refused_pages()
        if refused:
            raise CommandError(f"Pages cannot send files to S3; it refuses: {'; '.join(refused)}. {cors.remedy()}")
        self.stdout.write(f"S3 answers, and takes files from pages of {' and '.join(cors.page_origins())}.")
