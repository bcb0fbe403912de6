"""Data sets to start from: MovieLens releases, and a synthetic one."""
