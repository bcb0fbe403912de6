import pytest

from nextreel.errors import ConfigError
from nextreel.models.popularity import Popularity, PopularityConfig
from nextreel.models.registry import PRESETS, built_in_names, create_model, model_class, model_name


@pytest.mark.parametrize("name", built_in_names())
def test_every_name_leads_to_a_model_that_knows_its_name(name: str) -> None:
    assert model_name(create_model(name)) == name


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_leads_to_a_model(preset: str) -> None:
    assert model_class(preset) is model_class(PRESETS[preset])


@pytest.mark.parametrize("name", built_in_names())
def test_every_option_of_every_model_is_explained(name: str) -> None:
    fields = model_class(name).Config.model_fields
    assert [option for option, field in fields.items() if not field.description] == []


def test_the_models_with_a_budget_are_those_that_the_help_names() -> None:
    budgeted = [name for name in built_in_names() if "minutes" in model_class(name).Config.model_fields]
    assert budgeted == ["blend", "transformer"]


def test_options_reach_the_model() -> None:
    assert create_model("simple", {"window_days": 7}).config == PopularityConfig(window_days=7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 7}, "popularity has no option 'window'; its options: window_days"),
        ({"window_days": "long"}, "option window_days of popularity is 'long'; expected a number above 0"),
    ],
)
def test_a_wrong_option_is_an_error_that_names_it(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        create_model("popularity", options)


def test_an_unknown_model_is_an_error_that_lists_the_names() -> None:
    with pytest.raises(ConfigError, match="model 'oracle' is unknown; expected one of fast, "):
        create_model("oracle")


def test_a_model_of_ones_own_has_no_name() -> None:
    class Mine(Popularity):
        pass

    with pytest.raises(ConfigError, match="isn't a registered model"):
        model_name(Mine())
