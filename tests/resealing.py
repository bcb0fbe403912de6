"""Saved models whose files were changed and whose hashes were then computed again, as whoever crafts one would do."""

import json
from pathlib import Path

import polars as pl

from nextreel.arrays import Arrays, read_arrays, write_arrays
from nextreel.artifacts import MANIFEST, seal


def reseal(model: Path, **entries: object) -> None:
    """Compute the hashes of a saved model's files again, after changing entries of its manifest."""
    manifest = json.loads((model / MANIFEST).read_text())
    (model / MANIFEST).unlink()
    others = {name: value for name, value in manifest.items() if name not in ("files", "format")}
    seal(model, {**others, **entries})


def change_arrays(file: Path, **arrays: object) -> None:
    """Replace arrays in a file of a saved model and compute the hashes again; None removes an array."""
    changed: Arrays = {**read_arrays(file), **arrays}  # type: ignore[dict-item]
    write_arrays({name: array for name, array in changed.items() if array is not None}, file)
    reseal(file.parent)


def change_columns(file: Path, **columns: pl.Series | pl.Expr) -> None:
    """Replace columns in a Parquet file of a saved model and compute the hashes again."""
    pl.read_parquet(file).with_columns(**columns).write_parquet(file)
    reseal(file.parent)
