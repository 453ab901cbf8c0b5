"""Where unfinished trainings are kept: a folder for a benchmark, the job's storage for a run."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol


class CheckpointMismatch(ValueError):
    """The checkpoint is of other data, another recipe or another seed, or it cannot be read."""


class Checkpoints(Protocol):
    """Keeps the newest state of each named training of a run. Called from several threads."""

    def load(self, name: str) -> bytes | None: ...

    def save(self, name: str, *, step: int, data: bytes) -> None: ...


@dataclass(frozen=True)
class Checkpoint:
    """The place of one training among its run's checkpoints."""

    place: Checkpoints
    name: str
    is_new: bool = False  # what is there already is not read

    def load(self) -> bytes | None:
        return None if self.is_new else self.place.load(self.name)

    def renewed(self) -> "Checkpoint":
        return replace(self, is_new=True)

    def save(self, step: int, data: bytes) -> None:
        self.place.save(self.name, step=step, data=data)


@dataclass(frozen=True)
class FolderCheckpoints:
    """One file a training; a file is replaced whole, so that a killed run leaves no half of one."""

    folder: Path

    def load(self, name: str) -> bytes | None:
        path = self.folder / f"{name}.safetensors"
        return path.read_bytes() if path.exists() else None

    def save(self, name: str, *, step: int, data: bytes) -> None:  # noqa: ARG002 - the protocol's
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f"{name}.partial"
        partial.write_bytes(data)
        partial.replace(self.folder / f"{name}.safetensors")
