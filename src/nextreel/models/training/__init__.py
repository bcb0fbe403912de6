"""Fitting in epochs: what a fit reports, its checkpoints, and the users it holds out."""
