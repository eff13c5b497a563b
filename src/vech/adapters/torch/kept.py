"""Tables that are made once, and forgotten where they would fill the memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any

MOST = 256 * 2**20  # bytes of all tables that are kept


class Kept:
    """What functions made of their arguments: tensors, the latest of them, of so many bytes in all."""

    def __init__(self, most: int = MOST) -> None:
        self.most, self.bytes = most, 0
        self._found: OrderedDict[Any, tuple[Any, int]] = OrderedDict()
        self._lock = Lock()  # gradients of other devices come from other threads

    def __call__(self, make: Callable[..., Any], *arguments: Any) -> Any:
        key = make, *arguments
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key][0]
        made = make(*arguments)
        size = sum(x.nbytes for x in made) if isinstance(made, tuple) else made.nbytes
        with self._lock:
            if size <= self.most and key not in self._found:
                self._found[key] = made, size
                self.bytes += size
                while self.bytes > self.most:
                    self.bytes -= self._found.popitem(last=False)[1][1]
        return made


KEPT = Kept()
