"""Which split an image falls into: decided by its group, so that look-alikes never straddle train and test."""

import hashlib
import uuid
from collections.abc import Mapping

from projects.models import Image

# Metadata that names what look-alike photographs share, first match wins.
GROUP_KEYS = ("group", "part", "board", "position")
# Of 100 groups.
_VALIDATION, _TEST = 15, 15


def group_of(*, group: str, metadata: Mapping[str, object]) -> str:
    """The image's group: as given, else as its metadata says, else empty (its own)."""
    named = (metadata[key] for key in GROUP_KEYS if metadata.get(key) not in (None, ""))
    return group or str(next(named, ""))


def split_of(*, project_id: uuid.UUID, group: str, sha256: str) -> str:
    """The split of an image that nobody pinned: the same for the same group, on every machine."""
    digest = hashlib.sha256(f"{project_id}:{group or sha256}".encode()).digest()
    place = int.from_bytes(digest[:8]) % 100
    if place < _TEST:
        return Image.Split.TEST
    return Image.Split.VALIDATION if place < _TEST + _VALIDATION else Image.Split.TRAIN
