"""Small frames for tests."""

import numpy as np
import polars as pl
from hypothesis import strategies as st

from nextreel.data.schema import INTERACTIONS, MOVIE_ID, TIMESTAMP, USER_ID


def interactions(*rows: tuple[int, int, float, int]) -> pl.DataFrame:
    """Rows of (UserID, MovieID, Rating, Timestamp)."""
    return pl.DataFrame(rows, schema=INTERACTIONS.schema, orient="row")


@st.composite
def any_interactions(draw: st.DrawFn, max_rows: int = 60) -> pl.DataFrame:
    """Few users, movies and seconds, so that ties and repeated movies happen; at least one row."""
    row = st.tuples(
        st.integers(0, 5),
        st.integers(0, 9),
        st.sampled_from([0.5, 1.0, 3.0, 3.5, 4.0, 5.0]),
        st.integers(0, 12),
    )
    return interactions(*draw(st.lists(row, min_size=1, max_size=max_rows)))


def queries(*rows: tuple[int, int]) -> pl.DataFrame:
    """Rows of (UserID, Timestamp)."""
    return pl.DataFrame(rows, schema={USER_ID: pl.Int64, TIMESTAMP: pl.Int64}, orient="row")


def catalog(n_movies: int, year: int = 1950) -> pl.DataFrame:
    """Movies 0 to n_movies - 1, in the form of movies.csv."""
    ids = np.arange(n_movies)
    return pl.DataFrame(
        {MOVIE_ID: ids, "Title": [f"Movie {i} ({year})" for i in ids], "Genres": ["Drama"] * n_movies}
    )
