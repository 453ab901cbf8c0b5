"""Pages of models: figures, where they came from, comparison, examples and export."""

import re
from typing import Any

import pytest

from fleet.domain.promotions import promote_model
from tenants.ids import uuid7
from tenants.models import Job
from tenants.scope import tenant_scope
from tests.cast import Cast
from tests.projects.test_lists import Queries
from tests.projects.web.reading import open_page, text_of
from tests.training.making import BOXES, Works
from training.models import Evaluation, Model


@pytest.fixture
def model(works: Works, snapshot: str) -> str:
    return works.trained(seed=2)


def words_of(works: Works, path: str) -> str:
    return text_of(open_page(works.person, path))


def promote(works: Works, model: str) -> None:
    with tenant_scope(works.person.tenant.id):
        promote_model(model_id=Model.objects.get(id=model).id, by=works.person.principal)


def test_the_list_shows_figures_with_their_intervals_and_what_answers(works: Works, model: str) -> None:
    page = open_page(works.person, f"projects/{works.project}/models")
    assert "No model answers for this project yet" in text_of(page)
    assert 'aria-label="0.50, with 95 % confidence between 0.25 and 0.75"' in page.content.decode()

    another = works.trained(seed=4)
    for chosen in (model, another):
        promote(works, chosen)
    words = words_of(works, f"projects/{works.project}/models")
    assert "Model 2 answers" in words
    assert "Model 1 answers" not in words
    assert "Model 2 now since" in words
    assert "promoted by Alice" in words
    assert words.count("Promote") == 2  # the column's name, and the button of the other one


def test_an_empty_list_says_what_comes_before(works: Works) -> None:
    page = open_page(works.person, f"projects/{works.project}/models")
    assert "No model yet" in text_of(page)
    assert works.person.page(f"projects/{works.project}/runs") in page.content.decode()


def test_a_model_tells_how_good_it_is_how_one_knows_and_what_it_came_from(works: Works, model: str) -> None:
    words = words_of(works, f"models/{model}")
    assert "each of the 4 images was judged by a sibling of this model that had not learned from it" in words
    assert "4 boxes, too few to tell: 0.25–0.75" in words
    assert "Seed 2" in words
    assert "No model answers yet" in words
    with tenant_scope(works.person.tenant.id):
        row = Model.objects.select_related("snapshot").get(id=model)
        Evaluation.objects.update(method="TEST_SPLIT")
    page = open_page(works.person, f"models/{model}").content.decode()
    assert row.weights_sha256 in page
    assert row.snapshot.manifest_sha256 in page
    assert "of the test split, none of which it has learned from" in page


def test_models_of_one_snapshot_are_compared_on_the_same_images(works: Works, model: str) -> None:
    assert "No other model was judged" in words_of(works, f"models/{model}")
    weaker = works.trained(seed=3)  # it finds one box of two
    words = words_of(works, f"models/{model}?with={weaker}")
    assert "Model 1 is better than model 2." in words
    assert "the same 4 images" in words
    assert "Model 2 is worse than model 1." in words_of(works, f"models/{weaker}?with={model}")
    alike = works.trained(seed=4)
    assert "Model 1 and model 3 cannot be told apart" in words_of(works, f"models/{model}?with={alike}")


def test_what_cannot_be_compared_says_why_on_the_page(works: Works, model: str, cast: Cast) -> None:
    works.label(count=1, boxes=BOXES, name="more")
    works.freeze()
    other = works.trained(seed=2)
    words = words_of(works, f"models/{model}?with={other}")
    assert "figures of different images say nothing of which is better" in words
    assert "start a run of the other's recipe" in words
    address = works.person.page(f"models/{model}")
    assert works.person.web.get(f"{address}?with={uuid7()}").status_code == 404
    assert works.person.web.get(f"{address}?with=another").status_code == 200


def test_examples_show_the_worst_images_first(works: Works, model: str) -> None:
    weaker = works.trained(seed=3)
    page = open_page(works.person, f"models/{weaker}/examples")
    html = page.content.decode()
    assert html.count("X-Amz-Signature") == 4
    assert html.count("1 error") == 4
    assert text_of(open_page(works.person, f"models/{model}/examples")).count("all found") == 4


def test_examples_whose_file_is_gone_say_so(works: Works, model: str) -> None:
    with tenant_scope(works.person.tenant.id):
        Evaluation.objects.update(predictions_sha256="0" * 64)
    assert "is missing or does not match its hash" in words_of(works, f"models/{model}/examples")
    assert "is missing or does not match its hash" in words_of(works, f"models/{model}?with={works.trained(seed=4)}")


def test_a_model_is_exported_and_taken_home(works: Works, model: str) -> None:
    address = works.person.page(f"models/{model}/export")
    answer = works.person.web.post(address)
    assert answer["Location"] == works.person.page(f"models/{model}#export")
    part = works.person.web.get(address)
    assert "The file is being made" in text_of(part)
    assert f'hx-get="{address}"' in part.content.decode()
    assert works.hand.work() == ["SUCCEEDED"]

    part = works.person.web.get(address)
    assert "hx-get" not in part.content.decode()
    for name in ("onnx", "manifest"):
        path = works.person.page(f"api/models/{model}/export/{name}")
        assert path in part.content.decode()
        taken = works.person.web.get(path)
        assert taken.status_code == 302
        assert "X-Amz-Signature" in taken["Location"]
    web = works.person.web
    again = web.post(address)
    assert "is exported already" in text_of(web.get(again["Location"]))


