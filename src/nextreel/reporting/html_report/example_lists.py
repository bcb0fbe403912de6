"""Example lists: what each model lists at the same few queries, beside what the person rated before and liked next.

The people aren't picked by hand. All people with a query are sorted by the length of their history at their first query
(ties by UserID), and those at one, two and three quarters of that order are shown.
"""

from dataclasses import dataclass

import numpy as np

from nextreel.data.ids import Id
from nextreel.evaluation.comparison.leaderboard import Leaderboard
from nextreel.evaluation.protocol import EvaluationQueries, HistoryMode

QUARTERS = (1, 2, 3)
SHOWN = 8
"""Maximum number of movies of a person's history that the report shows."""


@dataclass(frozen=True)
class ExampleMovie:
    """A movie in a history, in a recommendation list or among the positives of the test part."""

    title: str
    rating: float | None = None
    """The person's rating of the movie; None for a movie that isn't shown as part of the history."""
    liked: bool = False
    """Whether the person liked the movie in the test part."""
    relevant: bool = False
    """Whether this is the relevant movie of the query, the one that the person liked next."""


@dataclass(frozen=True)
class Example:
    """One query of a person in the test part, with the recommendation list of each model."""

    user: Id
    """UserID of the person whose query it is."""
    timestamp: int
    """Timestamp of the query, POSIX seconds."""
    history_length: int
    """Number of interactions in the person's history at the query."""
    history: list[ExampleMovie]
    """Movies of the person's latest interactions before the query, latest first, at most SHOWN."""
    liked: list[ExampleMovie]
    """The person's positives in the test part, in order of time."""
    lists: dict[str, list[ExampleMovie]]
    """Recommendation list of each model by the model's name, best movie first."""


def choose_examples(board: Leaderboard, history: HistoryMode) -> list[Example]:
    """Return the examples of the people at one, two and three quarters of the order by length of history; fewer if
    there are fewer people with a query."""
    queries = EvaluationQueries.from_split(
        board.parts.train, board.parts.test, history, board.parts.threshold, board.ties(history)
    )
    users, first_queries = np.unique(queries.users, return_index=True)
    by_length = first_queries[np.lexsort((users, queries.histories.lengths[first_queries]))]
    chosen = dict.fromkeys(int(by_length[(len(by_length) - 1) * quarter // 4]) for quarter in QUARTERS)
    titles = _titles_of(queries)
    return [_describe_query(board, history, queries, titles, query) for query in chosen]


def _titles_of(queries: EvaluationQueries) -> list[str]:
    movies = queries.dataset.movies
    return [title or f"Movie {movie_id}" for movie_id, title in movies.select("MovieID", "Title").iter_rows()]


def _describe_query(
    board: Leaderboard, history: HistoryMode, queries: EvaluationQueries, titles: list[str], query: int
) -> Example:
    k = int(board.main.partition("@")[2])
    relevant = int(queries.relevant[query])
    of_user = queries.users == queries.users[query]
    liked, liked_ids = queries.relevant[of_user].tolist(), queries.rows["MovieID"].filter(of_user)
    timeline = queries.dataset.timeline
    _, rows = queries.histories[np.array([query])].last(SHOWN).rows()
    return Example(
        user=queries.rows["UserID"][query],
        timestamp=int(queries.timestamps[query]),
        history_length=int(queries.histories.lengths[query]),
        history=[
            ExampleMovie(titles[timeline.movies[row]], rating=float(timeline.ratings[row]))
            for row in rows[::-1]
        ],
        liked=[
            ExampleMovie(
                titles[movie] if movie >= 0 else f"Movie {movie_id}, outside the catalog",
                liked=True,
                relevant=movie == relevant,
            )
            for movie, movie_id in zip(liked, liked_ids.to_list(), strict=True)
        ],
        lists={
            name: [
                ExampleMovie(titles[movie], liked=movie in liked, relevant=movie == relevant)
                for movie in board.runs[name].lists[history].movies[query, :k].tolist()
            ]
            for name in board.ranked(history)
        },
    )
