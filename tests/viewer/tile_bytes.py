"""What a tile of the viewer holds, taken apart by its description; and the same by double loops."""

import struct
from typing import NamedTuple

import numpy as np

TILE = 32  # cells a side, in tests of small matrices


class TileSeen(NamedTuple):
    is_sample: int
    known: int
    mean: np.ndarray
    largest: np.ndarray
    odd: np.ndarray
    absent: np.ndarray


def taken_apart(data, level, dtype="<f8"):
    height, width, is_sample, known = struct.unpack_from("<4I", data)
    cells, at, planes = height * width, 16, []
    for kind in (dtype, dtype, "u1", "u1") if level else (dtype, "u1", "u1"):
        planes.append(np.frombuffer(data, kind, cells, at).reshape(height, width))
        at += planes[-1].nbytes
    assert at == len(data)
    return TileSeen(is_sample, known, planes[0], *planes[0 if not level else 1 :])


def expected(matrix, level, i, j, stored=None):
    """The cells of a full matrix; of a sparse one where these numbers are stored."""
    k, n = 1 << level, len(matrix)
    stored = np.ones((n, n), bool) if stored is None else stored
    rows, columns = (range(at * TILE * k, min(n, (at + 1) * TILE * k), k) for at in (i, j))
    mean, largest, odd = (np.full((len(rows), len(columns)), np.nan) for _ in range(3))
    for a, first in enumerate(rows):
        for b, left in enumerate(columns):
            here = (slice(first, first + k), slice(left, left + k))
            numbers = matrix[here][stored[here]]
            finite = numbers[np.isfinite(numbers)]
            odd[a, b] = len(numbers) - len(finite)
            if len(finite):
                mean[a, b] = finite.mean()
                largest[a, b] = max(finite, key=lambda x: (abs(x), x))
    return mean, largest, odd
