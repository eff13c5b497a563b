"""Some eigenpairs of a self-adjoint operator, with all copies: Lanczos' method, restarted and deflated.

A Krylov space holds one vector of each eigenspace, so a single run finds one copy of a multiple eigenvalue,
or as many as rounding brings in. Here a run is followed by others among the vectors orthogonal to all that is
found, from random starts, until the best value left there is no better than the worst that was found.

Source: K. Wu, H. Simon, "Thick-restart Lanczos method for large symmetric eigenvalue problems", SIAM J.
Matrix Anal. Appl. 22(2), 2000; orthogonality as in J. Daniel, W. Gragg, L. Kaufman, G. Stewart,
"Reorthogonalization and stable algorithms for updating the Gram-Schmidt QR factorization", Math. Comp. 30,
1976.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from vech.arrays import Array, Dtype

WHICH = ("LM", "SM", "LA", "SA", "BE")
DISTINCT = 1e-3  # residual, over the distance to what was found, at which a value is taken for another one
MOST_COLUMNS = 4  # of the start of a run
SEED = 0x76656368  # of starts: none that users take, lest one lies in the space of theirs
PATIENCE = 100  # restarts in which a residual must halve
DRAWS = 10  # random vectors without length after which there is none
WIDER = (1, 2, 4, 8)  # times the room of a run: 40 vectors did for a cluster at which 20 stood still
PASSES = 4  # of Gram and Schmidt before what is left is rounding


class Operator(NamedTuple):
    """What multiplies columns, (n, m), self-adjoint in the inner product ``x^H weight(y)``."""

    n: int
    dtype: Dtype
    apply: Callable[[Array], Array]
    weight: Callable[[Array], Array] | None = None  # None: x^H y
    image: Callable[[Array], Array] | None = None  # what rids starts of a null space of the weight


class Accuracy(NamedTuple):
    """A residual up to ``relative |value| + absolute |operator|`` is none; so many restarts may lead there.

    Where they do not, `advice` ends the message.
    """

    relative: float
    absolute: float
    restarts: int
    advice: str = ""

    def bound(self, values: Array, size: float) -> Array:
        """The residual that each value may have, of an operator of this size."""
        return np.asarray(self.relative * np.abs(values) + self.absolute * size)


class Pairs(NamedTuple):
    """Eigenvalues, the best first, and their orthonormal vectors as columns."""

    values: Array
    vectors: Array

    @property
    def size(self) -> float:
        """The largest modulus of a value."""
        return float(np.abs(self.values).max(initial=0))


def rounding(n: int, dtype: Dtype) -> float:
    """The residual, beside the operator's size, below which all is rounding, which grows as sums of n do.

    With 4 eps for all n, one search of 540 stood still: n = 150, with seven eigenvalues of 21 copies each.
    """
    return max(4.0, 2.0 * math.sqrt(n)) * float(np.finfo(dtype).eps)


def eigenpairs(
    operator: Operator, k: int, which: str, accuracy: Accuracy, start: Array | None = None, room: int = 0
) -> Pairs:
    """The k eigenpairs that `which` asks for, multiple ones as often as they occur."""
    random = np.random.default_rng(SEED)
    found, columns = search(operator, k, which, accuracy, random, start, room), 1
    while operator.n > k:
        more = search(operator, columns, which, accuracy, random, None, room, found)
        values = np.concatenate((found.values, more.values))
        chosen = best(values, k, which)
        gain = np.abs(_ranked(values[chosen], which) - _ranked(found.values, which))
        if (gain <= 2 * accuracy.bound(values[chosen], max(found.size, more.size)).max()).all():
            break
        found = Pairs(values[chosen], np.hstack((found.vectors, more.vectors))[:, chosen])
        columns = min(2 * columns, MOST_COLUMNS)
    return found


def search(
    operator: Operator,
    k: int,
    which: str,
    accuracy: Accuracy,
    random: np.random.Generator,
    start: Array | None = None,
    room: int = 0,
    known: Pairs | None = None,
) -> Pairs:
    """k eigenpairs by one run; beside known ones, from k random vectors, those of what is orthogonal to them.

    Of these, values that are no better than the known ones stay rough, once the best is surely none of them.
    Where a run stands still, as beside clusters that rounding mixes, it begins anew with twice the room,
    unless it is given.
    """
    for times in (1,) if room else WIDER:
        try:
            return _run(operator, k, which, accuracy, random, start, room, known, times)
        except _StandingStillError as error:
            still = error
    raise still


class _StandingStillError(np.linalg.LinAlgError):
    """No residual was halved for long."""


def _run(
    operator: Operator,
    k: int,
    which: str,
    accuracy: Accuracy,
    random: np.random.Generator,
    start: Array | None,
    room: int,
    known: Pairs | None,
    times: int,
) -> Pairs:
    beside = 0 if known is None else known.values.size
    ends = 2 if which == "BE" else 1
    k = min(operator.n - beside, max(k, ends) if beside else k)
    columns = k if beside else 1
    room = min(times * (max(room, 2 * k + 1, 20) + 4 * (columns - 1)), operator.n - beside)
    basis = Basis(operator, beside + room + columns, random)
    if known is not None:
        for vector in known.vectors.T:
            basis.append(vector)
    for _ in range(columns):
        basis.append(basis.drawn() if start is None else start)
    images, done = np.zeros((room + columns, room), np.result_type(operator.dtype, np.float64)), 0
    least, since, number = math.inf, 0, 0
    for restart in range(accuracy.restarts + 1):
        while done < room:
            block = basis.vectors[:, beside + done : min(basis.count, beside + room)]
            for image in operator.apply(np.ascontiguousarray(block)).T:
                shares = basis.append(image)[beside:]
                images[: shares.size, done] = shares
                done += 1
        values, turn = np.linalg.eigh(images[:room], UPLO="U")
        size = max(np.abs(values).max(initial=0), 0 if known is None else known.size)
        ahead = _untangled(values, turn, images[room : basis.count - beside], accuracy.bound(values, size))
        lengths = np.linalg.norm(ahead, axis=0)
        wanted = best(values, k, which, lengths)
        left, bound = lengths[wanted], accuracy.bound(values[wanted], size)
        settled = left <= bound
        if known is not None:
            distance, better = _beside(values[wanted], known.values, which)
            settled |= ~better & (left <= DISTINCT * distance)
            settled[ends:] |= ~better[ends:] | (distance[ends:] <= bound[ends:])
        if settled.all():
            return Pairs(values[wanted], basis.vectors[:, beside : beside + room] @ turn[:, wanted])
        nearest = left[~settled].min()
        if nearest <= least / 2 or settled.sum() != number:
            least, since, number = nearest, restart, settled.sum()
        if restart - since >= PATIENCE:
            break
        kept = best(values, k + max(1, (room - k) // 2), which, lengths)
        basis.turn(beside, beside + room, turn[:, kept].astype(operator.dtype))
        done = kept.size
        images[:] = 0
        images[range(done), range(done)] = values[kept]
        images[done : done + len(ahead), :done] = ahead[:, kept]
    still = restart < accuracy.restarts
    standing = f", of which the last {PATIENCE} halved no residual" if still else ""
    raise (_StandingStillError if still else np.linalg.LinAlgError)(
        f"{settled.sum()} of {k} eigenvalues are found after {restart} restarts{standing}: "
        f"allow more (maxiter=), more vectors at a time (ncv=) or a larger tol{accuracy.advice}"
    )


class Basis:
    """Orthonormal vectors as columns, one after the other."""

    def __init__(self, operator: Operator, room: int, random: np.random.Generator) -> None:
        self._operator, self._random = operator, random
        self._rounding = (2 * float(np.finfo(operator.dtype).eps)) ** 2
        self._size = 0.0  # of the weight, as far as seen
        self.count = 0
        self.vectors = np.zeros((operator.n, room), operator.dtype, order="F")
        self._weighted = self.vectors if operator.weight is None else np.zeros_like(self.vectors)

    def append(self, x: Array) -> Array:
        """Make the next vector of what in x is new, or a random one of nothing; the shares of all in x.

        A basis of everything stays as it is.
        """
        shares, length, x, weighted = self._split(x)
        if self.count == self._operator.n:
            return shares
        shares = np.append(shares, length)
        draws = 0
        while not length:
            if draws == DRAWS:
                raise np.linalg.LinAlgError(
                    f"no vector with x^H M x > 0 is found beside {self.count}: M is singular, of a rank "
                    f"below k or ncv; pass M as a store, an array or a sparse array"
                )
            _, length, x, weighted = self._split(self.drawn())
            draws += 1
        self.vectors[:, self.count] = x / length
        self._weighted[:, self.count] = weighted / length
        self.count += 1
        return shares

    def drawn(self) -> Array:
        """A random vector, rid of the null space of the weight."""
        x = self._random.normal(size=(2, self._operator.n))
        vector = x[0] + 1j * x[1] if self._operator.dtype.kind == "c" else x[0]
        vector = np.asarray(vector.astype(self._operator.dtype))
        return vector if self._operator.image is None else self._operator.image(vector[:, None])[:, 0]

    def turn(self, first: int, last: int, turn: Array) -> None:
        """Replace the vectors from first to last by combinations of them; those behind follow."""
        behind = self.count - last
        for vectors in {id(v): v for v in (self.vectors, self._weighted)}.values():
            ahead = vectors[:, last : self.count].copy()
            vectors[:, first : first + turn.shape[1]] = vectors[:, first:last] @ turn
            vectors[:, first + turn.shape[1] :][:, :behind] = ahead
        self.count = first + turn.shape[1] + behind

    def _split(self, x: Array) -> tuple[Array, float, Array, Array]:
        """Shares of the vectors in x, the length of the rest (0 if rounding), the rest, also weighted."""
        vectors, dual = self.vectors[:, : self.count], self._weighted[:, : self.count]
        weight = self._operator.weight
        shares, whole = np.zeros(self.count, np.result_type(x, np.float64)), 0.0
        for again in range(PASSES):  # one alone would let what is not orthogonal grow from restart to restart
            part = (x.conj() @ dual).conj()
            x = x - vectors @ part
            shares += part
            weighted = x if weight is None else weight(x[:, None])[:, 0]
            square = self._squared(x, weighted)
            before = square + float(np.vdot(part, part).real)
            whole = whole or before
            if again and (square > before / 4 or square <= self._rounding * whole):
                break
        length = 0.0 if square <= self._rounding * whole else math.sqrt(square)
        if not math.isfinite(length):
            raise ValueError("a product on the way to eigenvalues is not finite")
        return shares, length, x, weighted

    def _squared(self, x: Array, weighted: Array) -> float:
        """The square of x's length; ValueError where it is negative beyond rounding."""
        square = float(np.vdot(x, weighted).real)
        if self._operator.weight is not None and (length := float(np.linalg.norm(x))):
            self._size = max(self._size, float(np.linalg.norm(weighted)) / length)
            if square < -math.sqrt(float(np.finfo(x.dtype).eps)) * self._size * length**2:
                raise ValueError("M is not positive semidefinite, as eigsh needs: x^H M x < 0 of some x")
        return max(0.0, square)


