"""One campaign: schemathesis as a process of its own, with one person's key, against a running service."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.services import ROOT

SCHEMA = ROOT / "docs" / "openapi.yaml"
CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    *("response_headers_conformance", "response_schema_conformance", "unsupported_method", "ignored_auth"),
    *("use_after_free", "ensure_resource_availability", "no_foreign_data"),
)
# Beyond its budget a campaign finishes what it has begun, and shrinks what it found.
GRACE_SECONDS = 300


@dataclass(frozen=True)
class Asker:
    """Whose key is used, and what of the other tenant's must not be told: texts, and words in any case."""

    token: str
    marks: Sequence[str]
    words: Sequence[str]
    own: Mapping[str, str]
    foreign: Mapping[str, str]
    spared: Sequence[str]


@dataclass(frozen=True)
class Outcome:
    """What schemathesis said, and the answers by operation and status."""

    passed: bool
    said: str
    answers: dict[str, dict[int, int]]

    @property
    def requests(self) -> int:
        return sum(sum(counts.values()) for counts in self.answers.values())

    @property
    def accepted(self) -> set[str]:
        """The operations that did what was asked at least once."""
        return {label for label, counts in self.answers.items() if any(status < 400 for status in counts)}


def run(
    url: str, asker: Asker, *, seed: int, examples: int, seconds: int = 0, schema: Path = SCHEMA, phases: str = ""
) -> Outcome:
    """Runs to its end: `examples` an operation and phase or, if `seconds` are given, again and again so long."""
    with tempfile.TemporaryDirectory(prefix="myriad-campaign-") as name:
        folder = Path(name)
        brief = {name: getattr(asker, name) for name in ("token", "marks", "words", "own", "foreign", "spared")}
        (folder / "brief").write_text(json.dumps(brief | {"answers": str(folder / "answers")}), "utf-8")
        env = {
            "PATH": os.environ["PATH"],
            "HOME": name,
            "SCHEMATHESIS_HOOKS": str(Path(__file__).with_name("hooks.py")),
            "MYRIAD_FUZZ_BRIEF": str(folder / "brief"),
        }
        command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "run", str(schema), "--url", url]
        command += ["--seed", str(seed), "--max-examples", str(examples), "--checks", ",".join(CHECKS)]
        command += ["--suppress-health-check", "all", "--generation-database", "none", "--request-timeout", "60"]
        command += ["--continue-on-failure", "--max-redirects", "0", "--warnings", "off"]
        # Our own hook sends the key; drawn ones would only be refused.
        command += ["--generation-with-security-parameters", "false"]
        command += ["--max-time", str(seconds)] if seconds else []
        command += ["--phases", phases] if phases else []
        done = subprocess.run(
            command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=seconds + GRACE_SECONDS
        )
        answers = folder / "answers"
        noted = json.loads(answers.read_text("utf-8")) if answers.exists() else {}
        by_status = {label: {int(status): n for status, n in counts.items()} for label, counts in noted.items()}
        return Outcome(done.returncode == 0, done.stdout + done.stderr, by_status)
