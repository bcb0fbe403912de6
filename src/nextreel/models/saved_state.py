"""Restoring a model from arrays that were read from a file, after checking them by what the model says of them."""

from typing import TypeVar

from nextreel.array_specs import check_arrays, check_finite
from nextreel.arrays import Arrays
from nextreel.errors import ArtifactError
from nextreel.models.base import Recommender

R = TypeVar("R", bound=Recommender)


def restore_checked(model: R, state: Arrays, n_movies: int) -> R:
    """Upgrade the arrays of a file, check them by `Recommender.array_specs`, set them in the model, and return it.

    Parameters
    ----------
    model : Recommender
        The model with its options, not yet fitted.
    state : Arrays
        What the file holds.
    n_movies : int
        Number of movies in the catalog.

    Raises
    ------
    ArtifactError
        The arrays aren't those of such a model; the message names the first that isn't.
    """
    try:
        return model.restore(_upgrade_and_check(model, state, n_movies))
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        # A model of another package may not say what its arrays must be like.
        reason = str(error).partition("\n")[0]
        raise ArtifactError(f"the arrays aren't those of a {type(model).__name__}: {reason}") from error


def _upgrade_and_check(model: Recommender, state: Arrays, n_movies: int) -> Arrays:
    """Return the arrays of a model and its children in the form of now; ArtifactError if they aren't as described."""
    own, of_children = dict(state), Arrays()
    for child, part in model.children.items():
        prefix = f"{child} "
        names = [name for name in own if name.startswith(prefix)]
        of_child = {name.removeprefix(prefix): own.pop(name) for name in names}
        try:
            checked = _upgrade_and_check(part, of_child, n_movies)
        except ArtifactError as error:
            raise ArtifactError(f"{child}: {error}") from None
        of_children |= {f"{prefix}{name}": array for name, array in checked.items()}
    own = dict(model.upgrade(own))
    specs = model.array_specs()
    if specs is not None:
        check_arrays(own, specs, {"n_movies": n_movies})
    else:
        for name, array in own.items():
            check_finite(name, array)
    return own | of_children
