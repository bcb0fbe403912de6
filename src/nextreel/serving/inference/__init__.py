"""Answering requests from a fitted model and what the store knows now."""
