import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest

from nextreel.data.schema import INTERACTIONS, MOVIE_ID, TIMESTAMP, USER_ID
from nextreel.data.sources.synthetic_data import make_sample
from nextreel.data.tables import Tables
from nextreel.data.times import DAY
from nextreel.errors import ArtifactError, ConfigError, QueryError
from nextreel.evaluation.backtesting.backtest_results import (
    ACQUAINTED,
    DIFFERENCE,
    EVERYONE,
    MAIN,
    NEVER_REFITTED,
    NEW_USERS,
    REFITTED,
    Backtest,
    write_backtest,
)
from nextreel.evaluation.backtesting.backtest_runner import dataset_before, run_backtest
from nextreel.evaluation.backtesting.backtest_windows import BacktestPlan, Window, cut_windows, find_start
from nextreel.evaluation.metrics import ndcg
from nextreel.evaluation.model_evaluation import evaluate
from nextreel.models.ease import EASE, EASEConfig
from nextreel.reporting.backtest_chart import plot_backtest
from tests.frames import catalog, interactions

OPTIONS = {"regularization": 50.0}


@pytest.fixture(scope="module")
def tables() -> Tables:
    sample = make_sample(users=60, movies=80, ratings=2000)
    return Tables(sample.interactions.cast(INTERACTIONS.schema), sample.users, sample.movies, ())


@pytest.fixture(scope="module")
def plan(tables: Tables) -> BacktestPlan:
    return BacktestPlan("ease", find_start(tables.interactions, 0.5), 120 * DAY, OPTIONS)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backtests") / "complete"


@pytest.fixture(scope="module")
def backtest(tables: Tables, plan: BacktestPlan, home: Path) -> Backtest:
    return run_backtest(tables, plan, home)


def only(*rows: tuple[int, int, float, int]) -> Tables:
    return Tables(interactions(*rows), None, None, ())


def backtest_with(refitted: int, never: int, n_users: int = 40) -> Backtest:
    """A backtest of days: in the first window both models put the movie first, later at the given ranks."""
    frame = pl.DataFrame(
        {
            "Window": [1] * n_users + [2] * n_users,
            USER_ID: [*range(n_users), *range(n_users)],
            MOVIE_ID: [7] * 2 * n_users,
            TIMESTAMP: [100] * n_users + [100 + DAY] * n_users,
            "New": [True] * n_users + [False] * n_users,
            NEVER_REFITTED: [1] * n_users + [never] * n_users,
            REFITTED: [1] * n_users + [refitted] * n_users,
        }
    )
    windows = [Window(1, 100, 100 + DAY), Window(2, 100 + DAY, 100 + 2 * DAY)]
    return Backtest(BacktestPlan("ease", 100, DAY), {"model": "ease"}, windows, frame)


def test_windows_follow_each_other_and_those_without_a_positive_are_left_out() -> None:
    rows = interactions((1, 1, 5, 0), (1, 2, 5, 10), (1, 3, 3, 25), (1, 4, 4, 39), (1, 5, 4, 40))
    assert cut_windows(rows, BacktestPlan("ease", 10, 10), 4.0) == [
        Window(1, 10, 20),
        Window(3, 30, 40),
        Window(4, 40, 50),
    ]


def test_the_start_has_the_share_of_the_rows_before_it() -> None:
    rows = interactions(*[(1, movie, 4, 100 * movie) for movie in range(10)])
    assert find_start(rows, 0.6) == 600


def test_a_start_needs_something_before_it() -> None:
    with pytest.raises(QueryError, match="nothing was rated before the start, 1970-01-01 00:00:05"):
        cut_windows(interactions((1, 1, 5, 5), (1, 2, 5, 9)), BacktestPlan("ease", 5, 10), 4.0)


def test_a_start_needs_a_positive_after_it() -> None:
    with pytest.raises(QueryError, match="no rating of at least 4 stands after the start"):
        cut_windows(interactions((1, 1, 5, 5), (1, 2, 3, 9)), BacktestPlan("ease", 7, 10), 4.0)


