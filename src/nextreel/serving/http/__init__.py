"""HTTP around the routes: request and response bodies, problems, limits, API keys, logs, metrics and OpenAPI."""
