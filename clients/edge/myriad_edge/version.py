"""The version of the runtime, and nothing else, so that it can be read without importing the rest."""

__version__ = "0.1.0"
