"""/api/v1/jobs: lists, one job, and canceling it."""

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tenants import jobs
from tenants.models import AuditEvent, Job
from tenants.scope import tenant_scope
from tests.cast import Cast, Person
from tests.workers.conftest import Register
from tests.workers.queues import POOL, Works, claim
from workers.domain import leases, registry

KEYS = {
    *("id", "kind", "state", "attempts", "max_attempts", "progress", "result", "error"),
    *("created_at", "started_at", "finished_at", "cancel_requested_at"),
}
# The key's tenant; a scope (three statements) around the key; a scope around the list.
LIST_QUERIES = 9


def _works(person: Person) -> Works:
    return Works(person.tenant.id)


def _get(person: Person, path: str) -> Any:
    response = person.api.get(f"/api/v1{path}")
    assert response.status_code == 200, response.content
    return response.json()


def _listed(person: Person, query: str = "") -> list[str]:
    return [job["id"] for job in _get(person, f"/jobs{query}")["results"]]


def test_a_list_is_the_tenants_own_newest_first(cast: Cast) -> None:
    mine = [str(_works(cast.alice).enqueue()) for _ in range(3)]
    _works(cast.charlie).enqueue()

    page = _get(cast.vera, "/jobs")
    assert [job["id"] for job in page["results"]] == mine[::-1]
    assert (page["next"], page["previous"]) == (None, None)
    assert set(page["results"][0]) == KEYS


def test_pages(cast: Cast) -> None:
    mine = [str(_works(cast.alice).enqueue()) for _ in range(3)]
    first = _get(cast.alice, "/jobs?limit=2")
    second = cast.alice.api.get(first["next"]).json()

    assert [job["id"] for job in first["results"] + second["results"]] == mine[::-1]


@pytest.mark.parametrize("items", [1, 3])
def test_a_list_takes_the_same_queries_at_any_length(cast: Cast, items: int) -> None:
    for _ in range(items):
        _works(cast.alice).enqueue()
    _listed(cast.alice)  # the key's first use is written down

    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert len(_listed(cast.alice)) == items

    assert len(queries) == LIST_QUERIES, "\n".join(query["sql"] for query in queries)
    said = " ".join(query["sql"] for query in queries)
    assert "COUNT(" not in said
    assert "OFFSET" not in said
    assert "traceback" not in said, "what a list does not show, it does not read"


def test_filters(cast: Cast, register: Register) -> None:
    register(lambda _context: {}, name="other")
    acme = _works(cast.alice)
    running, waiting, other = acme.enqueue(), acme.enqueue(), acme.enqueue(kind="other")
    assert claim() == running
    leases.take_lease(job_id=running, worker="w")

    assert _listed(cast.alice, "?state=RUNNING") == [str(running)]
    assert _listed(cast.alice, "?state=PENDING") == [str(other), str(waiting)]
    assert _listed(cast.alice, "?kind=other") == [str(other)]
    assert _listed(cast.alice, "?kind=other&state=RUNNING") == []
    assert _listed(cast.alice, "?kind=none") == []
    refused = cast.alice.api.get("/api/v1/jobs?state=ASLEEP")
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["field"] == "state"


def test_one_job_with_its_place(cast: Cast) -> None:
    acme = _works(cast.alice)
    registry.enter(name="w", pool=POOL, slots=2)
    first, second = acme.enqueue(), acme.enqueue()

    assert set(_get(cast.bob, f"/jobs/{first}")) == KEYS | {"queue_place", "eta_seconds"}
    assert _get(cast.bob, f"/jobs/{second}")["queue_place"] == 2
    assert _get(cast.bob, f"/jobs/{second}")["eta_seconds"] == 2

    assert claim() == first
    lease = leases.take_lease(job_id=first, worker="host:1")
    assert lease is not None
    leases.renew(lease, progress={"done": 1, "total": 2, "message": "half"})
    shown = _get(cast.bob, f"/jobs/{first}")
    assert (shown["state"], shown["queue_place"], shown["eta_seconds"]) == ("RUNNING", None, None)
    assert shown["progress"] == {"done": 1, "total": 2, "message": "half"}
    assert "host:1" not in str(shown)

    leases.fail(lease, error={"code": "c", "message": "m", "hint": "h"}, traceback="Traceback: secret")
    shown = _get(cast.bob, f"/jobs/{first}")
    assert shown["error"] == {"code": "c", "message": "m", "hint": "h"}
    assert "secret" not in str(shown)


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_foreign_and_a_missing_job_are_the_same_404(cast: Cast, method: str) -> None:
    foreign = _works(cast.charlie).enqueue()
    suffix = "/cancel" if method == "post" else ""
    answers = [getattr(cast.alice.api, method)(f"/api/v1/jobs/{one}{suffix}") for one in (foreign, uuid.uuid4())]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content
    assert _works(cast.charlie).job(foreign).state == Job.State.PENDING


