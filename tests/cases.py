"""The domain of the tests: layouts, dtypes, kinds, sizes, values, stores, memory shapes. Seeds are fixed."""

import functools
import inspect
import itertools
import mmap
import random
import zlib

import numpy as np
from pytest import fail, mark, param, skip

import reference
import vech
from reference import words

try:
    import ml_dtypes
except ImportError:
    ml_dtypes = None

# ---- layouts -----------------------------------------------------------------------------------------------

PLAIN = {
    f"{triangle}-{traversal}-{diagonal}": vech.Layout(triangle, traversal, diagonal=diagonal)
    for triangle in ("lower", "upper")
    for traversal in ("columns", "rows")
    for diagonal in ("stored", "zero", "one")
}
SCALED = {
    "svec-lower": vech.Layout("lower", "columns", offdiagonal_scale=2**0.5),
    "svec-upper": vech.Layout("upper", "columns", offdiagonal_scale=2**0.5),
    "diagonal-halved": vech.Layout("lower", "rows", diagonal_scale=0.5**0.5),
    "both-scaled": vech.Layout("upper", "rows", diagonal_scale=3.0, offdiagonal_scale=0.7),
    "strict-doubled": vech.Layout("upper", "columns", diagonal="one", offdiagonal_scale=2.0),
}
RFP = {
    f"lapack-rfp-{transr}{triangle[0]}": vech.RectangularFullPacked(triangle, transr == "t")
    for transr in "nt"
    for triangle in ("lower", "upper")
}
SPIRALS = {f"tfp-{triangle}": vech.Spiral(triangle) for triangle in ("lower", "upper")}
TENSORS = {
    "voigt-stress": vech.TensorOrder("xx yy zz yz xz xy"),
    "mandel": vech.TensorOrder("xx yy zz yz xz xy", offdiagonal_scale=2**0.5),
    "tensor-lower": vech.TensorOrder("zx yy yx zz zy xx"),  # its diagonal descends, and it has no name
    "tensor-both-scaled": vech.TensorOrder("yy zz xy xx yz xz", diagonal_scale=3.0, offdiagonal_scale=0.7),
}
EXPLICIT = RFP | SPIRALS | TENSORS
UNSCALED = PLAIN | RFP | SPIRALS
LAYOUTS = PLAIN | SCALED | EXPLICIT
NAMES = (
    "vech",
    "lapack-lower",
    "lapack-upper",
    "numpy-tril",
    "numpy-triu",
    "condensed",
    "svec-lower",
    "svec-upper",
)

# ---- dtypes and kinds --------------------------------------------------------------------------------------

SMALL = {}
if ml_dtypes:
    SMALL = {
        name: np.dtype(getattr(ml_dtypes, name)) for name in ("bfloat16", "float8_e4m3fn", "float8_e5m2")
    }
