"""Pages of runs: started, watched, canceled, and how each ends."""

import json
import re
from typing import Any

import pytest

from tenants.ids import uuid7
from tenants.models import Job
from tenants.scope import tenant_scope
from tests.cast import Cast
from tests.projects.test_lists import Queries
from tests.projects.web.reading import open_page, text_of
from tests.training.making import BOXES, Works
from training.models import Run


def page_of(works: Works, path: str) -> Any:
    return open_page(works.person, path)


def started(works: Works, **given: str) -> Any:
    return works.person.web.post(works.person.page(f"projects/{works.project}/runs"), given)


def change_job(works: Works, run: str, **changes: Any) -> None:
    with tenant_scope(works.person.tenant.id):
        Job.objects.filter(id=Run.objects.get(id=run).job_id).update(**changes)


def test_a_form_starts_a_run_and_leads_to_it(works: Works, snapshot: str) -> None:
    form = page_of(works, f"projects/{works.project}/runs?snapshot={snapshot}").content.decode()
    assert re.search(r'<dialog id="start-run"[^>]*data-reopen', form)
    assert f'value="{snapshot}" selected' in form
    assert "A few minutes for fifty images" in form

    answer = started(works, snapshot=snapshot, recipe="fast", seed="7")
    with tenant_scope(works.person.tenant.id):
        run = Run.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, works.person.page(f"runs/{run.id}"))
    assert (str(run.snapshot_id), run.recipe, run.seed) == (snapshot, "fast", 7)
    assert "Run 1" in text_of(page_of(works, f"projects/{works.project}/runs"))


def test_a_refused_form_says_why_and_keeps_what_was_chosen(works: Works, snapshot: str) -> None:
    answer = started(works, snapshot=snapshot, recipe="slow", seed="7")
    assert answer.status_code == 400
    html = answer.content.decode()
    assert "There is no recipe" in html
    assert 'name="seed" min="0" max="2147483647" value="7"' in html
    assert re.search(r'<dialog id="start-run"[^>]*data-reopen', html)
    assert started(works, snapshot=str(uuid7()), recipe="fast").status_code == 404
    assert started(works, snapshot=snapshot, recipe="fast", seed="-1").status_code == 400


def test_without_a_snapshot_the_page_leads_to_one(works: Works) -> None:
    html = page_of(works, f"projects/{works.project}/runs").content.decode()
    assert "start-run" not in html
    assert works.person.page(f"projects/{works.project}/snapshots") in html
    assert started(works, recipe="fast").status_code == 409


def test_a_waiting_run_tells_its_place_and_is_asked_for_again(works: Works, snapshot: str) -> None:
    first, run = works.start(), works.start(seed=1)
    page = page_of(works, f"runs/{run}")
    assert "number 2 in the queue" in text_of(page)
    state = works.person.page(f"runs/{run}/state")
    assert f'hx-get="{state}"' in page.content.decode()
    part = works.person.web.get(state)
    assert part.content.decode().count("<section") == 1
    assert "number 2 in the queue" in text_of(part)
    assert "HX-Refresh" not in part
    assert "number 1 in the queue" in text_of(page_of(works, f"runs/{first}"))


def test_a_learning_run_shows_how_far_it_is_and_its_curve(works: Works, snapshot: str) -> None:
    run = works.start()
    progress = {"done": 30, "total": 120, "message": "training the model: step 3 of 9", "losses": {"box": 0.5}}
    change_job(works, run, state=Job.State.RUNNING, progress=progress | {"eta_seconds": 92})
    works.change(run, curve=[[12, {"box": 1.5}], [24, {"box": 0.75}]])

    page = page_of(works, f"runs/{run}")
    words = text_of(page)
    assert "Training the model: step 3 of 9" in words
    assert "25 %" in words
    assert "about 1 min 32 s left" in words
    html = page.content.decode()
    kept = re.search(r'<script id="curve-data" type="application/json">(.*?)</script>', html)
    assert kept
    assert json.loads(kept[1]) == [[10.0, {"box": 1.5}], [20.0, {"box": 0.75}]]
    assert 'data-point="[25.0, {&quot;box&quot;: 0.5}]"' in html
    listed = text_of(page_of(works, f"projects/{works.project}/runs"))
    assert "Learning about 1 min 32 s left" in listed


