"""Linear algebra of many halves at once, (..., length): by kernels where they are small, else by LAPACK."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, NamedTuple, Never

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech import _core
from vech.arrays import BLOCK_BYTES, Array, Dtype, as_array, check_memory, check_out, is_even, resolve_threads
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.kind import Kind, resolve_kind
from vech.linalg.checks import check_finite_array, work_dtype
from vech.moves.expanding import expand
from vech.moves.packing import pack
from vech.store import Store

KERNEL_SIDE = 16  # up to here kernels compute with matrices side by side
KERNEL_POWER = 1000.0  # and with exponents up to here
SELFADJOINT = "solve, inverse and slogdet take every kind"

Trouble = tuple[int, str, int]  # which matrix, why, the order of the minor that is not positive


@dataclass(frozen=True, slots=True)
class Batch:
    """Halves of one layout, and how the functions below take them."""

    halves: Array
    layout: AnyLayout
    kind: Kind
    n: int
    dtype: Dtype  # that is computed in
    task: str
    kernel: bool = True

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the batch."""
        return self.halves.shape[:-1]

    @property
    def small(self) -> bool:
        """Whether kernels compute, which read matrices as their own transposes."""
        real = self.dtype.kind == "f"
        return self.kernel and real and self.is_selfadjoint and 1 <= self.n <= KERNEL_SIDE

    @property
    def is_selfadjoint(self) -> bool:
        """Whether matrices are real symmetric or Hermitian."""
        return self.kind == Kind.HERMITIAN.of(self.dtype)

    @property
    def target(self) -> AnyLayout:
        """The layout of halves that come out: the diagonal is stored."""
        return self.layout if self.layout.implied is None else self.layout.plain

    @property
    def arguments(self) -> tuple[tuple[float, float], float]:
        """Scales and the implied diagonal, as kernels take them."""
        scales = (self.layout.diagonal_scale, self.layout.offdiagonal_scale)
        return scales, float(self.layout.implied or 0)

    def full(self, halves: Array) -> Array:
        """Matrices with the diagonal of their kind."""
        full = expand(halves, self.layout, kind=self.kind)
        on = np.einsum("...ii->...i", full)
        on[...] = self.kind.settled(on)
        return full


class Side(NamedTuple):
    """An array of a call: its leading axes are those of the batch, the `core` others of one matrix."""

    array: Array
    core: int

    @property
    def flat(self) -> Array | None:
        """The same numbers, one axis before those of a matrix, where that needs no copy."""
        axes = self.array.ndim - self.core
        steps = [
            (stride, size)
            for stride, size in zip(self.array.strides[:axes], self.array.shape[:axes], strict=True)
            if size != 1
        ]
        inner = [stride * size for stride, size in steps[1:]]
        if [stride for stride, _ in steps[:-1]] != inner:
            return None
        return self.array.reshape(math.prod(self.array.shape[:axes]), *self.array.shape[axes:])


@lru_cache(maxsize=256)
def _places(layout: AnyLayout, n: int) -> NDArray[np.int32]:
    """Where in a half each cell of the lower triangle is, row by row; -1 where it is not stored."""
    large, small = np.tril_indices(n)
    stored = (large != small) | (layout.implied is None)
    places = np.full(large.size, -1, np.int32)
    places[stored] = layout.slot(small[stored], large[stored], n)
    places.flags.writeable = False
    return places


@lru_cache(maxsize=256)
def _order(layout: AnyLayout, n: int) -> NDArray[np.int32]:
    """The cells of the numbers of a half that stores its diagonal."""
    order = np.argsort(_places(layout, n)).astype(np.int32)
    order.flags.writeable = False
    return order


def batch_of(
    halves: Any, layout: str | bool | AnyLayout, kind: str | None, task: str, *, every_kind: bool = False
) -> Batch:
    """What a task of halves is done with; errors for all that is none."""
    if isinstance(halves, Store):
        raise TypeError(
            f"batch= is the layout of an array of halves, and S is a {type(halves).__name__}, which is one "
            f"matrix: leave batch out"
        )
    array = as_array(halves, "halves")
    if array.ndim == 0:
        raise ValueError("halves is a single number: halves have the shape (..., length)")
    found = as_layout("vech" if layout is True else layout)  # type: ignore[arg-type]
    n = found.side(array.shape[-1])
    resolved = resolve_kind(kind, array.dtype, moves=False)
    dtype = work_dtype(array.dtype, "halves")
    batch = Batch(array, found, resolved, n, dtype, task)
    if not every_kind and not batch.is_selfadjoint:
        name = "complex symmetric" if resolved == Kind.SYMMETRIC else resolved
        raise TypeError(
            f"{task} needs real symmetric or Hermitian matrices, and halves are {name}: {SELFADJOINT}"
        )
    return batch