def test_a_fit_knows_no_row_no_user_and_no_unlisted_movie_of_later() -> None:
    sample = Tables(
        interactions((1, 0, 5, 10), (1, 9, 5, 20), (2, 0, 5, 20)),
        pl.DataFrame(
            {USER_ID: [1, 2], "Gender": "F", "Age": 25, "Occupation": 1, "ZipCode": "1"},
        ),
        catalog(3),
        (),
    )
    dataset = dataset_before(sample, 20)
    assert dataset.timeline.timestamps.tolist() == [10]
    assert dataset.user_ids.tolist() == [1]
    assert dataset.movie_ids.tolist() == [0, 1, 2]


def test_what_happens_later_changes_no_earlier_window(
    tables: Tables, plan: BacktestPlan, backtest: Backtest, tmp_path: Path
) -> None:
    last = backtest.windows[-1]
    later = pl.col(TIMESTAMP) >= last.opens
    other_movies = pl.when(later).then(pl.col(MOVIE_ID).max() - pl.col(MOVIE_ID)).otherwise(pl.col(MOVIE_ID))
    changed = replace(tables, interactions=tables.interactions.with_columns(other_movies.alias(MOVIE_ID)))
    again = run_backtest(changed, plan, tmp_path / "changed").ranks
    earlier = pl.col("Window") < last.number
    assert again.filter(earlier).equals(backtest.ranks.filter(earlier))
    assert not again.filter(~earlier).equals(backtest.ranks.filter(~earlier))


def test_the_first_window_has_the_ranks_of_evaluate_under_live_history(
    tables: Tables, backtest: Backtest
) -> None:
    window = backtest.windows[0]
    train = dataset_before(tables, window.opens)
    test = tables.interactions.filter(pl.col(TIMESTAMP).is_between(window.opens, window.closes, "left"))
    model = EASE(EASEConfig(regularization=50.0)).fit(train)
    expected = evaluate(model, train, test.sort(TIMESTAMP, maintain_order=True), "live")
    ranks = backtest.ranks.filter(Window=window.number)
    assert ranks.select(USER_ID, MOVIE_ID, TIMESTAMP).equals(expected.queries)
    assert ranks[NEVER_REFITTED].to_list() == expected.ranks.tolist()


def test_a_later_window_is_ranked_by_a_model_fitted_right_before_it(
    tables: Tables, backtest: Backtest
) -> None:
    window = backtest.windows[2]
    train = dataset_before(tables, window.opens)
    test = tables.interactions.filter(pl.col(TIMESTAMP).is_between(window.opens, window.closes, "left"))
    model = EASE(EASEConfig(regularization=50.0)).fit(train)
    expected = evaluate(model, train, test.sort(TIMESTAMP, maintain_order=True), "live")
    assert backtest.ranks.filter(Window=window.number)[REFITTED].to_list() == expected.ranks.tolist()


def test_in_the_first_window_both_models_are_one(backtest: Backtest) -> None:
    first = backtest.ranks.filter(Window=1)
    assert first[REFITTED].equals(first[NEVER_REFITTED], check_names=False)
    later = backtest.ranks.filter(pl.col("Window") > 1)
    assert not later[REFITTED].equals(later[NEVER_REFITTED], check_names=False)


def test_a_model_that_is_never_refitted_uses_later_ratings_as_history(tmp_path: Path) -> None:
    """Users liked 0 to 9 or 10 to 19; user 9 comes after the start and is known by the first rating."""
    before = [(user, 10 * (user % 2) + movie, 5.0, user) for user in range(8) for movie in range(10)]
    rows = [*before, (9, 10, 5.0, 100), (9, 11, 5.0, 150)]
    plan = BacktestPlan("ease", 100, 100, OPTIONS, refits=False)
    ranks = run_backtest(only(*rows), plan, tmp_path / "out").ranks[NEVER_REFITTED]
    assert ranks[-1] in range(1, 10)


