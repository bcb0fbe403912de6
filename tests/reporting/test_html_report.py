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
from nextreel.evaluation.comparison.contestants import answer, name_contestants
from nextreel.evaluation.comparison.leaderboard import Leaderboard, judge
from nextreel.models.registry import built_in_names
from nextreel.models.training.epochs import Epoch
from nextreel.reporting.html_report import require_extras, write_report
from nextreel.reporting.html_report.example_lists import choose_examples
from nextreel.reporting.html_report.sentences import say_split

INK_OF_THE_PAGE = {"none", "transparent"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample whose titles hold what HTML would take for a tag."""
    data = tmp_path_factory.mktemp("home") / "data"
    write_sample(make_sample(users=80, movies=80, ratings=2400), data)
    header, *rows = (data / "movies.csv").read_text().splitlines()
    marked = [re.sub(r"^(\d+,\"?)", r"\1<script>", row) for row in rows]
    (data / "movies.csv").write_text("\n".join([header, *marked]) + "\n")
    return data


def compare(data: Path, *models: str) -> Leaderboard:
    parts = read_train_test(data)
    answers = [answer(each, parts, ["frozen", "live"], 10) for each in name_contestants(models, {})]
    return judge(parts, answers, ["frozen", "live"], [5, 10])


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
    """Tags with their attributes, in order."""

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
    answers = board.answers | {"item-knn": replace(board.answers["item-knn"], epochs=EPOCHS)}
    return report(replace(board, answers=answers), tmp_path_factory.mktemp("report"))


def text_of(html: str) -> str:
    """What a reader sees, with single spaces."""
    body = html.partition("<body>")[2] or html
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def section_of(html: str, id_: str) -> str:
    return html[html.index(f'<section aria-labelledby="{id_}">') :].partition("</section>")[0]


@pytest.mark.parametrize("history", ["frozen", "live"])
def test_the_leaderboard_holds_every_figure_with_its_interval(history, board: Leaderboard, html: str) -> None:  # type: ignore[no-untyped-def]
    shown = text_of(section_of(html, "leaderboard"))
    for figures in board.figures[history].values():
        for estimate in figures.metrics.values():
            assert f"{estimate.mean:.4f} {estimate.low:.4f} to {estimate.high:.4f}" in shown


def test_nothing_is_loaded_and_nothing_is_run(html: str) -> None:
    for tag, attributes in Reader(html).tags:
        assert tag not in {"script", "link", "img", "iframe"}
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in html
    assert "@import" not in html


def test_titles_and_the_name_of_the_data_are_text_and_no_markup(html: str) -> None:
    assert "&lt;script&gt;" in section_of(html, "examples")
    assert "my &lt;data&gt;" in html
    assert "<data>" not in html


def test_headings_go_down_one_step_at_a_time(html: str) -> None:
    levels = [int(tag[1]) for tag, _ in Reader(html).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_table_has_a_caption_and_every_heading_of_one_a_scope(html: str) -> None:
    tags = Reader(html).tags
    after_tables = [tags[n + 1][0] for n, (tag, _) in enumerate(tags) if tag == "table"]
    assert after_tables
    assert set(after_tables) == {"caption"}
    assert {attributes.get("scope") for tag, attributes in tags if tag == "th"} == {"col", "row"}


def test_every_id_stands_once_and_every_label_is_there(html: str) -> None:
    tags = [attributes for _, attributes in Reader(html).tags]
    ids = [attributes["id"] for attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {attributes["aria-labelledby"] for attributes in tags if "aria-labelledby" in attributes} <= set(
        ids
    )
    assert {(attributes["href"] or "")[1:] for attributes in tags if "href" in attributes} <= set(ids)


def test_every_picture_says_what_it_shows(board: Leaderboard, html: str) -> None:
    pictures = [attributes for tag, attributes in Reader(html).tags if tag == "svg" and "role" in attributes]
    labels = [attributes["aria-label"] or "" for attributes in pictures]
    assert all(labels)
    for name, figures in board.figures["live"].items():
        mean = f"{figures.metrics['NDCG@10'].mean:.4f}"
        assert any(
            label.startswith("NDCG@10 with 95 % intervals") and f"{name} {mean}" in label for label in labels
        )


def test_every_colour_of_a_picture_has_another_one_at_night(with_epochs: str) -> None:
    html = with_epochs
    drawn = set(re.findall(r' (fill|stroke)="([^"]+)"', html[html.index("<body>") :]))
    at_night = set(re.findall(r'figure \[(fill|stroke)="([^"]+)"\]', html))
    assert {(kind, colour) for kind, colour in drawn if colour not in INK_OF_THE_PAGE} <= at_night


def test_the_people_of_the_examples_stand_at_the_quarters_of_the_row(board: Leaderboard) -> None:
    examples = choose_examples(board, "live")
    lengths = [example.length for example in examples]
    assert lengths == sorted(lengths)
    assert len({example.user for example in examples}) == 3
    assert choose_examples(board, "live") == examples


def test_an_example_shows_the_answers_as_they_were_given(board: Leaderboard) -> None:
    example = choose_examples(board, "live")[0]
    test = board.parts.test.filter(
        (board.parts.test["UserID"] == example.user) & (board.parts.test["Rating"] >= 4)
    )
    query = int(np.flatnonzero(board.users == example.user)[0])
    movies = board.answers["item-knn"].lists["live"].movies[query]
    ids = board.parts.train.movie_ids[movies].tolist()
    assert [movie.liked for movie in example.lists["item-knn"]] == [
        id_ in set(test["MovieID"]) for id_ in ids
    ]
    assert [movie.asked for movie in example.lists["item-knn"]] == [id_ == test["MovieID"][0] for id_ in ids]
    assert len(example.liked) == len(test)


def test_a_hit_is_told_in_words(board: Leaderboard, html: str) -> None:
    examples = choose_examples(board, "live")
    hits = [movie for each in examples for movies in each.lists.values() for movie in movies if movie.liked]
    told = text_of(section_of(html, "examples").partition("<h3")[2])
    assert hits
    assert told.count("★ liked next") + told.count("✓ liked later") == len(hits) + len(examples)


def test_a_lead_that_may_be_chance_is_not_called_the_best(board: Leaderboard, tmp_path: Path) -> None:
    unsure = replace(board, tests=[replace(test, adjusted_p=0.4) for test in board.tests])
    shown = text_of(report(unsure, tmp_path))
    assert "is ahead on my <data>, but not beyond doubt" in shown
    assert "isn't shown to be better than" in shown
    assert "is the best of two recommenders" not in shown


def test_a_real_lead_is_called_so(board: Leaderboard, tmp_path: Path) -> None:
    best = board.ranked("live")[0]
    under = {history: {best: figures[best]} | figures for history, figures in board.figures.items()}
    sure = replace(board, figures=under, tests=[replace(test, adjusted_p=0.002) for test in board.tests])
    shown = text_of(report(sure, tmp_path))
    assert f"{best} is the best of two recommenders on my <data>" in shown
    assert "with a probability of at most 0.002" in shown


def test_a_model_of_unknown_cost_is_named_and_not_drawn(board: Leaderboard, tmp_path: Path) -> None:
    name = board.ranked("live")[0]
    answers = board.answers | {name: replace(board.answers[name], fit_seconds=None)}
    shown = text_of(report(replace(board, answers=answers), tmp_path))
    assert re.search(rf"Not drawn, because their cost isn.t known here: {name}\.", shown)
    assert f"What {name} costs isn't known here" in shown


def test_a_model_from_elsewhere_has_a_card_too(board: Leaderboard, tmp_path: Path) -> None:
    known = board.answers["item-knn"]
    lists = {history: replace(each, seconds=None) for history, each in known.lists.items()}
    outside = replace(
        known, model="answers.csv", config={}, fit_seconds=None, peak_memory_gib=None, lists=lists
    )
    shown = text_of(report(replace(board, answers=board.answers | {"item-knn": outside}), tmp_path))
    assert "It isn't one of nextreel's own models" in shown
    assert "Fitted elsewhere." in shown


def test_one_model_alone_is_compared_with_nothing(data: Path, tmp_path: Path) -> None:
    shown = text_of(report(compare(data, "popularity"), tmp_path))
    assert "popularity was asked alone" in shown
    assert "Which differences are real?" not in shown


def test_options_stand_with_their_values_and_meanings(board: Leaderboard, html: str) -> None:
    shown = text_of(section_of(html, "models"))
    for option, value in board.answers["item-knn"].config.items():
        assert f"{option} {json.dumps(value)}" in shown
    assert "Number of users added to the denominator of the cosine." in shown


def test_a_model_that_learned_in_epochs_shows_its_curves_and_which_epoch_was_kept(with_epochs: str) -> None:
    models = section_of(with_epochs, "models")
    assert (
        models.count('aria-label="Mean loss by epoch. Validation loss is lowest, 0.5000, after epoch 2"') == 1
    )
    assert (
        "which is lowest after epoch 2, the one that was kept; there NDCG@10 of users held out is 0.2000"
        in (text_of(models))
    )


def test_without_validation_the_curve_says_why_there_is_none(board: Leaderboard, tmp_path: Path) -> None:
    epochs = [replace(epoch, validation_loss=None, validation_ndcg=None) for epoch in EPOCHS]
    answers = board.answers | {"item-knn": replace(board.answers["item-knn"], epochs=epochs)}
    shown = text_of(section_of(report(replace(board, answers=answers), tmp_path), "models"))
    assert "There is no validation loss: nothing of the test part is shown to the fit." in shown


@pytest.mark.parametrize("model", built_in_names())
def test_every_model_says_what_it_is(model: str, board: Leaderboard, tmp_path: Path) -> None:
    answers = board.answers | {"item-knn": replace(board.answers["item-knn"], model=model)}
    card = section_of(report(replace(board, answers=answers), tmp_path), "models")
    assert "How it works" in card
    assert "<p></p>" not in card


def test_a_report_is_small_and_the_same_for_the_same_board(
    board: Leaderboard, html: str, tmp_path: Path
) -> None:
    assert len(html) < 300_000
    assert report(board, tmp_path) == html


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (SplitRule.for_rule("clean"), "the 5th-last rating of 4 or more and everything after it"),
        (SplitRule.for_rule("clean", positives=1), "the last rating of 4 or more"),
        (SplitRule.for_rule("clean", positives=3), "the 3rd-last rating"),
        (SplitRule.for_rule("course"), "stands in both parts, which is a leak"),
        (SplitRule.for_rule("global", moment=978_307_200), "One moment for everybody, 1 January 2001"),
        (SplitRule.for_rule("global"), "before which 80 % of the ratings lie"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.rule,
)
def test_the_split_is_told_in_words(rule: SplitRule, said: str) -> None:
    assert said in say_split(rule.model_dump(exclude_none=True))


def test_parts_of_unknown_origin_are_called_so() -> None:
    assert "isn't known" in say_split({})


def test_without_the_extra_it_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"this needs jinja2, .*nextreel\[plots\]"):
        require_extras()
