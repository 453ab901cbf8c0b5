"""The message a worker is woken by, on a real broker, and the settings that make losing it harmless."""

import base64
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from celery import Celery
from django.conf import settings

from deploy.local.engines import Engines
from workers import tasks, wakeups


@pytest.fixture
def broker(stack: Engines) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushall()
        yield client
        client.flushall()


def _only_message(broker: "redis.Redis", queue: str) -> dict[str, Any]:
    messages = broker.lrange(queue, 0, -1)
    assert isinstance(messages, list)
    assert len(messages) == 1
    message: dict[str, Any] = json.loads(messages[0])
    return message


def test_the_message_has_the_jobs_id_and_nothing_else(broker: "redis.Redis") -> None:
    job_id = uuid.uuid4()
    wakeups.send(job_id=job_id, pool="gpu")

    message = _only_message(broker, "pool.gpu")
    arguments, named, _ = json.loads(base64.b64decode(message["body"]))
    assert (arguments, named) == ([str(job_id)], {})
    assert message["headers"]["task"] == wakeups.TASK == tasks.run_job.name
    assert broker.llen("pool.cpu") == 0


def test_it_expires_with_the_dispatchs_grace(broker: "redis.Redis") -> None:
    wakeups.send(job_id=uuid.uuid4(), pool="cpu")

    expires = datetime.fromisoformat(_only_message(broker, "pool.cpu")["headers"]["expires"])
    left = expires - datetime.now(UTC)
    assert timedelta(seconds=settings.JOB_DISPATCH_SECONDS - 10) < left
    assert left <= timedelta(seconds=settings.JOB_DISPATCH_SECONDS)


def test_a_flushed_broker_has_lost_no_binding(broker: "redis.Redis") -> None:
    wakeups.send(job_id=uuid.uuid4(), pool="cpu")
    broker.flushall()

    wakeups.send(job_id=uuid.uuid4(), pool="cpu")

    assert broker.llen("pool.cpu") == 1


def test_a_broker_that_is_away_is_an_error_the_dispatcher_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    away = Celery(broker="redis://:secret@127.0.0.1:1/0")
    away.conf.broker_transport_options = wakeups.app.conf.broker_transport_options
    monkeypatch.setattr(wakeups, "app", away)

    with pytest.raises(OSError, match="broker: ") as raised:
        wakeups.send(job_id=uuid.uuid4(), pool="cpu")

    assert "secret" not in str(raised.value)


def test_the_settings_are_as_argued() -> None:
    argued = {
        "task_acks_late": True,
        "worker_prefetch_multiplier": 1,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "task_ignore_result": True,
        "result_backend": None,
        "accept_content": ["json"],
        "task_serializer": "json",
        "broker_connection_max_retries": None,
        "broker_connection_retry_on_startup": True,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "task_always_eager": False,
    }
    assert {name: wakeups.app.conf[name] for name in argued} == argued
    options = wakeups.app.conf.broker_transport_options
    assert options["socket_timeout"] <= 5
    assert options["max_retries"] == 1, "a broker that is down is reported at once"
