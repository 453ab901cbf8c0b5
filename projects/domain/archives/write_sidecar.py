"""`myriad.json`: what a snapshot knows beyond what the format of its zip can say."""

from collections.abc import Sequence
from typing import Any, Final

from projects.domain.archives.contents import ArchiveClass
from projects.domain.manifests import Manifest, ManifestImage, canonical

VERSION: Final = 1


def sidecar(manifest: Manifest, *, paths: Sequence[str], classes: Sequence[ArchiveClass]) -> bytes:
    """`paths` are the images' places in the zip, in the manifest's order; `classes` are those of the label book."""
    images = {path: _about(image) for path, image in zip(paths, manifest.images, strict=True)}
    book = [
        {"name": label.name, "definition": label.definition, "rule": label.rule, "color": label.color}
        for label in classes
    ]
    return canonical({"version": VERSION, "classes": book, "images": images})


def own_group(image: ManifestImage) -> str:
    """The group that the image was given; empty where it is its own, since its id means nothing elsewhere."""
    return "" if image.group == str(image.id) else image.group


def _about(image: ManifestImage) -> dict[str, Any]:
    said = {"filename": image.filename, "split": image.split, "group": own_group(image), "metadata": image.metadata}
    return {name: value for name, value in said.items() if value}
