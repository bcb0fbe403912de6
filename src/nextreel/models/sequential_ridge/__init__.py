"""Sequential ridge: the next movies as a linear function of the ordered history, in closed form.

A history is a sequence of moments, the sets of movies rated in one second. After each moment of each user stands
one row k of a multi-output regression; so it does after a random part of the interactions within a moment, as a
history may end there. Its target y_k is a vector over the movies: the next interactions, the j-th with weight
0.9^(j - 1), less if it wasn't liked. Its features are two blocks:

    x_k = sum_s 0.5^s S_s        the movies of the s-th latest moment S_s, one number per movie
    z_k = (v_k, a_k, max(0, [v_k 1] H))

v_k is what the user likes, as four unit vectors: the sums of the movies' embeddings over the whole history and
over its liked part, and two decayed sums over the latest moments. a_k says how long the history is, and H is a
random matrix that lets the linear model bend. Minimising sum_k |y_k - x_k W - z_k V|^2 + lambda |W|^2 + mu |V|^2
is one Cholesky factorisation; V is then cut to its leading directions. A second solution from the same factor, to
targets more than a day away, answers queries that come long after the last interaction.

A query in the very second of the last interaction asks for the rest of that moment. It has a ridge of its own, of x
alone: its rows stand after each interaction that isn't its moment's last, its targets are those left of the moment.

A history of fewer than six interactions says little, and what others chose at that point of theirs says as much
(`next_choices`): the two scores are added, each in units of its standard deviation over the movies.

The linear model of decayed histories is SLIST (Choi et al., "Session-aware Linear Item-Item Models for
Session-based Recommendation", WWW 2021) and its closed form that of EASE (Steck, WWW 2019); random features are
from Rahimi & Recht, "Weighted Sums of Random Kitchen Sinks", NIPS 2008.
"""

from nextreel.models.sequential_ridge.ridge_model import SequentialRidge, SequentialRidgeConfig

__all__ = ["SequentialRidge", "SequentialRidgeConfig"]