def is_given(batch: Any) -> bool:
    """Whether the argument `batch` says that there are many halves."""
    return batch is not None and batch is not False


def refuse_alone(task: str, **options: Any) -> None:
    """TypeError for options of a batch where `batch` is not given."""
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise TypeError(
            f"{task} of one matrix takes no {' and no '.join(given)}: batch= says the layout of halves "
            f"(..., length)"
        )


# ---------------------------------------------------------------- the walk


def _run(
    batch: Batch,
    inputs: tuple[Side, ...],
    results: tuple[Side, ...],
    function: Callable[..., Trouble | None],
    threads: int | None,
) -> None:
    """Let a function of flat inputs and results write all of these, at once or a few megabytes at a time."""
    count = math.prod(batch.shape)
    work = count * batch.n**2 * max(batch.n, 1) * batch.dtype.itemsize
    number = resolve_threads(threads, work)
    if not count:
        return
    sides = (*inputs, *results)
    flat = [side.flat for side in sides]
    whole = batch.small and all(
        array is not None and (array.flags.c_contiguous or (k == 0 and is_even(array)))
        for k, array in enumerate(flat)
    )
    if whole and all(array is not None and array.dtype == batch.dtype for array in flat[: len(inputs)]):
        _settle(batch, function(*flat, number), 0)
        return
    each = max(1, BLOCK_BYTES // max(1, batch.n**2 * batch.dtype.itemsize))
    for start in range(0, count, each):
        index = np.unravel_index(np.arange(start, min(start + each, count)), batch.shape or (1,))
        where = index if batch.shape else (None,)
        given = [np.ascontiguousarray(side.array[where].astype(batch.dtype, copy=False)) for side in inputs]
        made = [
            np.empty((len(index[0]), *side.array.shape[side.array.ndim - side.core :]), side.array.dtype)
            for side in results
        ]
        _settle(batch, function(*given, *made, number), start)
        for side, part in zip(results, made, strict=True):
            if batch.shape:
                side.array[where] = part
            else:
                side.array[...] = part[0]


def _memory(
    batch: Batch, core: tuple[int, ...], dtype: Dtype, out: Any, *inputs: Array, shape: Any = None
) -> Side:
    shape = (*(batch.shape if shape is None else shape), *core)
    if out is None:
        check_memory(
            math.prod(shape) * dtype.itemsize, "take fewer halves at a time, or give out= a memory map"
        )
        out = np.empty(shape, dtype)
    else:
        check_out(out, shape, dtype, *(inputs or (batch.halves,)))
    return Side(out, len(core))


# ---------------------------------------------------------------- what has no answer


def _settle(batch: Batch, trouble: Trouble | None, start: int) -> None:
    """Raise what is wrong with a matrix of the part that begins at `start`."""
    if trouble is not None:
        matrix, why, minor = trouble
        _raise(batch, start + matrix, why, minor)


def _raise(batch: Batch, matrix: int, why: str, minor: int) -> Never:
    place = tuple(map(int, np.unravel_index(matrix, batch.shape))) if batch.shape else ()
    half = batch.halves[place]
    name = f"matrix {place[0] if len(place) == 1 else place} of the batch" if place else "the matrix"
    task = batch.task
    if why == "not finite":
        k = int(np.flatnonzero(~np.isfinite(half))[0])
        i, j = map(int, batch.layout.pair(k, batch.n))
        raise ValueError(f"{name} has {half[k]} at [{i}, {j}]: {task} needs finite numbers")
    if why == "not definite" and minor:
        raise np.linalg.LinAlgError(
            f"{name} is not positive definite: its leading minor of order {minor} is not positive; solve, "
            f"inverse and slogdet take indefinite matrices"
        )
    if why == "not definite":
        smallest = eigh(half, batch.layout, kind=batch.kind)[0][0]
        raise np.linalg.LinAlgError(f"{name} is not positive definite: {least(smallest, task)}")
    if why == "singular":
        raise np.linalg.LinAlgError(f"{name} is singular: {task} has no answer for it")
    way_out = "subtract a multiple of the identity" if task == "exp" else "scale it by a number"
    raise OverflowError(f"the {task} of {name} has numbers beyond {batch.dtype}: {way_out} first")


def least(value: Any, task: str) -> str:
    """What is wrong with the smallest eigenvalue."""
    return f"its smallest eigenvalue is {value:.6g}, and {task} needs positive ones"


def _first_bad(batch: Batch, full: Array, answers: Callable[[Array], Any]) -> Trouble:
    """Of matrices that LAPACK refuses together, the first, and where it is not definite."""
    for k, matrix in enumerate(full):
        try:
            answers(matrix)
        except np.linalg.LinAlgError:
            if batch.task != "cholesky":
                return k, "singular", 0
            for order in range(1, batch.n + 1):
                try:
                    np.linalg.cholesky(matrix[:order, :order])
                except np.linalg.LinAlgError:
                    return k, "not definite", order
    raise AssertionError("LAPACK refused what it takes one by one")


def _not_finite(halves: Array) -> Trouble | None:
    finite = np.isfinite(halves).all(-1)
    return None if finite.all() else (int(np.argmin(finite)), "not finite", 0)


def _beyond(answers: Array) -> Trouble | None:
    """Of answers, one a matrix along the first axis."""
    finite = np.isfinite(answers).reshape(len(answers), -1).all(-1)
    return None if finite.all() else (int(np.argmin(finite)), "beyond", 0)


# ---------------------------------------------------------------- halves


def _to_halves(
    batch: Batch,
    out: Any,
    threads: int | None,
    by_lapack: Callable[[Batch, Array], Array | Trouble],
    exponent: float = 0.0,
) -> Array:
    """The task of every half, by its kernel or by LAPACK, which gives halves too."""
    layout, n = batch.target, batch.n
    result = _memory(batch, (layout.length(n),), batch.dtype, out)
    tolerance = n * float(np.finfo(batch.dtype).eps)
    task = "power" if batch.task.startswith("power") else batch.task

    def small(halves: Array, half: Array, number: int) -> Trouble | None:
        return _core.small_halves(
            task, halves, n, _places(batch.layout, n), half, _order(layout, n), *batch.arguments, exponent,
            tolerance, number,
        )  # fmt: skip

    def large(halves: Array, half: Array, _: int) -> Trouble | None:
        if trouble := _not_finite(halves):
            return trouble
        found = by_lapack(batch, halves)
        if isinstance(found, tuple):
            return found
        half[...] = found
        return _beyond(half)

    _run(batch, (Side(batch.halves, 1),), (result,), small if batch.small else large, threads)
    return result.array


def cholesky(halves: ArrayLike, layout: Any, *, kind: Any, out: Any, threads: int | None) -> Array:
    """Halves of the factors: L in a lower layout, L^H in an upper one."""
    return _to_halves(batch_of(halves, layout, kind, "cholesky"), out, threads, _cholesky)


def _cholesky(batch: Batch, halves: Array) -> Array | Trouble:
    full = batch.full(halves)
    try:
        factor = np.linalg.cholesky(full)
    except np.linalg.LinAlgError:
        return _first_bad(batch, full, np.linalg.cholesky)
    lower = batch.target.triangle == "lower"
    factor = factor if lower else np.conj(factor.mT)
    return pack(factor, batch.target, kind="triangular", use="lower" if lower else "upper")


def inverse(halves: ArrayLike, layout: Any, *, kind: Any, out: Any, threads: int | None) -> Array:
    """Halves of the inverses."""
    batch = batch_of(halves, layout, kind, "inverse", every_kind=True)
    return _to_halves(batch, out, threads, _inverse)


def _inverse(batch: Batch, halves: Array) -> Array | Trouble:
    if batch.kind.is_singular(batch.n):
        return 0, "singular", 0
    full = batch.full(halves)
    try:
        found = np.linalg.inv(full)
    except np.linalg.LinAlgError:
        return _first_bad(batch, full, np.linalg.inv)
    on = np.einsum("...ii->...i", found)
    on[...] = batch.kind.settled(on)
    return pack(found, batch.target, kind=batch.kind, use="lower")


def log(halves: ArrayLike, layout: Any, *, kind: Any, out: Any, threads: int | None) -> Array:
    """Halves of the logarithms."""
    batch = batch_of(halves, layout, kind, "log")
    return _to_halves(batch, out, threads, partial(_by_eigenvalues, function=logarithms))


def exp(halves: ArrayLike, layout: Any, *, kind: Any, out: Any, threads: int | None) -> Array:
    """Halves of the exponentials."""
    batch = batch_of(halves, layout, kind, "exp")
    return _to_halves(batch, out, threads, partial(_by_eigenvalues, function=exponentials))


def power(halves: ArrayLike, p: float, layout: Any, *, kind: Any, out: Any, threads: int | None) -> Array:
    """Halves of the powers."""
    batch = batch_of(halves, layout, kind, f"power with exponent {p:g}")
    batch = replace(batch, kernel=abs(p) <= KERNEL_POWER)
    return _to_halves(batch, out, threads, partial(_by_eigenvalues, function=partial(powers, p=p)), p)


def _by_eigenvalues(batch: Batch, halves: Array, function: Callable[..., Any]) -> Array | Trouble:
    values, vectors = np.linalg.eigh(batch.full(halves))
    found = function(values, batch.n * float(np.finfo(batch.dtype).eps))
    if isinstance(found, str):
        bad = function(values, batch.n * float(np.finfo(batch.dtype).eps), faults=True)
        return int(np.argmax(bad)), found, 0
    return pack(compose(found, vectors), batch.target, kind=batch.kind, use="lower")


def compose(values: Array, vectors: Array) -> Array:
    """V diag(w) V^H."""
    with np.errstate(over="ignore", invalid="ignore"):
        full: Array = (vectors * values[..., None, :]) @ np.conj(vectors.mT)
        if full.dtype.kind == "c":
            on = np.einsum("...ii->...i", full)
            on.imag = 0
        return full


# ---------------------------------------------------------------- functions of eigenvalues (..., n)


def logarithms(values: Array, rounding: float, faults: bool = False) -> Any:
    """Of positive ones; "not definite" of others, or with `faults` which matrices those are."""
    bad = ~(values > 0).all(-1)
    return bad if faults else "not definite" if bad.any() else np.log(values)


def exponentials(values: Array, rounding: float) -> Any:
    """Infinite where they are beyond the dtype."""
    with np.errstate(over="ignore"):
        return np.exp(values)


def powers(values: Array, rounding: float, p: float, faults: bool = False) -> Any:
    """By an integer, of any; else of positive ones, and of zeros where p is positive.

    Zero is what is below zero by at most `rounding` times the largest modulus.
    """
    if p == int(p):
        bad = (values == 0).any(-1) if p < 0 else np.zeros(values.shape[:-1], np.bool)
        why = "singular"
    else:
        if p > 0:
            largest = np.abs(values).max(-1, initial=0, keepdims=True)
            values = np.where((values < 0) & (-values <= rounding * largest), 0, values)
        bad = (values < 0).any(-1) if p > 0 else ~(values > 0).all(-1)
        why = "not definite"
    if faults or bad.any():
        return bad if faults else why
    with np.errstate(over="ignore", under="ignore"):
        return np.power(values, values.dtype.type(p))


# ---------------------------------------------------------------- eigenvalues, determinants, solutions


def eigh(
    halves: ArrayLike,
    layout: Any,
    *,
    kind: Any = None,
    out: Any = None,
    threads: int | None = None,
    eigvals_only: bool = False,
) -> Any:
    """Eigenvalues (..., n), ascending, and eigenvectors (..., n, n), as NumPy's eigh gives them."""
    batch = batch_of(halves, layout, kind, "eigh")
    n, real = batch.n, np.zeros(0, batch.dtype).real.dtype
    places = (out, None) if eigvals_only else (None, None) if out is None else out
    if not isinstance(places, tuple | list) or len(places) != 2:
        raise TypeError(f"out of eigh is two arrays, (values, vectors), not {type(out).__name__}")
    values = _memory(batch, (n,), real, places[0])
    if eigvals_only:
        vectors = None
    else:
        vectors = _memory(batch, (n, n), batch.dtype, places[1])
        if np.may_share_memory(values.array, vectors.array):
            raise ValueError("values and vectors of out share memory: pass two arrays")

    def small(halves: Array, values: Array, *more: Any) -> Trouble | None:
        chosen = more[0] if len(more) == 2 else None
        return _core.small_eigh(
            halves, n, _places(batch.layout, n), values, chosen, *batch.arguments, more[-1]
        )

    def large(halves: Array, values: Array, *more: Any) -> Trouble | None:
        if trouble := _not_finite(halves):
            return trouble
        if len(more) == 2:
            values[...], more[0][...] = np.linalg.eigh(batch.full(halves))
        else:
            values[...] = np.linalg.eigvalsh(batch.full(halves))
        return _beyond(values)

    results = (values,) if vectors is None else (values, vectors)
    _run(batch, (Side(batch.halves, 1),), results, small if batch.small else large, threads)
    return values.array if vectors is None else (values.array, vectors.array)


def slogdet(halves: ArrayLike, layout: Any, *, kind: Any, threads: int | None) -> tuple[Array, Array]:
    """Signs and logarithms of the determinants, (...)."""
    batch = batch_of(halves, layout, kind, "slogdet", every_kind=True)
    real = np.zeros(0, batch.dtype).real.dtype
    signs = _memory(batch, (), real if batch.is_selfadjoint else batch.dtype, None)
    logarithms = _memory(batch, (), real, None)

    def small(halves: Array, signs: Array, logarithms: Array, number: int) -> Trouble | None:
        return _core.small_slogdet(
            halves, batch.n, _places(batch.layout, batch.n), signs, logarithms, *batch.arguments, number
        )

    def large(halves: Array, signs: Array, logarithms: Array, _: int) -> Trouble | None:
        if trouble := _not_finite(halves):
            return trouble
        if batch.kind.is_singular(batch.n):
            signs[...], logarithms[...] = 0, -np.inf
            return None
        found, logarithms[...] = np.linalg.slogdet(batch.full(halves))
        signs[...] = np.sign(found.real) if batch.is_selfadjoint else found
        return None

    _run(batch, (Side(batch.halves, 1),), (signs, logarithms), small if batch.small else large, threads)
    return signs.array[()], logarithms.array[()]


def solve(halves: ArrayLike, b: ArrayLike, layout: Any, *, kind: Any, out: Any, threads: int | None) -> Array:
    """Solutions of S x = b, of b (..., n) where it has the axes of halves or one, else (..., n, m)."""
    batch = batch_of(halves, layout, kind, "solve", every_kind=True)
    right, n = as_array(b, "b"), batch.n
    vectors = right.ndim in (1, batch.halves.ndim)
    columns = right[..., None] if vectors else right
    fits = columns.ndim >= 2 and columns.shape[-2] == n
    try:
        shape = np.broadcast_shapes(batch.shape, columns.shape[:-2])
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"b has shape {right.shape}, but halves {batch.halves.shape} are of side {n}: "
            f"{(*batch.shape, n)}, or {(*batch.shape, n, 'm')}".replace("'m'", "m")
        )
    check_finite_array(right, "b", "solve")
    dtype = np.result_type(batch.dtype, work_dtype(right.dtype, "b"))
    core = (*right.shape[right.ndim - 1 :],) if vectors else right.shape[right.ndim - 2 :]
    result = _memory(batch, core, dtype, out, batch.halves, right, shape=shape)
    width = columns.shape[-1]
    columns = np.broadcast_to(columns, (*shape, n, width)).astype(dtype, copy=False)
    parts = np.zeros(0, dtype).real.dtype if batch.dtype.kind == "f" else dtype
    if parts != dtype:  # real matrices solve for both parts of complex numbers
        columns = np.ascontiguousarray(columns).view(parts)
    batch = Batch(
        np.broadcast_to(batch.halves, (*shape, batch.halves.shape[-1])),
        batch.layout, batch.kind, n, parts, batch.task,
    )  # fmt: skip

    def small(halves: Array, b: Array, x: Array, number: int) -> Trouble | None:
        return _core.small_solve(
            halves, n, _places(batch.layout, n), b, x.view(parts).reshape(b.shape), *batch.arguments, number
        )

    def large(halves: Array, b: Array, x: Array, _: int) -> Trouble | None:
        if trouble := _not_finite(halves):
            return trouble
        if batch.kind.is_singular(n):
            return 0, "singular", 0
        full = batch.full(halves)
        try:
            x.view(parts).reshape(b.shape)[...] = np.linalg.solve(full, b)
        except np.linalg.LinAlgError:
            return _first_bad(batch, full, np.linalg.inv)
        return _beyond(x)

    inputs = (Side(batch.halves, 1), Side(columns, 2))
    _run(batch, inputs, (result,), small if batch.small else large, threads)
    return result.array


TASKS: dict[str, Callable[..., Any]] = {
    "cholesky": cholesky,
    "inverse": inverse,
    "eigh": eigh,
    "log": log,
    "exp": exp,
    "power": power,
}
"""What adapters ask for by name; of power the exponent stands before the layout."""
