"""A bundle that is what its manifest says, byte for byte."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from myriad_edge.archives import MANIFEST, MAX_MANIFEST_BYTES, MAX_MODEL_BYTES, MODEL, open_files
from myriad_edge.errors import BadInput
from myriad_edge.manifest import Manifest, read_manifest


@dataclass(frozen=True)
class Bundle:
    manifest: Manifest
    graph: bytes


def read_bundle(path: Path) -> Bundle:
    """Read a folder or a zip; raises BadInput unless the graph is the one that the manifest was written for."""
    with open_files(path) as files:
        manifest = read_manifest(files.read(MANIFEST, MAX_MANIFEST_BYTES))
        graph = files.read(MODEL, MAX_MODEL_BYTES, expected=manifest.size)
    found = sha256(graph).hexdigest()
    if found != manifest.sha256:
        raise BadInput(
            f"{MODEL} in {path} is not the one that {MANIFEST} was written for: its SHA-256 is {found[:16]}…,"
            f" not {manifest.sha256[:16]}….",
            "It was damaged or changed on its way: copy the bundle again, or export the model again.",
        )
    return Bundle(manifest, graph)
