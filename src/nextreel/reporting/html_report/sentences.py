"""Sentences of the report, made from the results that they describe."""

from collections.abc import Mapping
from datetime import UTC, datetime

from nextreel.data.splitting.split_rules import SHARE, SplitRule
from nextreel.data.times import DAY, format_duration
from nextreel.evaluation.comparison.leaderboard import Leaderboard
from nextreel.evaluation.protocol import HistoryMode
from nextreel.reporting.html_report.leaders import Leader
from nextreel.wording import join_names, number_of

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
UNKNOWN = "\N{EN DASH}"
"""Shown in place of a value that isn't known."""


def spell_number(n: int) -> str:
    """Return a count as a word up to ten ("four"), as digits above ("1,200")."""
    return NUMBERS[n] if n < len(NUMBERS) else f"{n:,}"


def format_day(timestamp: int) -> str:
    """Return the day of a timestamp in UTC, such as "3 March 2001"."""
    time = datetime.fromtimestamp(timestamp, UTC)
    return f"{time.day} {time:%B %Y}"


def format_seconds(seconds: float | None) -> str:
    """Return a duration such as "4.2 s"; a dash if it is None, not known."""
    if seconds is None:
        return UNKNOWN
    return f"{seconds:,.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def write_headline(leaders: Mapping[HistoryMode, Leader], n_models: int, data_name: str) -> tuple[str, str]:
    """Return the headline of the report in two parts: its subject (the best model or models) and the rest."""
    best = list(dict.fromkeys(leader.name for leader in leaders.values()))
    if n_models == 1:
        return best[0], f"on {data_name}"
    if len(best) > 1:
        by_history = join_names([f"{leader.name} ({history})" for history, leader in leaders.items()])
        return by_history, f"are ahead on {data_name}"
    if any(leader.rivals for leader in leaders.values()):
        return best[0], f"is ahead on {data_name}, but not significantly"
    return best[0], f"is the best of {spell_number(n_models)} recommenders on {data_name}"


def describe_leader(board: Leaderboard, history: HistoryMode, leader: Leader) -> str:
    """Return a sentence on which model is best under a history mode, and what that means for a person."""
    models, k = board.figures[history], board.main.partition("@")[2]

    def hits_of_100(name: str) -> str:
        return f"{100 * models[name].metrics[f'Recall@{k}'].mean:.1f}"

    hits = (
        f"the movie that the person liked next is among the {spell_number(int(k))} it lists "
        f"in {hits_of_100(leader.name)} of 100 cases"
    )
    if leader.runner_up is None or leader.test is None:
        return f"With {history} history, {leader.name} is the only model: {hits}."
    runner_up, second = leader.runner_up, models[leader.runner_up].metrics[board.main].mean
    share = f", {100 * leader.test.difference.mean / second:.0f} % more" if second else ""
    return (
        f"With {history} history, {leader.name} is ahead: {hits}, against {hits_of_100(runner_up)} with {runner_up}, "
        f"the next best. Its {board.main} is {leader.metric.mean:.4f} against {second:.4f}{share}."
    )


def describe_significance(leaders: Mapping[HistoryMode, Leader]) -> list[str]:
    """Return sentences on whether the lead of the best model under each history mode is significant; none if there is
    only one model."""
    if all(leader.test is None for leader in leaders.values()):
        return []
    clear = {history: leader for history, leader in leaders.items() if not leader.rivals}
    doubtful = [
        f"with {history} history, {leader.name} isn't shown to be better than {join_names(leader.rivals)}"
        for history, leader in leaders.items()
        if leader.rivals
    ]
    sentences = []
    if clear:
        lead = (
            f"The lead with {join_names(list(clear))} history"
            if doubtful
            else "That lead over every other model"
        )
        p = max(leader.highest_p for leader in clear.values())
        sentences.append(
            f"{lead} is significant: if the models were equally good, a lead this large would be seen with a "
            f"probability of at most {p:.2g} (paired test over people, corrected for the number of tests)."
        )
    if doubtful:
        sentences.append(f"{'But ' if clear else 'This may be due to chance: '}{'; '.join(doubtful)}.")
    return sentences


