"""The tables that compare protocols, split the headline figures by gap, and stand beside those of a paper.

The gap is the time from the last interaction of a history to its query. Most queries of a split by user follow within
minutes, which is another problem than a return visit: a figure over all of them hides how good a model is at either.
"""

from collections.abc import Sequence

from benchmarks.run import Result, has_result, read_result
from benchmarks.tables import find_evaluation, interval, make_table

BY_GAP = {
    "same second": ("gap: same second",),
    "within the visit": ("gap: up to a day",),
    "return visit": ("gap: one to two days", "gap: over two days"),
}
"""The slices of a result file that hold the queries in the second of the history's last interaction, those at most a
day after it, and those after a longer pause."""
TIME_TO_SPLIT = {
    **{
        model: f"time-to-split-{model}"
        for model in ("popularity", "item-knn", "ease", "sequential-ridge", "best")
    },
    "RecTools SASRec, beside ours": "time-to-split-sasrec",
}
"""Benchmarks by the protocol of "Time to Split", by what the table calls their models."""
PAPER = {
    "SASRec, as published": ("0.1137 / 0.2094", "0.1142 / 0.2082", "0.1014 / 0.1778"),
    "GRU4Rec, as published": ("0.1084 / 0.1992", "", ""),
    "BERT4Rec, as published": ("0.0974 / 0.1876", "", ""),
}
"""Figures of the paper "Time to Split" on all of MovieLens-1M: over all targets, by user, over the last targets."""

PROTOCOLS: dict[str, tuple[str, str, str, bool]] = {
    "`clean`, frozen, file-order": ("clean", "frozen", "file-order", True),
    "`clean`, live, strict": ("clean", "live", "strict", True),
    "`course`, frozen, file-order, seen included": ("course", "frozen", "file-order", False),
    "`course`, frozen, file-order": ("course", "frozen", "file-order", True),
    "`leave-one-out`, file-order": ("leave-one-out", "frozen", "file-order", True),
    "`leave-one-out`, strict": ("leave-one-out", "frozen", "strict", True),
    "`global`, frozen, file-order": ("global", "frozen", "file-order", True),
    "`global`, live, strict": ("global", "live", "strict", True),
    "`next-visit`, frozen": ("next-visit", "frozen", "file-order", True),
    "`next-visit`, live, strict": ("next-visit", "live", "strict", True),
    "`next-visit`, live, file-order": ("next-visit", "live", "file-order", True),
}
"""Rule of the split, history, rule for ties, and whether seen movies are excluded, by what a table calls these."""


def _find_by_protocol(model: str, protocol: tuple[str, str, str, bool]) -> Result | None:
    """Return the evaluation of a model by a protocol; None if it hasn't been measured."""
    rule, history, ties, exclude_seen = protocol
    name = "clean-best-0" if (rule, model) == ("clean", "best") else f"{rule}-{model}"
    if not has_result(name):
        return None
    result = read_result(name)
    try:
        return find_evaluation(result, history, exclude_seen, ties=ties)
    except KeyError:
        return None


def compare_protocols() -> str:
    """Return the table of NDCG@10 by protocol and model."""
    models = ("popularity", "item-knn", "als", "ease", "sequential-ridge", "best")
    rows = []
    for label, protocol in PROTOCOLS.items():
        evaluations = [_find_by_protocol(model, protocol) for model in models]
        rows.append(
            [
                label,
                *("" if found is None else interval([found["metrics"]["NDCG@10"]]) for found in evaluations),
            ]
        )
    return make_table(["NDCG@10", *models[:-1], "blend (`best`)"], rows)


def split_protocols_by_gap() -> str:
    """Return the table of NDCG@10 by protocol, for three models, with the means of the queries of each gap."""
    models = {"ease": "ease", "sequential-ridge": "`fast`", "best": "`best`"}
    rows = []
    for label, protocol in PROTOCOLS.items():
        for model, shown in models.items():
            found = _find_by_protocol(model, protocol)
            if found is not None:
                counts = [
                    sum(found["slices"][name]["queries"] for name in names if name in found["slices"])
                    for names in BY_GAP.values()
                ]
                rows.append(
                    [
                        label,
                        shown,
                        f"{found['metrics']['NDCG@10']['mean']:.4f}",
                        *split_by_gap(found),
                        ", ".join(f"{count:,}" for count in counts),
                    ]
                )
    return make_table(["NDCG@10", "model", "all", *BY_GAP, "queries by gap"], rows)


def compare_with_time_to_split() -> str:
    """Return the table of our figures by the protocol of "Time to Split", of a peer's, and of those in the paper."""
    rows = []
    for model, name in TIME_TO_SPLIT.items():
        if not has_result(name):
            continue
        for evaluation in read_result(name)["evaluations"]:
            means = [
                " / ".join(
                    f"{evaluation[average][metric]['mean']:.4f}" for metric in ("NDCG@10", "Recall@10")
                )
                for average in ("successive_global", "successive_by_user", "last")
            ]
            rows.append([f"{model}, {evaluation['protocol']['ties']}", *means, *split_by_gap(evaluation)])
    rows += [[label, *figures, "", "", ""] for label, figures in PAPER.items()]
    averages = ("successive, global", "successive, by user", "last")
    return make_table(["NDCG@10 / hit rate", *averages, *BY_GAP], rows)


def split_by_gap(evaluation: Result) -> list[str]:
    """Return the mean NDCG@10 of the queries of each gap. It joins slices, whose intervals can't be joined."""
    slices = evaluation["slices"]
    return [_join_slices([slices[name] for name in names if name in slices]) for names in BY_GAP.values()]


def _join_slices(slices: Sequence[Result]) -> str:
    queries = sum(part["queries"] for part in slices)
    total = sum(part["queries"] * part["NDCG@10"]["mean"] for part in slices)
    return f"{total / queries:.4f}" if queries else ""
