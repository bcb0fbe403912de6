"""The rules of a split stand twice, since the help must not load what knows them: here they are compared."""

from typing import get_args, get_type_hints

from nextreel.cli.split import split
from nextreel.cli.terminal.arguments import RuleOfSplit
from nextreel.data.splitting.split_rules import Rule


def test_the_command_line_offers_every_rule() -> None:
    assert get_args(get_type_hints(split)["rule"]) == get_args(Rule)


def test_commands_that_split_on_the_way_offer_every_rule() -> None:
    optional_rule = get_args(RuleOfSplit)[0]
    assert get_args(get_args(optional_rule)[0]) == get_args(Rule)
