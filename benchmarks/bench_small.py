"""Small matrices: a million at once, and one at a time, where the call is what costs."""

import operator
from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter_ns

import numpy as np

import vech
from benchmarks import peers
from benchmarks.measure import numbers
from benchmarks.rows import Case, Limit, Row


def batch(n: int, count: int) -> Iterator[Case]:
    i, j = np.triu_indices(n)
    for dtype in ("float64", "float32"):
        half = numbers(count * i.size, dtype).reshape(count, i.size)
        full = vech.expand(half)
        out = np.empty_like(full)
        copy = partial(np.copyto, out, full)
        recipe = partial(_recipe, half, out, i, j)
        expand = partial(vech.expand, half, out=out)
        candidates = {"vech": partial(expand, threads=1), "full copy": copy, "NumPy": recipe}
        yield Case("expand", "vech", dtype, n, candidates, f"{count} matrices")
        pack = partial(vech.pack, full, use="upper", out=half, threads=1)
        yield Case("pack", "vech", dtype, n, {"vech": pack, "full copy": copy}, f"{count} matrices")


def _recipe(half: np.ndarray, out: np.ndarray, i: np.ndarray, j: np.ndarray) -> None:
    out[:, i, j] = half
    out[:, j, i] = half


CONVERSIONS = {
    3: (
        ("voigt-stress", "numpy-tril"),
        ("vtk-symmetric-tensor", "mandel"),
        ("voigt-strain", "abaqus-voigt-stress"),
    ),
    6: (("vech", "numpy-tril"), ("svec-lower", "numpy-triu"), ("lapack-rfp-nl", "tfp-fill-triangular-lower")),
}


def conversions(n: int, count: int, axis: int) -> Iterator[Case]:
    where = "components first" if axis == 0 else "components last"
    for source, target in CONVERSIONS[n]:
        order, length = vech.as_layout(target), vech.as_layout(target).length(n)
        places = vech.as_layout(source).position(*order.pair(np.arange(length), n), n)
        for dtype in ("float64", "float32"):
            shape = (length, count) if axis == 0 else (count, length)
            half = numbers(count * length, dtype).reshape(shape)
            out = np.empty_like(half)
            candidates = {
                "vech": partial(vech.convert, half, source, target, out=out, axis=axis, threads=1),
                "full copy": partial(np.copyto, out, half),
                "NumPy": partial(_reorder, half, out, places, axis),
            }
            yield Case("convert", f"{source} to {target}", dtype, n, candidates, f"{count} matrices, {where}")


def _reorder(half: np.ndarray, out: np.ndarray, places: np.ndarray, axis: int) -> None:
    """Order alone: what NumPy would still have to scale is left out."""
    out[...] = half[places] if axis == 0 else half[:, places]


def expand_call(n: int) -> Iterator[Case]:
    half = numbers(n * (n - 1) // 2, "float64")
    candidates = {"vech": partial(vech.expand, half, "condensed"), "squareform": peers.squareform(half)}
    yield Case("expand", "condensed", "float64", n, candidates)


def pack_call(n: int) -> Iterator[Case]:
    full = vech.expand(numbers(n * (n - 1) // 2, "float64"), "condensed")
    candidates = {
        "vech": partial(vech.pack, full, "condensed", use="lower"),
        "squareform": peers.squareform(full),
        "use='both'": partial(vech.pack, full, "condensed"),
    }
    yield Case("pack", "condensed", "float64", n, candidates)


def calls(n: int) -> Iterator[Case]:
    """What one call costs beside NumPy's of the full matrix."""
    half, x = numbers(n * (n + 1) // 2, "float64"), numbers(n, "float64")
    full = vech.expand(half)
    store, other = vech.Packed(half), vech.Packed(half.copy())
    pairs = {
        "S @ x": (partial(operator.matmul, store, x), partial(operator.matmul, full, x)),
        "S[1, 2]": (partial(operator.getitem, store, (1, 2)), partial(operator.getitem, full, (1, 2))),
        "S + T": (partial(operator.add, store, other), partial(operator.add, full, full)),
        "pack": (partial(vech.pack, full), full.copy),
        "expand": (partial(vech.expand, half), full.copy),
    }
    for name, (ours, theirs) in pairs.items():
        candidates = {"vech": ours, "NumPy": theirs, "NumPy, and 3 us": partial(_and_wait, theirs, 3000)}
        yield Case(name, "vech", "float64", n, candidates)


def _and_wait(call: Callable[[], object], nanoseconds: int) -> None:
    call()
    end = perf_counter_ns() + nanoseconds
    while perf_counter_ns() < end:
        pass


ROWS = (
    Row(
        "one call, n = 8 to 101",
        "NumPy",
        (Limit("NumPy, and 3 us", must=1.0),),
        (8, 32, 33, 100, 101),
        calls,
    ),
    Row(
        "a million 3 x 3 and 6 x 6, warm memory",
        "full copy",
        (Limit("NumPy", must=4, faster=True), Limit("full copy", must=1.5, aim=1.0)),
        (3, 6),
        partial(batch, count=1_000_000),
        quick_sizes=(3, 6),
        quick_cases=partial(batch, count=100),
    ),
    Row(
        "a million 3 x 3 and 6 x 6, one layout to another, components last",
        "full copy",
        (Limit("NumPy", must=4, faster=True), Limit("full copy", must=1.5, aim=1.0)),
        (3, 6),
        partial(conversions, count=1_000_000, axis=-1),
        quick_sizes=(3, 6),
        quick_cases=partial(conversions, count=100, axis=-1),
    ),
    Row(
        "a million 3 x 3 and 6 x 6, one layout to another, components first",
        "full copy",
        (Limit("NumPy", must=4, faster=True), Limit("full copy", must=1.5, aim=1.0)),
        (3, 6),
        partial(conversions, count=1_000_000, axis=0),
        quick_sizes=(3, 6),
        quick_cases=partial(conversions, count=100, axis=0),
    ),
    Row(
        "one call of expand, n <= 8",
        "squareform",
        (Limit("squareform", must=1.0, aim=0.5),),
        (2, 3, 4, 5, 8),
        expand_call,
        quick_sizes=(3, 8),
    ),
    Row(
        "one call of pack, n <= 8",
        "squareform",
        (Limit("squareform", must=1.0, aim=0.5),),
        (2, 3, 4, 5, 8),
        pack_call,
        quick_sizes=(3, 8),
    ),
)
