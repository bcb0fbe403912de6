"""The HTTP API, version 1: each route reads a request, calls the service and writes its result as JSON."""
