"""The WSGI entry for a production server (`gunicorn config.wsgi`)."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_wsgi_application()

from django.conf import settings  # noqa: E402 - settings are there only now

from config import env  # noqa: E402 - settings have read the local stack's file only now
from config.gateway import Gateway  # noqa: E402 - it imports views, which need settings

# Two threads of the server's are left for all else. `deploy/local/gunicorn_conf.py` reads the same variable.
FORWARDS = max(1, env.number("WEB_THREADS", 4) - 2)
application = Gateway(
    django_application, url=settings.PREDICT_URL, most=settings.DATA_UPLOAD_MAX_MEMORY_SIZE, at_once=FORWARDS
)
