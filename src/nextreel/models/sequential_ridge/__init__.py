"""Sequential ridge: the next movies as a linear function of the ordered history, solved in closed form.

A history is a sequence of baskets, the sets of movies rated in one second. After each basket of each user there is one
row k of a multi-output regression. A history may also end within a basket, so a random share of the interactions within
baskets gives rows, too. The target y_k is a vector over the movies: the next interactions, the j-th with weight
0.9^(j - 1), and less if the movie wasn't liked. The features are two blocks:

    x_k = sum_s 0.5^s B_s        the movies of the s-th latest basket B_s; one number for each movie
    z_k = (v_k, a_k, max(0, [v_k 1] H))

v_k describes the user's taste by four unit vectors: sums of the movies' embeddings over the whole history, over its
liked part, and two with decaying weights over the latest baskets. a_k is the length of the history in classes. H is a
fixed random matrix, whose directions are mostly those in which tastes vary; its random features let a linear model fit
functions that aren't linear. Minimising
sum_k |y_k - x_k W - z_k V|^2 + lambda |W|^2 + mu |V|^2 takes one Cholesky factorisation. V is then reduced to a low
rank. A second solution, from the same factorisation, has as targets only the interactions more than a day after the
row; it scores queries that come long after the last interaction.

Only the movies with many ratings, the learned ones, have a place in x and W. All other rated movies, the rare ones,
enter v_k, and their targets are regressed on the leading directions of V alone.

A query in the very second of the last interaction asks for the rest of that basket. It has a ridge regression of its
own, on x alone: there is a row after each interaction that isn't the last of its basket, and the targets are the rest
of the basket. Two more scores are added to it, each in units of its standard deviation over the movies: z_k V, the
score by the taste, and log(1 + n), where n is how often the movie directly followed the last one within a basket, in
the order of the data.

To the scores of learned movies those of EASE are added, each in units of its standard deviation over these movies. EASE
knows no order, and so needs fewer users: its weight falls with their number.

A history of fewer than six interactions says no more than what other users chose at that point of theirs
(`next-choices`), so the two scores are added, each in units of its standard deviation over the movies.

The linear model of decaying histories is SLIST (Choi et al., "Session-aware Linear Item-Item Models for Session-based
Recommendation", WWW 2021), and its closed form is that of EASE (Steck, "Embarrassingly Shallow Autoencoders for Sparse
Data", WWW 2019). Random features are due to Rahimi & Recht, "Weighted Sums of Random Kitchen Sinks", NIPS 2008.
"""

from nextreel.models.sequential_ridge.hyperparameters import SequentialRidgeConfig
from nextreel.models.sequential_ridge.ridge_model import SequentialRidge

__all__ = ["SequentialRidge", "SequentialRidgeConfig"]
