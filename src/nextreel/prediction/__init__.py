"""A fitted model with the interactions that histories come from: fitted, queried, saved and loaded."""
