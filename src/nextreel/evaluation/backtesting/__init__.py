"""Backtests: a model's quality along time, window by window."""
