"""RecTools: EASE and the transformers SASRec and HSTU.

Every interaction has weight 1, as in RecTools' own notebooks on MovieLens. A transformer's option `cpu_minutes`
ends its training after that much processor time instead of after a number of epochs: on a core of one's own
that is the time on the clock, and on a shared core it is what the clock would have shown.
"""

import time
from typing import Any

import pandas as pd
import polars as pl
import torch
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import EASEModel, HSTUModel, SASRecModel

from benchmarks.peers.answer import Fitted, Task, cpu_seconds, lists_by_user

PACKAGES = ("rectools", "torch", "pytorch-lightning", "numpy", "pandas")


class Clock(Callback):  # type: ignore[misc]
    """Notes each epoch, and ends the training when the processor time is spent."""

    def __init__(self, minutes: float | None) -> None:
        self.epochs: list[dict[str, float]] = []
        self.minutes = minutes
        self._first = self._started = self._cpu_started = 0.0
        self._losses: list[float] = []

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Processor time counts from here."""
        self._first = cpu_seconds()

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        """An epoch begins."""
        self._started, self._cpu_started, self._losses = time.perf_counter(), cpu_seconds(), []

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """The budget may be spent within an epoch."""
        self._losses.append(float(outputs["loss"]))
        if self.minutes is not None and cpu_seconds() - self._first > 60 * self.minutes:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Also called for the epoch that the budget cut short: `part` is how far it came."""
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


def fit(task: Task) -> Fitted:
    """`rectools ease`, `rectools sasrec` or `rectools hstu` with the options of RecTools' own constructor."""
    interactions = pd.DataFrame(
        {
            Columns.User: task.train["UserID"].to_numpy(),
            Columns.Item: task.train["MovieID"].to_numpy(),
            Columns.Weight: 1.0,
            Columns.Datetime: pd.to_datetime(task.train["Timestamp"].to_numpy(), unit="s"),
        }
    )
    dataset = Dataset.construct(interactions)
    if task.model == "rectools ease":
        ease = EASEModel(**task.options)
        ease.fit(dataset)
        return Fitted(lambda queries: lists_by_user(queries, _recommend(ease, dataset, queries, task.k)))
    return _fit_transformer(task, dataset)


def _fit_transformer(task: Task, dataset: Dataset) -> Fitted:
    torch.set_num_threads(1)
    seed_everything(task.seed)
    options = dict(task.options)
    clock = Clock(options.pop("cpu_minutes", None))
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
            return _recommend_at_moments(model, dataset, queries, task.k)
        return lists_by_user(queries, _recommend(model, dataset, queries, task.k))

    return Fitted(recommend, clock.epochs)


def _recommend(
    model: Any, dataset: Dataset, queries: pl.DataFrame, k: int, context: pd.DataFrame | None = None
) -> pl.DataFrame:
    known = queries.filter(pl.col("UserID").is_in(list(dataset.user_id_map.external_ids)))
    found = model.recommend(
        users=known["UserID"].unique(maintain_order=True).to_numpy(),
        dataset=dataset,
        k=k,
        filter_viewed=True,
        on_unsupported_targets="ignore",
        context=context,
    )
    columns = {"UserID": Columns.User, "rank": Columns.Rank, "MovieID": Columns.Item}
    return pl.DataFrame({ours: found[theirs].to_numpy() for ours, theirs in columns.items()})


def _recommend_at_moments(model: Any, dataset: Dataset, queries: pl.DataFrame, k: int) -> pl.DataFrame:
    """RecTools takes one moment per user and call, so there is a call for each user's first query, second, ..."""
    rounds = queries.with_columns(turn=pl.int_range(pl.len()).over("UserID"))
    answers = []
    for turn in rounds.partition_by("turn", maintain_order=True):
        known = turn.filter(pl.col("UserID").is_in(list(dataset.user_id_map.external_ids)))
        context = pd.DataFrame(
            {
                Columns.User: known["UserID"].to_numpy(),
                Columns.Weight: 1.0,
                Columns.Datetime: pd.to_datetime(known["Timestamp"].to_numpy(), unit="s"),
            }
        )
        answers.append(lists_by_user(turn, _recommend(model, dataset, turn, k, context)))
    return pl.concat(answers).sort("query", "rank")
