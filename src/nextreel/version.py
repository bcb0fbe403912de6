"""The version of nextreel."""

__version__ = "0.1.0"
