"""The server: an HTTP API and a web page over a fitted model and a store of interactions."""
