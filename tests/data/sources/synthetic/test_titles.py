import numpy as np

from nextreel.data.sources.synthetic.titles import ONE_BY_ONE, invent_titles


def test_many_titles_are_distinct_and_of_all_forms() -> None:
    titles = invent_titles(ONE_BY_ONE + 1, np.random.default_rng(0))
    assert len(set(titles)) == len(titles) == ONE_BY_ONE + 1
    for part in ("Letters to ", " and the Sea, The", 'Calling "', ", An", "Calder's Reach"):
        assert any(part in title for title in titles)
