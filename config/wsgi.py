"""The WSGI entry for a production server (`gunicorn config.wsgi`)."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_wsgi_application()

from django.conf import settings  # noqa: E402 - settings are there only now

from config.gateway import Gateway  # noqa: E402 - it imports views, which need settings

application = Gateway(django_application, url=settings.PREDICT_URL, most=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
