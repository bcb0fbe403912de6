"""The version of the nextreel package."""

__version__ = "1.0.0"
