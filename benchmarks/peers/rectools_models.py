"""RecTools: EASE and the transformers SASRec and HSTU.

Every interaction has weight 1, as in RecTools' own notebooks on MovieLens. A transformer's option `cpu_minutes` ends
its training after that much processor time instead of after a number of epochs. On an otherwise idle core this equals
wall-clock time, and on a shared core it stays comparable.
"""

import time
from typing import Any, Self

import pandas as pd
import polars as pl
import torch
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import EASEModel, HSTUModel, SASRecModel

from benchmarks.peers.recommend import FittedPeer, PeerTask, cpu_seconds, cut_histories, lists_by_user

PACKAGES = ("rectools", "torch", "pytorch-lightning", "numpy", "pandas")
HISTORIES_AT_ONCE = 1_000
"""Histories in one call to RecTools, which bounds the memory."""


class TrainingClock(Callback):  # type: ignore[misc]
    """Records each epoch, and ends the training when the processor time is used up."""

    def __init__(self, minutes: float | None) -> None:
        self.epochs: list[dict[str, float]] = []
        self.minutes = minutes
        self._training_cpu_started = self._started = self._cpu_started = 0.0
        self._losses: list[float] = []

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return the clock itself: RecTools copies its trainer before the fit, and would keep the epochs to itself."""
        return self

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Start to count the processor time."""
        self._training_cpu_started = cpu_seconds()

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Start to time the epoch."""
        self._started, self._cpu_started, self._losses = time.perf_counter(), cpu_seconds(), []

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop the training, even within an epoch, when the processor time is used up."""
        self._losses.append(float(outputs["loss"]))
        if self.minutes is not None and cpu_seconds() - self._training_cpu_started > 60 * self.minutes:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Record the epoch; `part` is below 1 for an epoch that was cut short."""
        self.epochs.append(
            {
                "number": len(self.epochs) + 1,
                "part": round(len(self._losses) / trainer.num_training_batches, 3),
                "train_loss": sum(self._losses) / len(self._losses),
                "seconds": round(time.perf_counter() - self._started, 1),
                "cpu_seconds": round(cpu_seconds() - self._cpu_started, 1),
            }
        )
        print(self.epochs[-1], flush=True)


def fit(task: PeerTask) -> FittedPeer:
    """Fit `rectools ease`, `rectools sasrec` or `rectools hstu` with the options of RecTools' own constructor."""
    train = task.train
    dataset = _construct_dataset(train["UserID"], train["MovieID"], train["Timestamp"])
    if task.model == "rectools ease":
        ease = EASEModel(**task.options)
        ease.fit(dataset)
        return FittedPeer(lambda queries: lists_by_user(queries, _recommend(ease, dataset, queries, task.k)))
    return _fit_transformer(task, dataset)


def _construct_dataset(users: pl.Series, movies: pl.Series, seconds: pl.Series) -> Dataset:
    interactions = pd.DataFrame(
        {
            Columns.User: users.to_numpy(),
            Columns.Item: movies.to_numpy(),
            Columns.Weight: 1.0,
            Columns.Datetime: pd.to_datetime(seconds.to_numpy(), unit="s"),
        }
    )
    return Dataset.construct(interactions)


def _fit_transformer(task: PeerTask, dataset: Dataset) -> FittedPeer:
    torch.set_num_threads(1)
    seed_everything(task.seed)
    options = dict(task.options)
    clock = TrainingClock(options.pop("cpu_minutes", None))
    epochs = options["epochs"] if clock.minutes is None else -1

    def trainer() -> Trainer:
        return Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[clock],
        )

    kind = {"rectools sasrec": SASRecModel, "rectools hstu": HSTUModel}[task.model]
    model = kind(get_trainer_func=trainer, recommend_torch_device="cpu", **options)
    model.fit(dataset)

    def recommend(queries: pl.DataFrame) -> pl.DataFrame:
        if model.require_recommend_context:
            return _recommend_by_timestamp(model, dataset, queries, task.k)
        return lists_by_user(queries, _recommend(model, dataset, queries, task.k))

    def recommend_after(queries: pl.DataFrame, histories: pl.DataFrame) -> pl.DataFrame:
        return _recommend_after(model, queries, histories, task.k)

    return FittedPeer(recommend, clock.epochs, None if model.require_recommend_context else recommend_after)


def _recommend(
    model: Any, dataset: Dataset, queries: pl.DataFrame, k: int, context: pd.DataFrame | None = None
) -> pl.DataFrame:
    known = queries.filter(pl.col("UserID").is_in(list(dataset.user_id_map.external_ids)))
    recommended = model.recommend(
        users=known["UserID"].unique(maintain_order=True).to_numpy(),
        dataset=dataset,
        k=k,
        filter_viewed=True,
        on_unsupported_targets="ignore",
        context=context,
    )
    columns = {"UserID": Columns.User, "rank": Columns.Rank, "MovieID": Columns.Item}
    return pl.DataFrame({ours: recommended[theirs].to_numpy() for ours, theirs in columns.items()})


def _recommend_after(model: Any, queries: pl.DataFrame, histories: pl.DataFrame, k: int) -> pl.DataFrame:
    """Return a list for each query after its history. RecTools sees each distinct history as a user of its own.

    Queries of the same user with histories of the same length get the same list. The model reads the latest movies of
    a history, and all of them are left out of its list.
    """
    distinct = queries.filter(pl.col("history") > 0).select("UserID", "history").unique(maintain_order=True)
    distinct = distinct.with_columns(query=pl.int_range(pl.len()))
    lists = []
    for part in distinct.iter_slices(HISTORIES_AT_ONCE):
        rows = cut_histories(part, histories)
        dataset = _construct_dataset(rows["query"], rows["MovieID"], pl.int_range(len(rows), eager=True))
        lists.append(_recommend(model, dataset, part.select(UserID="query"), k))
        print(f"lists after {part['query'][-1] + 1} of {len(distinct)} histories", flush=True)
    by_history = distinct.join(pl.concat(lists), left_on="query", right_on="UserID").drop("query")
    return (
        queries.join(by_history, on=["UserID", "history"])
        .select("query", "rank", "MovieID")
        .sort("query", "rank")
    )


def _recommend_by_timestamp(model: Any, dataset: Dataset, queries: pl.DataFrame, k: int) -> pl.DataFrame:
    """Return a list for each query in several calls, since RecTools takes only one timestamp per user in a call.

    The first call has each user's first query, the second call each user's second query, and so on.
    """
    numbered = queries.with_columns(number=pl.int_range(pl.len()).over("UserID"))
    lists = []
    for part in numbered.partition_by("number", maintain_order=True):
        known = part.filter(pl.col("UserID").is_in(list(dataset.user_id_map.external_ids)))
        context = pd.DataFrame(
            {
                Columns.User: known["UserID"].to_numpy(),
                Columns.Weight: 1.0,
                Columns.Datetime: pd.to_datetime(known["Timestamp"].to_numpy(), unit="s"),
            }
        )
        lists.append(lists_by_user(part, _recommend(model, dataset, part, k, context)))
    return pl.concat(lists).sort("query", "rank")
