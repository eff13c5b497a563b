"""Every operation from a double loop over (i, j): slow, obvious, and independent of the library.

A number is kept as its raw bytes, so that a move is checked to the bit. Of a layout only its fields are read,
and no index formula of the library is used: the order of a half is the order in which the loops of `cells`
meet the cells, or the one in which the definition of an explicit order places them. What the loops meet is
kept as indices, by which NumPy moves all numbers at once: one by one took ten times as long.
"""

import itertools
import math
import sys
from contextlib import contextmanager
from functools import cache, lru_cache, wraps

import numpy as np

from vech import RectangularFullPacked, Spiral, TensorOrder

Item = bytes


# ---- once for every target ---------------------------------------------------------------------------------

_known = None


@contextmanager
def remembering():
    """Inside, a call that was made before is not computed again: the same test asks under every target."""
    global _known
    _known = {}
    try:
        yield
    finally:
        _known = None


def remembered(function):
    @wraps(function)
    def answer(*given, **named):
        if _known is None:
            return function(*given, **named)
        key = (function, *map(_identity, given), *((name, _identity(value)) for name, value in named.items()))
        if key not in _known:
            _known[key] = function(*given, **named)
        return _copy(_known[key])

    return answer


def _identity(value):
    if isinstance(value, np.ndarray):
        return value.tobytes(), value.dtype, value.shape
    return tuple(value) if isinstance(value, list) else value


def _copy(value):
    return value.copy() if isinstance(value, np.ndarray) else tuple(map(_copy, value))


# ---- the order of a half -----------------------------------------------------------------------------------


def cells(layout, n):
    """The matrix cells (i, j) of a half of side n, in storage order."""
    if isinstance(layout, RectangularFullPacked):
        return [cell for cell, _ in rectangle(layout.triangle, layout.transposed, n)]
    if isinstance(layout, Spiral):
        return _spiral(layout.triangle, n)
    if isinstance(layout, TensorOrder):
        assert n == 3
        return [("xyz".index(row), "xyz".index(column)) for row, column in layout.components.split()]
    return _cells(layout.triangle, layout.traversal, layout.diagonal == "stored", n)


@lru_cache(maxsize=512)
def crossed(layout, n):
    """Whether each number of a half stands there conjugated."""
    if isinstance(layout, RectangularFullPacked):
        return [conjugated for _, conjugated in rectangle(layout.triangle, layout.transposed, n)]
    return [False] * length(layout, n)


@lru_cache(maxsize=512)
def _cells(triangle, traversal, with_diagonal, n):
    met = []
    for outer in range(n):
        for inner in range(n):
            i, j = (outer, inner) if traversal == "rows" else (inner, outer)
            inside = i > j if triangle == "lower" else i < j
            if inside or (i == j and with_diagonal):
                met.append((i, j))
    return met


@lru_cache(maxsize=512)
def rectangle(triangle, transposed, n):
    """LAPACK's rectangle in the order of memory: each cell of the matrix, and whether it is conjugated there.

    As the comments of xTRTTF draw it: of the lower triangle the first columns as they are, below an empty row
    if n is even, and the (conjugate) transpose of the other columns in the corner above them; of the upper
    triangle the last columns as they are, and the (conjugate) transpose of the first ones in the corner
    below.
    """
    first, last = n // 2, n - n // 2
    rows, columns = (n, last) if n % 2 else (n + 1, last)
    places = [[None] * columns for _ in range(rows)]
    for i in range(n):
        for j in range(n):
            if triangle == "lower" and i >= j:
                if j < last:
                    places[i if n % 2 else i + 1][j] = (i, j), False
                else:
                    places[j - last][i - last + 1 if n % 2 else i - last] = (i, j), True
            if triangle == "upper" and i <= j:
                if j >= first:
                    places[i][j - first] = (i, j), False
                else:
                    places[first + 1 + j][i] = (i, j), True
    if transposed:  # its conjugate transpose, if complex; columns adjoin in memory in any case
        return [(cell, not conjugated) for row in places for cell, conjugated in row]
    return [place for column in zip(*places, strict=True) for place in column]


