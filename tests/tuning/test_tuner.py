import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Annotated
from xml.etree import ElementTree

import numpy as np
import pytest
from pydantic import Field

from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_interactions, read_tables
from nextreel.data.sources.synthetic_data import make_sample, write_sample
from nextreel.data.splitting.split_directory import write_split
from nextreel.data.splitting.split_rules import SplitRule, split_interactions
from nextreel.errors import ArtifactError, ConfigError, QueryError
from nextreel.evaluation.model_evaluation import evaluate
from nextreel.models import registry
from nextreel.models.ease import EASE, EASEConfig
from nextreel.models.popularity import Popularity
from nextreel.models.registry import built_in_names, create_model, model_class, read_toml, register_model
from nextreel.options import Choice, Range
from nextreel.reporting.tuning_chart import plot_search
from nextreel.tuning.search_space import Search, find_ranges
from nextreel.tuning.tuner import InnerSplit, split_inner, tune
from nextreel.tuning.tuning_result import MAIN, Trial, TuningResult, chance_of_best, write_result
from nextreel.wording import number_of


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    write_sample(make_sample(users=60, movies=80, ratings=1800), home / "data")
    write_split(home / "data", home / "parts", SplitRule.for_rule("clean"))
    return home


@pytest.fixture(scope="module")
def inner(home: Path) -> InnerSplit:
    return split_inner(home / "data", None, "frozen")


@pytest.fixture(scope="module")
def search() -> Search:
    return Search("ease", 6)


@pytest.fixture(scope="module")
def tuned(inner: InnerSplit, search: Search, tmp_path_factory: pytest.TempPathFactory) -> TuningResult:
    return tune(inner, search, tmp_path_factory.mktemp("tuned") / "out")


def options_of(tuned: TuningResult) -> list[dict[str, float]]:
    return [trial.options for trial in tuned.trials]


@pytest.mark.parametrize("model", sorted(set(built_in_names()) - {"blend"}))
def test_both_ends_of_every_range_are_options_that_the_model_takes(model: str) -> None:
    config = model_class(model).Config
    for name, values in find_ranges(config).items():
        ends = values.values if isinstance(values, Choice) else (values.low, values.high)
        for value in ends:
            assert getattr(config.parse({name: value}), name) == value


@pytest.mark.parametrize("model", sorted(set(built_in_names()) - {"blend"}))
def test_every_default_that_is_a_value_lies_within_its_range(model: str) -> None:
    config = model_class(model).Config
    defaults = config().model_dump()
    for name, values in find_ranges(config).items():
        assert defaults[name] is None or values.contains(defaults[name]), name


def test_a_model_without_options_of_its_own_names_what_to_tune() -> None:
    with pytest.raises(ConfigError, match="tune its members, transformer and sequential-ridge"):
        _ = Search("best", 5).space


def test_holding_every_option_leaves_nothing_to_search() -> None:
    with pytest.raises(ConfigError, match="every option of popularity"):
        _ = Search("popularity", 5, {"window_days": 30}).space


def test_a_test_part_of_garbage_changes_nothing(home: Path, inner: InnerSplit, tmp_path: Path) -> None:
    write_split(home / "data", tmp_path / "parts", SplitRule.for_rule("clean"))
    (tmp_path / "parts" / "test.csv").write_bytes(b"\xff\x00 not a table")
    found = split_inner(tmp_path / "parts", None, "frozen")
    assert found.train.fingerprint == inner.train.fingerprint
    assert found.queries.rows.equals(inner.queries.rows)


def test_the_inner_split_is_the_rule_applied_to_the_train_part(home: Path, inner: InnerSplit) -> None:
    rows = read_interactions(home / "parts" / "train.csv")
    split = split_interactions(rows, SplitRule.for_rule("clean"))
    tables = read_tables(home / "parts")
    assert (
        inner.train.fingerprint == Dataset.from_frames(split.train, tables.movies, tables.users).fingerprint
    )


def test_the_courses_rule_becomes_clean_within(home: Path) -> None:
    rule = split_inner(home / "data", "course", "frozen").rule
    assert (rule.rule, rule.positives) == ("clean", 5)


def test_a_global_split_is_cut_at_its_share_again_not_at_its_moment(home: Path, tmp_path: Path) -> None:
    write_split(home / "data", tmp_path / "parts", SplitRule.for_rule("global", share=0.7))
    inner = split_inner(tmp_path / "parts", None, "live")
    assert (inner.rule.share, inner.rule.moment) == (0.7, None)
    assert len(inner.train.timeline) == pytest.approx(0.7 * 0.7 * 1800, rel=0.01)


