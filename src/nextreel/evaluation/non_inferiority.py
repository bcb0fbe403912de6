"""Whether a new model may take the place of an old one: it is shown to be at most so much worse.

Two fits of one model on nearly the same data differ by chance, so a new fit needn't be better to be welcome: it must
not be worse by more than a margin, a share of the old model's metric (a test of non-inferiority). The null hypothesis
is that it is:

    H0: mean(new) <= (1 - margin) mean(old)

Both models rank the same queries. The test is the one-sided paired randomisation test of `significance` on
new - (1 - margin) old, summed over each user's queries. Too few queries, or differences too large for their number,
leave H0 standing: then nothing is known, and the old model stays.
"""

from dataclasses import asdict, dataclass

import numpy as np
import polars as pl
from pydantic import JsonValue

from nextreel.arrays import Float64Array, Int64Array
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.evaluation.bootstrap import Estimate, UserBootstrap
from nextreel.evaluation.metrics import ndcg, ranks_of
from nextreel.evaluation.protocol import EvaluationQueries
from nextreel.evaluation.significance import ALPHA, PERMUTATIONS, permute_users
from nextreel.prediction.predictor import Predictor

K = 10
"""Length of the lists that are compared, by NDCG."""


@dataclass(frozen=True)
class NonInferiority:
    """The comparison of a new model with an old one on the same queries."""

    queries: int
    users: int
    old: Estimate
    """Mean NDCG@10 of the old model."""
    new: Estimate
    """Mean NDCG@10 of the new model."""
    difference: Estimate
    """Mean of the new model's NDCG@10 minus the old one's, over the same resamples of users."""
    margin: float
    """By which share of the old model's NDCG@10 the new one may be worse."""
    p: float
    """One-sided p-value of the null hypothesis that it is worse by more."""

    @property
    def shown(self) -> bool:
        """Whether the new model is shown to be worse by no more than the margin."""
        return self.p < ALPHA

    def facts(self) -> dict[str, JsonValue]:
        """Return the comparison in the form that is written as JSON."""
        return {"metric": f"NDCG@{K}", **asdict(self), "alpha": ALPHA, "not_worse": self.shown}


def find_queries(rows: pl.DataFrame, since: int, positive_rating: float) -> pl.DataFrame:
    """Return the positives among some interactions from a timestamp on, each of them a query."""
    is_query = (pl.col(TIMESTAMP) >= since) & (pl.col(RATING) >= positive_rating)
    return rows.filter(is_query).select(USER_ID, MOVIE_ID, TIMESTAMP)


def compare_predictors(
    old: Predictor, new: Predictor, rows: pl.DataFrame, queries: pl.DataFrame, margin: float
) -> NonInferiority:
    """Compare two models on queries, each with the live history: what `rows` hold strictly before its timestamp.

    A movie that isn't in a model's catalog is a miss of this model.
    """
    asked = [EvaluationQueries.from_rows(queries, each.dataset, rows) for each in (old, new)]
    old_ndcg, new_ndcg = (
        ndcg(ranks_of(each.rank_with(model.model, K).movies, each.relevant), K)
        for each, model in zip(asked, (old, new), strict=True)
    )
    return compare_values(old_ndcg, new_ndcg, asked[0].users, margin)


def compare_values(
    old: Float64Array,
    new: Float64Array,
    users: Int64Array,
    margin: float,
    permutations: int = PERMUTATIONS,
) -> NonInferiority:
    """Compare the metric of a new model with that of an old one, both float64[n_queries].

    Parameters
    ----------
    old, new : float64[n_queries]
        The metric of each query.
    users : int64[n_queries]
        UserID of each query.
    margin : float
        By which share of the old model's mean the new one's may be lower.
    permutations : int
        Number of random permutations in the test.
    """
    bootstrap = UserBootstrap(users)
    of_old, of_new, difference = bootstrap.estimate_all(np.column_stack([old, new, new - old]))
    totals = bootstrap.totals((new - (1 - margin) * old)[:, None])
    (p,) = permute_users(totals, permutations, bootstrap.seed, one_sided=True)
    return NonInferiority(len(users), len(totals), of_old, of_new, difference, margin, float(p))
