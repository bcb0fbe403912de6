"""The version of the nextreel package."""

__version__ = "0.1.0"
