"""Titles of invented movies, in the form of MovieLens."""

from collections.abc import Sequence

import numpy as np

ADJECTIVES = """
    Amber Ashen Borrowed Brittle Bronze Clockwork Copper Crooked Distant Drowsy Faraway Feathered
    Forgetful Gilded Hollow Hushed Inked Ivory Lopsided Marbled Midwinter Mossy Motionless Nameless
    Nettled Painted Paper Patient Pewter Quarrelsome Restless Rusted Salted Sleepless Slanted
    Stubborn Tangled Threadbare Tidal Unfinished Unlit Velvet Wandering Weathered Windless
"""
NOUNS = """
    Acrobat Almanac Apiary Archivist Atlas Barometer Beekeeper Bellmaker Bookbinder Carousel
    Cartographer Clockmaker Compass Conservatory Courier Cuckoo Driftwood Ferry Ferryman Foghorn
    Gardener Glassblower Harbor Heron Inkwell Kite Lantern Ledger Locksmith Marionette Meadow
    Metronome Milliner Nightjar Orchard Paperweight Pendulum Postmaster Quarry Reservoir Sawmill
    Semaphore Signalman Sparrow Switchboard Tailor Telegraph Thimble Tinker Toymaker Umbrella
    Viaduct Wharf Windmill Woodcutter
"""
PLACES = """
    Alderwick Brackenmoor Calder's~Reach Carrowby Dunmarrow Eastering Fennimore Glasswater
    Harrowmere Isle~of~Thrum Juniper~Row Kestrel~Bay Larkhollow Mossgate Nettlecombe Oxbow~Lane
    Pellworth Quillhaven Rookminster Saltmarsh~Street Tarrowgate Umberfield Velmouth Wexcombe
    Yarrowdale Zephyr~Point
"""
NAMES = """
    Adelgund Barnaby Celestine Dorothea Emmerich Florian Gwendolyn Hortensia Ignatius Jacinta
    Konstantin Lucinda Mortimer Nadezhda Octavia Percival Quentina Rosalba Sebastian Theodora Ulrich
    Valentina Wilhelmina Xanthe Yolanda Zacharias
"""
TITLES = (
    "{adjective} {noun}, The",
    "{adjective} {noun}, The",
    "{noun} of {place}, The",
    "{name} and the {noun}",
    "{name}'s {adjective} {noun}",
    "Last {noun} in {place}, The",
    "{adjective} {noun}, {article}",
    "{adjective} Days in {place}",
    "Letters to {place}",
    "Nobody Told {name}",
    "{name}, {other_name} and the {adjective} {noun}",
    'Calling "{adjective} {noun}"',
    "Café {place}",
    "{noun}, the {other_noun} and the Sea, The",
)
"""Templates of movie titles in MovieLens' form. The first is listed twice because it is common in real catalogs."""

ONE_BY_ONE = 10_000
"""Highest number of titles whose words are drawn one title at a time. Of more, most are drawn in vain, since there are
few titles of the short forms, so they are drawn many at a time."""
TITLES_AT_ONCE = 20_000


def invent_titles(n: int, rng: np.random.Generator) -> list[str]:
    """Return n distinct titles; templates and words give more than a million of them."""
    titles: dict[str, None] = {}
    while len(titles) < n:
        titles.update(dict.fromkeys(map(_fill, *(_draw_words(rng) if n <= ONE_BY_ONE else _draw_many(rng)))))
    return list(titles)[:n]


def _draw_words(rng: np.random.Generator) -> tuple[Sequence[str], ...]:
    """Return the words of one title, each as a sequence."""
    noun, other_noun = rng.choice(NOUNS.split(), 2, replace=False)
    name, other_name = rng.choice(NAMES.split(), 2, replace=False)
    template, adjective = rng.choice(TITLES), rng.choice(ADJECTIVES.split())
    return [template], [adjective], [noun], [other_noun], [rng.choice(PLACES.split())], [name], [other_name]


def _draw_many(rng: np.random.Generator) -> tuple[Sequence[str], ...]:
    """Return the words of TITLES_AT_ONCE titles."""
    template, adjective = _pick(TITLES, rng), _pick(ADJECTIVES.split(), rng)
    return (
        template,
        adjective,
        *_pick_two(NOUNS.split(), rng),
        _pick(PLACES.split(), rng),
        *_pick_two(NAMES.split(), rng),
    )


def _pick(words: Sequence[str], rng: np.random.Generator) -> list[str]:
    return [words[place] for place in rng.integers(len(words), size=TITLES_AT_ONCE).tolist()]


def _pick_two(words: Sequence[str], rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Return words, and for each another one."""
    first = rng.integers(len(words), size=TITLES_AT_ONCE)
    second = (first + rng.integers(1, len(words), size=TITLES_AT_ONCE)) % len(words)
    return [words[place] for place in first.tolist()], [words[place] for place in second.tolist()]


def _fill(
    template: str, adjective: str, noun: str, other_noun: str, place: str, name: str, other_name: str
) -> str:
    return template.format(
        adjective=adjective,
        article="An" if adjective[0] in "AEIOU" else "A",
        noun=noun,
        other_noun=other_noun,
        place=place.replace("~", " "),
        name=name,
        other_name=other_name,
    )
