"""Which version of the model serves a user during an A/B experiment."""

import hashlib
import math
from dataclasses import dataclass
from typing import Self

from nextreel.data.ids import Id
from nextreel.errors import ConfigError


@dataclass(frozen=True)
class Experiment:
    """An A/B experiment, in which a challenger serves a share of the users instead of the current version."""

    version: str
    """Name of the challenger, a version of the model in the server's model directory."""
    share: float
    """Share of the users whom the challenger serves, in (0, 1)."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read VERSION=SHARE, such as "b=0.1": version b serves 10 % of the users.

        Raises ConfigError for any other text.
        """
        version, _, number = text.rpartition("=")
        try:
            share = float(number)
        except ValueError:
            share = math.nan
        if not (version and 0 < share < 1):
            raise ConfigError(
                f"--experiment {text!r}: expected a version and its share of the users, more than 0 and less "
                "than 1, such as b=0.1"
            )
        return cls(version, share)

    def includes(self, user_id: Id) -> bool:
        """Return whether the challenger serves this user, by a hash of version and UserID.

        The answer is the same at any time, in every process and in every release of nextreel.
        """
        digest = hashlib.blake2b(f"{self.version} {user_id}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") < self.share * 2**64
