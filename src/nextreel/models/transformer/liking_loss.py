"""The second part of the training loss: whether the users liked the movies that they chose.

For query q with the vector h_q, the logit of liking movie i is (A h_q) . e_i + c_i with a learned matrix A. The loss is
the weighted mean over all labels of the negative log-likelihood of that logistic model. Together with the softmax loss
it is the negative log-likelihood of what was chosen and whether it was liked.
"""

from torch import Tensor
from torch.nn import functional

from nextreel.models.transformer.labels import Labels


def liking_loss(projected: Tensor, movies: Tensor, bias: Tensor, labels: Labels, total: float) -> Tensor:
    """Return the weighted sum of the loss over all labels of a batch, divided by `total`.

    Parameters
    ----------
    projected : [n_queries, width]
        A h_q of each query; those behind the queries of `labels` are padding.
    movies : [n_movies, width]
        Movie embeddings.
    bias : [n_movies]
        Added to the logit of each movie.
    labels : Labels
    total : float
        Sum of the weights of all labels of the step, of which the batch may be a part.
    """
    of_query = projected.index_select(0, labels.query)
    of_movie = functional.embedding(labels.movie, movies)
    logits = (of_query * of_movie).sum(1) + bias.index_select(0, labels.movie)
    loss = functional.binary_cross_entropy_with_logits(
        logits, labels.is_liked, labels.weight, reduction="sum"
    )
    return loss / total
