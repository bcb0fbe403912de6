"""What answers here: the model, what it learned from, how good it was found to be, and how old that is."""

import json
import time
from pathlib import Path
from typing import Any

from starlette.datastructures import QueryParams

from nextreel.artifacts import MANIFEST
from nextreel.data.moments import parse_moment
from nextreel.serving.engine import Engine
from nextreel.serving.page.charts import draw_curves
from nextreel.serving.service import Service

LOSSES = {"train": "train_loss", "validation": "validation_loss"}
"""Fields of an epoch in history.json."""


def show(service: Service, address: QueryParams, whole: bool) -> dict[str, Any]:
    """A card for each version that answers now."""
    return {"cards": [_describe(engine) for engine in service.engines]}


def _describe(engine: Engine) -> dict[str, Any]:
    version, known = engine.version, engine.log.last_snapshot
    manifest = _read_json(version.path / MANIFEST, {})
    epochs = _read_json(version.path / "history.json", [])
    learned_until = parse_moment(version.data_until)
    return {
        "version": version,
        "data": manifest.get("data", {}),
        "fit": manifest.get("fit", {}),
        "evaluations": manifest.get("evaluations", []),
        "config": manifest.get("config", {}),
        "curves": draw_curves(
            {
                name: [epoch[field] for epoch in epochs if epoch.get(field) is not None]
                for name, field in LOSSES.items()
            }
        ),
        "learned_until": learned_until,
        "stored": len(known),
        "latest": known.latest,
        "days_behind": max(0.0, ((known.latest or learned_until) - learned_until) / 86_400),
        "days_since_fit": (time.time() - parse_moment(version.created_at)) / 86_400,
    }


def _read_json(file: Path, otherwise: Any) -> Any:
    """A file of the saved model, which was verified when it was loaded; `otherwise` if it has none."""
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else otherwise