def test_newcomers_are_those_without_a_row_before_the_window(tmp_path: Path) -> None:
    movies = [(1, movie, 5.0, movie) for movie in range(12)]
    rows = [*movies, (1, 12, 5.0, 100), (2, 3, 5.0, 101), (2, 4, 5.0, 102), (2, 5, 5.0, 115)]
    result = run_backtest(only(*rows), BacktestPlan("popularity", 100, 10), tmp_path / "out")
    assert result.ranks.select("Window", USER_ID, "New").rows() == [
        (1, 1, False),
        (1, 2, True),
        (1, 2, True),
        (2, 2, False),
    ]
    assert [part[NEW_USERS].queries for part in result.by_window if NEW_USERS in part] == [2]
    assert result.overall[ACQUAINTED].queries == 2


def test_a_movie_that_the_model_cannot_know_counts_as_missed(tmp_path: Path) -> None:
    rows = [(1, movie, 5.0, movie) for movie in range(12)]
    result = run_backtest(
        only(*rows, (2, 50, 5.0, 100)), BacktestPlan("popularity", 100, 10), tmp_path / "out"
    )
    assert result.ranks[REFITTED].to_list() == [0]


def test_ages_double_and_hold_every_query(backtest: Backtest, plan: BacktestPlan) -> None:
    ages = [
        (age_class.youngest // plan.every, age_class.oldest // plan.every) for age_class in backtest.by_age
    ]
    assert ages[:3] == [(0, 1), (1, 2), (2, 4)]
    assert sum(age_class.part.queries for age_class in backtest.by_age) == len(backtest.ranks)


def test_an_interval_surrounds_the_mean_of_the_queries(backtest: Backtest) -> None:
    for name in (REFITTED, NEVER_REFITTED):
        estimate = backtest.overall[EVERYONE].figures[name][MAIN]
        assert estimate.mean == pytest.approx(float(ndcg(backtest.ranks[name].to_numpy(), 10).mean()))
        assert estimate.low < estimate.mean < estimate.high


def test_a_model_that_ages_is_reported_as_worse() -> None:
    assert (
        "The model that was never refitted is worse at every age from 1 day on."
        in backtest_with(1, 5).findings()
    )


def test_a_model_that_does_not_age_is_not_reported_as_worse() -> None:
    assert (
        "The model that was never refitted is significantly worse at no age."
        in backtest_with(3, 3).findings()
    )


def test_a_model_that_refits_make_worse_is_reported_as_better() -> None:
    assert "It is significantly better at an age of 1 to 2 days." in backtest_with(5, 1).findings()


def test_the_effect_of_refits_leaves_the_first_window_out() -> None:
    assert (
        "a refit every 1 day is worth +0.5000 [+0.5000, +0.5000] NDCG@10" in backtest_with(1, 3).findings()[0]
    )


def test_windows_of_a_handful_of_users_are_counted() -> None:
    findings = backtest_with(1, 3, n_users=9).findings()
    assert "Windows with fewer than 10 users, too few for an interval: 2." in findings
    assert not any("interval: " in sentence for sentence in backtest_with(1, 3).findings())


def test_without_refits_there_is_one_model(tables: Tables, plan: BacktestPlan, tmp_path: Path) -> None:
    result = run_backtest(tables, replace(plan, refits=False), tmp_path / "out")
    assert list(result.overall[EVERYONE].figures) == [NEVER_REFITTED]
    assert result.findings()[0].startswith("NDCG@10 without a refit: 0.")


def test_a_stopped_backtest_goes_on_and_ends_the_same(
    tables: Tables, plan: BacktestPlan, backtest: Backtest, tmp_path: Path
) -> None:
    def stop(done: int, total: int, note: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_backtest(tables, plan, tmp_path / "out", stop)
    kept = sorted(file.name for file in (tmp_path / "out" / "windows").iterdir())
    assert kept == ["0001.parquet", "0002.parquet"]
    assert run_backtest(tables, plan, tmp_path / "out").ranks.equals(backtest.ranks)


def test_a_finished_window_is_not_evaluated_again(
    tables: Tables, plan: BacktestPlan, backtest: Backtest, home: Path
) -> None:
    before = {file: file.stat().st_mtime_ns for file in home.rglob("*") if file.is_file()}
    assert run_backtest(tables, plan, home).ranks.equals(backtest.ranks)
    assert all(file.stat().st_mtime_ns == mtime for file, mtime in before.items())


def test_another_backtest_does_not_go_on_in_the_same_directory(
    tables: Tables, plan: BacktestPlan, backtest: Backtest, home: Path
) -> None:
    with pytest.raises(ArtifactError, match=r"every_days was 120\.0, now is 60\.0"):
        run_backtest(tables, replace(plan, every=60 * DAY), home)


def test_a_directory_of_something_else_is_left_alone(
    tables: Tables, plan: BacktestPlan, tmp_path: Path
) -> None:
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(ArtifactError, match=r"exists and holds no plan\.json"):
        run_backtest(tables, plan, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["diary.txt"]


def test_a_damaged_window_is_named(tables: Tables, plan: BacktestPlan, tmp_path: Path) -> None:
    run_backtest(tables, plan, tmp_path / "out")
    (tmp_path / "out" / "windows" / "0002.parquet").write_bytes(b"cut")
    with pytest.raises(ArtifactError, match=r"0002\.parquet is damaged"):
        run_backtest(tables, plan, tmp_path / "out")


def test_an_unknown_option_is_refused_before_anything_is_written(
    tables: Tables, plan: BacktestPlan, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="ease has no option 'depth'"):
        run_backtest(tables, replace(plan, options={"depth": 3}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_files_hold_every_figure(backtest: Backtest, tmp_path: Path) -> None:
    write_backtest(backtest, tmp_path)
    facts = json.loads((tmp_path / "backtest.json").read_text())
    table = pl.read_csv(tmp_path / "backtest.csv")
    assert [window["number"] for window in facts["windows"]] == table["Window"].unique().sort().to_list()
    figure = facts["windows"][1]["users"][EVERYONE]["figures"][DIFFERENCE][MAIN]
    row = table.filter(Window=facts["windows"][1]["number"], Users=EVERYONE, Model=DIFFERENCE, Metric=MAIN)
    assert row.select("Mean", "Low", "High").row(0) == pytest.approx(tuple(figure.values()))
    assert facts["config"]["regularization"] == 50.0


def test_the_chart_names_both_models_and_shows_the_findings(backtest: Backtest, tmp_path: Path) -> None:
    plot_backtest(backtest, tmp_path)
    texts = {(element.text or "").strip() for element in ElementTree.parse(tmp_path / "backtest.svg").iter()}
    assert {REFITTED, NEVER_REFITTED, MAIN, "Gain of refits", "Queries"} <= texts
    assert f"Users {NEW_USERS} (hollow: fewer than 10 of them)" in texts
    assert backtest.findings()[0] in texts
    assert (tmp_path / "backtest.png").read_bytes().startswith(b"\x89PNG")


def test_one_window_without_refits_has_a_chart_too(tmp_path: Path) -> None:
    backtest = backtest_with(1, 3)
    one = replace(
        backtest,
        plan=replace(backtest.plan, refits=False),
        windows=backtest.windows[:1],
        ranks=backtest.ranks.filter(Window=1).drop(REFITTED),
    )
    plot_backtest(one, tmp_path)
    assert (tmp_path / "backtest.png").stat().st_size > 10_000


def test_ranks_are_within_the_list(backtest: Backtest) -> None:
    ranks = backtest.ranks.select(REFITTED, NEVER_REFITTED).to_numpy()
    assert np.isin(ranks, np.arange(11)).all()
