"""Photographs of smartphone casings with scratches, dents, pit marks and discolorations, and their exact boxes.

Drawn, not taken: a model of the metal, the lamps and the camera, fully determined by a seed. They serve the demo
and the tests, which may thus show them to anybody.
"""

from deploy.demo.casings.coco import write_coco
from deploy.demo.casings.defects import LABELS
from deploy.demo.casings.scene import Box, Casing, generate
from deploy.demo.casings.sheet import contact_sheet

__all__ = ["LABELS", "Box", "Casing", "contact_sheet", "generate", "write_coco"]
