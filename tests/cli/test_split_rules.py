"""The rules of a split and those for ties stand twice, since the help must not load what knows them: here they are
compared."""

from typing import get_args, get_type_hints

from nextreel.cli.recommend import recommend
from nextreel.cli.split import split
from nextreel.cli.terminal.arguments import RuleOfSplit, TiesOption
from nextreel.data.splitting.split_rules import Rule
from nextreel.data.timeline import Ties


def test_the_command_line_offers_every_rule() -> None:
    assert get_args(get_type_hints(split)["rule"]) == get_args(Rule)


def test_commands_that_split_on_the_way_offer_every_rule() -> None:
    optional_rule = get_args(RuleOfSplit)[0]
    assert get_args(get_args(optional_rule)[0]) == get_args(Rule)


def test_evaluations_offer_every_rule_for_ties() -> None:
    assert get_args(get_args(get_args(TiesOption)[0])[0]) == get_args(Ties)


def test_recommendations_offer_every_rule_for_ties() -> None:
    assert get_args(get_type_hints(recommend)["ties"]) == get_args(Ties)
