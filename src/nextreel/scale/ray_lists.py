"""Recommendation lists by tasks on a Ray cluster: tasks share the model, and each has the queries of one part."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from nextreel.data.schema import TIMESTAMP, USER_ID
from nextreel.data.times import LATEST_TIMESTAMP
from nextreel.prediction.predictor import Predictor
from nextreel.scale.list_parts import AnsweredPart, BatchRequest, Part
from nextreel.scale.ray_cluster import LOCAL, connect
from nextreel.scale.ray_tasks import RayTasks


def answer_at(
    place: str, predictor: Predictor, request: BatchRequest, parts: Iterable[Part]
) -> Iterator[AnsweredPart]:
    """Yield the lists of each part, computed in this process or on the cluster that a place names."""
    if place == LOCAL:
        yield from ((part.number, request.answer(predictor, part.queries)) for part in parts)
        return
    with connect(place) as ray:
        yield from answer_on_ray(ray, predictor, request, parts)


def answer_on_ray(
    ray: Any, predictor: Predictor, request: BatchRequest, parts: Iterable[Part]
) -> Iterator[AnsweredPart]:
    """Yield the lists of each part, in the order in which they are finished.

    Parameters
    ----------
    ray : module
        Ray, connected to a cluster whose machines have the same nextreel.
    predictor : Predictor
        The model, with the data set that histories are cut from.
    request : BatchRequest
        What is asked of every list.
    parts : Iterable[Part]
        The queries; a part is taken only when there is room for its task.

    Raises
    ------
    NextreelError
        A task failed; that of `BatchRequest.answer` if the model or the request is at fault.
    """
    shared = prepare(predictor, request), request
    for part, lists in RayTasks(ray)(answer_part, shared, parts):
        yield part.number, lists


def prepare(predictor: Predictor, request: BatchRequest) -> Predictor:
    """Return a predictor for workers: without the users' attributes, and with all that scoring derives from a model.

    Two queries are answered for that, one with a history and one without. So the workers share what was derived too,
    and a request that can't be answered fails before anything is sent.
    """
    dataset = predictor.dataset
    active = int(np.argmax(np.diff(dataset.timeline.offsets) > 0))
    user = dataset.users[USER_ID][[active, active]]
    queries = pl.DataFrame({USER_ID: user, TIMESTAMP: [0, LATEST_TIMESTAMP]})
    lean = Predictor(predictor.model, replace(dataset, users=dataset.users.clear()))
    request.answer(lean, queries)
    return lean


def answer_part(shared: tuple[Predictor, BatchRequest], part: Part) -> pl.DataFrame:
    """Return the lists of the queries of a part; runs in a worker process."""
    predictor, request = shared
    return request.answer(predictor, part.queries)
