"""What the fuzzer's own process adds to schemathesis: ids of real things among what is sent, the other tenant's too,
and a check that none of the other tenant's data is in what is answered.

Loaded by schemathesis (`SCHEMATHESIS_HOOKS`), without Django; the file that `MYRIAD_FUZZ_BRIEF` names says who asks.
"""

import atexit
import itertools
import json
import os
import re
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)

_brief = json.loads(Path(os.environ["MYRIAD_FUZZ_BRIEF"]).read_text("utf-8"))
MARKS: list[str] = _brief["marks"]
WORDS: list[str] = _brief["words"]
# Ids by the names that stand for them in paths, queries and bodies.
OWN: dict[str, str] = _brief["own"]
FOREIGN: dict[str, str] = _brief["foreign"]
# The asker's key and seat, without which nothing would be answered. What stands in OWN is not deleted either.
SPARED: list[str] = _brief["spared"]
_asked = itertools.count()
_answers: Counter[tuple[str, int]] = Counter()


@schemathesis.auth()
class Key:
    """The asking person's API key, in every request."""

    def get(self, case: Case, context: Any) -> str:
        token: str = _brief["token"]
        return token

    def set(self, case: Case, data: str, context: Any) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: dict[str, Any]) -> None:
    """Puts real ids where ids of nothing were drawn: of four the asker's own twice, the other tenant's once."""
    in_path = case.path_parameters or {}
    for name, value in in_path.items():
        if (case.method == "DELETE" and value in OWN.values()) or (case.method != "GET" and value in SPARED):
            in_path[name] = FOREIGN[name]
    # Drawn keys are few, and one that was used for another request is refused before anything else is looked at.
    if case.headers and "Idempotency-Key" in case.headers and next(_asked) % 8:
        case.headers["Idempotency-Key"] = f"campaign {next(_asked)}"
    # Its sequences live of the ids that answers gave.
    if case.meta and case.meta.phase.name == "stateful":
        return
    draw = zlib.crc32(repr((case.method, case.path, in_path, case.query, case.body)).encode())
    for name, value in in_path.items():
        in_path[name] = _steered(name, value, draw, own=case.method != "DELETE")
    for name, value in (case.query or {}).items():
        case.query[name] = _steered(name, value, draw >> 2, own=True)
    if isinstance(case.body, dict | list):
        case.body = _steered("", case.body, draw >> 4, own=True)


def _steered(name: str, value: Any, draw: int, *, own: bool) -> Any:
    """`value` with real ids in it, where it is or holds ids that go by names that we know."""
    if isinstance(value, dict):
        return {key: _steered(key, inner, draw + index, own=own) for index, (key, inner) in enumerate(value.items())}
    if isinstance(value, list):
        return [_steered(name, inner, draw + index, own=own) for index, inner in enumerate(value)]
    if name not in OWN or not isinstance(value, str) or not (_UUID.fullmatch(value) or name == "class"):
        return value
    if draw % 4 == 0:
        return FOREIGN[name]
    return OWN[name] if own and draw % 4 < 3 else value


@schemathesis.hook
def after_call(context: HookContext, case: Case, response: Response) -> None:
    """Notes what was answered, so that a campaign which got nowhere is seen."""
    _answers[case.operation.label, response.status_code] += 1


@atexit.register
def _write_answers() -> None:
    noted: dict[str, dict[int, int]] = {}
    for (label, status), count in _answers.items():
        noted.setdefault(label, {})[status] = count
    Path(_brief["answers"]).write_text(json.dumps(noted), "utf-8")


@schemathesis.check
def no_foreign_data(ctx: CheckContext, response: Response, case: Case) -> None:
    """Nothing of the other tenant's stands in an answer, but for what the request itself named."""
    told = "\n".join([*(f"{name}: {value}" for name, value in response.headers.items()), response.text])
    request = response.request
    asked = f"{request.url}\n{request.headers}\n{_text(request.body)}"
    found = [mark for mark in MARKS if mark in told and mark not in asked]
    found += [word for word in WORDS if word in told.lower() and word not in asked.lower()]
    assert not found, f"The answer holds what is another tenant's: {', '.join(found[:3])}"


def _text(body: Any) -> str:
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
