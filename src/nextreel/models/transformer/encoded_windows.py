"""Windows of events as the transformer encodes them: the keys and values that queries attend to.

No event attends to a later one or to a query, so what was encoded of a window serves all queries about it, and about
its first events.
"""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

import numpy as np
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from nextreel.arrays import Int64Array
from nextreel.models.transformer.network import Network
from nextreel.models.transformer.window_batches import WindowArrays, relate


class EncodedWindows:
    """Windows that were encoded lately, in a limited memory; safe to share between threads.

    A window is found by its first event and compared with the one that is kept, so what is found is never wrong,
    whoever the events are of and whatever became of them.
    """

    def __init__(self, memory: int) -> None:
        """`memory` is the most that the encoded windows may take, in bytes; the ones used longest ago go first."""
        self.memory = memory
        self._used = 0
        self._windows: OrderedDict[bytes, tuple[Int64Array, list[Tensor]]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._windows)

    def find(self, events: Int64Array) -> list[Tensor] | None:
        """Return the keys and values of a window by layer, [n_events, 2 * width], or None if it isn't known.

        `events`, int64[n_events, 3], are the movie, the number of half stars and the timestamp of each of its events.
        They may be the first events of a window that is known.
        """
        key, n_events = events[0].tobytes(), len(events)
        with self._lock:
            if key not in self._windows:
                return None
            self._windows.move_to_end(key)
            known, encoded = self._windows[key]
        if not np.array_equal(known[:n_events], events):
            return None
        return [of_layer[:n_events] for of_layer in encoded]

    def keep(self, events: Int64Array, encoded: Sequence[Tensor]) -> None:
        """Keep a window: all of its events as in `find`, and their keys and values by layer, [n_events, 2 * width]."""
        key, window = events[0].tobytes(), (events.copy(), [of_layer.clone() for of_layer in encoded])
        with self._lock:
            replaced = self._windows.pop(key, None)
            self._used += _size(window) - (0 if replaced is None else _size(replaced))
            self._windows[key] = window
            while self._used > self.memory:
                self._used -= _size(self._windows.popitem(last=False)[1])


def encode(network: Network, windows: WindowArrays, known: EncodedWindows | None = None) -> list[Tensor]:
    """Return what queries attend to in windows, as `Network.encode` does.

    Windows that are `known` are not encoded again, and those that weren't are known afterwards.
    """
    if known is None:
        return _encode(network, windows)
    columns = [windows.movies, 2 * windows.stars, windows.timestamps]
    padded, lengths = np.stack(columns, 2, dtype=np.int64, casting="unsafe"), windows.lengths.tolist()
    events = [padded[window, :length] for window, length in enumerate(lengths)]
    found = [known.find(of_window) for of_window in events]
    new = [window for window, of_layers in enumerate(found) if of_layers is None]
    encoded = _encode(network, windows.take(np.array(new))) if new else []
    for place, window in enumerate(new):
        of_window = found[window] = [of_layer[place, : lengths[window]] for of_layer in encoded]
        known.keep(events[window], of_window)
    if len(new) == len(windows):
        return encoded
    by_layer = zip(*(of_window for of_window in found if of_window is not None), strict=True)
    return [pad_sequence(list(of_layer), batch_first=True) for of_layer in by_layer]


def _encode(network: Network, windows: WindowArrays) -> list[Tensor]:
    device, times = network.bias.device, windows.timestamps
    relations = relate(times, times, windows.n_seen, first_query=times.shape[1])
    return network.encode(windows.pack().to(device), relations.to(device))


def _size(window: tuple[Int64Array, list[Tensor]]) -> int:
    """Return the memory of a window, in bytes."""
    events, encoded = window
    return events.nbytes + sum(of_layer.nbytes for of_layer in encoded)
