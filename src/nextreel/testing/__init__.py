"""A conformance suite for models, shipped so that a model of your own can be held to it too."""

from nextreel.testing.conformance import RecommenderConformance, tiny_dataset

__all__ = ["RecommenderConformance", "tiny_dataset"]
