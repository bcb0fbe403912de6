"""Example lists side by side: what each model lists for a few people, and what these liked next.

Nobody picks the people. All who are asked about stand in a row by the length of the history at their first query, ties
by UserID; shown are those a quarter, half and three quarters down the row.
"""

from dataclasses import dataclass

import numpy as np

from nextreel.evaluation.comparison.leaderboard import Leaderboard
from nextreel.evaluation.protocol import EvaluationQueries, HistoryMode

QUARTERS = (1, 2, 3)
SHOWN = 8
"""Movies of a history that are shown."""


@dataclass(frozen=True)
class Movie:
    """A movie as a list shows it."""

    title: str
    rating: float | None = None
    """What the person gave it, in the history."""
    liked: bool = False
    """Whether the person liked it in the test part."""
    asked: bool = False
    """Whether it is the one that this query asks for."""


@dataclass(frozen=True)
class Example:
    """One query and its answers."""

    user: int
    timestamp: int
    """POSIX seconds."""
    length: int
    """Ratings that the history holds."""
    history: list[Movie]
    """The last of them, latest first."""
    liked: list[Movie]
    """Positives of the person in the test part, in order of time."""
    lists: dict[str, list[Movie]]
    """By model, best first."""


def choose_examples(board: Leaderboard, history: HistoryMode) -> list[Example]:
    """The examples; fewer where fewer people are asked about."""
    questions = EvaluationQueries.from_split(
        board.parts.train, board.parts.test, history, board.parts.threshold
    )
    users, first = np.unique(questions.users, return_index=True)
    order = first[np.lexsort((users, questions.histories.lengths[first]))]
    chosen = dict.fromkeys(int(order[(len(order) - 1) * quarter // 4]) for quarter in QUARTERS)
    titles = _title_movies(questions)
    return [_show(board, history, questions, titles, query) for query in chosen]


def _show(
    board: Leaderboard, history: HistoryMode, questions: EvaluationQueries, titles: list[str], query: int
) -> Example:
    user, k = int(questions.users[query]), int(board.main.partition("@")[2])
    same = questions.users == user
    relevant, asked = questions.relevant[same].tolist(), int(questions.relevant[query])
    liked, ids = set(relevant), questions.queries["MovieID"].filter(same).to_list()
    timeline = questions.dataset.timeline
    _, rows = questions.histories[np.array([query])].last(SHOWN).rows()
    return Example(
        user,
        int(questions.timestamps[query]),
        int(questions.histories.lengths[query]),
        [Movie(titles[timeline.movies[row]], float(timeline.ratings[row])) for row in rows[::-1]],
        [
            Movie(
                titles[movie] if movie >= 0 else f"Movie {id_}, outside the catalog",
                liked=True,
                asked=movie == asked,
            )
            for movie, id_ in zip(relevant, ids, strict=True)
        ],
        {
            name: [
                Movie(titles[movie], liked=movie in liked, asked=movie == asked)
                for movie in board.answers[name].lists[history].movies[query, :k].tolist()
            ]
            for name in board.ranked(history)
        },
    )


def _title_movies(questions: EvaluationQueries) -> list[str]:
    ids, known = questions.dataset.movie_ids, questions.dataset.movies["Title"]
    return [title or f"Movie {id_}" for id_, title in zip(ids.tolist(), known, strict=True)]
