"""Benchmarks of quality and speed: a config goes in, a result file comes out, and tables are rendered from it."""
