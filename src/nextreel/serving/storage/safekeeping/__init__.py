"""Keeping a store safe: copies of it, their return, and whether it is sound."""
