"""Every operation as a double loop over (i, j): slow, obvious, and independent of the library.

A number is kept as its raw bytes, so that a move is checked to the bit. Of a layout only its fields are read,
and no index formula of the library is used: the order of a half is the order in which the loops of `cells`
meet the cells, or the one in which the definition of an explicit order places them.
"""

import itertools
import math
import struct
import sys
from bisect import bisect_left
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


def to_array(numbers, dtype, shape):
    return np.ndarray(shape, dtype, buffer=bytearray(b"".join(numbers)) or bytearray(16)).copy()


@cache
def is_ml(dtype):
    """Whether the dtype is one of the small floating-point types of ml_dtypes."""
    return dtype.type.__module__.startswith("ml_dtypes")


@cache
def byteorder(dtype):
    return {"<": "little", ">": "big"}.get(dtype.byteorder, sys.byteorder)


def split(item, dtype):
    """The components of a number: two of a complex one, else one."""
    half = len(item) // 2
    return [item[:half], item[half:]] if dtype.kind == "c" else [item]


def flip_sign(component, dtype):
    if is_ml(dtype) and dtype.name.endswith("fnuz") and component in (b"\x00", b"\x80"):
        return component  # one zero and one NaN, neither has a sign
    where = 0 if byteorder(dtype) == "big" else len(component) - 1
    return component[:where] + bytes([component[where] ^ 0x80]) + component[where + 1 :]


def negate(item, dtype):
    if dtype.kind in "im":
        value = int.from_bytes(item, byteorder(dtype), signed=True)
        if value == -(2 ** (8 * len(item) - 1)):
            if dtype.kind == "m":
                return item  # NaT
            raise OverflowError(f"{value} cannot be negated")
        return (-value).to_bytes(len(item), byteorder(dtype), signed=True)
    return b"".join(flip_sign(component, dtype) for component in split(item, dtype))


def conjugate(item, dtype):
    if dtype.kind != "c":
        return item
    real, imaginary = split(item, dtype)
    return real + flip_sign(imaginary, dtype)


def mirror(item, dtype, kind):
    """What a number at (i, j) says about (j, i)."""
    if kind == "triangular":
        return bytes(len(item))
    if kind in ("hermitian", "skew-hermitian"):
        item = conjugate(item, dtype)
    return negate(item, dtype) if kind in ("skew", "skew-hermitian") else item


@lru_cache(2**16)
def is_zero(item, dtype):
    """Whether a number is all zero bits, or -0.0."""
    if dtype.kind in "fc" or is_ml(dtype):
        return all(not any(c) or not any(flip_sign(c, dtype)) for c in split(item, dtype))
    return not any(item)


def one(dtype):
    return np.ones(1, dtype).tobytes()


# ---- computing: float64, rounded once ----------------------------------------------------------------------


def decode(item, dtype):
    """The components of a floating-point number as Python floats."""
    if is_ml(dtype):
        return [float(np.frombuffer(item, dtype).astype(np.float64)[0])]
    code = {2: "e", 4: "f", 8: "d"}[len(split(item, dtype)[0])]
    mark = ">" if byteorder(dtype) == "big" else "<"
    return [struct.unpack(mark + code, component)[0] for component in split(item, dtype)]


