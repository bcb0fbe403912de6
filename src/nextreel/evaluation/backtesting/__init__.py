"""The backtest: how the quality of a model develops over time, with and without refits."""
