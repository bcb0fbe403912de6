import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nextreel.data.sources.synthetic_data import make_sample, write_sample
from nextreel.data.splitting.split_directory import TrainTest, read_train_test, write_split
from nextreel.data.splitting.split_rules import SplitRule
from nextreel.errors import ConfigError, QueryError
from nextreel.evaluation.comparison.contestants import parse_contestants, run_contestant
from nextreel.evaluation.comparison.leaderboard import Leaderboard, build_leaderboard, compare_models
from nextreel.evaluation.model_evaluation import evaluate
from nextreel.models.registry import create_model
from tests import warm_python


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    warm_python.fork_processes()
    home = tmp_path_factory.mktemp("home")
    write_sample(make_sample(users=80, movies=80, ratings=2400), home / "data")
    write_split(home / "data", home / "parts", SplitRule.for_rule("course"))
    return home


@pytest.fixture(scope="module")
def parts(home: Path) -> TrainTest:
    return read_train_test(home / "data")


def run(parts: TrainTest, models: Sequence[str], cutoffs: Sequence[int] = (5, 10)) -> Leaderboard:
    contestants = parse_contestants(models, {})
    runs = [run_contestant(contestant, parts, ["frozen", "live"], max(cutoffs)) for contestant in contestants]
    return build_leaderboard(parts, runs, ["frozen", "live"], cutoffs)


@pytest.fixture(scope="module")
def board(parts: TrainTest) -> Leaderboard:
    return run(parts, ["popularity", "item-knn"])


@pytest.mark.parametrize("history", ["frozen", "live"])
def test_the_figures_are_those_of_evaluate(history, parts: TrainTest, board: Leaderboard) -> None:  # type: ignore[no-untyped-def]
    model = create_model("item-knn").fit(parts.train)
    expected = evaluate(model, parts.train, parts.test, history, k=10).metrics
    metrics = board.figures[history]["item-knn"].metrics
    for name, estimate in expected.items():
        assert vars(metrics[name]) == pytest.approx(vars(estimate), abs=1e-12)


def test_lists_of_another_length_give_the_same_figures_at_the_same_cutoff(
    parts: TrainTest, board: Leaderboard
) -> None:
    longer = run(parts, ["item-knn"], cutoffs=(10, 20))
    for name in ("NDCG@10", "MRR@10"):
        assert (
            longer.figures["live"]["item-knn"].metrics[name]
            == board.figures["live"]["item-knn"].metrics[name]
        )
    assert longer.figures["live"]["item-knn"].lists == board.figures["live"]["item-knn"].lists


def test_ten_is_the_main_cutoff_if_it_is_there_and_the_largest_one_otherwise(parts: TrainTest) -> None:
    assert run(parts, ["popularity"], (5, 10, 20)).main == "NDCG@10"
    assert run(parts, ["popularity"], (3, 5)).main == "NDCG@5"


def test_models_are_ranked_best_first(board: Leaderboard) -> None:
    best, second = board.ranked("frozen")
    figures = board.figures["frozen"]
    assert figures[best].metrics["NDCG@10"].mean >= figures[second].metrics["NDCG@10"].mean


def test_a_slice_holds_the_mean_of_its_queries(parts: TrainTest, board: Leaderboard) -> None:
    model = create_model("item-knn").fit(parts.train)
    expected = evaluate(model, parts.train, parts.test, "frozen", k=10).slice_metrics()
    shared = expected.keys() & board.slices["frozen"].keys()
    assert shared
    for name in shared:
        mean = board.figures["frozen"]["item-knn"].slices[name].mean
        assert mean == pytest.approx(expected[name]["NDCG@10"].mean)


def test_the_facts_are_json_and_the_same_for_the_same_run(parts: TrainTest, board: Leaderboard) -> None:
    def figures(of: Leaderboard) -> str:
        facts: Any = of.facts()
        for model in facts["models"]:
            del model["fit_seconds"], model["peak_memory_gib"]
            for under in model["histories"].values():
                del under["queries_per_second"]
        return json.dumps(facts)

    assert figures(run(parts, ["popularity", "item-knn"])) == figures(board)


def test_costs_are_stated(board: Leaderboard) -> None:
    facts: Any = board.facts()
    for model in facts["models"]:
        assert model["fit_seconds"] >= 0
        assert 0.01 < model["peak_memory_gib"] < 64
        assert model["histories"]["frozen"]["queries_per_second"] > 0


def test_a_process_of_its_own_gives_the_same_figures(home: Path, parts: TrainTest) -> None:
    in_subprocess = compare_models(home / "data", parse_contestants(["item-knn"], {}), cutoffs=(5, 10))
    assert (
        in_subprocess.figures["live"]["item-knn"].metrics
        == run(parts, ["item-knn"]).figures["live"]["item-knn"].metrics
    )


def test_a_rule_for_ties_holds_for_every_model_and_is_stated(home: Path, parts: TrainTest) -> None:
    board = compare_models(
        home / "data", parse_contestants(["item-knn"], {}), modes=["live"], cutoffs=(10,), ties="file-order"
    )
    model = create_model("item-knn").fit(parts.train)
    expected = evaluate(model, parts.train, parts.test, "live", k=10, ties="file-order").metrics["NDCG@10"]
    assert board.figures["live"]["item-knn"].metrics["NDCG@10"].mean == pytest.approx(expected.mean)
    assert board.facts()["protocol"]["ties"] == {"live": "file-order"}  # type: ignore[index, call-overload]


def test_a_cutoff_beyond_the_catalog_is_refused_before_anything_is_fitted(home: Path) -> None:
    def on_model(done: int, name: str) -> None:
        raise AssertionError(f"{name} was begun")

    with pytest.raises(QueryError, match="k is 900; the catalog has 80 movies"):
        compare_models(home / "data", parse_contestants(["ease"], {}), cutoffs=(5, 900), on_model=on_model)


def test_a_directory_that_was_split_already_is_taken_as_it_is(home: Path) -> None:
    written, split = read_train_test(home / "parts"), read_train_test(home / "data", "course")
    assert written.train.fingerprint == split.train.fingerprint
    assert written.test.equals(split.test)
    assert written.rule == split.rule


def test_a_rule_for_a_directory_that_was_split_already_is_an_error(home: Path) -> None:
    with pytest.raises(
        QueryError, match="was split by the rule 'course' already: leave the rule 'clean' out"
    ):
        read_train_test(home / "parts", "clean")


def test_the_same_model_may_stand_twice_under_two_names() -> None:
    recent, plain = parse_contestants(["recent=popularity", "popularity"], {"recent.window_days": 30})
    assert (recent.model, recent.options, plain.options) == ("popularity", {"window_days": 30}, {})


@pytest.mark.parametrize(
    ("models", "options", "message"),
    [
        (["ease", "ease"], {}, "ease is named twice; tell them apart as in one=ease,other=ease"),
        (["oracle"], {}, "model 'oracle' is unknown"),
        (
            ["ease"],
            {"als.factors": 3},
            "option 'als.factors' belongs to no model here; expected MODEL.OPTION",
        ),
        (["ease"], {"regularization": 3}, "option 'regularization' belongs to no model here"),
        (["ease"], {"ease.wings": 2}, "ease has no option 'wings'; its options: reg"),
        ([], {}, "no model is named"),
    ],
)
def test_a_mistake_in_the_models_is_reported_before_anything_is_fitted(
    models: list[str], options: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_contestants(models, options)