def test_when_it_ends_the_page_moves_to_its_model(works: Works, snapshot: str) -> None:
    run = works.start()
    assert works.hand.work() == ["SUCCEEDED"]
    part = works.person.web.get(works.person.page(f"runs/{run}/state"))
    assert part["HX-Refresh"] == "true"
    assert "hx-get" not in part.content.decode()
    page = page_of(works, f"runs/{run}")
    assert works.person.page(f"models/{works.model(run).id}") in page.content.decode()
    assert "Model 1 is published" in text_of(page)
    assert "0.25–0.75" in text_of(page)


def test_a_failed_run_says_what_helps(works: Works, snapshot: str) -> None:
    run = works.start()
    error = {"code": "no_boxes", "message": "No image shows a defect.", "hint": "Draw some boxes."}
    change_job(works, run, state=Job.State.FAILED, error=error, attempts=1)
    words = text_of(page_of(works, f"runs/{run}"))
    assert "Failed There is no model." in words
    assert "No image shows a defect. Draw some boxes." in words
    assert "No image shows a defect." in text_of(page_of(works, f"projects/{works.project}/runs"))


def test_a_run_is_canceled_by_who_may(works: Works, snapshot: str, cast: Cast) -> None:
    run = works.start()
    address = works.person.page(f"runs/{run}")
    assert [person.web.post(address).status_code for person in (cast.vera, cast.bob, cast.charlie)] == [403, 403, 404]
    assert works.run(run).job.state == Job.State.PENDING
    answer = works.person.web.post(address)
    assert (answer.status_code, answer["Location"]) == (302, address)
    assert works.run(run).job.state == Job.State.CANCELED
    assert "It was canceled; there is no model." in text_of(page_of(works, f"runs/{run}"))


def test_a_run_that_is_stopping_says_so(works: Works, snapshot: str) -> None:
    run = works.start()
    change_job(works, run, state=Job.State.RUNNING)
    works.person.web.post(works.person.page(f"runs/{run}"))
    page = page_of(works, f"runs/{run}")
    assert "Stopping It stops within seconds." in text_of(page)
    assert "Cancel run" not in page.content.decode()


def test_weak_classes_are_warned_of(works: Works) -> None:
    works.label(boxes=BOXES[:1])
    works.freeze()
    words = text_of(page_of(works, f"runs/{works.start()}"))
    assert "The class 'scratch' has no box in this snapshot" in words


def test_viewers_look_and_start_nothing(works: Works, snapshot: str, cast: Cast) -> None:
    run = works.start()
    for path in (f"projects/{works.project}/runs", f"runs/{run}"):
        page = open_page(cast.vera, path).content.decode()
        assert "start-run" not in page
        assert "Cancel run" not in page
    assert cast.vera.web.post(cast.vera.page(f"projects/{works.project}/runs"), {}).status_code == 403
    assert works.person.web.post(works.person.page(f"projects/{works.project}/runs"), {}).status_code == 302


@pytest.mark.parametrize("path", ["projects/{project}/runs", "runs/{run}", "runs/{run}/state"])
def test_anothers_are_missing_and_nobody_signs_in_first(path: str, works: Works, snapshot: str, cast: Cast) -> None:
    path = path.format(project=works.project, run=works.start())
    assert cast.charlie.web.get(cast.charlie.page(path)).status_code == 404
    assert cast.anonymous.get(works.person.page(path))["Location"].startswith("/sign-in")
    assert cast.vera.web.get(works.person.page(path)).status_code == 200


def test_pages_ask_few_queries_however_many_runs_there_are(works: Works, snapshot: str, queries: Queries) -> None:
    def asked(path: str) -> int:
        client = works.person.web
        with queries() as sql:
            assert client.get(works.person.page(path)).status_code == 200
        assert not any(re.search(r"\b(COUNT|OFFSET)\b", statement, re.IGNORECASE) for statement in sql)
        return len([statement for statement in sql if statement.startswith("SELECT")])

    run = works.start()
    at_one = {path: asked(path) for path in (f"projects/{works.project}/runs", f"runs/{run}", f"runs/{run}/state")}
    for seed in (1, 2):
        works.start(seed=seed)
    at_three = {path: asked(path) for path in at_one}
    assert at_one == at_three
    assert all(count <= 12 for count in at_one.values()), at_one
