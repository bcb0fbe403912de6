"""What answers here: the model, what it learned from, how good it was found to be, and how old that is."""

import json
import time
from typing import Any

from starlette.datastructures import QueryParams

from nextreel.artifacts import MANIFEST
from nextreel.data.times import parse_timestamp
from nextreel.models.training.epochs import losses_by_part, read_epochs
from nextreel.serving.inference.engine import Engine
from nextreel.serving.inference.service import Service
from nextreel.serving.page.svg_charts import draw_curves


def show(service: Service, address: QueryParams, whole: bool) -> dict[str, Any]:
    """A card for each version that answers now."""
    return {"cards": [_describe(engine) for engine in service.engines]}


def _describe(engine: Engine) -> dict[str, Any]:
    version, known = engine.version, engine.log.last_snapshot
    # Its hashes were compared when the version was loaded; doing it for every view would take seconds.
    manifest = json.loads((version.path / MANIFEST).read_text(encoding="utf-8"))
    epochs = read_epochs(version.path)
    learned_until = parse_timestamp(version.data_until)
    return {
        "version": version,
        "data": manifest.get("data", {}),
        "fit": manifest.get("fit", {}),
        "evaluations": manifest.get("evaluations", []),
        "config": manifest.get("config", {}),
        "curves": draw_curves(
            {part: [loss for _, loss in points] for part, points in losses_by_part(epochs).items()}
        ),
        "learned_until": learned_until,
        "stored": len(known),
        "latest": known.latest,
        "days_behind": max(0.0, ((known.latest or learned_until) - learned_until) / 86_400),
        "days_since_fit": (time.time() - parse_timestamp(version.created_at)) / 86_400,
    }
