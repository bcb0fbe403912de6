"""A transformer that reads a history and scores the movies for the query's own timestamp.

The events of a history are read by a causal transformer (pre-norm, SwiGLU). Each event starts as the sum of three
embeddings: of its movie, of its rating, and of the pause since the event before. A query is one more row after the
events. It starts as the sum of three embeddings: of the gap since the last event, of the calendar week, and of the
numbers of events in its history, in its last session and in its last second, which attention, a weighted mean, can't
count. It attends to the events of its history, and no event attends to it. So one pass over a history serves queries at
any number of timestamps. To each attention logit, each head adds a learned bias for the time and for the number of
events between the two rows, as in HSTU (Zhai et al., ICML 2024), where the time is that of the event to predict. The
score of a movie is the dot product of the query's last vector with the movie's embedding, plus a bias for each movie.

Training uses queries like those of evaluation. A basket is the set of movies that a user rated in one second. Each
basket is asked for by two queries at its timestamp, and each movie in it is a label; liked movies have full weight,
others less. The history of one query ends right before the basket, as with live history, that of the other some
positives earlier, as with frozen history. Each movie of the basket but the first is also asked for by a query whose
history ends right before it: a page shows its movies in an order, which users follow. The loss is the softmax over all
movies that the user has not seen (Klenitskiy & Vasilev, RecSys 2023, show how much the full softmax gains over few
negatives). In a catalog of more than 10,000 movies it is estimated from a sample, with logQ correction (Yi et al.,
RecSys 2019).

Movie embeddings, shared by input and output, start from the singular vectors of which movies follow one another, which
saves the first epochs. The optimiser is AdamW with a warm-up and a cosine schedule. The weights are averaged over the
latest steps (Polyak & Juditsky, 1992). After each epoch the average is validated on held-out users, and the epoch with
the lowest loss on them is kept. Training ends when a few epochs in a row haven't lowered it.
"""

from nextreel.models.transformer.hyperparameters import TransformerConfig
from nextreel.models.transformer.transformer_model import Transformer

__all__ = ["Transformer", "TransformerConfig"]
