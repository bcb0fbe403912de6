"""Answering requests with a fitted model, on the interactions and movies that the server's store holds now."""
