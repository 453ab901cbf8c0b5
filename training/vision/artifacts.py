"""What a trained `fast` model is on disk: fp16 head weights in safetensors, everything else in JSON. Never a pickle."""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load, save

from training.vision.graph import HeadSpec
from training.vision.recipes import Recipe

WEIGHTS, DESCRIPTION = "heads.safetensors", "model.json"
FORMAT = 1


class DamagedModel(ValueError):
    """The files are not those that were saved."""


@dataclass(frozen=True)
class Trained:
    """A detector's own part; with the backbone of `backbone_sha256` it is whole."""

    weights: dict[str, npt.NDArray[np.float16]]
    classes: list[str]
    recipe: Recipe
    seed: int
    long_side: int  # pixels, of the resized image's longer side
    backbone: str
    backbone_sha256: str
    fingerprint: str  # of data, recipe, seed and backbone: what the weights came from

    def head_spec(self) -> HeadSpec:
        return head_spec(self.recipe)


def head_spec(recipe: Recipe) -> HeadSpec:
    return HeadSpec(recipe.tower_depth, recipe.anchor_scale, recipe.score_threshold, recipe.nms_iou)


def save_model(trained: Trained, folder: Path) -> dict[str, str]:
    """Write the model's two files into `folder`; return the SHA-256 of each by name."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = save({name: trained.weights[name] for name in sorted(trained.weights)})
    description = {
        "format": FORMAT,
        "classes": trained.classes,
        "recipe": trained.recipe.to_json(),
        "seed": trained.seed,
        "long_side": trained.long_side,
        "backbone": trained.backbone,
        "backbone_sha256": trained.backbone_sha256,
        "fingerprint": trained.fingerprint,
        "weights_sha256": sha256(weights).hexdigest(),
    }
    text = json.dumps(description, indent=2, sort_keys=True).encode()
    (folder / WEIGHTS).write_bytes(weights)
    (folder / DESCRIPTION).write_bytes(text)
    return {WEIGHTS: sha256(weights).hexdigest(), DESCRIPTION: sha256(text).hexdigest()}


def load_model(folder: Path) -> Trained:
    """Read what save_model wrote. Raises DamagedModel where the weights are not the described ones."""
    try:
        description = json.loads((folder / DESCRIPTION).read_text())
        weights = (folder / WEIGHTS).read_bytes()
        if description["format"] != FORMAT:
            raise DamagedModel(f"model format {description['format']} is unknown")
        if sha256(weights).hexdigest() != description["weights_sha256"]:
            raise DamagedModel("the weights do not match their description")
        fields = {
            name: description[name]
            for name in ("classes", "seed", "long_side", "backbone", "backbone_sha256", "fingerprint")
        }
        return Trained(weights=load(weights), recipe=Recipe(**description["recipe"]), **fields)
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise DamagedModel(f"the model's description cannot be read: {error}") from error
