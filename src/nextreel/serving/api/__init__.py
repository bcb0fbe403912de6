"""The HTTP API, version 1: each route reads a request, asks the engine, and writes what it said."""
