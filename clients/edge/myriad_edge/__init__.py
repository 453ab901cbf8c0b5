"""A device's runtime for exported models of Myriad: images in a folder become JSON lines and drawn images."""

from myriad_edge.version import __version__

__all__ = ["__version__"]