def describe_cost(board: Leaderboard, history: HistoryMode) -> str:
    """Return a sentence on the speed and the fit time of the best model, compared with the other model that was fitted
    fastest."""
    best = board.ranked(history)[0]
    fit_seconds = {name: run.fit_seconds for name, run in board.runs.items() if run.fit_seconds is not None}
    rate = board.runs[best].lists[history].rate
    if best not in fit_seconds or rate is None:
        return f"What {best} costs isn't known here."
    sentence = (
        f"{best} answers {rate:,.0f} queries a second and takes {format_seconds(fit_seconds[best])} to fit"
    )
    others = [(seconds, name) for name, seconds in fit_seconds.items() if name != best]
    if not others:
        return f"{sentence}."
    seconds, quickest = min(others)
    return f"{sentence}; {quickest}, the quickest of the others, takes {format_seconds(seconds)}."


def describe_weak_slices(board: Leaderboard, history: HistoryMode) -> str:
    """Return a sentence on the slices of queries in which the best model has the lowest main metric."""
    best = board.ranked(history)[0]
    if not board.weakest(history, best):
        return f"No slice has enough queries to say where {best} is weak."
    overall = board.figures[history][best].metrics[board.main].mean
    return (
        f"{best} is weakest in the slices {list_weak_slices(board, history, best)}; "
        f"over all queries it reaches {overall:.4f}."
    )


def list_weak_slices(board: Leaderboard, history: HistoryMode, name: str) -> str:
    """Return the slices in which a model has the lowest main metric, each with the metric, such as "“gap: same second”
    (0.0213)"."""
    estimates = board.figures[history][name].slices
    return join_names([f"“{part}” ({estimates[part].mean:.4f})" for part in board.weakest(history, name)])


def describe_fairness(board: Leaderboard) -> str:
    """Return a sentence on whether the models serve groups of people unequally."""
    if not any(board.gaps.values()):
        return "The data names no groups of people, so differences between groups can't be measured."
    attributes = dict.fromkeys(attribute for gaps in board.gaps.values() for attribute in gaps)
    unequal = {
        attribute: [
            name
            for name in board.runs
            if any(attribute in board.significant_gaps(history, name) for history in board.figures)
        ]
        for attribute in attributes
    }
    claims = [f"by {attribute} with {join_names(names)}" for attribute, names in unequal.items() if names]
    if not claims:
        return "No difference between groups of people is significant."
    return f"Some groups of people are served significantly better than others: {'; '.join(claims)}."


def describe_split(rule: SplitRule | None) -> str:
    """Return sentences on how the data was split; `rule` is None if that isn't known."""
    if rule is None:
        return "The train and the test part were given as files; how they were split isn't known."
    if rule.rule == "global":
        return _describe_global_split(rule)
    if rule.rule == "next-visit":
        return _describe_next_visit_split(rule)
    positive = f"rating of {rule.threshold:g} or more"
    start = f"last {positive}" if rule.positives == 1 else f"{_ordinal(rule.positives)}-last {positive}"
    description = (
        f"For each person, the {start} and everything after it is the test part, and models learn from what is "
        "before it. People with fewer such ratings are in the train part only."
    )
    if rule.rule != "course":
        return description
    return (
        f"{description} The first row of the test part is in the train part too, which is a leak: "
        "models have learned from it."
    )


def _describe_next_visit_split(rule: SplitRule) -> str:
    pause = format_duration(DAY if rule.pause is None else rule.pause)
    positives = number_of(rule.positives, "rating")
    return (
        "Each person's last visit is the test part, and models learn from what is before it. A visit ends with a "
        f"pause of more than {pause}. People with one visit, or with fewer than {positives} of {rule.threshold:g} or "
        "more in the last one, stay in the train part."
    )


def _describe_global_split(rule: SplitRule) -> str:
    if rule.moment is not None:
        time = format_day(rule.moment)
    else:
        time = f"the moment before which {100 * (rule.share or SHARE):.0f} % of the ratings lie"
    return (
        f"All people are split at {time}: models learn from what is before it and are tested on what follows."
    )


def _ordinal(n: int) -> str:
    suffix = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{suffix}"
