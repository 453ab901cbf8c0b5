"""`manage.py operator create`: a user who runs the service and sits in no tenant."""

import getpass
import sys
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError

from tenants.models import User


class Command(BaseCommand):
    help = "Makes an operator. The password is asked for, or read from standard input."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="make an operator")
        create.add_argument("email")
        create.add_argument("--name", default="", help="unless it is what stands before the @")

    def handle(self, **options: Any) -> None:
        password = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
        name = options["name"] or options["email"].partition("@")[0]
        user = User(email=options["email"], name=name)
        try:
            user.clean_fields(exclude={"password", "locked_until"})
            validate_password(password, user)
            User.objects.create_user(email=options["email"], password=password, name=name, is_operator=True)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except IntegrityError as error:
            raise CommandError(f"There is a user {options['email']} already.") from error
        self.stdout.write(f"Operator {options['email']} is made.")
