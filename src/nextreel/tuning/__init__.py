"""Searching for the options of a model on an inner split of the training data."""
