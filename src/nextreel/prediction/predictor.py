"""A fitted model with the interactions that histories come from: queries in, recommended MovieIDs out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import TypedDict, Unpack, overload

import numpy as np
import polars as pl
from narwhals.typing import IntoFrameT

from nextreel.arrays import BoolArray, Float32Array, Int64Array
from nextreel.data.data_format import DataFormat
from nextreel.data.dataset import Dataset, require_dataset
from nextreel.data.exports.export_dates import DayOrder
from nextreel.data.frames import to_kind_of
from nextreel.data.ids import Id, encode_id, encode_ids, kind_of
from nextreel.data.reading.query_frames import check_id, make_query_frame
from nextreel.data.reading.time_values import Time, to_timestamp_or_now
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.timeline import Histories, Ties
from nextreel.errors import QueryError
from nextreel.models.base import Recommender, require_model
from nextreel.notebook_html import to_html
from nextreel.prediction.own_history import HistoryReader, OwnHistory, join_histories
from nextreel.ranking.explanations import explain
from nextreel.ranking.filters import Filters
from nextreel.ranking.genres import share_genres
from nextreel.ranking.joint_lists import JointRanking, JointRule, rank_jointly
from nextreel.ranking.ranker import Ranker, Ranking
from nextreel.ranking.reranking import CANDIDATES, rerank
from nextreel.ranking.similar_movies import SimilarMovies
from nextreel.ranking.title_search import TitleSearch
from nextreel.wording import shorten

Queries = Id | Iterable[Id] | Iterable[tuple[Id, Time]] | Iterable[list[Id]]
"""Queries that are no frame: one user, users, or pairs of a user and a time."""


class ListOptions(TypedDict, total=False):
    """What a caller may ask of recommendation lists by keyword; `Predictor.recommend` describes each."""

    at: Time | None
    titles: bool
    include_genres: Iterable[str]
    exclude_genres: Iterable[str]
    year_min: int | None
    year_max: int | None
    exclude: Iterable[Id]
    diversity: float
    calibration: float
    ties: Ties


Export = OwnHistory | str | PathLike[str]
"""A person's own history: one that was read, or the path of an export."""


