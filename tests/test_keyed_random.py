import numpy as np

from nextreel.keyed_random import following_bits, random_bits, to_uniform, uniform

USERS = np.arange(100_000)


def test_the_number_of_a_key_depends_on_no_other_key() -> None:
    some = np.array([70_000, 3, 512])
    np.testing.assert_array_equal(uniform(1, "a", some, 5), uniform(1, "a", USERS, 5)[some])


def test_numbers_are_uniform_and_those_of_other_seeds_purposes_and_keys_independent() -> None:
    first = uniform(0, "a", 1, USERS)
    assert first.min() >= 0
    assert first.max() < 1
    assert np.bincount((10 * first).astype(int), minlength=10).std() < 300
    for other in (uniform(1, "a", 1, USERS), uniform(0, "b", 1, USERS), uniform(0, "a", 2, USERS)):
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.02
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.02


def test_the_bits_that_follow_are_as_independent_as_those_of_other_keys() -> None:
    bits = random_bits(0, "a", USERS)
    first, second = (to_uniform(following_bits(bits, number)) for number in (1, 2))
    assert np.bincount((10 * first).astype(int), minlength=10).std() < 300
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.02
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.02
