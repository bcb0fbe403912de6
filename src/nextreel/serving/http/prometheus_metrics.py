"""Metrics for Prometheus."""

import os

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
    multiprocess,
)

BUCKETS = (0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.125, 0.25, 0.5, 1, 2, 5, 10)
"""Upper bounds of the buckets of the latency histogram, in seconds."""
MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable of prometheus-client: the directory through which workers share their metrics."""


class Metrics:
    """The metrics of a server, summed over all its workers."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)

        self.latency = Histogram(
            "request_seconds",
            "Time from a request to its response.",
            ["method", "route", "status"],
            namespace="nextreel",
            registry=self._registry,
            buckets=BUCKETS,
        )
        self.queries = self._counter("queries", "Queries answered; each query of a batch counts.", "version")
        self.fallbacks = self._counter(
            "fallbacks", "Queries for which the model had no personal result.", "kind"
        )
        self.shortfalls = self._counter("shortfalls", "Queries answered with fewer than k movies.")
        self.stored = self._counter("interactions", "Ratings received, by outcome.", "outcome")
        self.errors = self._counter("errors", "Requests that failed with a server error.", "status")
        self.lag = self._gauge("store_lag", "Interactions in the store that the process hasn't read yet.")
        self.model = self._gauge(
            "model_info", "1 for a version that is served, 0 for one that no longer is.", "name", "version"
        )
        self.learned_until = self._gauge(
            "model_learned_until_seconds",
            "Time of the latest interaction that the current version was fitted on, POSIX seconds.",
        )

    def render(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        if MULTIPROCESS not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def _counter(self, name: str, description: str, *labels: str) -> Counter:
        return Counter(name, description, labels, namespace="nextreel", registry=self._registry)

    def _gauge(self, name: str, description: str, *labels: str) -> Gauge:
        return Gauge(
            name,
            description,
            labels,
            namespace="nextreel",
            registry=self._registry,
            multiprocess_mode="mostrecent",
        )