@dataclass(frozen=True)
class Predictor:
    """Recommends movies with a fitted model.

    Raises ConfigError for a `model` that is no model, and DataError for a `dataset` that is no dataset.
    """

    model: Recommender
    """The fitted model, which scores the movies."""
    dataset: Dataset
    """The interactions that histories are cut from. They may be newer than those that the model was
    fitted on; the catalog must be the one that the model was fitted on."""

    def __post_init__(self) -> None:
        require_model(self.model)
        require_dataset(self.dataset)

    def __repr__(self) -> str:
        return f"Predictor({type(self.model).__name__}, {self.dataset!r})"

    def _repr_html_(self) -> str:
        options = [(name, shorten(str(value), 80)) for name, value in self.model.config][:20]
        return to_html(f"Predictor: {type(self.model).__name__}", [*self.dataset.facts(), *options])

    @overload
    def recommend(
        self, queries: IntoFrameT, k: int = ..., exclude_seen: bool = ..., **options: Unpack[ListOptions]
    ) -> IntoFrameT: ...
    @overload
    def recommend(
        self, queries: Queries, k: int = ..., exclude_seen: bool = ..., **options: Unpack[ListOptions]
    ) -> pl.DataFrame: ...
    @overload
    def recommend(
        self, *, history: Export, k: int = ..., exclude_seen: bool = ..., **options: Unpack[ListOptions]
    ) -> pl.DataFrame: ...
    def recommend(
        self,
        queries: object = None,
        k: int = 10,
        exclude_seen: bool = True,
        *,
        history: Export | None = None,
        at: Time | None = None,
        titles: bool = False,
        include_genres: Iterable[str] = (),
        exclude_genres: Iterable[str] = (),
        year_min: int | None = None,
        year_max: int | None = None,
        exclude: Iterable[Id] = (),
        diversity: float = 0.0,
        calibration: float = 0.0,
        ties: Ties = "strict",
    ) -> object:
        """Recommend k movies for each query, as one row for each movie.

        A query only uses what happened strictly before its time, unless `ties` says otherwise.

        Parameters
        ----------
        queries
            One user; or pairs of a user and a time; or a frame with the columns UserID and Timestamp, under any usual
            names, of polars, pandas, pyarrow or DuckDB. With `at`, users alone: a list, or a frame without times.
        k : int
            Number of movies for each query, at most the number of movies in the catalog.
        exclude_seen : bool
            Don't recommend movies that the user has rated before.
        history
            Instead of `queries`, a person's own history: what `read_history` returned, or the path of an export.
        at
            Time of all queries: POSIX seconds, ISO 8601 such as "2001-01-31T18:00", or a date or datetime; without a
            zone it is in UTC. For one user, or a history, it is by default the end of the current second.
        titles : bool
            Add a column Title, with the MovieID of a movie that has none.
        include_genres, exclude_genres : Iterable[str]
            Recommend only movies with at least one of the former genres and with none of the latter, in any case.
        year_min, year_max : int, optional
            Earliest and latest release year.
        exclude : Iterable[int] | Iterable[str]
            MovieIDs to leave out.
        diversity, calibration : float
            Strength of the re-ranking for varied genres, and towards the genres that the user likes: 0 to 1 in all.
        ties : "strict" or "file-order"
            Whether the interactions of a query's own second are in its history: with "file-order" all of them are,
            since the query comes after what the data hold.

        Returns
        -------
        A frame of the library of `queries`; of polars if `queries` is no frame. Its columns are UserID, Timestamp
        (POSIX seconds), Rank (from 1), MovieID, Score and Fallback: k rows for each query, in the order of the queries.
        With `history`, there is no column UserID.
        Fallback is null for a movie that the model recommends, "popularity" if the model doesn't know the user, and
        "list filled up" (without a Score) if fewer than k movies were left to recommend. With genres, years or
        `exclude`, nothing fills up a list: it has fewer rows then.

        Raises
        ------
        QueryError
            A query isn't valid (the message names its position), k or another number is out of range, or no movie has
            a genre.
        ConfigError
            `ties` is neither strict nor file-order.
        DataError
            The export can't be read.
        """
        frame, histories = self._find_queries(queries, history, at, ties)
        allowed = self._find_allowed(include_genres, exclude_genres, year_min, year_max, exclude)
        timestamps = frame[TIMESTAMP].to_numpy()
        ranking = self._rank(histories, timestamps, k, exclude_seen, allowed, diversity, calibration)
        is_filler = np.isneginf(ranking.scores).ravel()
        fallback = np.where(np.repeat(ranking.personal, k), "", "popularity")
        movies = ranking.movies.ravel()
        columns = {
            **{name: frame[name][np.repeat(np.arange(len(frame)), k)] for name in frame.columns},
            "Rank": np.tile(np.arange(1, k + 1, dtype=np.int32), len(frame)),
            MOVIE_ID: self.dataset.movies[MOVIE_ID][movies],
            **({"Title": self._titles[movies]} if titles else {}),
            "Score": pl.Series(ranking.scores.ravel()).replace(-np.inf, None),
            "Fallback": pl.Series(np.where(is_filler, "list filled up", fallback)).replace("", None),
        }
        answers = pl.DataFrame(columns)
        return to_kind_of(queries, answers if allowed is None else answers.filter(~is_filler))

    @overload
    def recommend_wide(
        self,
        queries: IntoFrameT,
        k: int = ...,
        exclude_seen: bool = ...,
        with_fallback: bool = ...,
        **options: Unpack[ListOptions],
    ) -> IntoFrameT: ...
    @overload
    def recommend_wide(
        self,
        queries: Queries,
        k: int = ...,
        exclude_seen: bool = ...,
        with_fallback: bool = ...,
        **options: Unpack[ListOptions],
    ) -> pl.DataFrame: ...
    def recommend_wide(
        self,
        queries: object,
        k: int = 10,
        exclude_seen: bool = True,
        with_fallback: bool = False,
        *,
        at: Time | None = None,
        titles: bool = False,
        include_genres: Iterable[str] = (),
        exclude_genres: Iterable[str] = (),
        year_min: int | None = None,
        year_max: int | None = None,
        exclude: Iterable[Id] = (),
        diversity: float = 0.0,
        calibration: float = 0.0,
        ties: Ties = "strict",
    ) -> object:
        """Recommend k movies for each query, as one row for each query.

        The parameters and the errors are those of `recommend`.

        Returns
        -------
        A frame with the columns UserID, Timestamp and MovieID1 (the best) to MovieIDk, in the order of the queries;
        with `titles` also Title1 to Titlek; with `with_fallback` also Fallback ("popularity" if the model doesn't know
        the user, or null) and Shortfall (the number of movies at the end of the list that only fill it up). With
        genres, years or `exclude`, nothing fills up a list: these places are null then.
        """
        frame = make_query_frame(queries, self.dataset, at)
        allowed = self._find_allowed(include_genres, exclude_genres, year_min, year_max, exclude)
        histories, timestamps = self._histories(frame, ties), frame[TIMESTAMP].to_numpy()
        ranking = self._rank(histories, timestamps, k, exclude_seen, allowed, diversity, calibration)
        is_filler = np.isneginf(ranking.scores)
        columns: dict[str, pl.Series] = {}
        for name, values in (
            (MOVIE_ID, self.dataset.movies[MOVIE_ID]),
            *([("Title", self._titles)] * titles),
        ):
            for place in range(k):
                of_place = values[ranking.movies[:, place]]
                if allowed is not None:
                    of_place = of_place.set(pl.Series(is_filler[:, place]), None)
                columns[f"{name}{place + 1}"] = of_place
        answers = frame.with_columns(**columns)
        if with_fallback:
            answers = answers.with_columns(
                Fallback=pl.Series(np.where(ranking.personal, "", "popularity")).replace("", None),
                Shortfall=is_filler.sum(axis=1).astype(np.int32),
            )
        return to_kind_of(queries, answers)

    def recommend_together(
        self,
        people: Sequence[Id] | Sequence[Export],
        k: int = 10,
        exclude_seen: bool = True,
        *,
        at: Time | None = None,
        rule: JointRule = "mean",
    ) -> pl.DataFrame:
        """Recommend k movies to several people who want to watch something together, as of one time.

        Parameters
        ----------
        people
            Users; or histories of their own, as `recommend` takes one.
        k : int
            Greatest number of movies.
        exclude_seen : bool
            Don't recommend movies that anybody of them has rated before.
        at
            Time of the query, as in `recommend`; by default about now.
        rule : "mean" or "least-misery"
            Whether the mean of the people's standardised scores counts, or the lowest of them.

        Returns
        -------
        A frame with the columns Rank, MovieID, Title, Score (in standard deviations) and, for each person, Percentile1,
        Percentile2, ...: the share of the movies that could have been recommended to them and that they would like no
        more, 100 for the first of their own list. It has fewer rows than k if fewer movies were left.

        Raises
        ------
        QueryError
            There are no people or more than 10, users and histories are mixed, or another argument is invalid.
        DataError
            An export can't be read.
        """
        ranking = self.rank_together(people, k, exclude_seen, at=at, rule=rule)
        return pl.DataFrame(
            {
                "Rank": np.arange(1, len(ranking.movies) + 1, dtype=np.int32),
                MOVIE_ID: self.dataset.movies[MOVIE_ID][ranking.movies],
                "Title": self._titles[ranking.movies],
                "Score": ranking.scores,
                **{f"Percentile{person}": of for person, of in enumerate(ranking.percentiles, 1)},
            }
        )

    def rank_together(
        self,
        people: Sequence[Id] | Sequence[Export],
        k: int = 10,
        exclude_seen: bool = True,
        *,
        at: Time | None = None,
        rule: JointRule = "mean",
    ) -> JointRanking:
        """Do as `recommend_together`, but return movie indices, and who isn't known to the model."""
        is_own = [isinstance(person, OwnHistory | PathLike) for person in people]
        if any(is_own) and not all(is_own):
            raise QueryError("name either users or histories, not both")
        if any(is_own):
            own = [self._read_own(person) for person in people if not isinstance(person, int)]
            now = max(history.now for history in own)
            histories = join_histories(own, now if at is None else to_timestamp_or_now(at))
        else:
            timestamp = to_timestamp_or_now(at)
            users = [person for person in people if isinstance(person, int | str)]
            histories = self._histories(make_query_frame(users, self.dataset, timestamp))
        return rank_jointly(self.ranker, histories, k, rule, exclude_seen)

    def _read_own(self, history: Export) -> OwnHistory:
        return history if isinstance(history, OwnHistory) else self.read_history(history)

    def explain(self, user: Id, movie: Id, at: Time | None = None, k: int = 10) -> pl.DataFrame:
        """Say which movies of a user's history speak most for a movie, as of a time.

        Parameters
        ----------
        user, movie : int | str
            UserID and MovieID.
        at
            Time of the query, as in `recommend`; by default about now.
        k : int
            Highest number of movies to return.

        Returns
        -------
        A frame with the columns MovieID, Title, Rating (if the data have ratings), Timestamp and Contribution, largest
        first: how much the score of the movie would fall if the user hadn't rated this one. It is empty if the model
        doesn't know the user.

        Raises
        ------
        QueryError
            The movie isn't in the catalog, or another argument is invalid.
        """
        user = check_id(user, kind_of(self.dataset.users[USER_ID]) == "text", USER_ID)
        histories, index = self._histories(make_query_frame(user, self.dataset, at)), self._index_of(movie)
        reasons = explain(self.model, histories, histories.as_of, np.array([index]))[0][: _check_count(k)]
        rows = np.array([reason.row for reason in reasons], dtype=np.int64)
        timeline = self.dataset.timeline
        movies = timeline.movies[rows]
        return pl.DataFrame(
            {
                MOVIE_ID: self.dataset.movies[MOVIE_ID][movies],
                "Title": self._titles[movies],
                **({RATING: timeline.ratings[rows]} if self.dataset.scale.rated else {}),
                TIMESTAMP: timeline.timestamps[rows],
                "Contribution": np.array([reason.contribution for reason in reasons], dtype=np.float64),
            }
        )

    def similar(self, movie: Id, k: int = 10, at: Time | None = None) -> pl.DataFrame:
        """Return the k movies most similar to a movie: liked by the same users, before a time.

        Parameters
        ----------
        movie : int | str
            MovieID.
        k : int
            Highest number of movies to return.
        at
            Time of the query, as in `recommend`; by default about now.

        Returns
        -------
        A frame with the columns MovieID, Title and Similarity, most similar first.

        Raises
        ------
        QueryError
            The movie isn't in the catalog, or another argument is invalid.
        """
        movies, similarity = self._similar_movies.find(
            self._index_of(movie), to_timestamp_or_now(at), _check_count(k)
        )
        return pl.DataFrame(
            {
                MOVIE_ID: self.dataset.movies[MOVIE_ID][movies],
                "Title": self._titles[movies],
                "Similarity": similarity,
            }
        )

    def read_history(
        self,
        path: str | PathLike[str],
        *,
        matches: str | PathLike[str] | None = None,
        columns: Mapping[str, str] | None = None,
        dates: DayOrder | None = None,
    ) -> OwnHistory:
        """Read a person's own history, and match it with the catalog; nothing of it is stored.

        Parameters
        ----------
        path : str | PathLike
            An export of Letterboxd, IMDb, Netflix or MovieLens, as it comes: a CSV file, recognised by its header, or
            the whole zip; or another CSV file of one person's movies.
        matches : str | PathLike, optional
            A CSV file with the columns Title, Year and MovieID that says which movies unmatched titles mean.
        columns : Mapping[str, str], optional
            Names of the columns in another CSV file, such as {"title": "film", "time": "seen_on"}.
        dates : "day-first" or "month-first", optional
            How dates such as 3/4/21 are written, if the file doesn't show it.

        Returns
        -------
        The history for `recommend`; its `describe` says in sentences what was matched, `unmatched` lists what wasn't.

        Raises
        ------
        DataError
            The file is no export, is larger than 10 MB or 50,000 rows, or a choice names a movie that isn't there.
        """
        return self.history_reader.read_path(path, matches, DataFormat.request(columns), dates)

    def search(self, title: str, k: int = 10) -> pl.DataFrame:
        """Return up to k movies by title, as people type it: in any case, with typos, without accents or articles.

        Returns
        -------
        A frame with the columns MovieID, Title and Score (1 for an equal title), best match first.

        Raises
        ------
        QueryError
            The title is no text, or k isn't a whole number from 1.
        MissingExtraError
            rapidfuzz isn't installed, which comes with the extra `serve`.
        """
        if not isinstance(title, str):
            raise QueryError(f"{title!r} is not a text; expected a title or a part of one")
        matches = self._title_search.find(title, _check_count(k))
        found = np.array([match.movie_id for match in matches], dtype=np.int64)
        movies = self.dataset.index_of_movies(found)
        return pl.DataFrame(
            {
                MOVIE_ID: self.dataset.movies[MOVIE_ID][movies],
                "Title": self._titles[movies],
                "Score": np.array([match.score for match in matches], dtype=np.float32),
            }
        )

    @cached_property
    def ranker(self) -> Ranker:
        """The ranker of this model and dataset, which works with movie indices instead of MovieIDs."""
        return Ranker.of(self.model, self.dataset)

    @cached_property
    def _titles(self) -> pl.Series:
        """Title of each movie, its MovieID as text if it has none."""
        return self.dataset.movies.select(pl.col("Title").fill_null(pl.col(MOVIE_ID).cast(pl.String)))[
            "Title"
        ]

    @cached_property
    def _genre_shares(self) -> Float32Array:
        return share_genres(self.dataset.movies)

    @cached_property
    def _similar_movies(self) -> SimilarMovies:
        return SimilarMovies.of(self.dataset)

    @cached_property
    def _title_search(self) -> TitleSearch:
        ratings = np.bincount(self.dataset.timeline.movies, minlength=self.dataset.n_movies)
        return TitleSearch.of(self.dataset.movies, ratings)

    @cached_property
    def history_reader(self) -> HistoryReader:
        """The reader of people's own histories, which matches them with the catalog."""
        return HistoryReader.of(self.dataset)

    def _find_queries(
        self, queries: object, history: Export | None, at: Time | None, ties: Ties
    ) -> tuple[pl.DataFrame, Histories]:
        """Return the columns that tell queries apart, and their histories, which are cut at the queries' times."""
        if history is None:
            frame = make_query_frame(queries, self.dataset, at)
            return frame, self._histories(frame, ties)
        if queries is not None:
            raise QueryError("name either users or a history: a history has no user")
        own = self._read_own(history)
        timestamps = np.array([own.now if at is None else to_timestamp_or_now(at)], dtype=np.int64)
        return pl.DataFrame({TIMESTAMP: timestamps}), own.as_of(timestamps)

    def _histories(self, queries: pl.DataFrame, ties: Ties = "strict") -> Histories:
        return self.dataset.histories(encode_ids(queries[USER_ID]), queries[TIMESTAMP].to_numpy(), ties)

    def _rank(
        self,
        histories: Histories,
        timestamps: Int64Array,
        k: int,
        exclude_seen: bool,
        allowed: BoolArray | None,
        diversity: float,
        calibration: float,
    ) -> Ranking:
        if diversity == 0 and calibration == 0:
            return self.ranker.rank(histories, timestamps, k, exclude_seen, allowed)
        for name, strength in (("diversity", diversity), ("calibration", calibration)):
            if not isinstance(strength, int | float | np.number) or isinstance(strength, bool):
                raise QueryError(f"{name} is {strength!r}; expected a number from 0 to 1")
        self.ranker.check_k(k)
        n_candidates = min(max(k, CANDIDATES), self.ranker.n_movies)
        candidates = self.ranker.rank(histories, timestamps, n_candidates, exclude_seen, allowed)
        return rerank(candidates, self._genre_shares, histories, k, float(diversity), float(calibration))

    def _find_allowed(
        self,
        include_genres: Iterable[str],
        exclude_genres: Iterable[str],
        year_min: int | None,
        year_max: int | None,
        exclude: Iterable[Id],
    ) -> BoolArray | None:
        """Return bool[n_movies], the movies that pass all conditions; None if there are none."""
        if isinstance(exclude, str) or not isinstance(exclude, Iterable):
            raise QueryError(f"exclude is {exclude!r}; expected a list of MovieIDs")
        is_text = kind_of(self.dataset.movies[MOVIE_ID]) == "text"
        excluded = [encode_id(check_id(movie, is_text, f"exclude[{i}]")) for i, movie in enumerate(exclude)]
        filters = Filters.of_caller(include_genres, exclude_genres, year_min, year_max)
        allowed = filters.allowed(self.dataset.movies)
        if not excluded:
            return allowed
        stays = ~np.isin(self.dataset.movie_ids, excluded)
        return stays if allowed is None else allowed & stays

    def _index_of(self, movie: Id) -> int:
        """Return the index of a movie in the catalog; QueryError if it isn't there."""
        movie = check_id(movie, kind_of(self.dataset.movies[MOVIE_ID]) == "text", "movie")
        index = int(self.dataset.index_of_movies(np.array([encode_id(movie)]))[0])
        if index < 0:
            raise QueryError(f"movie {movie!r} isn't in the catalog")
        return index


def _check_count(k: int) -> int:
    if isinstance(k, int | np.integer) and not isinstance(k, bool) and k >= 1:
        return int(k)
    raise QueryError(f"k is {k!r}; expected a whole number from 1")