def test_a_rule_for_what_is_split_already_is_refused(home: Path) -> None:
    with pytest.raises(QueryError, match="was split already: leave the rule 'clean' out"):
        split_inner(home / "parts", "clean", "frozen")


def test_the_defaults_come_first_and_are_measured_as_evaluate_does(
    home: Path, inner: InnerSplit, tuned: TuningResult
) -> None:
    rule = SplitRule.for_rule("clean")
    test = split_interactions(read_interactions(home / "parts" / "train.csv"), rule).test
    expected = evaluate(EASE().fit(inner.train), inner.train, test, "frozen")
    assert tuned.trials[0].options == {}
    assert tuned.trials[0].ndcg == pytest.approx(expected.metrics[MAIN].mean)


def test_with_strict_ties_the_defaults_are_measured_as_evaluate_does_with_them(
    home: Path, tmp_path: Path
) -> None:
    inner = split_inner(home / "data", None, "frozen", ties="strict")
    tuned = tune(inner, Search("popularity", 2, ties="strict"), tmp_path / "out")
    test = split_interactions(
        read_interactions(home / "parts" / "train.csv"), SplitRule.for_rule("clean")
    ).test
    expected = evaluate(Popularity().fit(inner.train), inner.train, test, "frozen", ties="strict")
    assert tuned.trials[0].ndcg == pytest.approx(expected.metrics[MAIN].mean)
    with pytest.raises(ArtifactError, match="ties was strict, now is file-order"):
        tune(inner, Search("popularity", 2), tmp_path / "out")


def test_a_search_has_as_many_trials_as_asked_for_and_each_is_another(tuned: TuningResult) -> None:
    tried = [json.dumps(options) for options in options_of(tuned)]
    assert len(tried) == len(set(tried)) == 6


def test_tried_numbers_are_short_enough_to_be_typed(tuned: TuningResult) -> None:
    for options in options_of(tuned)[1:]:
        assert all(value == float(f"{value:.3g}") for value in options.values() if isinstance(value, float))


def test_a_seed_may_be_longer_than_those_of_the_sampler(inner: InnerSplit, tmp_path: Path) -> None:
    long = tune(inner, Search("ease", 3, seed=10**400), tmp_path / "out")
    assert len(long.trials) == 3


def test_a_search_in_two_goes_is_the_search_in_one(
    inner: InnerSplit, search: Search, tuned: TuningResult, tmp_path: Path
) -> None:
    tune(inner, replace(search, trials=3), tmp_path / "out")
    again = tune(inner, search, tmp_path / "out")
    assert options_of(again) == options_of(tuned)
    assert again.estimate(5) == tuned.estimate(5)