def test_a_failed_export_says_why_and_can_be_asked_for_again(works: Works, model: str) -> None:
    address = works.person.page(f"models/{model}/export")
    works.person.web.post(address)
    error = {"code": "model_damaged", "message": "Its files are damaged.", "hint": "Train again."}
    with tenant_scope(works.person.tenant.id):
        Job.objects.filter(kind="export").update(state=Job.State.FAILED, error=error)
    words = words_of(works, f"models/{model}")
    assert "Its files are damaged. Train again." in words
    assert "Make the ONNX file" in words


def test_viewers_look_and_do_nothing(works: Works, model: str, cast: Cast) -> None:
    seen = {person: open_page(person, f"models/{model}").content.decode() for person in (cast.vera, cast.bob)}
    for page in seen.values():
        assert "Make the ONNX file" not in page
        assert "/promote" not in page
    assert 'id="try"' not in seen[cast.vera]
    assert 'id="try"' in seen[cast.bob]
    export = works.person.page(f"models/{model}/export")
    assert [person.web.post(export).status_code for person in (cast.vera, cast.bob, cast.alice)] == [403, 403, 302]


PATHS = ["projects/{project}/models", "models/{model}", "models/{model}/examples", "models/{model}/export"]


@pytest.mark.parametrize("path", PATHS)
def test_anothers_are_missing_and_nobody_signs_in_first(path: str, works: Works, model: str, cast: Cast) -> None:
    path = path.format(project=works.project, model=model)
    assert cast.charlie.web.get(cast.charlie.page(path)).status_code == 404
    assert cast.anonymous.get(works.person.page(path))["Location"].startswith("/sign-in")
    assert cast.vera.web.get(works.person.page(path)).status_code == 200


def test_pages_ask_few_queries_however_many_models_there_are(works: Works, model: str, queries: Queries) -> None:
    def asked(path: str) -> int:
        client: Any = works.person.web
        with queries() as sql:
            assert client.get(works.person.page(path)).status_code == 200
        assert not any(re.search(r"\b(COUNT|OFFSET)\b", statement, re.IGNORECASE) for statement in sql)
        return len([statement for statement in sql if statement.startswith("SELECT")])

    promote(works, model)
    at_one = {path: asked(path) for path in (part.format(project=works.project, model=model) for part in PATHS)}
    for seed in (4, 6):
        promote(works, works.trained(seed=seed))
    at_three = {path: asked(path) for path in at_one}
    assert at_one == at_three
    assert all(count <= 12 for count in at_one.values()), at_one


def test_a_model_tells_what_it_would_do_on_the_line(works: Works, model: str) -> None:
    assert works.person.page(f"models/{model}/operating") in open_page(works.person, f"models/{model}").content.decode()
    words = words_of(works, f"models/{model}/operating")
    assert "defective parts pass: up to" in words
    assert "% may escape (95 % confidence)" in words
    assert "No good part is among the images it was judged on" in words
    assert "What is taken for what" in words
    assert "Not found" in words
    assert "Nothing there" in words
    assert "Precision and recall of each class" in words
    shown = open_page(works.person, f"models/{model}/operating").content.decode()
    assert shown.count("<polyline") == len(works.person.api.get(f"/api/v1/models/{model}").json()["classes"])
    dear = open_page(works.person, f"models/{model}/operating?miss=7.50&false_reject=2").content.decode()
    assert 'name="miss"' in dear
    assert 'value="7.50"' in dear
    for sent in ("miss=-1", "miss=NaN", "miss=", "false_reject=1e99", "false_reject=x"):
        shown = open_page(works.person, f"models/{model}/operating?{sent}").content.decode()
        assert 'role="alert"' in shown, sent


def test_the_api_tells_the_same_points(works: Works, model: str) -> None:
    found = works.person.api.get(f"/api/v1/models/{model}/operating?miss=50").json()
    assert found["model"] == model
    assert len(found["points"]) == 19
    assert found["cheapest"] in found["points"]
    assert found["cheapest"]["defective"] == 4
    table = found["confusion"]
    assert [len(row) for row in table] == [len(table)] * len(table)
    judged = works.person.api.get(f"/api/v1/models/{model}").json()["evaluation"]["metrics"]["classes"]
    # Each box is found, taken for another, or missed.
    assert [sum(row) for row in table[:-1]] == [label["boxes"] for label in judged]
    assert table[-1][-1] == 0
    assert [len(curve) for curve in found["curves"]] == [19] * len(judged)
    # What is found at a score is not found any more at a higher one.
    recalls = [[one["recall"] for one in curve] for curve in found["curves"]]
    assert all(recall == sorted(recall, reverse=True) for recall in recalls)
    refused = works.person.api.get(f"/api/v1/models/{model}/operating?miss=inf")
    assert (refused.status_code, refused.json()["code"]) == (400, "validation_failed")
