"""The models' names, apart from their code, so that a command's help needs none of it."""

MODELS = {
    "popularity": "nextreel.models.popularity:Popularity",
    "item-knn": "nextreel.models.item_knn:ItemKNN",
    "ease": "nextreel.models.ease:EASE",
    "als": "nextreel.models.als:ALS",
    "funk-svd": "nextreel.models.funk_svd:FunkSVD",
}
DEFAULT_MODEL = "ease"
