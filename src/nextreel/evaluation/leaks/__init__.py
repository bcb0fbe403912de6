"""The audit of a split for leaks: finding them, and measuring their effect on NDCG."""
