import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from nextreel.serving.storage.sql_tables import facts
from nextreel.serving.storage.store import Impression, NewInteraction, Store
from tests.cli.commands import fail, succeed

GIVEN_AT = 1_000_000


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store in which 40 users got version a and 40 got b, and all of b's but 2 of a's liked movie 7 an hour later."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with Store.open(url) as store:
        store.keep_impressions([Impression(user, GIVEN_AT, "ab"[user % 2], [5, 7]) for user in range(80)])
        store.add(
            [
                NewInteraction(user, 7 if user % 2 or user < 4 else 1, 5.0, GIVEN_AT + 3600)
                for user in range(80)
            ]
        )
    return url


def test_the_report_compares_the_versions_and_says_whether_the_difference_is_significant(url: str) -> None:
    printed = succeed("experiment", "report", "--store", url, "--experiment", "b=0.5")
    assert "What followed within 7 days of an impression" in printed
    assert "0.0500 [" in printed
    assert "1.0000 [1.0000, 1.0000]" in printed
    assert "users with a hit: Significant: b is higher" in printed
    assert "mismatch" not in printed


def test_the_report_comes_as_json_too(url: str) -> None:
    report = json.loads(succeed("experiment", "report", "--store", url, "--json"))
    assert report["control"] == {"version": "b", "users": 40, "answers": 40}
    assert report["comparisons"][0]["metric"] == "users with a hit"
    assert report["comparisons"][0]["difference"]["mean"] == pytest.approx(-0.95)


def test_a_planned_share_that_was_not_kept_is_reported(url: str) -> None:
    printed = succeed("experiment", "report", "--store", url, "--experiment", "b=0.1")
    assert "Sample ratio mismatch: 40 of 80 users got b" in printed
    assert "users with a hit: No verdict" in printed


def test_a_shorter_window_leaves_out_what_came_later(url: str) -> None:
    printed = succeed("experiment", "report", "--store", url, "--within", "30m")
    assert "Not significant" in printed
    assert "within 30 minutes" in printed


def test_since_leaves_out_earlier_impressions(url: str) -> None:
    message = fail("experiment", "report", "--store", url, "--since", GIVEN_AT + 1)
    assert message == (
        "nextreel: found no impressions; a comparison needs exactly two versions: choose another --since\n"
    )


def test_an_empty_store_has_nothing_to_compare(tmp_path: Path) -> None:
    assert "found no impressions" in fail(
        "experiment", "report", "--store", f"sqlite:///{tmp_path / 'new.db'}"
    )


def test_the_command_explains_itself() -> None:
    assert "nextreel experiment report [OPTIONS]" in succeed("experiment", "report", "--help")


def test_what_is_liked_is_decided_by_the_data_of_the_store(url: str) -> None:
    with Store.open(url) as store, store.writing() as connection:
        scale = {"lowest": 1, "highest": 10, "liked_from": 7, "rated": True}
        fact = {"name": "data_format", "value": json.dumps({"scale": scale})}
        connection.execute(sa.insert(facts), fact)
    report = json.loads(succeed("experiment", "report", "--store", url, "--json"))
    assert report["comparisons"][0]["difference"]["mean"] == 0  # a 5 isn't liked
