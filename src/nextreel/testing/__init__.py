"""A conformance suite for models, shipped so that you can test a model of your own with it."""

from nextreel.testing.conformance import RecommenderConformance, tiny_dataset

__all__ = ["RecommenderConformance", "tiny_dataset"]
