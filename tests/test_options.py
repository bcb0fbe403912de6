import pytest

from nextreel.data.splitting.split_rules import SplitRule
from nextreel.errors import ConfigError
from nextreel.models.blend import BlendConfig
from nextreel.models.ease import EASEConfig
from nextreel.models.transformer import TransformerConfig
from nextreel.options import Options


def refusal(kind: type[Options], options: dict[str, object]) -> str:
    with pytest.raises(ConfigError) as caught:
        kind.parse(options, "it")
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "name", "value", "message"),
    [
        (EASEConfig, "regularization", -5, "is -5; expected a number above 0"),
        (EASEConfig, "regularization", "much", "is 'much'; expected a number above 0"),
        (EASEConfig, "regularization", float("inf"), "is Infinity; expected a finite number"),
        (EASEConfig, "unliked_weight", 1.5, "is 1.5; expected a number above 0, up to 1"),
        (EASEConfig, "half_life", False, "is false; expected a number above 0 or null"),
        (TransformerConfig, "minutes", 0, "is 0; expected a number above 0"),
        (TransformerConfig, "epochs", 2.5, "is 2.5; expected a whole number from 1, up to 100000"),
        (TransformerConfig, "epochs", None, "is null; expected a whole number from 1, up to 100000"),
        (TransformerConfig, "bfloat16", "maybe", "is 'maybe'; expected true or false"),
        (BlendConfig, "transformer", 5, "is 5; expected options by name"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    kind: type[Options], name: str, value: object, message: str
) -> None:
    assert refusal(kind, {name: value}) == f"option {name} of it {message}"


def test_a_value_out_of_a_list_is_told_the_list() -> None:
    message = "option rule of it is 'weekly'; expected course, clean, global, leave-one-out or next-visit"
    assert refusal(SplitRule, {"rule": "weekly", "positives": 1, "threshold": 4}) == message


def test_an_unknown_option_is_told_the_options_there_are_the_closest_first() -> None:
    message = "it has no option 'unlikely_weight'; its options: unliked_weight, regularization, most_movies, half_life"
    assert refusal(EASEConfig, {"unlikely_weight": 1}) == message


def test_an_option_within_an_option_is_named_by_its_path() -> None:
    wrong = refusal(BlendConfig, {"transformer": {"layers": 0}})
    assert wrong == "option transformer.layers of it is 0; expected a whole number from 1, up to 64"
    unknown = refusal(BlendConfig, {"ridge": {"layers": 2}})
    assert unknown.startswith("option ridge of it has no option 'layers'; its options: regularization, ")


def test_options_that_do_not_go_together_are_named() -> None:
    message = "it: dimensions (96) must be a multiple of heads (7)"
    assert refusal(TransformerConfig, {"heads": 7}) == message


def test_a_missing_option_is_named_with_what_is_allowed() -> None:
    message = "option rule of it is missing; expected course, clean, global, leave-one-out or next-visit"
    assert refusal(SplitRule, {"positives": 1, "threshold": 4}) == message
