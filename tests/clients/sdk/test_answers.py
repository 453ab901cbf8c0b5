from datetime import UTC, datetime

import pytest

from myriad import Job, Project, UnexpectedAnswer
from myriad.resources.jobs import Problem, Progress
from myriad.resources.keys import NewKey


def test_fields_unknown_here_are_kept_aside() -> None:
    document = {"id": "p1", "name": "Casings", "kind": "SEGMENTATION", "colour": "blue"}

    project = Project.from_json(document)

    assert project == Project(id="p1", name="Casings", kind="SEGMENTATION")
    assert project.raw == document


def test_times_and_nested_objects_are_read() -> None:
    job = Job.from_json(
        {
            "id": "j1",
            "kind": "ingest",
            "state": "FAILED",
            "progress": {"done": 3, "total": 5, "message": "x", "new": 1},
            "queue_place": None,
            "eta_seconds": 2,
            "error": {"code": "decode_crashed", "message": "It broke.", "hint": "Send it again."},
            "created_at": "2026-03-01T08:00:00Z",
        }
    )

    assert job == Job(
        id="j1",
        kind="ingest",
        state="FAILED",
        progress=Progress(done=3, total=5, message="x"),
        queue_place=None,
        eta_seconds=2,
        error=Problem(code="decode_crashed", message="It broke.", hint="Send it again."),
        created_at=datetime(2026, 3, 1, 8, tzinfo=UTC),
    )


def test_null_where_a_value_has_a_default_is_the_default() -> None:
    assert Project.from_json({"id": "p1", "name": "C", "kind": "ANOMALY", "image_count": None}).image_count == 0


@pytest.mark.parametrize(
    ("document", "detail"),
    [
        ({"name": "C", "kind": "K"}, "The server's answer (Project) lacks 'id'."),
        ({"id": None, "name": "C", "kind": "K"}, "The server's answer (Project) lacks 'id'."),
        ({"id": 7, "name": "C", "kind": "K"}, "The server's answer (Project) has a 'id' of another kind."),
        ({"id": "p", "name": "C", "kind": "K", "image_count": True}, "has a 'image_count' of another kind."),
        ({"id": "p", "name": "C", "kind": "K", "created_at": "soon"}, "has a 'created_at' of another kind."),
        (["p"], "The server's answer (Project) is not a JSON object."),
    ],
)
def test_what_cannot_be_read_is_said(document: object, detail: str) -> None:
    with pytest.raises(UnexpectedAnswer) as raised:
        Project.from_json(document, "req-9")
    assert raised.value.detail.endswith(detail)
    assert raised.value.request_id == "req-9"


def test_secret_of_a_new_key_is_not_shown() -> None:
    made = NewKey.from_json({"id": "k1", "prefix": "abc", "secret": "myr_abc_canary"})
    assert made.secret == "myr_abc_canary"
    assert "canary" not in repr(made)
