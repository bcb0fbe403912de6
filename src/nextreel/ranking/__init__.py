"""From a model's scores to recommendation lists: masking, filters, re-ranking, explanations; search for movies."""
