"""Whether this process is up (`/healthz`) and the parts it needs answer (`/readyz`)."""

import contextlib
import http.client
import logging
from collections.abc import Callable
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

from tenants import storage
from workers.domain import queries

logger = logging.getLogger(__name__)

_TROUBLE = (DatabaseError, redis.RedisError, storage.StorageUnavailable, OSError, http.client.HTTPException, ValueError)


def live(request: HttpRequest) -> JsonResponse:
    """The process answers; asks nothing of anyone else."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """Asks the database, the broker and S3. 503 when one of these does not answer.

    Dispatcher, workers and the prediction process are reported, not required: without them requests are still taken,
    jobs wait, and predictions alone are refused.
    """
    parts = {"database": _answers(_database), "broker": _answers(_broker), "storage": _answers(storage.answers)}
    well = all(parts.values())
    body: dict[str, object] = {name: "ok" if fine else "down" for name, fine in parts.items()}
    if parts["database"]:
        body["dispatcher"] = "ok" if queries.dispatcher_is_alive() else "down"
        body["workers"] = queries.live_worker_count()
    if settings.PREDICT_URL and not settings.SERVES_PREDICTIONS:
        body["predictions"] = "ok" if _answers(_predictions) else "down"
    return JsonResponse(body, status=200 if well else 503)


def _answers(ask: Callable[[], bool]) -> bool:
    try:
        return ask()
    except _TROUBLE as error:
        logger.warning("not ready: %s", type(error).__name__)
        return False


def _database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return True


def _broker() -> bool:
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
        return bool(client.ping())


def _predictions() -> bool:
    # Not by urllib, which would ask the proxy that the environment names.
    asked = http.client.HTTPConnection(urlsplit(settings.PREDICT_URL).netloc, timeout=1)
    with contextlib.closing(asked):
        asked.request("GET", "/healthz", headers={"Host": _own_host()})
        return bool(asked.getresponse().status == 200)


def _own_host() -> str:
    """A name that the prediction process, which has the same settings, goes by."""
    hosts = [host.removeprefix(".") for host in settings.ALLOWED_HOSTS if host != "*"]
    return hosts[0] if hosts else "localhost"
