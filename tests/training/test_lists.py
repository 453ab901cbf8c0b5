"""Lists of runs and models cost the same however many rows they show."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from tests.projects.test_lists import queries_around, read
from tests.training.making import Works

Queries = Callable[[], AbstractContextManager[list[str]]]


def test_lists_ask_as_many_queries_at_three_rows_as_at_one(works: Works, snapshot: str, queries: Queries) -> None:
    works.trained()
    # Beside who asks and the scope: the project, the page; and of models, their evaluations.
    expected = {f"projects/{works.project}/runs": 2, f"projects/{works.project}/models": 3}
    around = queries_around(works.person, queries, works.project)

    at_one = {path: read(works.person, queries, path) for path in expected}
    for seed in (1, 2):
        works.trained(seed=seed)
    at_three = {path: read(works.person, queries, path) for path in expected}

    assert at_one == {path: (1, around + own) for path, own in expected.items()}
    assert at_three == {path: (3, around + own) for path, own in expected.items()}


def test_one_row_is_read_in_few_queries(works: Works, snapshot: str, queries: Queries) -> None:
    model = works.trained()
    run = works.shown(f"models/{model}")["run"]
    around = queries_around(works.person, queries, works.project)
    for path, own in ((f"runs/{run}", 1), (f"models/{model}", 2)):
        with queries() as sql:
            works.shown(path)
        assert len(sql) == around + own, path
