"""Sequences of requests that follow from each other, made by schemathesis: every answer is as described.

On both stores, each with and without keys.
"""

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from nextreel.serving.storage.administration.api_keys import Scope, create_key
from nextreel.serving.storage.store import Store
from tests.serving.http.test_openapi import CHECKS, CONFIG, DESCRIPTION
from tests.serving.servers import serving

STEPS = 6
"""Number of requests of a sequence."""


@pytest.mark.hypothesis
@pytest.mark.parametrize("keys_required", [False, True], ids=["without keys", "with keys"])
def test_sequences_of_requests_are_answered_as_described(
    model: Path, store_url: str, keys_required: bool
) -> None:
    with Store.open(store_url) as store:
        key = create_key(store, "tester", Scope.ADMIN)
    options = ["--require-keys"] if keys_required else []
    headers = {"x-api-key": key} if keys_required else {}
    # A copy, since schemathesis adds the links that it finds between requests.
    schema = schemathesis.openapi.from_dict(deepcopy(DESCRIPTION), config=CONFIG)
    with serving(model, store_url, *options, headers=headers) as server:

        class Requests(schema.as_state_machine()):  # type: ignore[misc]
            def get_call_kwargs(self, case: "schemathesis.Case[Any]") -> dict[str, Any]:
                return {"base_url": server.url, "headers": headers}

            def validate_response(self, response: Any, case: "schemathesis.Case[Any]", **more: Any) -> None:
                case.validate_response(response, checks=CHECKS)

        few = settings(
            stateful_step_count=STEPS,
            max_examples=settings().max_examples // 30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        Requests.run(settings=few)
        assert server.http.get("/readyz").is_success
        assert re.search(r'"level": ?"error"', server.log.read_text(), re.IGNORECASE) is None
