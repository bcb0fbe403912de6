"""What Prometheus scrapes."""

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
"""Upper bounds of the latency histogram, seconds."""


MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable of prometheus-client: where workers share their figures."""


class Metrics:
    """What Prometheus scrapes; the figures of all workers together."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)

        def count(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, namespace="nextreel", registry=self._registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(
                name,
                text,
                labels,
                namespace="nextreel",
                registry=self._registry,
                multiprocess_mode="mostrecent",
            )

        self.latency = Histogram(
            "request_seconds",
            "Time to answer.",
            ["method", "route", "status"],
            namespace="nextreel",
            registry=self._registry,
            buckets=BUCKETS,
        )
        self.queries = count("queries", "Queries answered, each of a batch counted.", "version")
        self.fallbacks = count("fallbacks", "Queries that the model couldn't answer.", "kind")
        self.shortfalls = count("shortfalls", "Queries answered with fewer than k movies.")
        self.stored = count("interactions", "Ratings received, by what became of them.", "outcome")
        self.errors = count("errors", "Requests that failed by our fault.", "status")
        self.lag = gauge("store_lag", "Interactions in the store that the last answer didn't know.")
        self.model = gauge(
            "model_info", "1 for a version that answers, 0 for one that did.", "name", "version"
        )

    def render(self) -> bytes:
        """In Prometheus' text format."""
        if MULTIPROCESS not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