DTYPES = {
    name: np.dtype(name)
    for name in (
        *("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
        *("float16", "float32", "float64", "complex64", "complex128"),
        *(">u2", ">i4", ">i8", ">f2", ">f4", ">f8", ">c8", ">c16"),
        *("datetime64[ns]", "timedelta64[s]", ">M8[D]", ">m8[ms]"),
    )
} | SMALL
KINDS = ("symmetric", "triangular", "hermitian", "skew", "skew-hermitian")
STORE_KINDS = ("symmetric", "hermitian", "skew", "skew-hermitian")

ESTIMATORS = (
    "sample",
    "correlation",
    "spearman",
    "kendall",
    "gerber",
    "quadrant",
    "one_bit",
    "ledoit_wolf",
    "oas",
    "nonlinear",
    "denoise",
)
"""Of `vech.covariance`: each takes X, and `out=`."""
# 0 to 4, then one below, at and above each vector and block width
SIZES = (0, 1, 2, 3, 4, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 130)


def plain(layout):
    """A layout of the same triangle with the diagonal stored and nothing scaled."""
    return PLAIN[f"{layout.triangle}-{getattr(layout, 'traversal', 'rows')}-stored"]


def is_inexact(dtype):
    return dtype.kind in "fc" or reference.is_ml(dtype)


def is_signed(dtype):
    return dtype.kind in "im" or is_inexact(dtype)


def allows(dtype, kind):
    """Whether matrices of this dtype can be of this kind (real Hermitian is another name for symmetric)."""
    if dtype.kind == "M":
        return kind in ("symmetric", "triangular")
    return is_signed(dtype) if kind in ("skew", "skew-hermitian") else True


def is_scaled(layout):
    return (layout.diagonal_scale, layout.offdiagonal_scale) != (1.0, 1.0)


def has_side(layout, n):
    return n == 3 or not isinstance(layout, vech.TensorOrder)


def has_kind(layout, dtype, kind):
    """Rectangular full packed conjugates what it crosses, so it has no other way to the other triangle."""
    if not isinstance(layout, vech.RectangularFullPacked):
        return True
    return kind in ("hermitian", "triangular") or (kind == "symmetric" and dtype.kind != "c")


def fits(layout, dtype, kind, n):
    if is_scaled(layout) and not is_inexact(dtype):
        return False
    if not has_side(layout, n) or not has_kind(layout, dtype, kind):
        return False
    if layout.diagonal == "one" and (dtype.kind == "M" or kind.startswith("skew")):
        return False  # the diagonal of a skew matrix is zero
    return allows(dtype, kind) and (n > 0 or layout.diagonal == "stored")


def convertible(source, target, dtype, kind, n):
    if kind == "triangular" and source.triangle != target.triangle:
        return False
    if {source.diagonal, target.diagonal} == {"zero", "one"}:
        return False
    return fits(source, dtype, kind, n) and fits(target, dtype, kind, n)


# ---- choosing cases ----------------------------------------------------------------------------------------


TOGETHER = 100  # cases of a test


def pairwise(valid, *, apart=(), **axes):
    """A fixed sample of the product of the axes in which each valid pair of values of two axes occurs.

    An axis is a dict (its keys become test ids) or a sequence; `valid` takes one value of each axis by name.
    Axes `apart` need not meet each other: what is tested looks at one of them at a time.
    """
    named = [
        list(values.items()) if isinstance(values, dict) else [(str(value), value) for value in values]
        for values in axes.values()
    ]
    values_of = [[value for _, value in values] for values in named]
    seeded = random.Random(0)
    getrandbits, rng = seeded.getrandbits, seeded.random
    sides = [(axis, len(values), len(values).bit_length()) for axis, values in enumerate(named)]

    def draw(pair):
        """Indices of a valid case that contains the pair, or None. Most time of collecting is spent here."""
        case = []
        for axis, side, bits in sides:
            k = getrandbits(bits)
            while k >= side:
                k = getrandbits(bits)
            case.append(pair.get(axis, k))
        fitting = valid(**{axis: values[k] for axis, values, k in zip(axes, values_of, case, strict=True)})
        return tuple(case) if fitting else None

    def starts(pair):
        """What `draw` fills up: the pair itself, then known cases with it put in; else it fits nowhere."""
        yield from itertools.repeat(pair, 40)
        for _ in range(min(80, 4 * len(chosen))):
            yield dict(enumerate(chosen[int(rng() * len(chosen))])) | pair

    def pairs_of(case):
        return set(itertools.combinations(enumerate(case), 2))

    every_pair = [
        ((a, x), (b, y))
        for a, b in itertools.combinations(range(len(named)), 2)
        if not {list(axes)[a], list(axes)[b]} <= set(apart)
        for x, y in itertools.product(range(len(named[a])), range(len(named[b])))
    ]
    covered, chosen = set(), []
    for pair in every_pair:
        if pair not in covered:
            candidates = list(itertools.islice(filter(None, map(draw, starts(dict(pair)))), 12))
            if candidates:
                best = max(candidates, key=lambda case: len(pairs_of(case) - covered))
                covered |= pairs_of(best)
                chosen.append(best)
    picked = [[values[k] for k, values in zip(case, named, strict=True)] for case in sorted(chosen)]
    return [param(*(value for _, value in case), id="-".join(name for name, _ in case)) for case in picked]


def each(names, cases, ids=None, *, where=None):
    """As pytest.mark.parametrize, a hundred in one test: to tell of a case takes longer than most cases do.

    Cases may be a dict by their ids. `each` above `each` has the product of both, where `where` is true of
    its values by name. All cases are tried: a failure names the first that fails and lists the others, and a
    test says which cases skip themselves, and counts as skipped. Each case draws the same numbers of the
    module's RNG. Fixtures are those of all.
    """
    names = tuple(names.replace(" ", "").split(",")) if isinstance(names, str) else names
    if isinstance(cases, dict):
        cases, ids = cases.values(), cases.keys()
    cases = [as_param(case, len(names)) for case in cases]
    if callable(ids):
        ids = ["-".join(map(ids, case.values)) for case in cases]
    if ids is not None:
        cases = [param(*case.values, id=str(name)) for name, case in zip(ids, cases, strict=True)]

    def decorate(test):
        below, its_names, its_cases = getattr(test, "each_of", (test, (), [()]))
        every_name = its_names + names
        every = [(*its_case, case) for its_case in its_cases for case in cases]
        if where is not None:
            every = [case for case in every if where(**values_of(case, every_name))]
        some = in_parts(below, every_name, every)
        some.each_of = below, every_name, every
        some.pytestmark = [m for m in getattr(test, "pytestmark", []) if m.args[:1] != ("of_cases",)]
        return mark.parametrize("of_cases", range(-(-len(every) // TOGETHER)))(some)

    return decorate


def as_param(case, count):
    """What mark.parametrize takes as a case."""
    if isinstance(case, type(param())):
        assert not case.marks, "a case of `each` has no marks"
        return case
    return param(case) if count == 1 else param(*case)


def values_of(case, names):
    return dict(zip(names, (value for part in case for value in part.values), strict=True))


def name_of(case):
    def name(value):
        return getattr(value, "__name__", None) or str(value)

    return "-".join(part.id or "-".join(map(name, part.values)) for part in case)


def in_parts(test, names, cases):
    """A test of the cases whose number is `of_cases`, counted round; it tells of all that fail or skip."""
    parts = -(-len(cases) // TOGETHER)
    signature = inspect.signature(test)

    @functools.wraps(test)
    def some(of_cases, **fixtures):
        rng = test.__globals__.get("RNG")
        state = None if rng is None else rng.bit_generator.state
        skipped, failed = {}, {}
        for case in cases[of_cases::parts]:
            if rng is not None:
                rng.bit_generator.state = state
            try:
                test(**values_of(case, names), **fixtures)
            except skip.Exception as reason:
                skipped.setdefault(str(reason), []).append(name_of(case))
            except (Exception, fail.Exception) as error:  # noqa: BLE001
                failed[name_of(case)] = error
        if failed:
            (name, first), *others = failed.items()
            first.add_note(f"in the case {name}")
            for name, error in others:
                line = f"{type(error).__name__} {error}".partition("\n")[0]
                first.add_note(f"and in the case {name}: {line[:100]}")
            raise first
        if skipped:
            skip("; ".join(f"{reason}: {', '.join(which)}" for reason, which in skipped.items()))

    rest = [parameter for name, parameter in signature.parameters.items() if name not in names]
    of_cases = inspect.Parameter("of_cases", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    some.__signature__ = signature.replace(parameters=[of_cases, *rest])
    return some


# ---- values ------------------------------------------------------------------------------------------------


def generator(*what):
    """A random generator whose seed depends on what is made, and on nothing else."""
    return np.random.default_rng(zlib.crc32(repr(what).encode()))


@reference.remembered
def raw(dtype, shape, *, negatable=False, salt=0):
    """Random bits sprinkled with extremes: NaN payloads, infinities, -0.0, subnormals, the largest, NaT."""
    dtype, shape = np.dtype(dtype), (shape,) if isinstance(shape, int) else tuple(shape)
    rng = generator("raw", dtype.str, dtype.name, shape, salt)
    count = int(np.prod(shape))
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    bits = np.frombuffer(rng.bytes(count * dtype.itemsize), dtype).copy()
    extremes = specials(dtype)
    where = np.flatnonzero(rng.random(count) < 0.25)
    words(bits)[where] = words(extremes)[rng.integers(0, len(extremes), len(where))]
    if negatable and dtype.kind == "i":
        bits[bits == np.iinfo(dtype).min] = np.iinfo(dtype).max
    return bits.reshape(shape)


def specials(dtype):
    """Numbers that careless code changes, by their bits."""
    dtype = np.dtype(dtype)
    order = ">" if reference.byteorder(dtype) == "big" else "<"
    if dtype.kind in "iumM":
        width = 8 * dtype.itemsize
        patterns = (0, 1, 2**width - 1, 2 ** (width - 1), 2 ** (width - 1) - 1)  # both ends; NaT of a date
        return np.array(patterns, f"{order}u{dtype.itemsize}").view(dtype)
    if dtype.itemsize == 1:
        return np.array([0, 1, 0x7F, 0x80, 0x81, 0xFF], f"u{dtype.itemsize}").view(dtype)
    if dtype.kind == "c":
        parts = specials(np.dtype(f"{dtype.byteorder}f{dtype.itemsize // 2}"))
        pairs = np.array(list(itertools.product(words(parts), repeat=2)), f"u{dtype.itemsize // 2}")
        return np.ascontiguousarray(pairs).view(dtype).reshape(-1)
    width = 8 * dtype.itemsize
    mantissa = 7 if reference.is_ml(dtype) else {16: 10, 32: 23, 64: 52}[width]
    infinity = (2 ** (width - 1 - mantissa) - 1) << mantissa
    # subnormals, smallest, largest, inf
    patterns = [0, 1, 2**mantissa - 1, 2**mantissa, infinity - 1, infinity]
    # NaNs with a payload, signalling and quiet
    patterns += [infinity | 5, infinity | 1 << (mantissa - 1) | 3]
    patterns += [pattern | 1 << (width - 1) for pattern in patterns]
    return np.array(patterns, f"{order}u{width // 8}").view(dtype)


@reference.remembered
def moderate(dtype, shape, *, salt=0):
    """Ordinary numbers, safe to compute with."""
    dtype = np.dtype(dtype)
    rng = generator("moderate", dtype.str, dtype.name, shape, salt)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.kind in "mM":
        return rng.integers(-99, 100, shape).astype("i8").astype(dtype)
    if dtype.kind in "iu":
        return rng.integers(0 if dtype.kind == "u" else -9, 10, shape).astype(dtype)
    numbers = rng.normal(size=shape)
    return (numbers + 1j * rng.normal(size=shape) if dtype.kind == "c" else numbers).astype(dtype)


@reference.remembered
def half(dtype, layout, kind, n, *, batch=(), values=None, salt=0):
    """A half that is of its kind (real diagonal if Hermitian, zero if skew), of wild values unless scaled."""
    dtype = np.dtype(dtype)
    shape = (*batch, reference.length(layout, n))
    if values is None:
        values = moderate if is_scaled(layout) else raw
    numbers = values(dtype, shape, salt=salt)
    if kind.startswith("skew") and dtype.kind == "i":
        numbers[numbers == np.iinfo(dtype).min] = np.iinfo(dtype).max
    if kind.startswith("skew") or (kind == "hermitian" and dtype.kind == "c"):
        i, j = reference.places(layout, n)
        diagonal = np.ascontiguousarray(numbers[..., i == j])
        clean_diagonal(diagonal, kind)
        words(numbers)[..., i == j] = words(diagonal)
    return numbers


def clean_diagonal(numbers, kind):
    """Writes into the numbers what their kind demands on the diagonal."""
    complex_numbers = numbers.dtype.kind == "c"
    parts = (
        numbers.view(f"{numbers.dtype.byteorder}f{numbers.dtype.itemsize // 2}")
        if complex_numbers
        else numbers
    )
    if kind == "skew" or (kind == "skew-hermitian" and not complex_numbers):
        numbers[...] = np.zeros((), numbers.dtype)
    elif kind == "skew-hermitian":
        parts[..., ::2] = 0
    elif kind == "hermitian" and complex_numbers:
        parts[..., 1::2] = 0


def set_diagonal(numbers, layout, n, value):
    """Writes the true value (0 or 1) on a stored diagonal, as the layout scales it."""
    i, j = reference.places(layout, n)
    numbers[..., i == j] = np.array(value if value == 0 else layout.diagonal_scale).astype(
        "i8" if numbers.dtype.kind in "mM" else numbers.dtype
    )


def matrix(dtype, kind, n, *, batch=(), values=moderate, salt=0):
    """A full matrix of its kind, made by the reference."""
    layout = PLAIN["lower-columns-stored"]
    return reference.expand(half(dtype, layout, kind, n, batch=batch, values=values, salt=salt), layout, kind)


@reference.remembered
def sparse_half(dtype, length, density, *, salt=0):
    """Mostly zero bits; the rest wild values, -0.0 and NaN among them."""
    numbers = raw(dtype, length, salt=salt)
    keep = generator("sparse", np.dtype(dtype).str, length, density, salt).random(length) < density
    words(numbers)[~keep] = words(np.zeros(1, numbers.dtype))
    return numbers


# ---- memory shapes -----------------------------------------------------------------------------------------


# How an array may lie in a larger block of memory: the block's shape and dtype, and the cut that is it.
MEMORY = {
    "C": lambda shape, dtype: (shape, dtype, lambda block: block),
    "Fortran": lambda shape, dtype: (shape[::-1], dtype, lambda block: block.T),
    "last-axes-swapped": lambda shape, dtype: (
        (*shape[:-2], *shape[:-3:-1]),
        dtype,
        lambda block: block.mT if block.ndim > 1 else block,
    ),
    "reversed": lambda shape, dtype: (shape, dtype, lambda block: block[..., ::-1]),
    "all-reversed": lambda shape, dtype: (
        shape,
        dtype,
        lambda block: block[(slice(None, None, -1),) * block.ndim],
    ),
    "every-second": lambda shape, dtype: ((*shape[:-1], 2 * shape[-1]), dtype, lambda block: block[..., ::2]),
    "every-third-backwards": lambda shape, dtype: (
        (*shape[:-1], 3 * shape[-1]),
        dtype,
        lambda block: block[..., ::-3],
    ),
    "padded-rows": lambda shape, dtype: (
        (*shape[:-1], shape[-1] + 3),
        dtype,
        lambda block: block[..., 1 : block.shape[-1] - 2],
    ),
    "batch-last": lambda shape, dtype: (
        (*shape[-2:], *shape[:-2]),
        dtype,
        lambda block: np.moveaxis(block, (0, 1), (-2, -1)) if block.ndim > 1 else block,
    ),
    "record-field": lambda shape, dtype: (  # strides that are no multiple of the item size
        shape,
        np.dtype([("before", "u1"), ("number", dtype), ("after", "V2")]),
        lambda block: block["number"],
    ),
}


def block_for(shape, dtype, memory):
    """A block filled with a pattern, and the function that cuts an array of the shape out of such a block."""
    block_shape, block_dtype, cut = MEMORY[memory](tuple(shape), dtype)
    pattern = np.full(int(np.prod(block_shape)) * block_dtype.itemsize + 1, 0xA5, "u1")
    block = np.ndarray(block_shape, block_dtype, buffer=pattern)
    assert cut(block).shape == tuple(shape)
    return block, cut


def write_bits(target, source):
    assert target.dtype == source.dtype
    target.view(f"V{target.dtype.itemsize}")[...] = source.view(f"V{source.dtype.itemsize}")


def laid_out(array, memory):
    """The same contents in another shape of memory."""
    block, cut = block_for(array.shape, array.dtype, memory)
    view = cut(block)
    write_bits(view, array)
    return view


def untouched(nbytes):
    """Address space without memory behind it: reads as zeros, at no cost."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000)
    try:
        return np.frombuffer(mmap.mmap(-1, nbytes, flags=flags), np.uint8)
    except (OSError, ValueError) as error:
        skip(f"this system does not lend {nbytes} bytes of address space: {error}")


# ---- sums --------------------------------------------------------------------------------------------------


def tolerance(dtype, n):
    """The relative error that n additions and multiplications in any order may leave."""
    dtype = np.dtype(dtype)
    if not is_inexact(dtype):
        return 0.0
    epsilon = float((ml_dtypes if reference.is_ml(dtype) else np).finfo(dtype).eps)
    return 2 * (n + 4) * epsilon


# ---- stores ------------------------------------------------------------------------------------------------


def _packed(layout):
    def make(full, kind, **more):
        if not make.holds(full.dtype, kind, len(full)):
            skip("no such form")
        return vech.Packed(reference.pack(full, layout, kind), layout, kind=kind, **more)

    make.holds = lambda dtype, kind, n: has_kind(layout, dtype, kind) and has_side(layout, n)
    return make


def _sparse_half(triangle):
    def make(full, kind, **more):
        indptr, indices, data = reference.csr(full, triangle)
        return vech.SparseHalf(indptr, indices, data, len(full), triangle=triangle, kind=kind, **more)

    make.holds = lambda dtype, kind, n: True
    return make


STORES = {
    "packed-vech": _packed(PLAIN["lower-columns-stored"]),
    "packed-lower-rows": _packed(PLAIN["lower-rows-stored"]),
    "packed-upper-columns": _packed(PLAIN["upper-columns-stored"]),
    "packed-upper-rows": _packed(PLAIN["upper-rows-stored"]),
    "packed-rfp-nl": _packed(RFP["lapack-rfp-nl"]),
    "packed-tfp-upper": _packed(SPIRALS["tfp-upper"]),
    "sparse-half-lower": _sparse_half("lower"),
    "sparse-half-upper": _sparse_half("upper"),
}
TENSOR_STORES = {
    name: _packed(layout) for name, layout in TENSORS.items() if not is_scaled(layout)
}  # of n = 3