def test_a_stopped_search_keeps_its_trials(
    inner: InnerSplit, search: Search, tuned: TuningResult, tmp_path: Path
) -> None:
    def stop(done: int, total: int, note: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(inner, search, tmp_path / "out", stop)
    assert len(list((tmp_path / "out" / "ranks").iterdir())) == 2
    assert options_of(tune(inner, search, tmp_path / "out")) == options_of(tuned)


def test_another_search_does_not_go_on_in_the_same_directory(
    inner: InnerSplit, search: Search, tmp_path: Path
) -> None:
    tune(inner, replace(search, trials=1), tmp_path / "out")
    with pytest.raises(ArtifactError, match="seed was 0, now is 1"):
        tune(inner, replace(search, seed=1), tmp_path / "out")


def test_a_held_option_stays_and_is_written(inner: InnerSplit, tmp_path: Path) -> None:
    search = Search("ease", 3, {"half_life": None, "unliked_weight": 0.7})
    found = tune(inner, search, tmp_path / "out")
    assert all(options.keys() <= {"regularization"} for options in options_of(found))
    write_result(found, tmp_path)
    text = (tmp_path / "best.toml").read_text()
    assert tomllib.loads(text)["options"]["unliked_weight"] == 0.7
    assert "# half_life has no value" in text
    assert "--set half_life=null" in found.fit_command(Path("parts"), tmp_path)


def test_the_written_options_make_the_best_model(tuned: TuningResult, tmp_path: Path) -> None:
    write_result(tuned, tmp_path)
    model = create_model(*read_toml(tmp_path / "best.toml"))
    assert model.config == create_model("ease", tuned.best.options).config


def test_the_json_file_has_every_trial_and_the_test_of_the_gain(tuned: TuningResult, tmp_path: Path) -> None:
    write_result(tuned, tmp_path)
    facts = json.loads((tmp_path / "tuning.json").read_text())
    assert len(facts["trials"]) == 6
    assert facts["gain"]["real"] == (facts["gain"]["p"] < 0.05)
    assert facts["best"][MAIN]["mean"] == max(trial["ndcg"] for trial in facts["trials"])


def test_options_that_the_model_refuses_are_a_failed_trial(
    inner: InnerSplit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class BadlyRangedConfig(EASEConfig):
        regularization: Annotated[float, Field(gt=0), Range(-2.0, -1.0)] = 2000.0

    class BadlyRanged(EASE):
        Config = BadlyRangedConfig

    monkeypatch.setattr(registry, "_registered", {})
    register_model(BadlyRanged, "badly-ranged")
    result = tune(inner, Search("badly-ranged", 3), tmp_path / "out")
    assert [trial.failure is not None for trial in result.trials] == [False, True, True]
    sentences = result.sentences()
    assert "None of 2 other trials was better: keep the defaults of badly-ranged." in sentences
    assert any(sentence.startswith("Failed: 2 trials, the last with ConfigError") for sentence in sentences)


@pytest.mark.parametrize("model", built_in_names())
def test_every_model_but_the_blend_of_others_has_ranges(model: str) -> None:
    assert bool(find_ranges(model_class(model).Config)) == (model != "blend")


def test_a_difference_that_all_users_share_is_real() -> None:
    gains = np.random.default_rng(0).normal(0.3, 0.1, size=(100, 5))
    assert chance_of_best(gains, 2) == pytest.approx(1 / 10_001)


def test_the_best_of_many_is_tested_against_the_luck_of_many() -> None:
    luck = np.random.default_rng(0).normal(size=(100, 40))
    best = int((luck.sum(axis=0) / np.sqrt(np.square(luck).sum(axis=0))).argmax())
    alone, among_all = chance_of_best(luck[:, [best]], 0), chance_of_best(luck, best)
    assert alone < 0.05 < among_all


def test_luck_alone_is_rarely_called_real() -> None:
    random = np.random.default_rng(2)
    claims = 0
    for _ in range(40):
        luck = random.normal(size=(30, 6))
        claims += chance_of_best(luck, int(luck.sum(axis=0).argmax())) < 0.05
    assert claims <= 6


def test_without_a_better_trial_the_defaults_are_kept(tuned: TuningResult) -> None:
    worse = replace(
        tuned,
        trials=[tuned.trials[0], Trial(1, {"half_life": 1.0}, 0.0)],
        ndcgs={0: tuned.ndcgs[0], 1: np.zeros_like(tuned.ndcgs[0])},
    )
    assert worse.best.number == 0
    assert "None of 1 other trial was better: keep the defaults of ease." in worse.sentences()


def test_the_picture_has_a_panel_for_each_option(tuned: TuningResult, tmp_path: Path) -> None:
    plot_search(tuned, tmp_path)
    texts = {(element.text or "").strip() for element in ElementTree.parse(tmp_path / "search.svg").iter()}
    assert {"Trial", MAIN, "Regularization", "Half life", "Unliked weight"} <= texts
    assert f"defaults {tuned.estimate(0).mean:.4f}" in texts
    assert (tmp_path / "search.png").read_bytes().startswith(b"\x89PNG")


def test_a_network_that_falls_behind_is_given_up(inner: InnerSplit, tmp_path: Path) -> None:
    held = dict.fromkeys(("dropout", "weight_decay", "next_share", "within_share"), 0.0)
    small = {"dimensions": 8, "layers": 1, "heads": 1, "ahead": 1, "disliked_weight": 0.5, "epochs": 8}
    search = Search("transformer", 12, {**held, **small, "held_out_share": 0.5})
    found = tune(inner, search, tmp_path / "out")
    given_up = [trial for trial in found.trials if trial.given_up_after is not None]
    assert given_up
    assert all((trial.given_up_after or 0) in range(2, 8) for trial in given_up)
    assert all(trial.ndcg is None for trial in given_up)
    assert f"Pruned after a few epochs: {number_of(len(given_up), 'trial')}." in found.sentences()
