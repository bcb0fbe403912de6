"""A transformer over the history that is asked with the query's own time.

The events of a history are read by a causal transformer (pre-norm, SwiGLU). A query is one more row behind
them: it begins as an embedding of its gap from the last known event and of its calendar week, attends to
the events before its cut, and no event attends to it. So a history is read once for any number of moments.
To each attention logit a learned number is added, by head, for the time and for the number of rows that lie
between the two (as in HSTU, Zhai et al., ICML 2024, where the time is that of the event to predict).

Training asks what the protocol asks. A question is one second in which a user rated movies: all of them are
its answers, liked ones with full weight. Its history ends some positives earlier, as a frozen history does, or
within the second itself. The loss is the softmax over all movies that the user hasn't seen
(Klenitskiy & Vasilev, RecSys 2023, show what the full softmax is worth). Movie embeddings, shared by input
and output, start from the singular vectors of who follows whom, which saves the first epochs.
"""

from nextreel.models.transformer.hyperparameters import TransformerConfig
from nextreel.models.transformer.transformer_model import Transformer

__all__ = ["Transformer", "TransformerConfig"]
