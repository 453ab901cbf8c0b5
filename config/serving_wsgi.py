"""The WSGI entry of the process that serves predictions (`gunicorn config.serving_wsgi`, one process, many threads).

The same service under the same guards as `config.wsgi`; only here is the view of predictions in earnest.
"""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ["SERVES_PREDICTIONS"] = "1"
application = get_wsgi_application()

from fleet.domain.hosting import hosting  # noqa: E402 - models exist only now

# Before the first request, and before there are threads.
hosting().open()
