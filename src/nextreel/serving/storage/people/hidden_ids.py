"""Hidden ids: what the store keeps of an erased person, so that it can recognise them but doesn't name them.

A hidden id is a keyed hash (HMAC-SHA-256) of the user's code, cut to the 63 bits of a code. The key is a random secret
of the store. Who has hidden ids alone, such as a journal of erasures, learns nothing from them. Who has the store as
well can ask of a given person whether they were erased, which is what the store needs, but can't list the erased in any
other way than by trying all ids.
"""

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np

from nextreel.arrays import Int64Array
from nextreel.data.schema import LARGEST_INTEGER

SECRET_BYTES = 32
"""Length of the secret, that of the hash."""


@dataclass(frozen=True)
class IdHider:
    """Hides ids by the secret of one store."""

    secret: bytes

    @classmethod
    def draw(cls) -> Self:
        """Return one with a new random secret."""
        return cls(secrets.token_bytes(SECRET_BYTES))

    def hide(self, code: int) -> int:
        """Return the hidden id of a user, given by UserID or by the code of a text id."""
        digest = hmac.digest(self.secret, code.to_bytes(8, "big", signed=True), "sha256")
        return int.from_bytes(digest[:8], "big") & LARGEST_INTEGER

    def hide_all(self, codes: Iterable[int]) -> Int64Array:
        """Return int64[n]: the hidden id of each user."""
        return np.fromiter((self.hide(int(code)) for code in codes), dtype=np.int64)

    def hide_text(self, text: str) -> str:
        """Return the hidden form of a text, such as an Idempotency-Key, which may name a person."""
        return hmac.digest(self.secret, text.encode("utf-8", "surrogatepass"), "sha256").hex()
