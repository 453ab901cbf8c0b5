"""Which model answers for a project. The app above decides and records it; pages of this one show it.

That app says here how its record is read (`fleet.apps`); where none did, no model answers.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Answering:
    """From `since` on the model answered for its project. `by` is who decided it, by name."""

    number: int
    model_id: uuid.UUID
    model_number: int
    since: datetime
    by: str


Reader = Callable[[uuid.UUID, int], list[Answering]]
_readers: list[Reader] = []


def register_reader(reader: Reader) -> None:
    """Says who knows; called when that app is ready. `reader` takes a project and the most that it should give."""
    _readers[:] = [reader]


def answered(project_id: uuid.UUID, *, most: int) -> list[Answering]:
    """The newest first: that one answers now. In the tenant's scope; `project_id` has passed `project_named`."""
    return _readers[0](project_id, most) if _readers else []
