from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from nextreel.data.times import DAY
from nextreel.serving.inference.movie_cards import ReplayedMovie
from nextreel.serving.page.history_strip import MAX_BARS, Strip, draw_strip
from nextreel.serving.page.rendering import render
from nextreel.serving.page.time_travel import StripView

MINUTE, HOUR = 60, 3_600
START = int(datetime(2001, 1, 1, tzinfo=UTC).timestamp())


def rating(timestamp: int, rank: int | None = None, movie_id: int = 1) -> ReplayedMovie:
    return {
        "movie_id": movie_id,
        "title": f"Title {movie_id}",
        "genres": [],
        "year": None,
        "rating": 4.0,
        "timestamp": timestamp,
        "rank": rank,
    }


def draw(replayed: Sequence[ReplayedMovie], older: Sequence[int] = ()) -> Strip:
    timestamps = sorted({*older, *(movie["timestamp"] for movie in replayed)})
    return draw_strip(replayed, [*timestamps, timestamps[-1] + 1])


def test_a_short_past_has_a_bar_with_the_movie_for_each_rating() -> None:
    strip = draw([rating(START, 1, 7), rating(START, 50, 8), rating(START + DAY, None, 9)])
    assert [bar.movie and bar.movie["movie_id"] for bar in strip.bars] == [7, 8, 9]
    assert [bar.parts[0].kind for bar in strip.bars] == ["listed", "near", "missed"]
    assert (strip.width, strip.period, strip.pauses) == (2, None, "M1 0V100")
    assert (strip.hits, strip.ranked, strip.shown) == (1, 2, 3)


@pytest.mark.parametrize(
    ("gap", "period"), [(1, "minute"), (MINUTE, "hour"), (HOUR, "day"), (DAY, "month"), (40 * DAY, "year")]
)
def test_a_long_past_has_a_bar_for_each_of_the_shortest_periods_that_fit(gap: int, period: str) -> None:
    n = 3 * MAX_BARS
    strip = draw([rating(START + i * gap, 1 if i % 2 else None) for i in range(n)])
    assert strip.period == period
    assert 1 <= len(strip.bars) <= MAX_BARS
    assert sum(bar.n_compared for bar in strip.bars) == n
    assert sum(bar.n_listed for bar in strip.bars) == n // 2 == strip.hits
    assert [bar.timestamp for bar in strip.bars] == sorted(bar.timestamp for bar in strip.bars)


def test_a_bar_of_a_period_is_divided_by_where_its_movies_stood() -> None:
    ranks = [1, 2, 50, None]
    strip = draw([rating(START + i, ranks[i % 4]) for i in range(200)])
    for bar in strip.bars:
        assert [part.kind for part in bar.parts] == ["listed", "near", "missed"]
    assert strip.bars[0].parts[0].path.count("v-50") == 1
    assert strip.bars[0].parts[1].path.startswith("M0 50v-25")
    assert strip.bars[0].parts[2].path.startswith("M0 25v-25")


def test_a_past_of_many_centuries_is_told_in_years() -> None:
    strip = draw([rating(START + i * 366 * DAY) for i in range(150)])
    assert strip.period == "year"
    assert len(strip.bars) == 150


def test_ratings_that_were_not_replayed_have_bars_that_say_so() -> None:
    older = [START + i * DAY for i in range(5)]
    short = draw([rating(START + 9 * DAY, 1)], older)
    assert [bar.parts[0].kind for bar in short.bars] == ["older"] * 5 + ["listed"]
    long = draw([rating(START + (400 + i) * DAY, 1) for i in range(100)], older)
    assert long.period is not None
    assert (long.bars[0].parts[0].kind, long.bars[0].n_compared) == ("older", 0)


@pytest.mark.parametrize(
    ("gap", "name"),
    [
        (1, "1 January 2001, 00:00: 30 of 60 movies in the list of ten"),
        (MINUTE, "1 January 2001, 00:00 to 00:59: 30 of 60 movies in the list of ten"),
        (HOUR, "1 January 2001: 12 of 24 movies in the list of ten"),
        (DAY, "January 2001: 16 of 31 movies in the list of ten"),
        (40 * DAY, "2001: 5 of 10 movies in the list of ten"),
    ],
)
def test_the_bar_of_a_period_is_named_by_it(gap: int, name: str) -> None:
    strip = draw([rating(START + i * gap, None if i % 2 else 1) for i in range(300)])
    assert f"<title>{name}</title>" in render("strip_part.html", StripView(strip), here="strip")


def test_the_bar_of_a_rating_is_named_by_its_movie() -> None:
    page = render("strip_part.html", StripView(draw([rating(START, 3, 7), rating(START + 1)])), here="strip")
    assert "<title>Title 7, ★★★★, 1 January 2001: place 3 in the list</title>" in page
    assert "<title>Title 1, ★★★★, 1 January 2001: not in the first hundred</title>" in page
