"""Where data sets come from: MovieLens releases and a synthetic generator."""
