"""The kinds of models, by the name that a manifest gives them."""

from __future__ import annotations

from typing import Final

from myriad_edge.errors import BadInput
from myriad_edge.kinds.anomaly import Anomaly
from myriad_edge.kinds.classification import Classification
from myriad_edge.kinds.detection import Detection
from myriad_edge.kinds.interface import Kind
from myriad_edge.manifest import DETECTION, Manifest

KINDS: Final[dict[str, type[Kind]]] = {
    DETECTION: Detection,
    "CLASSIFICATION": Classification,
    "ANOMALY": Anomaly,
}


def kind_of(manifest: Manifest, threshold: float | None) -> Kind:
    """Give the kind of the manifest's model; raises BadInput for an unknown one, or as its constructor does."""
    if manifest.kind not in KINDS:
        raise BadInput(
            f"The model is of the kind {manifest.kind!r}; this program knows {', '.join(KINDS)}.", "Update myriad-edge."
        )
    return KINDS[manifest.kind](manifest, threshold)
