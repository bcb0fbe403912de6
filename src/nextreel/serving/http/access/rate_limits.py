"""How often somebody may do something: a bucket of tokens for each, which fills at the allowed rate.

Each process has its own buckets. Several processes keep the rate together by telling each other, now and then, how many
tokens they have taken (`SharedUse`): what was taken elsewhere is taken from one's own bucket too. In the long run all
of them together then allow the rate; between two exchanges, n processes may allow n times as much, and owe it.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
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
    on_taken: Callable[[str, float], None] = lambda user, tokens: None
    """Called with every user and number of tokens that are taken."""

    def wait(self, user: str) -> float:
        """Take a token and return 0 or, if there is none, return the seconds until there is."""
        bucket = self._refill(user)
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self.rate
        self._take(user, bucket, 1)
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
        self._take(user, bucket, tokens)
        return 0.0

    def give_back(self, user: str) -> None:
        """Give back the token of a use that didn't count after all."""
        bucket = self._refill(user)
        bucket.tokens = min(self.burst, bucket.tokens + 1)

    def note_taken_elsewhere(self, user: str, tokens: float) -> None:
        """Take tokens from a user's bucket that another process has given; the user may owe them."""
        self._refill(user).tokens -= tokens

    def _take(self, user: str, bucket: Bucket, tokens: float) -> None:
        bucket.tokens -= tokens
        self.on_taken(user, tokens)

    def _refill(self, user: str) -> Bucket:
        now = self.clock()
        bucket = self._buckets.setdefault(user, Bucket(self.burst, now))
        self._buckets.move_to_end(user)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        bucket.tokens = min(self.burst, bucket.tokens + (now - bucket.updated) * self.rate)
        bucket.updated = now
        return bucket


@dataclass
class SharedUse:
    """Keeps the rates of one process's limiter together with the other processes."""

    limiter: RateLimiter
    _taken: dict[str, float] = field(default_factory=dict)
    """Tokens taken here that the others haven't been told of, by user."""
    _totals: dict[str, float] | None = None
    """Tokens that all processes had taken at the last exchange, by user; None before the first one."""

    def __post_init__(self) -> None:
        self.limiter.on_taken = self._count

    def collect(self) -> dict[str, float]:
        """Return the tokens that were taken here since the last call, by user, for the others to be told."""
        taken, self._taken = self._taken, {}
        return taken

    def give_back(self, taken: Mapping[str, float]) -> None:
        """Return what `collect` has returned, if the others couldn't be told."""
        for user, tokens in taken.items():
            self._count(user, tokens)

    def learn(self, taken: Mapping[str, float], totals: Mapping[str, float]) -> None:
        """Learn what all processes have taken by now, of which `taken` is what this one has just told them.

        At the first exchange, it isn't known when the others took theirs, so it doesn't count.
        """
        for user, total in totals.items():
            before = total if self._totals is None else self._totals.get(user, 0.0) + taken.get(user, 0.0)
            if total > before:
                self.limiter.note_taken_elsewhere(user, total - before)
        self._totals = {**totals}

    def _count(self, user: str, tokens: float) -> None:
        self._taken[user] = self._taken.get(user, 0.0) + tokens
