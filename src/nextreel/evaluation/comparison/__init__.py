"""Comparing models: who takes part, their lists, and the leaderboard."""
