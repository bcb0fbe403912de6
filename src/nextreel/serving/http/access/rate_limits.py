"""How often somebody may do something: a bucket of tokens for each, which fills at the allowed rate.

Each process has its own buckets, so n workers together allow up to n times the rate.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

MAX_BUCKETS = 10_000
"""Number of buckets that are kept; beyond it, the one that was used least recently is dropped and counts as full."""


@dataclass
class Bucket:
    """Tokens that are left; every use takes one, and a costly one takes more."""

    tokens: float
    """Below 0 after a use that cost more than was left."""
    updated: float
    """When the tokens were counted, seconds of the limiter's clock."""


@dataclass
class RateLimiter:
    """One token bucket for each user of something, such as an API key (as in RFC 2697, with a single rate)."""

    rate: float
    """Uses per second in the long run."""
    burst: float
    """Maximum number of tokens: so many uses are allowed at once after a pause."""
    clock: Callable[[], float] = time.monotonic
    """Function that returns the current time in seconds, for refilling tokens."""
    _buckets: OrderedDict[str, Bucket] = field(default_factory=OrderedDict)

    def wait(self, user: str) -> float:
        """Take a token and return 0 or, if there is none, return the seconds until there is."""
        bucket = self._refill(user)
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self.rate
        bucket.tokens -= 1
        return 0.0

    def charge(self, user: str, tokens: float) -> float:
        """Take more tokens for a costly use and return 0 or, if the user is in debt already, the seconds to wait.

        A use may take more than there are, so that it is never refused for good: the user waits afterwards.
        """
        if tokens <= 0:
            return 0.0
        bucket = self._refill(user)
        if bucket.tokens < 0:
            return (1 - bucket.tokens) / self.rate
        bucket.tokens -= tokens
        return 0.0

    def give_back(self, user: str) -> None:
        """Give back the token of a use that didn't count after all."""
        bucket = self._refill(user)
        bucket.tokens = min(self.burst, bucket.tokens + 1)

    def _refill(self, user: str) -> Bucket:
        now = self.clock()
        bucket = self._buckets.setdefault(user, Bucket(self.burst, now))
        self._buckets.move_to_end(user)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        bucket.tokens = min(self.burst, bucket.tokens + (now - bucket.updated) * self.rate)
        bucket.updated = now
        return bucket
