"""The comparison of several models: the contestants, the lists of other recommenders, and the leaderboard."""
