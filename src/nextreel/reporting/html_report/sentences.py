"""Sentences of the report, each made from the figures that it speaks of."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from nextreel.evaluation.comparison.leaderboard import Leaderboard
from nextreel.evaluation.protocol import HistoryMode
from nextreel.reporting.html_report.slice_tables import Lead
from nextreel.wording import join_names

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
UNKNOWN = "\N{EN DASH}"
"""In the place of a figure that isn't known."""


def count(n: int) -> str:
    """Such as "four" or "1,200"."""
    return NUMBERS[n] if n < len(NUMBERS) else f"{n:,}"


def show_day(seconds: int) -> str:
    """Such as "3 March 2001", UTC."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment.day} {moment:%B %Y}"


def show_seconds(seconds: float | None) -> str:
    """Such as "4.2 s"; a dash where it isn't known."""
    if seconds is None:
        return UNKNOWN
    return f"{seconds:,.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def say_headline(leads: Mapping[HistoryMode, Lead], models: int, name: str) -> tuple[str, str]:
    """The whole report in one line, as who and what."""
    best = list(dict.fromkeys(lead.best for lead in leads.values()))
    if models == 1:
        return best[0], f"on {name}"
    if len(best) > 1:
        return join_names(
            [f"{lead.best} ({history})" for history, lead in leads.items()]
        ), f"are ahead on {name}"
    if any(lead.rivals for lead in leads.values()):
        return best[0], f"is ahead on {name}, but not beyond doubt"
    return best[0], f"is the best of {count(models)} recommenders on {name}"


def say_leader(board: Leaderboard, history: HistoryMode, lead: Lead) -> str:
    """Who is ahead under a history, and what that means for a person."""
    figures, recall = board.figures[history], f"Recall@{board.main.partition('@')[2]}"
    k = count(int(board.main.partition("@")[2]))

    def say_hits(name: str) -> str:
        return f"{100 * figures[name].metrics[recall].mean:.1f}"

    found = f"the movie that the person liked next is among the {k} it lists in {say_hits(lead.best)} of 100 cases"
    if lead.second is None or lead.test is None:
        return f"With {history} history, {lead.best} was asked alone: {found}."
    difference, second = lead.test.difference, figures[lead.second].metrics[board.main].mean
    share = f", {100 * difference.mean / second:.0f} % more" if second else ""
    return (
        f"With {history} history, {lead.best} is ahead: {found}, against {say_hits(lead.second)} with {lead.second}, "
        f"the next best. Its {board.main} is {lead.figure.mean:.4f} against {second:.4f}{share}."
    )


def say_reality(leads: Mapping[HistoryMode, Lead]) -> list[str]:
    """Whether the leads are more than chance."""
    tests = [lead.test for lead in leads.values() if lead.test is not None]
    if not tests:
        return []
    real = [history for history, lead in leads.items() if not lead.rivals]
    open_ = [
        f"with {history} history, {lead.best} isn't shown to be better than {join_names(lead.rivals)}"
        for history, lead in leads.items()
        if lead.rivals
    ]
    sentences = []
    if real:
        whole = (
            "That lead over every other model" if not open_ else f"The lead with {join_names(real)} history"
        )
        worst = max(lead.chance for lead in leads.values() if not lead.rivals)
        sentences.append(
            f"{whole} is real: by chance alone, one as large would be seen with a probability of at most {worst:.2g} "
            "(paired test over people, corrected for the number of tests)."
        )
    if open_:
        sentences.append(f"{'But ' if real else 'Chance may explain it: '}{'; '.join(open_)}.")
    return sentences


def say_cost(board: Leaderboard, history: HistoryMode) -> str:
    """What the best model costs beside the others."""
    best = board.ranked(history)[0]
    known = {name: each.fit_seconds for name, each in board.answers.items() if each.fit_seconds is not None}
    rate = board.answers[best].lists[history].rate
    if best not in known or rate is None:
        return f"What {best} costs isn't known here."
    answered = f"{best} answers {rate:,.0f} queries a second"
    others = [(seconds, name) for name, seconds in known.items() if name != best]
    beside = (
        f"; {min(others)[1]}, the quickest of the others, takes {show_seconds(min(others)[0])}"
        if others
        else ""
    )
    return f"{answered} and takes {show_seconds(known[best])} to fit{beside}."


def say_weakness(board: Leaderboard, history: HistoryMode) -> str:
    """Where the best model is weakest."""
    best = board.ranked(history)[0]
    figures, weakest = board.figures[history][best], board.weakest(history, best)
    if not weakest:
        return f"No slice has enough queries to say where {best} is weak."
    named = join_names([f"“{part}” ({figures.slices[part].mean:.4f})" for part in weakest])
    overall = figures.metrics[board.main].mean
    return f"{best} is weakest in the slices {named}; over all queries it reaches {overall:.4f}."


def say_fairness(board: Leaderboard) -> str:
    """Whether groups of people are served unequally by the models."""
    if not any(board.gaps.values()):
        return "The data doesn't tell groups of people apart, so nothing can be said on whether all are served alike."
    attributes = dict.fromkeys(attribute for gaps in board.gaps.values() for attribute in gaps)
    real = {
        attribute: [
            name
            for name in board.answers
            if any(attribute in board.significant_gaps(history, name) for history in board.figures)
        ]
        for attribute in attributes
    }
    claims = [f"by {attribute} with {join_names(names)}" for attribute, names in real.items() if names]
    if not claims:
        return "No difference between groups of people is larger than chance makes it."
    return f"Some groups of people are served better than others, beyond chance: {'; '.join(claims)}."


def say_split(rule: Mapping[str, Any]) -> str:
    """How the data were split."""
    if not rule:
        return "The train and the test part were given as files; how they were split isn't known."
    if rule["rule"] == "global":
        timestamp = (
            show_day(int(rule["moment"]))
            if "moment" in rule
            else f"the moment before which {100 * rule['share']:.0f} % of the ratings lie"
        )
        return (
            f"One moment for everybody, {timestamp}: models learn from what is before it and are asked about what "
            "follows."
        )
    n = int(rule["positives"])
    positive = f"rating of {rule['threshold']:g} or more"
    start = f"last {positive}" if n == 1 else f"{_ordinal(n)}-last {positive}"
    said = (
        f"Person by person, in order of time: the {start} and everything after it is the test part; "
        "models learn from what is before. People with fewer such ratings stay in the train part."
    )
    leak = (
        " The row where the test part begins stands in both parts, which is a leak: models have learned it."
    )
    return said + leak if rule["rule"] == "course" else said


def _ordinal(n: int) -> str:
    suffix = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{suffix}"
