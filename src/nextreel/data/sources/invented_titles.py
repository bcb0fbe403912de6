"""Titles of films that don't exist, in MovieLens' form: "Wandering Lantern, The"."""

from collections.abc import Iterator

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


def invent_titles(rng: np.random.Generator) -> Iterator[str]:
    """Titles without end, in MovieLens' form, none twice; there are over a million."""
    adjectives, nouns, places, names = (words.split() for words in (ADJECTIVES, NOUNS, PLACES, NAMES))
    used: set[str] = set()
    while True:
        noun, other_noun = rng.choice(nouns, 2, replace=False)
        name, other_name = rng.choice(names, 2, replace=False)
        template, adjective = rng.choice(TITLES), rng.choice(adjectives)
        title = template.format(
            adjective=adjective,
            article="An" if adjective[0] in "AEIOU" else "A",
            noun=noun,
            other_noun=other_noun,
            place=rng.choice(places).replace("~", " "),
            name=name,
            other_name=other_name,
        )
        if title not in used:
            used.add(title)
            yield title
