"""How similar two movies are by what the catalog says about them, whoever has rated them:

sim(i, j) = cos(genres) + 0.5 exp(-|years apart| / 10) + cos(words of the titles, tf-idf)
"""

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from nextreel.arrays import Float32Array, Int64Array
from nextreel.data.titles import YEAR
from nextreel.ranking.genres import share_genres, unit_rows

YEAR_WEIGHT = 0.5
"""Largest contribution of the years to the similarity of two movies, reached if both have the same year."""
YEAR_SCALE = 10.0
"""Number of years apart at which the contribution of the years has fallen to 1 / e of YEAR_WEIGHT."""
WORD = r"[\p{L}\p{N}']+"


def content_similarity(movies: pl.DataFrame, rows: Int64Array, columns: Int64Array) -> Float32Array:
    """Return sim(i, j) of each movie i in `rows` and j in `columns`: float32[len(rows), len(columns)].

    Parameters
    ----------
    movies : pl.DataFrame
        The catalog, as `Dataset.movies` has it: Title, Genres and Year of every movie.
    rows, columns : int64[n]
        Indices of movies in the catalog.
    """
    genres = unit_rows(share_genres(movies))
    years = movies["Year"].cast(pl.Float32).to_numpy()
    words = _vectorize_titles(movies["Title"])
    similarity = genres[rows] @ genres[columns].T
    years_apart = np.abs(years[rows][:, None] - years[columns])
    similarity += YEAR_WEIGHT * np.nan_to_num(np.exp(-years_apart / np.float32(YEAR_SCALE)))
    similarity += (words[rows] @ words[columns].T).toarray()
    return similarity


def _vectorize_titles(titles: pl.Series) -> csr_array:
    """Return the titles as unit tf-idf vectors, a sparse float32[n_movies, n_words]; years aren't counted as words."""
    words = (
        pl.DataFrame(
            {"movie": np.arange(len(titles)), "word": titles.str.replace(YEAR, "").str.to_lowercase()}
        )
        .with_columns(pl.col("word").str.extract_all(WORD))
        .explode("word")
        .drop_nulls()
        .unique()
        .with_columns(
            column=pl.col("word").rank("dense") - 1, weight=(1 + len(titles) / pl.len().over("word")).log()
        )
        .with_columns(pl.col("weight") / (pl.col("weight") ** 2).sum().over("movie").sqrt())
        .sort("movie", "column")
    )
    entries = (
        words["weight"].cast(pl.Float32).to_numpy(),
        (words["movie"].to_numpy(), words["column"].to_numpy()),
    )
    return csr_array(entries, shape=(len(titles), words["word"].n_unique()))
