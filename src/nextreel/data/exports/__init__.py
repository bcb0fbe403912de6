"""A person's own history as film sites export it: Letterboxd, IMDb, Netflix, MovieLens, or any CSV file."""