@lru_cache(maxsize=512)
def _spiral(triangle, n):
    """The rule of tfp.math.fill_triangular, of numbers that are their own positions."""
    x = list(range(n * (n + 1) // 2))
    filled = x[n:] + x[::-1] if triangle == "lower" else x + x[n:][::-1]
    inside = {(i, j) for i in range(n) for j in range(n) if (i >= j if triangle == "lower" else i <= j)}
    return sorted(inside, key=lambda cell: filled[cell[0] * n + cell[1]])


@lru_cache(maxsize=512)
def places(layout, n):
    """Rows and columns of the cells as arrays."""
    return np.array(cells(layout, n), int).reshape(-1, 2).T


def length(layout, n):
    return len(cells(layout, n))


def side(length, layout):
    """The side of a half of this length; a strict half without numbers is a 1 x 1 matrix."""
    n = 0 if layout.diagonal == "stored" else 1
    while (n * (n + 1) // 2 if layout.diagonal == "stored" else n * (n - 1) // 2) < length:
        n += 1
    assert (n * (n + 1) // 2 if layout.diagonal == "stored" else n * (n - 1) // 2) == length
    return n


def formula(layout, i, j, n):
    """The slot of (i, j) by the textbook's formulas in big integers, for sides too large to list cells."""
    high, low = max(i, j), min(i, j)
    if isinstance(layout, RectangularFullPacked):
        first, last = n // 2, n - n // 2
        if layout.triangle == "lower":
            body = low < last
            row, column = (high + 1, low) if body else (low - last, high - last)
            row, column = (row - body, column + (not body)) if n % 2 else (row, column)
        else:
            row, column = (low, high - first) if high >= first else (first + 1 + high, low)
        return row * last + column if layout.transposed else column * (n if n % 2 else n + 1) + row
    if isinstance(layout, Spiral):
        total = n * (n + 1) // 2
        place = high * n + low if layout.triangle == "lower" else low * n + high
        if layout.triangle == "lower":
            return n + place if place < total - n else total - 1 - (place - (total - n))
        return place if place < total else total - 1 - (place - total)
    grows = (layout.triangle == "lower") == (layout.traversal == "rows")
    if layout.diagonal == "stored":
        return high * (high + 1) // 2 + low if grows else low * n - low * (low - 1) // 2 + high - low
    return high * (high - 1) // 2 + low if grows else low * n - low * (low + 1) // 2 + high - low - 1


# ---- numbers as bytes --------------------------------------------------------------------------------------


def items(array) -> list[Item]:
    """The raw bytes of each number, in C order."""
    array = np.asarray(array)
    raw, size = array.tobytes(), array.dtype.itemsize
    return [raw[k : k + size] for k in range(0, len(raw), size)]


def words(array):
    """The numbers as unsigned integers (void for complex128), so that NumPy copies their bits."""
    size = array.dtype.itemsize
    return array.view(f"u{size}" if size <= 8 else f"V{size}")


def octets(array):
    """A copy of the numbers, and its bytes along one more axis."""
    copied = np.array(array, order="C", ndmin=1)
    return copied, copied.view("u1").reshape(*copied.shape, copied.dtype.itemsize)


@cache
def is_ml(dtype):
    """Whether the dtype is one of the small floating-point types of ml_dtypes."""
    return dtype.type.__module__.startswith("ml_dtypes")


@cache
def byteorder(dtype):
    return {"<": "little", ">": "big"}.get(dtype.byteorder, sys.byteorder)


def signs(dtype):
    """Which bytes of a number have the sign: of a complex one two."""
    size = dtype.itemsize // (2 if dtype.kind == "c" else 1)
    return range(0 if byteorder(dtype) == "big" else size - 1, dtype.itemsize, size)


def flip_signs(array, where):
    flipped, raw = octets(array)
    for byte in where:
        other = raw[..., byte] ^ 0x80
        if is_ml(array.dtype) and array.dtype.name.endswith(
            "fnuz"
        ):  # one zero and one NaN, neither has a sign
            other[(other == 0) | (other == 0x80)] ^= 0x80
        raw[..., byte] = other
    return flipped


def negate(array):
    dtype = array.dtype
    if dtype.kind not in "im":
        return flip_signs(array, signs(dtype))
    values = array.view(f"{'>' if byteorder(dtype) == 'big' else '<'}i{dtype.itemsize}")
    least = np.iinfo(values.dtype).min
    if dtype.kind == "i" and (values == least).any():
        raise OverflowError(f"{least} cannot be negated")
    return (-values).astype(values.dtype).view(dtype)  # NaT is its own negative


def conjugate(array):
    return flip_signs(array, signs(array.dtype)[1:])


def mirror(array, kind):
    """What numbers at (i, j) say about (j, i)."""
    if kind == "triangular":
        return np.zeros_like(array)
    if kind in ("hermitian", "skew-hermitian"):
        array = conjugate(array)
    return negate(array) if kind in ("skew", "skew-hermitian") else array


def is_zero(array):
    """Whether numbers are all zero bits, or -0.0."""
    dtype = array.dtype
    _, raw = octets(array)
    if (dtype.kind in "fc" or is_ml(dtype)) and not dtype.name.endswith("fnuz"):
        raw[..., list(signs(dtype))] &= 0x7F
    return ~raw.any(axis=-1).reshape(array.shape)


# ---- computing: float64, rounded once ----------------------------------------------------------------------


def component(dtype):
    """The dtype of the real and the imaginary parts, or that of real numbers."""
    if dtype.kind != "c":
        return dtype
    return np.dtype(f"{dtype.byteorder}f{dtype.itemsize // 2}")


def decode(array):
    """The components of floating-point numbers as float64, of complex ones twice as many."""
    return np.ascontiguousarray(array).view(component(array.dtype)).astype(np.float64)


def encode(components, dtype):
    """The numbers nearest to these components; a finite one out of range is an OverflowError."""
    with np.errstate(over="ignore"):
        small = is_ml(dtype)
        numbers = _nearest_small(components, dtype) if small else components.astype(component(dtype))
    if (np.isinf(numbers.astype(np.float64)) & np.isfinite(components)).any():
        raise OverflowError(f"a number is out of the range of {dtype}")
    return numbers.view(dtype)


@lru_cache
def _positive_codes(dtype):
    """The finite numbers without a sign bit, ascending, and their codes."""
    codes = np.arange(2 ** (8 * dtype.itemsize - 1), dtype=f"u{dtype.itemsize}")
    with np.errstate(invalid="ignore"):  # signalling NaNs
        values = codes.view(dtype).astype(np.float64)
    codes = codes[np.isfinite(values)]
    values = values[np.isfinite(values)]
    order = np.argsort(values)
    return values[order], codes[order]


def _nearest_small(x, dtype):
    """The last bit is even in the middle between two numbers: ml_dtypes would round at float32 before."""
    values, codes = _positive_codes(dtype)
    size = np.abs(x)
    if (size[np.isfinite(x)] > values[-1] + (values[-1] - values[-2]) / 2).any():
        raise OverflowError(f"a number is out of the range of {dtype}")
    above = np.searchsorted(values, size).clip(1, len(values) - 1)
    lower, upper = size - values[above - 1], values[above] - size
    takes_upper = (upper < lower) | ((upper == lower) & (codes[above] % 2 == 0))
    found = codes[np.where(takes_upper, above, above - 1)]
    found |= np.signbit(x).astype(found.dtype) << (8 * dtype.itemsize - 1)
    return np.where(np.isfinite(x), found, words(x.astype(dtype))).astype(found.dtype).view(dtype)


def rescale(array, divisor, multiplier):
    """x / divisor * multiplier in float64, shrinking first, rounded once; nothing if both are equal."""
    if divisor == multiplier:
        return array
    x = decode(array)
    with np.errstate(over="ignore"):
        result = x * multiplier / divisor if divisor < 1 else x / divisor * multiplier
    if (np.isinf(result) & np.isfinite(x)).any():
        raise OverflowError("a number becomes infinite")
    return encode(result, array.dtype)


def mean(a, b, factors=(1.0, 1.0)):
    """(a + b) / 2, scaled, rounded once."""
    divisor, multiplier = factors
    return encode((decode(a) + decode(b)) / 2 * multiplier / divisor, a.dtype)


def scale(layout, i, j):
    return layout.diagonal_scale if i == j else layout.offdiagonal_scale


def at(array, *where):
    """The numbers at these places of the last axes, bit for bit."""
    return words(array)[(..., *where)].view(array.dtype)


def put(array, where, numbers):
    words(array)[(..., *where)] = words(numbers)


def true_numbers(half, layout):
    """The numbers of halves as they are in the matrix, in storage order."""
    n = side(half.shape[-1], layout)
    numbers = half.copy()
    across = np.array(crossed(layout, n), bool)
    put(numbers, (across,), conjugate(at(numbers, across)))
    i, j = places(layout, n)
    for diagonal, factor in ((True, layout.diagonal_scale), (False, layout.offdiagonal_scale)):
        those = np.flatnonzero((i == j) == diagonal)
        put(numbers, (those,), rescale(at(numbers, those), factor, 1.0))
    return numbers


def implied(layout, dtype):
    return np.zeros(1, dtype) if layout.diagonal == "zero" else np.ones(1, dtype)


# ---- dense -------------------------------------------------------------------------------------------------


@remembered
def expand(half, layout, kind="symmetric"):
    half = np.asarray(half)
    n, dtype = side(half.shape[-1], layout), half.dtype
    full = np.zeros((*half.shape[:-1], n, n), dtype)
    if layout.diagonal != "stored":
        put(full, (range(n), range(n)), implied(layout, dtype))
    i, j = places(layout, n)
    numbers = true_numbers(half, layout)
    put(full, (j, i), mirror(numbers, kind))
    put(full, (i, j), numbers)  # on the diagonal the number itself
    return full


@remembered
def pack(full, layout, kind="symmetric", use="both"):
    """Takes the triangle that `use` believes; judging whether the other one agrees is `disagreement`'s."""
    full = np.asarray(full)
    n = full.shape[-1]
    i, j = places(layout, n)
    half, there = at(full, i, j), at(full, j, i)
    if use != "mean":
        other = (i < j) & (use == "lower") | (i > j) & (use == "upper")
        put(half, (other,), mirror(at(there, other), kind))
    for diagonal, factor in ((True, layout.diagonal_scale), (False, layout.offdiagonal_scale)):
        those = np.flatnonzero((i == j) == diagonal)
        here = at(half, those)
        if use == "mean":
            here = mean(here, mirror(at(there, those), kind), (1.0, factor))
        else:
            here = rescale(here, 1.0, factor)
        put(half, (those,), here)
    across = np.array(crossed(layout, n), bool)
    put(half, (across,), conjugate(at(half, across)))
    return half


@lru_cache(maxsize=256)
def origins(source, target, n):
    """Where each number of a target half comes from: its source slot, or -1; from the other triangle?

    Also how it is scaled, and whether it stands conjugated there and here.
    """
    slots = {cell: slot for slot, cell in enumerate(cells(source, n))}
    there = crossed(source, n)
    met = []
    for (i, j), here in zip(cells(target, n), crossed(target, n), strict=True):
        slot = slots.get((i, j), slots.get((j, i), -1))
        factors = (1.0 if slot < 0 else scale(source, i, j), scale(target, i, j))
        met.append((slot, slot >= 0 and (i, j) not in slots, factors, slot >= 0 and there[slot], here))
    slot, other, factors, there, here = zip(*met, strict=True) if met else [()] * 5
    scaled = {f: np.array([g == f for g in factors], bool) for f in set(factors) if f[0] != f[1]}
    return np.array(slot, int), np.array(other, bool), scaled, np.array(there, bool), np.array(here, bool)


@remembered
def convert(half, source, target, kind="symmetric"):
    half = np.asarray(half)
    n, dtype = side(half.shape[-1], source), half.dtype
    slot, other, scaled, there, here = origins(source, target, n)
    found = np.zeros((*half.shape[:-1], len(slot)), dtype)
    known = slot >= 0
    put(found, (known,), at(half, slot[known]))
    if not known.all():
        put(found, (~known,), implied(source, dtype))
    put(found, (there,), conjugate(at(found, there)))
    for factors, those in scaled.items():
        put(found, (those,), rescale(at(found, those), *factors))
    put(found, (other,), mirror(at(found, other), kind))
    put(found, (here,), conjugate(at(found, here)))
    return found


def disagreement(full, kind):
    """(difference, i, j) of the pair that disagrees most, of one matrix of finite numbers."""
    full = np.asarray(full)
    n = len(full)
    mirrored = mirror(np.ascontiguousarray(full.T), kind).tolist()
    values = full.tolist()
    pairs = itertools.product(range(n), repeat=2)
    return max(((abs(values[i][j] - mirrored[i][j]), i, j) for i, j in pairs), default=(0, 0, 0))


@remembered
def matmul(full, x):
    """full @ x for a matrix or a vector x, in double or Python's integers, in the order of the textbook."""
    full, x = np.asarray(full), np.asarray(x)
    dtype = np.result_type(full, x)
    wide = complex if dtype.kind == "c" else float if dtype.kind == "f" or is_ml(dtype) else object
    values, numbers = full.astype(wide), x.reshape(len(x), math.prod(x.shape[1:])).astype(wide)
    result = np.zeros((len(values), numbers.shape[1]), wide)
    for k in range(len(x)):
        result += values[:, k, None] * numbers[k]
    return np.array(result.tolist(), dtype).reshape(len(values), *x.shape[1:])


# ---- sparse ------------------------------------------------------------------------------------------------


@remembered
def nonzeros(half, layout, kind="symmetric"):
    """(i, j, values) in storage order, in the layout's triangle: true values, implied ones included."""
    full = expand(half, layout, kind)
    n = len(full)
    i, j = places(layout, n)
    if layout.diagonal == "one":
        i, j = np.array(_cells(layout.triangle, layout.traversal, True, n), int).reshape(-1, 2).T
    found = ~is_zero(full)[i, j]
    i, j = i[found], j[found]
    return i.astype(np.int64), j.astype(np.int64), at(full, i, j)


@remembered
def csr(full, part="full"):
    """(indptr, indices, data) of the numbers of a matrix that are not zero, or of one of its triangles."""
    full = np.ascontiguousarray(full)
    i, j = np.indices(full.shape)
    wanted = (part == "full") | (i == j) | ((i > j) == (part == "lower"))
    i, j = np.nonzero(wanted & ~is_zero(full))
    indptr = np.searchsorted(i, np.arange(len(full) + 1))
    return indptr.astype(np.int64), j.astype(np.int64), at(full, i, j)
