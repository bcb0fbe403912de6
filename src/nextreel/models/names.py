"""The models' names, apart from their code, so that a command's help needs none of it."""

MODELS = {
    "popularity": "nextreel.models.popularity:Popularity",
    "sequential-ridge": "nextreel.models.sequential_ridge:SequentialRidge",
    "funk-svd": "nextreel.models.funk_svd:FunkSVD",
}
DEFAULT_MODEL = "sequential-ridge"
