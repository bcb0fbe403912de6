"""The contract of a model, and one file for each."""
