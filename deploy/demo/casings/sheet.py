"""A contact sheet: many photographs small on one picture, with their boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageDraw

from deploy.demo.casings.scene import Casing

COLOURS: Final = {"scratch": "#ff5252", "dent": "#40c4ff", "pit_mark": "#ffd740", "discoloration": "#b388ff"}


def contact_sheet(casings: Sequence[Casing], *, columns: int = 6, cell: int = 320, boxes: bool = True) -> Image.Image:
    """All `casings` in rows of `columns`, each `cell` pixels wide."""
    if not casings:
        raise ValueError("a contact sheet needs at least one photograph")
    width, height = casings[0].image.size
    scale = cell / width
    tall = round(height * scale)
    rows = -(-len(casings) // columns)
    sheet = Image.new("RGB", (min(columns, len(casings)) * cell, rows * tall))
    for place, casing in enumerate(casings):
        small = casing.image.resize((cell, tall), Image.Resampling.LANCZOS)
        if boxes:
            _draw_boxes(small, casing, scale)
        sheet.paste(small, (place % columns * cell, place // columns * tall))
    return sheet


def _draw_boxes(picture: Image.Image, casing: Casing, scale: float) -> None:
    draw = ImageDraw.Draw(picture)
    for box in casing.boxes:
        corners = (
            box.x * scale - 2,
            box.y * scale - 2,
            (box.x + box.width) * scale + 1,
            (box.y + box.height) * scale + 1,
        )
        draw.rectangle(corners, outline=COLOURS[box.label])
        draw.text((corners[0], corners[3] + 1), box.label, fill=COLOURS[box.label])
