"""The models' names, apart from their code, so that a command's help needs none of it."""

MODELS = {
    "popularity": "nextreel.models.popularity:Popularity",
    "next-choices": "nextreel.models.next_choices:NextChoices",
    "item-knn": "nextreel.models.item_knn:ItemKNN",
    "ease": "nextreel.models.ease:EASE",
    "als": "nextreel.models.als:ALS",
    "sequential-ridge": "nextreel.models.sequential_ridge:SequentialRidge",
    "funk-svd": "nextreel.models.funk_svd:FunkSVD",
    "transformer": "nextreel.models.transformer:Transformer",
    "blend": "nextreel.models.blend:Blend",
}
PRESETS = {"fast": "sequential-ridge", "best": "blend", "baseline": "funk-svd", "simple": "popularity"}
"""Choices for people who don't want to read papers first: `fast` is good and fitted within a minute."""
DEFAULT_MODEL = "sequential-ridge"
BUDGETED = ("transformer", "blend")
"""Models that learn for as long as they may: those with an option `minutes`."""
