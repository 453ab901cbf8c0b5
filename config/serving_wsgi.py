"""The WSGI entry of the process that serves predictions (`gunicorn config.serving_wsgi`, one process, many threads).

The same service under the same guards as `config.wsgi`; only here is the view of predictions in earnest.
"""

import os
import threading
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ["SERVES_PREDICTIONS"] = "1"
django_application = get_wsgi_application()

from django.conf import settings  # noqa: E402 - settings are there only now

from config.gateway import Sender, declared_length  # noqa: E402 - it imports views, which need settings

# Seconds for the rest of a body that was refused unread.
DRAIN_SECONDS = 10


class Serving:
    """`application`, ready to predict, and answering only who has sent all and listens."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._opening = threading.Lock()
        self._is_open = False

    def open(self) -> None:
        """Makes graphs and decoders ready, once. Not before a fork: their threads would stay behind.

        The server asks for it in the process that serves (`deploy/local/gunicorn_conf.py`), or else the first request.
        """
        from fleet.domain.hosting import hosting  # noqa: PLC0415 - numpy and onnxruntime belong to that process too

        with self._opening:
            if not self._is_open:
                hosting().open()
                self._is_open = True

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not self._is_open:
            self.open()
        answer = self._application(environ, start_response)
        # gunicorn closes over a body that was not read, and the refusal would be lost to who is still sending.
        length = declared_length(environ, most=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        if length:
            Sender(environ, length).drain(seconds=DRAIN_SECONDS)
        return answer


application = Serving(django_application)
