"""The keys and values of windows of events that the transformer was asked about lately.

No event attends to a later one or to a query, so they serve all queries about a window, and about its first events.
They are kept in pages of a fixed size, in memory that is reserved once: allocated apart, windows of all lengths that
come and go would leave gaps between them, which double the memory of a server.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from threading import Lock

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from nextreel.arrays import Int64Array
from nextreel.models.transformer.network import Network
from nextreel.models.transformer.query_windows import QueryWindows
from nextreel.models.transformer.window_batches import pack_batch, relate

PAGE = 16
"""Number of events in a page."""
KEY_BYTES = 24
"""Memory of the movie, the rating and the timestamp of an event, by which a window is recognised."""
FLOAT_BYTES = 4
"""Memory of a number in a key or a value."""


class EncodedWindows:
    """Windows with their keys and values, in a limited memory; safe to share between threads.

    A window is found by its first event and compared with the one that is kept, so what is found is never wrong,
    whoever the events are of and whatever became of them.
    """

    def __init__(self, memory: int, n_layers: int, width: int, device: torch.device) -> None:
        """Reserve `memory` bytes; if that isn't enough, the windows that were used longest ago are forgotten.

        `n_layers`, `width` and `device` are those of the network.
        """
        n_pages = memory // (PAGE * (KEY_BYTES + 2 * FLOAT_BYTES * width * n_layers))
        # Zeros are written, so that the system provides the memory now, not while a query waits for it.
        self._pages = [torch.zeros(n_pages, PAGE, 2 * width, device=device) for _ in range(n_layers)]
        self._free = list(range(n_pages))
        self._windows: OrderedDict[bytes, tuple[Int64Array, Tensor]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._windows)

    def read(self, windows: Sequence[Int64Array]) -> tuple[list[int], list[Tensor]]:
        """Return which windows are known, or the first events of a known one, and the keys and values of these.

        Parameters
        ----------
        windows : sequence of int64[n_events, 3]
            Movie, number of half stars, and timestamp of each event of each window.

        Returns
        -------
        known : list of int
            Numbers of the known windows, B of them.
        encoded : list of [B, T, 2 * width]
            Their keys and values by layer, see `Network.encode`; T is the length of the longest of them.
        """
        known: list[int] = []
        pages: list[Tensor] = []
        with self._lock:
            for number, events in enumerate(windows):
                key = events[0].tobytes()
                if key not in self._windows:
                    continue
                kept, its_pages = self._windows[key]
                if np.array_equal(kept[: len(events)], events):
                    self._windows.move_to_end(key)
                    known.append(number)
                    pages.append(its_pages[: _count_pages(len(events))])
            if not known:
                return [], []
            n_events = max(len(windows[number]) for number in known)
            # Shorter windows are followed by what is in page 0, which no query about them sees.
            by_window = pad_sequence(pages, batch_first=True)
            return known, [of_layer[by_window].flatten(1, 2)[:, :n_events] for of_layer in self._pages]

    def write(self, windows: Sequence[Int64Array], encoded: Sequence[Tensor]) -> None:
        """Keep windows with their keys and values, as `read` returns them."""
        with self._lock:
            for number, events in enumerate(windows):
                self._forget(events[0].tobytes())
                n_pages = _count_pages(len(events))
                while len(self._free) < n_pages and self._windows:
                    self._forget(next(iter(self._windows)))
                if len(self._free) < n_pages:
                    continue
                pages = torch.tensor([self._free.pop() for _ in range(n_pages)])
                self._windows[events[0].tobytes()] = events.copy(), pages
                for of_layer, written in zip(self._pages, encoded, strict=True):
                    rows = written[number, : len(events)]
                    padded = functional.pad(rows, (0, 0, 0, n_pages * PAGE - len(events)))
                    of_layer[pages] = padded.view(n_pages, PAGE, -1)

    def clear(self) -> None:
        """Forget all windows, and overwrite what was kept of them."""
        with self._lock:
            for key in list(self._windows):
                self._forget(key)
            for of_layer in self._pages:
                of_layer.zero_()

    def _forget(self, key: bytes) -> None:
        if key in self._windows:
            self._free += self._windows.pop(key)[1].tolist()


def _count_pages(n_events: int) -> int:
    return -(-n_events // PAGE)


def compute_vectors(
    network: Network, windows: QueryWindows, known: EncodedWindows | None
) -> Iterator[tuple[QueryWindows, Tensor]]:
    """Yield the windows in parts, each with the vectors of its queries, [n_queries, width].

    Windows that are `known` aren't encoded again, and those that weren't are known afterwards.
    """
    device = network.bias.device
    if known is None:
        yield windows, network(pack_batch(*windows.arrays()).to(device))
        return
    events = windows.by_window()
    found, encoded = known.read(events)
    if found:
        asked = windows.take(np.array(found))
        arrays, queries = asked.arrays()
        relations = relate(arrays.timestamps, queries.timestamps, queries.n_seen, first_query=0)
        rows = queries.pack(arrays.timestamps).to(device)
        yield asked, network.ask(arrays.pack().to(device), rows, relations.to(device), encoded)
    new = sorted(set(range(len(windows))).difference(found))
    if new:
        asked = windows.take(np.array(new)) if found else windows
        vectors, encoded = network.encode(pack_batch(*asked.arrays()).to(device))
        known.write([events[number] for number in new], encoded)
        yield asked, vectors
