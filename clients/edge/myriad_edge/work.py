"""One file of the watched folder, from its bytes to its line."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Final

from PIL import Image

from myriad_edge.decoding import decode
from myriad_edge.errors import BadImage
from myriad_edge.files import Changed, Version, read_version
from myriad_edge.inspector import Inspector
from myriad_edge.manifest import Manifest
from myriad_edge.pace import Pace
from myriad_edge.results import Results

_STEPS: Final = ("decode", "compute", "draw")


@dataclass(frozen=True)
class Work:
    """All that inspecting a file needs."""

    folder: Path
    manifest: Manifest
    inspector: Inspector
    results: Results
    pace: Pace

    def take(self, version: Version, *, given_up: bool) -> bool:
        """Whether the file has its line now; False for one to be looked at again: it changed, or may not be whole.

        With `given_up`, a file that is not whole gets a line that says so.
        """
        digest = None
        try:
            data = read_version(self.folder, version)
            digest = sha256(data).hexdigest()
            if self.results.has_content(version, digest):
                return True
            line = self._inspect(version, digest, data)
        except Changed:
            return False
        except BadImage as error:
            if error.may_heal and not given_up:
                return False
            line = {"error": error.to_json()}
        self.results.append(self._head(version, digest) | line)
        self.pace.count(failed="error" in line)
        return True

    def _head(self, version: Version, digest: str | None) -> dict[str, object]:
        model = self.manifest.model
        return {
            "file": version.name,
            "sha256": digest,
            "size": version.size,
            "mtime_ns": version.mtime_ns,
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "model": {"id": model.get("id"), "number": model.get("number"), "sha256": self.manifest.sha256},
            "kind": self.manifest.kind,
        }

    def _inspect(self, version: Version, digest: str, data: bytes) -> dict[str, object]:
        """Save the drawn image and give what the line has of the answer; raises BadImage."""
        marks = [time.perf_counter()]
        try:
            pixels = decode(data)
            marks.append(time.perf_counter())
            answer = self.inspector.answer(pixels)
            marks.append(time.perf_counter())
            drawn = self.results.draw(version, digest, answer.draw(Image.fromarray(pixels)))
            marks.append(time.perf_counter())
        except MemoryError as error:
            raise BadImage("too_little_memory", "needs more memory than there is", "Scale it down.") from error
        height, width = pixels.shape[:2]
        found = {"width": width, "height": height} | answer.to_json()
        return found | {"drawn": drawn, "seconds": _spent(marks)}


def _spent(marks: list[float]) -> Mapping[str, float]:
    """Seconds of each step."""
    return {name: round(end - start, 5) for name, (start, end) in zip(_STEPS, pairwise(marks), strict=True)}
