"""What hosted prediction asks of whoever decodes: plain values, no image library.

The decoder itself lives in `workers` (sandboxed child processes); settings name it, so that this app imports nothing
of theirs.
"""

import uuid
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]


class PixelPool(Protocol):
    """Decodes one picture at a time where hostile bytes can do no harm. Safe for threads."""

    def start(self) -> None:
        """Makes ready for the first picture."""
        ...

    def close(self) -> None:
        """Ends what `start` or `decode` began."""
        ...

    def decode(self, tenant_id: uuid.UUID, data: bytes, declared_type: str | None) -> "Pixels":
        """The upright picture as (H, W, 3) uint8, RGB; the type is found out when `declared_type` is None.

        Raises PixelsRefused for what is no picture within the limits, PixelsUnavailable when nothing can be decoded now
        (`projects.domain.decoding`).
        """
        ...
