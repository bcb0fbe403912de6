"""Counts of the data that a comparison ran on: the two parts of the split, and the interactions of each month."""

from dataclasses import dataclass

import polars as pl

from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.splitting.split_directory import TrainTest


@dataclass(frozen=True)
class PartSummary:
    """Counts of one part of a split, such as its number of interactions."""

    name: str
    """Name of the part, "train" or "test"."""
    rows: int
    """Number of interactions in the part."""
    users: int
    movies: int
    positives: int
    first: int
    """Timestamp of the earliest interaction of the part, POSIX seconds."""
    last: int
    """Timestamp of the latest interaction of the part, POSIX seconds."""


def summarize_parts(parts: TrainTest) -> list[PartSummary]:
    """Return the counts of the train part and of the test part of a split, in this order."""
    return [
        PartSummary(
            name,
            len(rows),
            rows[USER_ID].n_unique(),
            rows[MOVIE_ID].n_unique(),
            int((rows[RATING] >= parts.threshold).sum()),
            *rows.select(pl.min(TIMESTAMP).alias("first"), pl.max(TIMESTAMP).alias("last")).row(0),
        )
        for name, rows in (("train", parts.train.interactions()), ("test", parts.test))
    ]


def join_parts(parts: TrainTest) -> pl.DataFrame:
    """Return the interactions of both parts in order of time; an interaction in both parts counts once."""
    train = parts.train.interactions()
    test = parts.test.select(train.columns).join(train, on=train.columns, how="anti")
    return pl.concat([train, test]).sort(TIMESTAMP, maintain_order=True)


def count_months(interactions: pl.DataFrame) -> list[tuple[str, int]]:
    """Return the number of interactions in each month ("2001-03"), from the first month to the last."""
    month = pl.from_epoch(TIMESTAMP).dt.truncate("1mo").alias("month")
    counts = interactions.group_by(month).len().sort("month").upsample("month", every="1mo")
    return [(f"{month:%Y-%m}", count or 0) for month, count in counts.select("month", "len").iter_rows()]
