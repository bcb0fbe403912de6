"""The price of a list for two: what each of them finds in it, beside their own list and popularity.

Pairs are random, or alike: each user with the one whose liked movies are most similar (cosine). The moment of a pair is
the later of the two times at which their test positives begin; histories hold the training rows before it. A person's
relevant movies are their test positives, and NDCG@10 is that of a list with several relevant movies. A joint list
leaves out what either has seen, which may be what the other would have watched next: the own list without the other's
seen movies shows how much of the price that is. Intervals resample pairs.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix

from benchmarks.run import Config, Result
from benchmarks.split_data import SplitData
from nextreel.arrays import Float64Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.splitting.split_rules import SplitRule
from nextreel.evaluation.bootstrap import estimate_mean
from nextreel.models.registry import create_model
from nextreel.ranking.joint_lists import rank_jointly
from nextreel.ranking.ranker import Ranker

K = 10
LISTS = (
    "own list",
    "own list without the other's seen",
    "joint: mean",
    "joint: least-misery",
    "joint popularity",
)


def measure(config: Config, data: Path) -> Result:
    """Return NDCG@10 of each person by kind of pair and list, and the differences to their own list."""
    split = SplitData.read(data, SplitRule.for_rule("clean", positives=config["positives"]))
    train = split.train
    ranker = Ranker.of(create_model(config["model"], config.get("options", {})).fit(train), train)
    positives = split.test.filter(split.test[RATING] >= train.positive_rating)
    relevant = {
        int(user): set(train.index_of_movies(rows[MOVIE_ID].to_numpy()).tolist())
        for (user,), rows in positives.group_by(USER_ID)
    }
    begins = dict(positives.group_by(USER_ID).agg(pl.col(TIMESTAMP).min()).iter_rows())
    users = np.array(sorted(relevant))
    random = np.random.default_rng(config["seed"])
    chosen = random.permutation(users)[: 2 * config["pairs"]].reshape(-1, 2)
    alike = _pair_alike(train, users, random.permutation(users)[: config["pairs"]])
    return {
        "data": {"sha256": train.fingerprint, "users": len(users)},
        "pairs": {
            name: _measure_pairs(ranker, train, pairs, relevant, begins)
            for name, pairs in (("random", chosen), ("alike", alike))
        },
    }


def _pair_alike(train: Dataset, users: Int64Array, first: Int64Array) -> Int64Array:
    """Return int64[n, 2]: each of `first` with the other user whose liked movies are most similar."""
    timeline = train.timeline
    liked = timeline.is_positive()
    shape = (train.n_users, train.n_movies)
    matrix = csr_matrix((np.ones(liked.sum()), (timeline.users[liked], timeline.movies[liked])), shape)
    norms = np.maximum(1, np.sqrt(matrix.multiply(matrix).sum(axis=1)))
    rows = np.searchsorted(train.user_ids, users)
    mine = np.searchsorted(train.user_ids, first)
    similarity = np.asarray((matrix[mine] @ matrix[rows].T).todense() / norms[mine] / norms[rows].T)
    similarity[first[:, None] == users] = -1
    return np.column_stack([first, users[similarity.argmax(axis=1)]])


def _measure_pairs(
    ranker: Ranker, train: Dataset, pairs: Int64Array, relevant: dict[int, set[int]], begins: dict[int, int]
) -> Result:
    popular = Ranker(ranker.popularity, ranker.popularity, ranker.released_at)
    found: dict[str, list[float]] = {name: [] for name in LISTS}
    for pair in pairs:
        moment = max(begins[int(user)] for user in pair)
        timestamps = np.full(2, moment)
        histories = train.histories(pair, timestamps)
        query, row = histories.rows()
        seen = np.zeros((2, train.n_movies), dtype=np.bool_)
        seen[query, histories.timeline.movies[row]] = True
        own = ranker.rank(histories, timestamps, K).movies
        unseen = ranker.rank(histories, timestamps, K, allowed=~(seen[0] | seen[1])).movies
        joint = {
            "joint: mean": rank_jointly(ranker, histories, K, "mean").movies,
            "joint: least-misery": rank_jointly(ranker, histories, K, "least-misery").movies,
            "joint popularity": rank_jointly(popular, histories, K, "mean").movies,
        }
        for person, user in enumerate(pair):
            wanted = relevant[int(user)]
            found["own list"].append(_ndcg(own[person].tolist(), wanted))
            found["own list without the other's seen"].append(_ndcg(unseen[person].tolist(), wanted))
            for name, movies in joint.items():
                found[name].append(_ndcg(movies.tolist(), wanted))
    of_pair = np.repeat(np.arange(len(pairs)), 2)
    values: dict[str, Float64Array] = {name: np.array(of_list) for name, of_list in found.items()}
    return {
        "pairs": len(pairs),
        "lists": {
            name: {
                "NDCG@10": asdict(estimate_mean(of_list, of_pair)),
                "below_own_list": asdict(estimate_mean(values["own list"] - of_list, of_pair)),
                "worse_off": asdict(estimate_mean(of_list.reshape(-1, 2).min(axis=1), np.arange(len(pairs)))),
            }
            for name, of_list in values.items()
        },
    }


def _ndcg(listed: Sequence[int], relevant: set[int]) -> float:
    """Return the NDCG of a list of which several movies may be relevant."""
    gains = [1 / np.log2(rank + 1) for rank in range(1, len(listed) + 1)]
    gained = sum(gain for gain, movie in zip(gains, listed, strict=True) if movie in relevant)
    return float(gained / sum(gains[: min(len(relevant), len(listed))]))
