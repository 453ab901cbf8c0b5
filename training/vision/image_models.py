"""What a trained model of a kind that judges a whole image is on disk: safetensors and JSON, as detectors are."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from training.vision.artifacts import DESCRIPTION, WEIGHTS, DamagedModel
from training.vision.image_graphs import SPECS, ImageSpec
from training.vision.weights import Floats, Stored, restore_weights

FORMAT = 1


@dataclass(frozen=True)
class ImageModel:
    """A model's own part; with the backbone of `backbone_sha256` it is whole.

    `classes` are the outputs of a classifier; a model of good images has none, but the label book's names. It has a
    `threshold` instead, from which on a score is anomalous, and the share of good images that may be: `false_alarms`.
    """

    weights: Stored
    classes: list[str]
    heads: ImageSpec
    long_side: int  # pixels, of the resized image's longer side
    backbone: str
    backbone_sha256: str
    recipe: Mapping[str, object]  # as it was when it trained, with the size that was chosen
    seed: int
    fingerprint: str  # of data, recipe, seed and backbone: what the weights came from
    threshold: float | None = None
    false_alarms: float | None = None

    @property
    def kind(self) -> str:
        return self.heads.kind

    def restored(self) -> dict[str, Floats]:
        """The weights as a graph takes them."""
        return restore_weights(self.weights)


def store_image_weights(weights: Mapping[str, Floats]) -> Stored:
    """Matrices in half precision; vectors are short, and their errors would add up over a matrix's."""
    return {name: weight.astype(np.float16 if weight.ndim > 1 else np.float32) for name, weight in weights.items()}


def pack_image_model(model: ImageModel) -> dict[str, bytes]:
    """The model's two files by name; equal models give equal bytes."""
    weights = save({name: np.ascontiguousarray(model.weights[name]) for name in sorted(model.weights)})
    description = {
        "format": FORMAT,
        "kind": model.kind,
        "classes": model.classes,
        "heads": asdict(model.heads),
        "head_graph": model.heads.file_name(model.backbone),
        "feature_graph": f"{model.backbone}.onnx",
        "long_side": model.long_side,
        "backbone": model.backbone,
        "backbone_sha256": model.backbone_sha256,
        "recipe": dict(model.recipe),
        "seed": model.seed,
        "fingerprint": model.fingerprint,
        "threshold": model.threshold,
        "false_alarms": model.false_alarms,
        "weights_sha256": sha256(weights).hexdigest(),
    }
    return {WEIGHTS: weights, DESCRIPTION: json.dumps(description, indent=2, sort_keys=True).encode()}


def unpack_image_model(files: Mapping[str, bytes]) -> ImageModel:
    """Inverse of pack_image_model. Raises DamagedModel where the files are not those that were saved."""
    try:
        description = json.loads(files[DESCRIPTION])
        if description["format"] != FORMAT or description["kind"] not in SPECS:
            raise DamagedModel(f"model format {description['format']} of kind {description['kind']!r} is unknown")
        if sha256(files[WEIGHTS]).hexdigest() != description["weights_sha256"]:
            raise DamagedModel("the weights do not match their description")
        fields = (
            "classes", "long_side", "backbone", "backbone_sha256", "recipe", "seed", "fingerprint", "threshold",
            "false_alarms",
        )  # fmt: skip
        return ImageModel(
            weights=load(files[WEIGHTS]),
            heads=ImageSpec(**description["heads"]),
            **{name: description[name] for name in fields},
        )
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        if isinstance(error, DamagedModel):
            raise
        raise DamagedModel(f"the model's description cannot be read: {error}") from error