def _cancel(person: Person, job_id: uuid.UUID) -> dict[str, Any]:
    response = person.api.post(f"/api/v1/jobs/{job_id}/cancel")
    assert response.status_code == 200, response.content
    answer: dict[str, Any] = response.json()
    return answer


@pytest.mark.parametrize("dispatched", [False, True])
def test_a_waiting_job_is_canceled_at_once_and_once(cast: Cast, dispatched: bool) -> None:
    acme = _works(cast.alice)
    job_id = acme.enqueue()
    if dispatched:
        assert claim() == job_id

    first = _cancel(cast.alice, job_id)
    again = _cancel(cast.alice, job_id)

    assert first["state"] == "CANCELED"
    assert first["finished_at"] is not None
    assert again == first
    assert acme.counters() == (0, 0)
    assert leases.take_lease(job_id=job_id, worker="w") is None
    with tenant_scope(acme.id):
        assert AuditEvent.objects.filter(action="job.canceled").count() == 1


def test_a_running_job_is_asked_to_stop_once(cast: Cast) -> None:
    acme = _works(cast.alice)
    job_id = acme.enqueue()
    assert claim() == job_id
    lease = leases.take_lease(job_id=job_id, worker="w")
    assert lease is not None

    first = _cancel(cast.alice, job_id)
    assert (first["state"], first["finished_at"]) == ("RUNNING", None)
    assert _cancel(cast.alice, job_id)["cancel_requested_at"] == first["cancel_requested_at"]
    assert acme.counters() == (0, 1)

    leases.end_canceled(lease)
    assert _cancel(cast.alice, job_id)["state"] == "CANCELED"
    with tenant_scope(acme.id):
        assert AuditEvent.objects.filter(action="job.canceled").count() == 1


def test_an_ended_job_stays_as_it_ended(cast: Cast) -> None:
    acme = _works(cast.alice)
    job_id = acme.enqueue()
    assert claim() == job_id
    lease = leases.take_lease(job_id=job_id, worker="w")
    assert lease is not None
    leases.succeed(lease, result={"n": 1}, progress={})

    answer = _cancel(cast.alice, job_id)
    assert (answer["state"], answer["cancel_requested_at"], answer["result"]) == ("SUCCEEDED", None, {"n": 1})


def test_who_only_looks_may_not_cancel(cast: Cast) -> None:
    job_id = _works(cast.alice).enqueue()

    assert cast.vera.api.post(f"/api/v1/jobs/{job_id}/cancel").status_code == 403
    assert _works(cast.alice).job(job_id).state == Job.State.PENDING


def test_a_job_between_dispatch_and_lease_is_canceled_all_the_same(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins to run just as its cancel waits for the queue."""
    acme = _works(cast.alice)
    job_id = acme.enqueue()
    assert claim() == job_id
    lock_queue, taken = jobs.lock_queue, []

    def begin_meanwhile(*, pool: str) -> Any:
        acme.change(job_id, state="RUNNING", token=1)
        taken.append(pool)
        return lock_queue(pool=pool)

    monkeypatch.setattr(jobs, "lock_queue", begin_meanwhile)
    answer = _cancel(cast.alice, job_id)

    assert taken == [POOL]
    assert answer["state"] == "CANCELED"
    assert acme.counters() == (0, 0)
