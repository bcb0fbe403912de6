import json
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from nextreel.data.sources.synthetic_data import make_sample, write_sample
from nextreel.data.splitting.split_directory import read_train_test
from nextreel.data.splitting.split_rules import SplitRule
from nextreel.errors import MissingExtraError
from nextreel.evaluation.comparison.contestants import parse_contestants, run_contestant
from nextreel.evaluation.comparison.leaderboard import Leaderboard, build_leaderboard
from nextreel.models.registry import built_in_names
from nextreel.models.training.epochs import Epoch
from nextreel.reporting.html_report import require_extras, write_report
from nextreel.reporting.html_report.example_lists import choose_examples
from nextreel.reporting.html_report.sentences import describe_split

UNCOLOURED = {"none", "transparent"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated data set whose titles contain an HTML tag."""
    data = tmp_path_factory.mktemp("home") / "data"
    write_sample(make_sample(users=80, movies=80, ratings=2400), data)
    header, *rows = (data / "movies.csv").read_text().splitlines()
    marked = [re.sub(r"^(\d+,\"?)", r"\1<script>", row) for row in rows]
    (data / "movies.csv").write_text("\n".join([header, *marked]) + "\n")
    return data


def compare(data: Path, *models: str) -> Leaderboard:
    parts = read_train_test(data)
    contestants = parse_contestants(models, {})
    runs = [run_contestant(contestant, parts, ["frozen", "live"], 10) for contestant in contestants]
    return build_leaderboard(parts, runs, ["frozen", "live"], [5, 10])


@pytest.fixture(scope="module")
def board(data: Path) -> Leaderboard:
    return compare(data, "popularity", "item-knn")


@pytest.fixture(scope="module")
def html(board: Leaderboard, tmp_path_factory: pytest.TempPathFactory) -> str:
    return report(board, tmp_path_factory.mktemp("report"))


def report(board: Leaderboard, directory: Path) -> str:
    write_report(board, "my <data>", directory / "report.html")
    return (directory / "report.html").read_text()


class Reader(HTMLParser):
    """Collects the tags of a page with their attributes, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


EPOCHS = [
    Epoch(1, 0.5, 0.6, 1.0, 0.1),
    Epoch(2, 0.4, 0.5, 1.0, 0.2),
    Epoch(3, 0.3, 0.55, 1.0, 0.3),
]


@pytest.fixture(scope="module")
def with_epochs(board: Leaderboard, tmp_path_factory: pytest.TempPathFactory) -> str:
    answers = board.runs | {"item-knn": replace(board.runs["item-knn"], epochs=EPOCHS)}
    return report(replace(board, runs=answers), tmp_path_factory.mktemp("report"))


def text_of(html: str) -> str:
    """Return the text that a reader sees, with single spaces."""
    body = html.partition("<body>")[2] or html
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def section_of(html: str, id_: str) -> str:
    return html[html.index(f'<section aria-labelledby="{id_}">') :].partition("</section>")[0]


@pytest.mark.parametrize("history", ["frozen", "live"])
def test_the_leaderboard_has_every_metric_with_its_interval(history, board: Leaderboard, html: str) -> None:  # type: ignore[no-untyped-def]
    shown = text_of(section_of(html, "leaderboard"))
    for figures in board.figures[history].values():
        for estimate in figures.metrics.values():
            assert f"{estimate.mean:.4f} {estimate.low:.4f} to {estimate.high:.4f}" in shown


def test_the_page_loads_nothing_and_runs_no_script(html: str) -> None:
    for tag, attributes in Reader(html).tags:
        assert tag not in {"script", "link", "img", "iframe"}
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in html
    assert "@import" not in html


def test_titles_and_the_name_of_the_data_are_escaped(html: str) -> None:
    assert "&lt;script&gt;" in section_of(html, "examples")
    assert "my &lt;data&gt;" in html
    assert "<data>" not in html


def test_no_heading_level_is_skipped(html: str) -> None:
    levels = [int(tag[1]) for tag, _ in Reader(html).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_table_has_a_caption_and_every_header_cell_a_scope(html: str) -> None:
    tags = Reader(html).tags
    after_tables = [tags[n + 1][0] for n, (tag, _) in enumerate(tags) if tag == "table"]
    assert after_tables
    assert set(after_tables) == {"caption"}
    assert {attributes.get("scope") for tag, attributes in tags if tag == "th"} == {"col", "row"}


def test_every_id_is_unique_and_every_reference_to_one_resolves(html: str) -> None:
    tags = [attributes for _, attributes in Reader(html).tags]
    ids = [attributes["id"] for attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {attributes["aria-labelledby"] for attributes in tags if "aria-labelledby" in attributes} <= set(
        ids
    )
    assert {(attributes["href"] or "")[1:] for attributes in tags if "href" in attributes} <= set(ids)


def test_every_chart_has_a_label_with_what_it_shows(board: Leaderboard, html: str) -> None:
    pictures = [attributes for tag, attributes in Reader(html).tags if tag == "svg" and "role" in attributes]
    labels = [attributes["aria-label"] or "" for attributes in pictures]
    assert all(labels)
    for name, figures in board.figures["live"].items():
        mean = f"{figures.metrics['NDCG@10'].mean:.4f}"
        assert any(
            label.startswith("NDCG@10 with 95 % intervals") and f"{name} {mean}" in label for label in labels
        )


def test_every_colour_of_a_chart_has_a_counterpart_in_dark_mode(with_epochs: str) -> None:
    html = with_epochs
    drawn = set(re.findall(r' (fill|stroke)="([^"]+)"', html[html.index("<body>") :]))
    in_dark_mode = set(re.findall(r'figure \[(fill|stroke)="([^"]+)"\]', html))
    assert {(kind, colour) for kind, colour in drawn if colour not in UNCOLOURED} <= in_dark_mode


def test_the_people_of_the_examples_are_at_the_quarters_by_length_of_history(board: Leaderboard) -> None:
    examples = choose_examples(board, "live")
    lengths = [example.history_length for example in examples]
    assert lengths == sorted(lengths)
    assert len({example.user for example in examples}) == 3
    assert choose_examples(board, "live") == examples


def test_an_example_shows_the_recommendation_lists_that_were_evaluated(board: Leaderboard) -> None:
    example = choose_examples(board, "live")[0]
    test = board.parts.test.filter(
        (board.parts.test["UserID"] == example.user) & (board.parts.test["Rating"] >= 4)
    )
    query = int(np.flatnonzero(board.users == example.user)[0])
    movies = board.runs["item-knn"].lists["live"].movies[query]
    ids = board.parts.train.movie_ids[movies].tolist()
    assert [movie.liked for movie in example.lists["item-knn"]] == [
        id_ in set(test["MovieID"]) for id_ in ids
    ]
    assert [movie.relevant for movie in example.lists["item-knn"]] == [
        id_ == test["MovieID"][0] for id_ in ids
    ]
    assert len(example.liked) == len(test)


def test_a_hit_is_marked_in_words(board: Leaderboard, html: str) -> None:
    examples = choose_examples(board, "live")
    lists = [movies for example in examples for movies in example.lists.values()]
    hits = [movie for movies in lists for movie in movies if movie.liked]
    shown = text_of(section_of(html, "examples").partition("<h3")[2])
    assert hits
    assert shown.count("★ liked next") + shown.count("✓ liked later") == len(hits) + len(examples)


def test_a_leader_is_not_called_the_best_if_its_lead_is_not_significant(
    board: Leaderboard, tmp_path: Path
) -> None:
    doubtful = replace(board, tests=[replace(test, adjusted_p=0.4) for test in board.tests])
    shown = text_of(report(doubtful, tmp_path))
    assert "is ahead on my <data>, but not significantly" in shown
    assert "isn't shown to be better than" in shown
    assert "is the best of two recommenders" not in shown


def test_a_significant_lead_is_called_significant(board: Leaderboard, tmp_path: Path) -> None:
    best = board.ranked("live")[0]
    best_first = {history: {best: figures[best]} | figures for history, figures in board.figures.items()}
    clear = replace(
        board, figures=best_first, tests=[replace(test, adjusted_p=0.002) for test in board.tests]
    )
    shown = text_of(report(clear, tmp_path))
    assert f"{best} is the best of two recommenders on my <data>" in shown
    assert "with a probability of at most 0.002" in shown


def test_a_model_of_unknown_cost_is_named_but_not_drawn(board: Leaderboard, tmp_path: Path) -> None:
    name = board.ranked("live")[0]
    answers = board.runs | {name: replace(board.runs[name], fit_seconds=None)}
    shown = text_of(report(replace(board, runs=answers), tmp_path))
    assert re.search(rf"Not drawn, because their cost isn.t known here: {name}\.", shown)
    assert f"What {name} costs isn't known here" in shown


def test_a_model_from_a_file_of_recommendations_has_a_card_too(board: Leaderboard, tmp_path: Path) -> None:
    run = board.runs["item-knn"]
    lists = {history: replace(result, seconds=None) for history, result in run.lists.items()}
    outside = replace(
        run, model="answers.csv", config={}, fit_seconds=None, peak_memory_gib=None, lists=lists
    )
    shown = text_of(report(replace(board, runs=board.runs | {"item-knn": outside}), tmp_path))
    assert "It isn't one of nextreel's own models" in shown
    assert "Fitted elsewhere." in shown


def test_a_single_model_is_not_compared(data: Path, tmp_path: Path) -> None:
    shown = text_of(report(compare(data, "popularity"), tmp_path))
    assert "popularity is the only model" in shown
    assert "Which differences are significant?" not in shown


def test_options_are_listed_with_their_values_and_descriptions(board: Leaderboard, html: str) -> None:
    shown = text_of(section_of(html, "models"))
    for option, value in board.runs["item-knn"].config.items():
        assert f"{option} {json.dumps(value)}" in shown
    assert "Number of users added to the denominator of the cosine." in shown


def test_a_model_that_learned_in_epochs_has_a_loss_curve_and_names_the_epoch_that_was_kept(
    with_epochs: str,
) -> None:
    models = section_of(with_epochs, "models")
    assert (
        models.count('aria-label="Mean loss by epoch. Validation loss is lowest, 0.5000, after epoch 2"') == 1
    )
    assert (
        "which is lowest after epoch 2, the one that was kept; there NDCG@10 of users held out is 0.2000"
        in (text_of(models))
    )


def test_a_curve_without_validation_loss_says_why(board: Leaderboard, tmp_path: Path) -> None:
    epochs = [replace(epoch, validation_loss=None, validation_ndcg=None) for epoch in EPOCHS]
    answers = board.runs | {"item-knn": replace(board.runs["item-knn"], epochs=epochs)}
    shown = text_of(section_of(report(replace(board, runs=answers), tmp_path), "models"))
    assert "There is no validation loss: nothing of the test part is shown to the fit." in shown


@pytest.mark.parametrize("model", built_in_names())
def test_every_model_has_an_explanation(model: str, board: Leaderboard, tmp_path: Path) -> None:
    runs = board.runs | {"item-knn": replace(board.runs["item-knn"], model=model)}
    card = section_of(report(replace(board, runs=runs), tmp_path), "models")
    assert "How it works" in card
    assert "<p></p>" not in card


def test_a_report_is_small_and_reproducible(board: Leaderboard, html: str, tmp_path: Path) -> None:
    assert len(html) < 300_000
    assert report(board, tmp_path) == html


@pytest.mark.parametrize(
    ("rule", "description"),
    [
        (SplitRule.for_rule("clean"), "the 5th-last rating of 4 or more and everything after it"),
        (SplitRule.for_rule("clean", positives=1), "the last rating of 4 or more"),
        (SplitRule.for_rule("clean", positives=3), "the 3rd-last rating"),
        (SplitRule.for_rule("course"), "is in the train part too, which is a leak"),
        (SplitRule.for_rule("global", moment=978_307_200), "All people are split at 1 January 2001"),
        (SplitRule.for_rule("global"), "before which 80 % of the ratings lie"),
        (SplitRule.for_rule("next-visit"), "A visit ends with a pause of more than 1 day"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.rule,
)
def test_the_split_is_described_in_words(rule: SplitRule, description: str) -> None:
    assert description in describe_split(rule)


def test_an_unknown_split_is_called_unknown() -> None:
    assert "isn't known" in describe_split(None)


def test_a_missing_extra_is_an_error_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"this needs jinja2, .*'\.\[plots\]'"):
        require_extras()
