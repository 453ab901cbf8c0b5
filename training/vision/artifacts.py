"""What a trained model is on disk: its own weights in safetensors, everything else in JSON. Never a pickle."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256

from safetensors import SafetensorError
from safetensors.numpy import load, save

from training.vision.graph import HeadSpec
from training.vision.tiling import Tiling, read_tiling
from training.vision.weights import Stored

WEIGHTS, DESCRIPTION = "heads.safetensors", "model.json"
FORMAT = 1


class DamagedModel(ValueError):
    """The files are not those that were saved."""


@dataclass(frozen=True)
class Trained:
    """A detector's own part; with the backbone of `backbone_sha256` it is whole."""

    weights: Stored
    classes: list[str]
    heads: HeadSpec
    long_side: int  # pixels, of the resized image's longer side
    backbone: str
    backbone_sha256: str
    recipe: Mapping[str, object]  # as it was when it trained, with the sizes that were chosen
    seed: int
    fingerprint: str  # of data, recipe, seed and backbone: what the weights came from
    tiling: Tiling | None = None  # how large images are looked at; None: whole

    def with_weights(self, weights: Stored) -> "Trained":
        return replace(self, weights=weights)


def pack_model(trained: Trained) -> dict[str, bytes]:
    """The model's two files by name; equal models give equal bytes."""
    weights = save({name: trained.weights[name] for name in sorted(trained.weights)})
    description = {
        "format": FORMAT,
        "classes": trained.classes,
        "heads": asdict(trained.heads),
        "head_graph": trained.heads.file_name(trained.backbone),
        "feature_graph": trained.heads.feature_graph(trained.backbone),
        "long_side": trained.long_side,
        "tiling": asdict(trained.tiling) if trained.tiling else None,
        "backbone": trained.backbone,
        "backbone_sha256": trained.backbone_sha256,
        "recipe": dict(trained.recipe),
        "seed": trained.seed,
        "fingerprint": trained.fingerprint,
        "weights_sha256": sha256(weights).hexdigest(),
    }
    return {WEIGHTS: weights, DESCRIPTION: json.dumps(description, indent=2, sort_keys=True).encode()}


def unpack_model(files: Mapping[str, bytes]) -> Trained:
    """Inverse of pack_model. Raises DamagedModel where the weights are not the described ones."""
    try:
        description = json.loads(files[DESCRIPTION])
        if description["format"] != FORMAT:
            raise DamagedModel(f"model format {description['format']} is unknown")
        if sha256(files[WEIGHTS]).hexdigest() != description["weights_sha256"]:
            raise DamagedModel("the weights do not match their description")
        fields = ("classes", "long_side", "backbone", "backbone_sha256", "recipe", "seed", "fingerprint")
        return Trained(
            weights=load(files[WEIGHTS]),
            heads=HeadSpec(**description["heads"]),
            tiling=read_tiling(description),
            **{name: description[name] for name in fields},
        )
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        if isinstance(error, DamagedModel):
            raise
        raise DamagedModel(f"the model's description cannot be read: {error}") from error
