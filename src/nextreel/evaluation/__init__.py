"""Evaluation: protocol, metrics, intervals, significance, leak audits, comparisons, backtests and A/B experiments."""