def best(values: Array, k: int, which: str, ties: Array | None = None) -> Array:
    """The places of the k values that `which` asks for, the best first, of equal ones the least `ties`."""
    ties = np.zeros(values.size) if ties is None else ties
    if which == "BE":
        turns = np.stack([best(values, values.size, end, ties) for end in ("LA", "SA")], axis=1).ravel()
        return np.asarray(turns[np.sort(np.unique(turns, return_index=True)[1])][:k])
    sizes = np.abs(values) if which in ("LM", "SM") else values
    return np.lexsort((ties, sizes if which in ("SM", "SA") else -sizes))[:k]


def _untangled(values: Array, turn: Array, ahead: Array, rounding: Array) -> Array:
    """What each vector of `turn` leads to, equal values turned, in place: as many as can lead nowhere."""
    leads = ahead @ turn
    edges = np.flatnonzero(np.diff(values) > rounding[1:]) + 1
    for place in np.split(np.arange(values.size), edges):
        if place.size > 1:
            turned = np.linalg.svd(leads[:, place])[2].conj().T
            turn[:, place] = turn[:, place] @ turned
            leads[:, place] = leads[:, place] @ turned
            values[place] = values[place].mean()
    return np.asarray(leads)


def _ranked(values: Array, which: str) -> Array:
    return np.sort(np.abs(values) if which in ("LM", "SM") else values)


def _beside(values: Array, known: Array, which: str) -> tuple[Array, Array]:
    """How far each value is from the nearest known one, and whether it is better than one of them."""
    chosen = best(np.concatenate((known, values)), known.size, which)
    size = np.abs if which in ("LM", "SM") else np.asarray
    distance = np.abs(np.subtract.outer(size(values), size(known))).min(axis=1)
    better = np.isin(np.arange(values.size) + known.size, chosen)
    return np.asarray(distance), better
