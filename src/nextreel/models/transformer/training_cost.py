"""What a fit of the transformer takes, estimated from the size of the data and the options.

A step is products of matrices, in the layers and for the logits, and passes over the attention's matrices. The factors
that aren't counted from the network were measured on MovieLens-1M and on synthetic data of 87,000 movies.
"""

import numpy as np

from nextreel.data.dataset import Dataset
from nextreel.models.fit_cost import FitCost
from nextreel.models.training.held_out_users import QUERIES_AT_ONCE
from nextreel.models.transformer.hyperparameters import TransformerConfig
from nextreel.models.transformer.initial_embeddings import MOST_MEETINGS, REACH
from nextreel.models.transformer.sampled_softmax import FULL_SOFTMAX_MOVIES, NEGATIVES

ROWS_PER_EVENT = 1.2
"""Mean number of windows that hold an event, since windows overlap."""
FILLED = 0.85
"""Share of the rows of a batch that isn't padding."""
CELLS_PER_ROW = 0.7
"""Mean length of a batch's windows, as a share of the longest."""
STEPS_PER_CELL = 2.0
"""Steps of a FitCost that a cell of an attention matrix takes, forward and backward."""
PRODUCTS_OF_MUON = 135
"""Products of matrices [width, width] in a step of Muon for a layer: five iterations of three products each, in which a
matrix takes part by its longer side."""
LABELS_PER_STEP = 800
"""Labels that join the drawn movies in a step of the sampled softmax."""
STEPS_PER_MEETING = 30
"""Steps of a FitCost for each meeting of two movies, in all products with the table of meetings."""
BYTES_PER_INTERACTION, BYTES_PER_QUERY, BYTES_PER_MEETING = 20, 60, 8
"""Memory of the copy of the interactions without users held out, of training queries and windows, and of the table of
meetings."""
BYTES_OF_TORCH = 350e6
"""Memory of torch itself and of a step."""


def estimate_fit(dataset: Dataset, config: TransformerConfig) -> FitCost:
    """Estimate the memory and the work of a fit."""
    timeline, n_movies, width = dataset.timeline, dataset.n_movies, config.dimensions
    n_events = len(timeline)
    n_baskets = int(np.count_nonzero(np.diff(timeline.timestamps))) + 1
    n_queries = (1 + config.next_share) * n_baskets + config.within_share * (n_events - n_baskets)
    n_rows = (ROWS_PER_EVENT * n_events + n_queries) / FILLED
    n_meetings = min(REACH * n_events, MOST_MEETINGS)

    # Attention has 5 matrices [width, width] (q, gate, k, v, output), SwiGLU 6; a backward pass takes two products.
    in_layers = 3 * n_rows * config.layers * 11 * width**2
    in_muon = n_rows / config.rows_per_step * config.layers * PRODUCTS_OF_MUON * width**3
    negatives = n_movies if n_movies <= FULL_SOFTMAX_MOVIES else NEGATIVES + LABELS_PER_STEP
    if config.negatives is not None:
        negatives = min(n_movies, config.negatives + LABELS_PER_STEP)
    of_logits = 3 * n_queries * width * negatives
    cells = n_rows * CELLS_PER_ROW * config.window * config.heads * config.layers
    always = BYTES_OF_TORCH + BYTES_PER_INTERACTION * n_events
    start = FitCost(always + BYTES_PER_MEETING * n_meetings, steps=STEPS_PER_MEETING * n_meetings)

    tables = 5 * n_movies * width * 4  # weights, their average, the best average, and two moment estimates
    validation = 4 * QUERIES_AT_ONCE * n_movies * 4
    memory = always + tables + BYTES_PER_QUERY * n_queries + validation
    if config.minutes is not None:
        return start + FitCost(memory, seconds=60 * config.minutes)
    products = config.epochs * (in_layers + in_muon + of_logits)
    return start + FitCost(memory, products, steps=config.epochs * STEPS_PER_CELL * cells)