def encode(components, dtype):
    """The number nearest to these Python floats; a finite one out of range is an OverflowError."""
    if is_ml(dtype):
        return _nearest_small(components[0], dtype)
    code = {2: "e", 4: "f", 8: "d"}[dtype.itemsize // len(components)]
    mark = ">" if byteorder(dtype) == "big" else "<"
    return b"".join(struct.pack(mark + code, component) for component in components)


@lru_cache
def _positive_codes(dtype):
    """(value, code) of the finite numbers without a sign bit, ascending."""
    bits = 8 * dtype.itemsize
    codes = np.arange(2 ** (bits - 1), dtype=f"u{dtype.itemsize}")
    with np.errstate(invalid="ignore"):  # signalling NaNs
        values = codes.view(dtype).astype(np.float64)
    return sorted((float(v), int(c)) for v, c in zip(values, codes, strict=True) if math.isfinite(v))


def _nearest_small(x, dtype):
    if not math.isfinite(x):
        return np.array([x], dtype).tobytes()
    table = _positive_codes(dtype)
    largest, step = table[-1][0], table[-1][0] - table[-2][0]
    if abs(x) > largest + step / 2:
        raise OverflowError(f"{x} is out of the range of {dtype}")
    k = bisect_left(table, (abs(x), -1))
    neighbours = table[max(k - 1, 0) : k + 1]
    _, code = min(neighbours, key=lambda entry: (abs(entry[0] - abs(x)), entry[1] % 2))
    code |= (math.copysign(1, x) < 0) << (8 * dtype.itemsize - 1)
    return code.to_bytes(dtype.itemsize, byteorder(dtype))


def rescale(item, dtype, divisor, multiplier):
    """x / divisor * multiplier in float64, shrinking first, rounded once; nothing if both are equal."""
    if divisor == multiplier:
        return item
    results = []
    for x in decode(item, dtype):
        result = x * multiplier / divisor if divisor < 1 else x / divisor * multiplier
        if math.isinf(result) and math.isfinite(x):
            raise OverflowError(f"{x} becomes infinite")
        results.append(result)
    return encode(results, dtype)


def mean(a, b, dtype, factors=(1.0, 1.0)):
    """(a + b) / 2, scaled, rounded once."""
    divisor, multiplier = factors
    means = ((x + y) / 2 for x, y in zip(decode(a, dtype), decode(b, dtype), strict=True))
    return encode([x * multiplier / divisor for x in means], dtype)


def scale(layout, i, j):
    return layout.diagonal_scale if i == j else layout.offdiagonal_scale


def true_numbers(half, layout):
    """The numbers of one half as they are in the matrix, in storage order."""
    n, dtype = side(len(half), layout), half.dtype
    numbers = items(half)
    if any(crossed(layout, n)):
        numbers = [conjugate(x, dtype) if c else x for x, c in zip(numbers, crossed(layout, n), strict=True)]
    if (layout.diagonal_scale, layout.offdiagonal_scale) == (1.0, 1.0):
        return numbers
    places = cells(layout, n)
    return [rescale(x, dtype, scale(layout, i, j), 1.0) for x, (i, j) in zip(numbers, places, strict=True)]


def implied(layout, dtype):
    return bytes(dtype.itemsize) if layout.diagonal == "zero" else one(dtype)


# ---- dense -------------------------------------------------------------------------------------------------


@remembered
def expand(half, layout, kind="symmetric"):
    half = np.asarray(half)
    n, dtype = side(half.shape[-1], layout), half.dtype
    fulls = []
    for matrix in half.reshape(math.prod(half.shape[:-1]), half.shape[-1]):
        full = [[bytes(dtype.itemsize)] * n for _ in range(n)]
        if layout.diagonal != "stored":
            for i in range(n):
                full[i][i] = implied(layout, dtype)
        numbers = true_numbers(matrix, layout)
        mirrored = numbers if kind == "symmetric" else [mirror(number, dtype, kind) for number in numbers]
        for number, other, (i, j) in zip(numbers, mirrored, cells(layout, n), strict=True):
            full[j][i] = other
            full[i][j] = number  # on the diagonal the number itself
        fulls += [number for row in full for number in row]
    return to_array(fulls, dtype, (*half.shape[:-1], n, n))


@remembered
def pack(full, layout, kind="symmetric", use="both"):
    """Takes the triangle that `use` believes; judging whether the other one agrees is `disagreement`'s."""
    full = np.asarray(full)
    n, dtype = full.shape[-1], full.dtype
    halves = []
    for matrix in full.reshape(math.prod(full.shape[:-2]), n, n):
        numbers = items(matrix)
        for (i, j), cross in zip(cells(layout, n), crossed(layout, n), strict=True):
            here, there = numbers[i * n + j], numbers[j * n + i]
            factors = (1.0, scale(layout, i, j))
            if use == "mean":
                here = mean(here, mirror(there, dtype, kind), dtype, factors)
            else:
                if (use == "lower" and i < j) or (use == "upper" and i > j):
                    here = mirror(there, dtype, kind)
                if factors != (1.0, 1.0):
                    here = rescale(here, dtype, *factors)
            halves.append(conjugate(here, dtype) if cross else here)
    return to_array(halves, dtype, (*full.shape[:-2], length(layout, n)))


@lru_cache(maxsize=256)
def origins(source, target, n):
    """Where each number of a target half comes from: its source slot, or None; from the other triangle?

    Also how it is scaled, and whether it stands conjugated there and here.
    """
    slots = {cell: slot for slot, cell in enumerate(cells(source, n))}
    there = crossed(source, n)
    met = []
    for (i, j), here in zip(cells(target, n), crossed(target, n), strict=True):
        slot = slots.get((i, j), slots.get((j, i)))
        factors = (1.0 if slot is None else scale(source, i, j), scale(target, i, j))
        met.append((slot, (i, j) not in slots, factors, slot is not None and there[slot], here))
    return met


@remembered
def convert(half, source, target, kind="symmetric"):
    half = np.asarray(half)
    n, dtype = side(half.shape[-1], source), half.dtype
    halves = []
    for matrix in half.reshape(math.prod(half.shape[:-1]), half.shape[-1]):
        numbers = items(matrix)
        for slot, other, (divisor, multiplier), there, here in origins(source, target, n):
            number = implied(source, dtype) if slot is None else numbers[slot]
            if there:
                number = conjugate(number, dtype)
            if divisor != multiplier:
                number = rescale(number, dtype, divisor, multiplier)
            if other and slot is not None:
                number = mirror(number, dtype, kind)
            halves.append(conjugate(number, dtype) if here else number)
    return to_array(halves, dtype, (*half.shape[:-1], length(target, n)))


def disagreement(full, kind):
    """(difference, i, j) of the pair that disagrees most, of one matrix of finite numbers."""
    full = np.asarray(full)
    n, dtype = len(full), full.dtype
    mirrored = to_array([mirror(x, dtype, kind) for x in items(full.T)], dtype, (n, n)).tolist()
    values = full.tolist()
    pairs = itertools.product(range(n), repeat=2)
    return max(((abs(values[i][j] - mirrored[i][j]), i, j) for i, j in pairs), default=(0, 0, 0))


@remembered
def matmul(full, x):
    """full @ x for a matrix or a vector x, in Python numbers, in the order of the textbook."""
    x = np.asarray(x)
    values, columns = np.asarray(full).tolist(), x.reshape(len(x), math.prod(x.shape[1:])).T.tolist()
    result = [
        [sum((a * b for a, b in zip(row, column, strict=True)), 0) for column in columns] for row in values
    ]
    return np.array(result, np.result_type(full, x)).reshape(len(values), *x.shape[1:])


# ---- sparse ------------------------------------------------------------------------------------------------


@remembered
def nonzeros(half, layout, kind="symmetric"):
    """(i, j, values) in storage order, in the layout's triangle: true values, implied ones included."""
    full = expand(half, layout, kind)
    n, dtype = len(full), full.dtype
    with_diagonal = cells(layout, n)
    if layout.diagonal == "one":
        with_diagonal = _cells(layout.triangle, layout.traversal, True, n)
    numbers = items(full)
    found = [(i, j) for i, j in with_diagonal if not is_zero(numbers[i * n + j], dtype)]
    i, j = ([pair[axis] for pair in found] for axis in (0, 1))
    values = to_array([numbers[i * n + j] for i, j in found], dtype, len(found))
    return np.array(i, np.int64), np.array(j, np.int64), values


@remembered
def csr(full, part="full"):
    """(indptr, indices, data) of the numbers of a matrix that are not zero, or of one of its triangles."""
    full = np.asarray(full)
    n, dtype = len(full), full.dtype
    numbers = items(full)
    indptr, indices, data = [0], [], []
    for i in range(n):
        for j in range(n):
            wanted = part == "full" or i == j or (i > j) == (part == "lower")
            if wanted and not is_zero(numbers[i * n + j], dtype):
                indices.append(j)
                data.append(numbers[i * n + j])
        indptr.append(len(indices))
    return np.array(indptr, np.int64), np.array(indices, np.int64), to_array(data, dtype, len(data))
