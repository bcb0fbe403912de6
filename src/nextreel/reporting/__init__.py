"""Charts, the HTML report of a comparison, and logging to MLflow."""
