"""An order as a list of pairs, and what packing and expanding mean under it: slow, obvious, without vech."""

import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

SCALES = {"1": 1.0, "2": 2.0, "sqrt(2)": math.sqrt(2), "1/sqrt(2)": 1 / math.sqrt(2)}
LISTINGS = json.loads((Path(__file__).parent / "listings.json").read_text())


class Order(NamedTuple):
    """Which number of an n x n matrix is where in its half."""

    n: int
    pairs: tuple[tuple[int, int], ...]  # row and column, in the triangle that is stored
    diagonal_scale: float
    offdiagonal_scale: float
    conjugated: frozenset[int] = frozenset()  # the places that hold a conjugate, where complex


def listed(name, n):
    """The order that `listings.json` gives to that name, None where it has none of that side."""
    listing = LISTINGS[name]
    if str(n) not in listing:
        return None
    pairs = tuple((int(word[0]), int(word[1])) for word in listing[str(n)].split())
    conjugated = frozenset(map(int, listing.get(f"conjugated {n}", "").split()))
    return Order(n, pairs, *(SCALES[scale] for scale in listing["scale"]), conjugated)


def listed_sides(name):
    """The sides of which `listings.json` has the order."""
    return [int(side) for side in "345" if side in LISTINGS[name]]


def of_layout(layout, n):
    """The same, asked pair for pair of a layout of vech."""
    pairs = tuple(tuple(int(index) for index in layout.pair(k, n)) for k in range(layout.length(n)))
    crossed = getattr(layout, "crossed", lambda *_: False)  # only explicit orders cross
    conjugated = frozenset(k for k, (i, j) in enumerate(pairs) if crossed(min(i, j), max(i, j), n))
    return Order(n, pairs, layout.diagonal_scale, layout.offdiagonal_scale, conjugated)


def mirror(number, kind):
    """a_ji of a_ij."""
    return {
        "symmetric": lambda: number,
        "hermitian": lambda: np.conj(number),
        "skew": lambda: -number,
        "skew-hermitian": lambda: -np.conj(number),
        "triangular": lambda: 0 * number,
    }[kind]()


def obeys(matrix, kind):
    """Whether a matrix is of its kind, in both triangles."""
    if kind == "triangular":
        return np.array_equal(matrix, np.tril(matrix)) or np.array_equal(matrix, np.triu(matrix))
    return np.array_equal(matrix.T, mirror(matrix, kind))


def pack(matrix, order):
    """The half of a matrix."""
    half = np.empty(len(order.pairs), matrix.dtype)
    for k, (i, j) in enumerate(order.pairs):
        number = matrix[i, j].conj() if k in order.conjugated else matrix[i, j]
        scale = order.diagonal_scale if i == j else order.offdiagonal_scale
        half[k] = number if scale == 1 else number * np.float64(scale)  # rounded once
    return half


def expand(half, order, kind):
    """The matrix of a half."""
    matrix = np.zeros((order.n, order.n), half.dtype)
    for k, (i, j) in enumerate(order.pairs):
        scale = order.diagonal_scale if i == j else order.offdiagonal_scale
        number = half[k] if scale == 1 else (half[k] / np.float64(scale)).astype(half.dtype)
        number = number.conj() if k in order.conjugated else number
        if i != j:
            matrix[j, i] = mirror(number, kind)
        matrix[i, j] = number
    return matrix


def project(half, order, kind):
    """The half of the nearest positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(expand(half, order, kind))
    return pack(vectors * np.maximum(values, 0) @ vectors.T, order)


def side_of(piece):
    """The n of what a library was asked."""
    if piece.way == "projects":
        return (math.isqrt(8 * len(piece.given) + 1) - 1) // 2
    return len(piece.given if piece.way == "packs" else piece.gave)


def is_symmetric(piece):
    """Whether the matrix of that question is symmetric (a projection is onto symmetric ones)."""
    matrix = piece.given if piece.way == "packs" else piece.gave
    return piece.way == "projects" or np.array_equal(matrix, matrix.T)


def explains(order, piece):
    """Whether the library would have given this if it had that order."""
    given = piece.given.astype(np.result_type(piece.given, piece.gave))
    half = piece.gave if piece.way == "packs" else given
    if len(half) != len(order.pairs):
        return False
    if piece.way == "packs":
        expected = pack(given, order)
    else:
        expected = (expand if piece.way == "expands" else project)(given, order, piece.kind)
    return agree(piece, expected, scaled=(order.diagonal_scale, order.offdiagonal_scale) != (1, 1))


def agree(piece, expected, *, scaled):
    """Whether what a library gave is what is expected: equal, or to one ulp where something is scaled."""
    if piece.gave.shape != expected.shape:
        return False
    if piece.within:
        return np.abs(piece.gave - expected).max() <= piece.within * np.abs(expected).max()
    if not scaled:
        return np.array_equal(piece.gave, expected)
    gave, expected = (parts(array.astype(expected.dtype)) for array in (piece.gave, expected))
    return bool(np.all(np.abs(gave - expected) <= np.spacing(np.maximum(np.abs(gave), np.abs(expected)))))


def parts(array):
    """Real and imaginary parts as numbers of their own."""
    return np.stack([array.real, array.imag]) if array.dtype.kind == "c" else array


def flipped(order):
    """The same order, read from the other triangle."""
    return order._replace(pairs=tuple((j, i) for i, j in order.pairs))


def folded(order):
    """What is left of an order for symmetric matrices, of which both triangles are one."""
    return order._replace(pairs=tuple(tuple(sorted(pair)) for pair in order.pairs), conjugated=frozenset())


def relative(order):
    """What is left of an order for a cone, in which a matrix stays when all of it is scaled."""
    ratio = round(order.offdiagonal_scale / order.diagonal_scale, 12)
    return order._replace(diagonal_scale=1.0, offdiagonal_scale=ratio)


def without_diagonal(order):
    """What is left of an order for matrices whose diagonal is one number."""
    return order._replace(pairs=tuple((0, 0) if i == j else (i, j) for i, j in order.pairs))


def mutants(order):
    """Every order one mistake away: two places swapped, another scale, a conjugate, the other triangle."""
    for a in range(len(order.pairs)):
        for b in range(a):
            pairs = list(order.pairs)
            pairs[a], pairs[b] = pairs[b], pairs[a]
            yield f"places {b} and {a} swapped", order._replace(pairs=tuple(pairs))
    strict = all(i != j for i, j in order.pairs)
    for field in ("offdiagonal_scale",) if strict else ("diagonal_scale", "offdiagonal_scale"):
        for name, scale in SCALES.items():
            if scale != getattr(order, field):
                yield f"{field} {name}", order._replace(**{field: scale})
    for k in range(len(order.pairs) if order.conjugated else 0):
        yield f"place {k} conjugated or not", order._replace(conjugated=order.conjugated ^ {k})
    yield "the other triangle", flipped(order)
