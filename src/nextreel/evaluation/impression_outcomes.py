"""What users did after each impression: hits, and the NDCG of the next positive.

An impression is a recommendation list that was shown to a user during an A/B experiment.
"""

import polars as pl

from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID

VERSION, MOVIES = "Version", "MovieIDs"
IMPRESSIONS = pl.Schema(
    {USER_ID: pl.Int64(), TIMESTAMP: pl.Int64(), VERSION: pl.String(), MOVIES: pl.List(pl.Int64())}
)
"""Columns of a table of impressions: the user, when the list was shown (POSIX seconds), the version of the model, and
the MovieIDs of the list, best first."""


def follow(
    impressions: pl.DataFrame, interactions: pl.DataFrame, within: int, threshold: float
) -> pl.DataFrame:
    """Return which of a user's positives followed each impression, strictly later and at most `within` seconds later.

    Returns
    -------
    DataFrame
        One row per impression: UserID, Version, Answered (number of movies in the list), Positives (list of the
        MovieIDs in it that got a positive), and NextNDCG (NDCG, over the whole list, of the first positive that
        followed; null if none did).
    """
    rows = impressions.with_row_index("Answer")
    positives = interactions.filter(pl.col(RATING) >= threshold).select(
        USER_ID, MOVIE_ID, pl.col(TIMESTAMP).alias("At")
    )
    in_window = pl.col("At").is_between(pl.col(TIMESTAMP), pl.col(TIMESTAMP) + within, closed="right")
    listed = rows.explode(MOVIES).rename({MOVIES: MOVIE_ID})
    return (
        rows.join(_find_hits(listed, positives, in_window), on="Answer", how="left")
        .join(_score_next_positive(rows, listed, positives, in_window), on="Answer", how="left")
        .sort("Answer")
        .select(
            USER_ID,
            VERSION,
            pl.col(MOVIES).list.len().cast(pl.Int64).alias("Answered"),
            pl.col("Positives").fill_null([]),
            "NextNDCG",
        )
    )


def _find_hits(listed: pl.DataFrame, positives: pl.DataFrame, in_window: pl.Expr) -> pl.DataFrame:
    """Return Answer (number of the impression) and Positives (MovieIDs in its list that got a positive) for every
    impression with a hit; `listed` has a row per recommended movie."""
    return (
        listed.join(positives, on=[USER_ID, MOVIE_ID])
        .filter(in_window)
        .group_by("Answer")
        .agg(pl.col(MOVIE_ID).unique().sort().alias("Positives"))
    )


def _score_next_positive(
    rows: pl.DataFrame, listed: pl.DataFrame, positives: pl.DataFrame, in_window: pl.Expr
) -> pl.DataFrame:
    """Return Answer (number of the impression) and NextNDCG (NDCG of the first positive that followed) for every
    impression that a positive followed."""
    ranks = listed.select(
        "Answer", MOVIE_ID, pl.int_range(1, pl.len() + 1).over("Answer").cast(pl.Float64).alias("Rank")
    )
    # If a user gave several positives in one second, the next one is the first of them in the store.
    first_of_second = positives.unique([USER_ID, "At"], keep="first", maintain_order=True).sort("At")
    next_positives = (
        rows.select("Answer", USER_ID, TIMESTAMP)
        .sort(TIMESTAMP)
        .join_asof(
            first_of_second,
            left_on=TIMESTAMP,
            right_on="At",
            by=USER_ID,
            strategy="forward",
            allow_exact_matches=False,
            check_sortedness=False,
        )
        .filter(in_window)
    )
    return next_positives.join(ranks, on=["Answer", MOVIE_ID], how="left").select(
        "Answer", NextNDCG=(1 / (1 + pl.col("Rank")).log(2)).fill_null(0.0)
    )
