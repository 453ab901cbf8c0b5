"""What `celery -A config.celery worker` loads: Django, then the app and its one task."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

import workers.tasks  # noqa: E402, F401 - registers the task; models exist only now
from workers.wakeups import app  # noqa: E402

__all__ = ["app"]
