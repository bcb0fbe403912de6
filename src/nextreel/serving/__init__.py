"""The server: an HTTP API, the store behind it, model versions, and the page."""
