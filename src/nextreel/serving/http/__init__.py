"""HTTP: bodies, errors, limits, keys, logs and metrics, apart from the routes themselves."""
