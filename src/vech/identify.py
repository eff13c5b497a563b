"""Which layout a half has: what its length, a full matrix, some entries and two facts leave over, and no more."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech.arrays import Array, Dtype, as_array, epsilon, extension, family
from vech.dialects import DIALECTS, AnyLayout
from vech.layout import Layout, as_integer, as_side, one_of, triangular
from vech.orders import RectangularFullPacked
from vech.values import narrow, widen

FACTS = ("positive semidefinite", "unit diagonal")
ROUNDING = 4  # units in the last place within which a scaled or a coarser number agrees
EIGEN_SIDE = 500  # eigenvalues take 0.06 s; eight times as long for twice the side
SAMPLE = 2**12  # numbers looked at before all are: most wrong layouts end here
CHUNK = 2**17  # numbers compared at a time

Indices = NDArray[np.int64]


class Candidate(NamedTuple):
    """Layouts that read a half as one matrix, and what speaks for them or against."""

    rank: int
    """1 is best; the evidence cannot tell equal ranks apart. 0: ruled out."""
    layouts: tuple[AnyLayout, ...]
    """They hold the same numbers of a symmetric matrix in the same order."""
    n: int
    verdict: str
    """"equal", "equal off the diagonal", "possible" or "excluded"."""
    reasons: tuple[str, ...]
    """What is known of it; a reason that begins with "hint:" proves nothing."""

    @property
    def layout(self) -> AnyLayout:
        """The first of its layouts."""
        return self.layouts[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Its layouts by their canonical names."""
        return tuple(layout.name for layout in self.layouts)

    @property
    def dialects(self) -> tuple[str, ...]:
        """Every name of its layouts, the canonical ones first."""
        return tuple(name for name, layout in DIALECTS.items() if layout in self.layouts)

    def __str__(self) -> str:
        place = f"{self.rank}. " if self.rank else ""
        return f"{place}{' = '.join(self.names)}, n = {self.n}, {self.verdict}: {'; '.join(self.reasons)}"


class Candidates(list[Candidate]):
    """What a half can be, best first; `excluded` says what it cannot be, nearest first; `summary` sums up."""

    def __init__(self, listed: list[Candidate], excluded: list[Candidate], summary: str) -> None:
        super().__init__(listed)
        self.excluded = excluded
        self.summary = summary

    def __repr__(self) -> str:
        ruled_out = ["ruled out:", *(f"   {candidate}" for candidate in self.excluded)]
        return "\n".join([self.summary, *map(str, self), *(ruled_out if self.excluded else ())])


def identify(
    half: ArrayLike,
    *,
    n: int | None = None,
    matrix: ArrayLike | None = None,
    known: Mapping[Any, Any] | None = None,
) -> Candidates:
    """Say which named layouts a half can have, best first, and why, from what is known of its matrix.

    Parameters
    ----------
    half : array, shape (length,)
        The numbers of one half.
    n : int, optional
        The side of the matrix.
    matrix : array, shape (n, n), optional
        The matrix that the half should be of. One that is not symmetric tells the triangle too.
    known : mapping, optional
        Entries of the matrix, ``{(i, j): value}``, and facts, ``{"unit diagonal": True}`` and
        ``{"positive semidefinite": True}`` (complex numbers: Hermitian), in any mixture.

    Returns
    -------
    list of Candidate
        Each has `layout` (the first of `layouts`, which all read this half as the same symmetric matrix),
        `names`, `dialects`, `n`, `rank`, `verdict` and `reasons`. Equal ranks fit the evidence equally well;
        among them hints come first, then the order of ``vech.DIALECTS``. The list may be empty. Its
        `excluded` is the list of what was ruled out, the nearest first, and its `summary` a text. It prints
        as all of that.

    Raises
    ------
    ValueError
        If the length fits no n, or not the n that is given, or an argument is none of its choices.
    TypeError, IndexError
        For arrays and dtypes vech refuses, and for a `known` of another form.

    Notes
    -----
    Numbers agree if they are equal, or both NaN, or apart by the rounding of a scale or of the coarser of two
    dtypes (4 units in the last place). "Positive semidefinite" allows eigenvalues down to n eps max|w| below 0;
    above n = 500 none are computed, only the diagonal and all 2 x 2 minors are judged. Never proven: that
    the half has one of the named layouts at all.

    Cost: a sample of the half for each layout, and all of it for those that pass; memory for a few megabytes
    of numbers, and for n x n where eigenvalues are computed.

    Examples
    --------
    >>> found = identify([1, 2, 4, 3, 5, 6], matrix=[[1, 2, 4], [2, 3, 5], [4, 5, 6]])
    >>> found[0].names, found[0].verdict
    (('vech', 'numpy-triu'), 'equal')
    >>> print(identify([1.0, 0.5, 0.2, 1.0, 0.3, 1.0], known={"unit diagonal": True, (0, 1): 0.5}).summary)
    6 numbers of float64: n = 3 with, n = 4 without the diagonal.
    Of the layouts with a name only vech = numpy-triu fits.
    """
    numbers = _one_half(half)
    full = None if matrix is None else _one_square(matrix, numbers.dtype)
    entries, facts = _known(known, numbers.dtype)
    sides = _sides(numbers, n, full)
    cases = [
        case
        for layout in dict.fromkeys(DIALECTS.values())
        for case in _cases(layout, numbers, sides, _speaks_of_ones(full, entries, facts))
    ]
    if full is not None:
        _judge_matrix(cases, numbers, full)
    if entries:
        _judge_entries(cases, numbers, entries)
    if "unit diagonal" in facts:
        _judge_unit_diagonal(cases, numbers)
    if "positive semidefinite" in facts:
        _judge_semidefinite(cases, numbers)
    _hint(cases, numbers)
    return _report(cases, numbers, sides, full)


@dataclass
class _Case:
    """One layout at one n while it is judged."""

    layout: AnyLayout
    n: int
    reading: tuple[Any, ...]
    reasons: list[str]
    weakness: tuple[int, int] = (0, 0)  # of the match with the matrix; of the kind that the entries need
    against: list[str] = field(default_factory=list)
    agreed: int = 0
    hint: int = 0
    verdict: str = "possible"

    @property
    def alive(self) -> bool:
        return not self.against


# ---- what comes in


def _one_half(half: ArrayLike) -> Array:
    array = as_array(half, "half")
    if array.ndim == 0:
        raise ValueError("half is a single number: a half is a vector, of shape (length,)")
    if array.ndim == 2 and array.shape[0] == array.shape[1]:
        raise ValueError(f"half has shape {array.shape}: that is a full matrix, and vech.pack takes its half")
    if array.ndim > 1:
        raise ValueError(f"half has shape {array.shape}: identify takes one vector, such as half[0]")
    return array


def _one_square(matrix: ArrayLike, dtype: Dtype) -> Array:
    full = as_array(matrix, "matrix")
    if full.ndim != 2 or full.shape[0] != full.shape[1]:
        raise ValueError(f"matrix has shape {full.shape}: identify compares with one square, (n, n)")
    _check_comparable("matrix", full.dtype, dtype)
    return full


def _check_comparable(what: str, other: Dtype, dtype: Dtype) -> None:
    letters = {family(other), family(dtype)}
    if letters & set("Mm") and len(letters) > 1:
        raise TypeError(f"half holds {dtype} and {what} {other}: these cannot be equal")


def _known(known: Mapping[Any, Any] | None, dtype: Dtype) -> tuple[dict[tuple[int, int], Any], set[str]]:
    """The entries and the facts."""
    entries: dict[tuple[int, int], Any] = {}
    facts: set[str] = set()
    if known is not None and not isinstance(known, Mapping):
        raise TypeError(
            f"known is a mapping such as {{(0, 1): 0.5, 'unit diagonal': True}}, not {type(known).__name__}"
        )
    for key, value in (known or {}).items():
        if isinstance(key, str):
            one_of("fact", key, FACTS)
            if value is not True:
                raise ValueError(f"known[{key!r}] is True or left out, not {value!r}")
            if family(dtype) in "Mm":
                raise TypeError(f"{key!r} is said of numbers, and half holds {dtype}")
            facts.add(key)
            continue
        if not isinstance(key, tuple) or len(key) != 2:
            raise TypeError(f"known has a key {key!r}: entries are (i, j), facts are {', '.join(FACTS)}")
        i, j = as_integer("row", key[0]), as_integer("column", key[1])
        if min(i, j) < 0:
            raise IndexError(f"known has ({i}, {j}): rows and columns count from 0")
        entry = np.asarray(value)
        if entry.ndim:
            raise TypeError(f"known[{i}, {j}] is one number, not {value!r}")
        try:
            _check_comparable(f"known[{i}, {j}]", entry.dtype, dtype)
        except TypeError as reason:
            raise TypeError(f"known[{i}, {j}]: {reason}") from None
        entries[i, j] = entry.astype(np.int64) if entry.dtype.kind in "bu" and entry.itemsize < 8 else entry
    return entries, facts


def _sides(half: Array, n: int | None, full: Array | None) -> tuple[int, int]:
    """The side with a stored diagonal and that without; -1 for what the arguments leave out."""
    length = half.size
    runs = (math.isqrt(8 * length + 1) - 1) // 2
    if triangular(runs) != length:
        root = math.isqrt(length)
        square = f"; {length} = {root} x {root}: a full matrix, flattened?" if root * root == length else ""
        raise ValueError(
            f"{length} numbers are no half: with the diagonal it has n(n+1)/2, without n(n-1)/2; the nearest "
            f"are {triangular(runs)} (n = {runs}, or {runs + 1} without) and {triangular(runs + 1)} "
            f"(n = {runs + 1}, or {runs + 2} without){square}"
        )
    sides = (runs, runs + 1)
    if full is not None and n is not None and as_side(n) != len(full):
        raise ValueError(f"n = {n} was said, and matrix is {len(full)} x {len(full)}")
    wanted = len(full) if full is not None else None if n is None else as_side(n)
    if wanted not in (None, *sides):
        what = f"matrix is {wanted} x {wanted}" if full is not None else f"n = {wanted} was said"
        raise ValueError(
            f"{length} numbers fit n = {runs} with the diagonal and n = {runs + 1} without it, "
            f"not n = {wanted}: {what}"
        )
    stored, strict = (side if wanted in (None, side) else -1 for side in sides)
    return stored, strict


def _speaks_of_ones(full: Array | None, entries: dict[tuple[int, int], Any], facts: set[str]) -> bool:
    """Whether a strict half may well be one of a matrix with ones on its diagonal."""
    if full is not None:
        return len(full) > 0 and _is_constant(full.diagonal(), 1)
    return bool(facts) or any(i == j and value == 1 for (i, j), value in entries.items())


def _cases(layout: AnyLayout, half: Array, sides: tuple[int, int], ones: bool) -> Iterator[_Case]:
    strict = layout.diagonal != "stored"
    n = sides[strict]
    try:
        if n < 0 or layout.length(n) != half.size:
            return
    except ValueError:  # a tensor of another side
        return
    letter = family(half.dtype)
    case = _Case(layout, n, _reading(layout, n, letter), [f"{half.size:,} = n(n{'-+'[not strict]}1)/2"])
    if strict:
        case.reasons.append("its diagonal is left out as zero")
    if layout.scaled and letter in "biu":
        case.reasons.append(f"it is scaled, for which vech needs floats: astype(float), not {half.dtype}")
    if layout.scaled and letter in "bMm":
        case.against.append(f"it is scaled, and {half.dtype} is not")
    yield case
    if ones and isinstance(layout, Layout) and strict and not layout.scaled:
        twin = replace(layout, diagonal="one")
        reasons = [case.reasons[0], "its diagonal is left out as one"]
        yield _Case(twin, n, _reading(twin, n, letter), reasons)


def _reading(layout: AnyLayout, n: int, letter: str) -> tuple[Any, ...]:
    """What makes two layouts read a half as different symmetric matrices, or Hermitian but for a conjugate.

    Orders differ if they do in pairs of the first and the last few indices.
    """
    on = layout.diagonal_scale if layout.diagonal == "stored" and n > 0 else 1.0
    off = layout.offdiagonal_scale if n > 1 else 1.0
    ends = np.array(sorted({*range(min(n, 4)), *range(max(n - 4, 0), n)}), np.int64)
    a, b = np.triu_indices(len(ends), int(layout.diagonal != "stored"))
    small, large = ends[a], ends[b]
    slots, crossed = b"", b""
    if len(small):
        slots = np.asarray(layout.slot(small, large, n), np.int64).tobytes()
        if letter == "c" and not isinstance(layout, Layout):
            mirrored = layout.crossed(small, large, n) & (small < large)
            crossed = mirrored.tobytes() if mirrored.any() else b""
    return n, layout.diagonal, on, off, slots, crossed


# ---- comparing numbers


def _agree(stored: Array, true: Array, scale: Any = 1.0) -> tuple[NDArray[np.bool], NDArray[np.bool]]:
    """Whether stored = true x scale within rounding, and whether to the bit of the coarser dtype."""
    letters = {family(stored.dtype), family(true.dtype)}
    if letters & set("Mm"):
        common = np.promote_types(stored.dtype, true.dtype)
        same = stored.astype(common).view(np.int64) == true.astype(common).view(np.int64)
        return same, same
    if letters <= set("biu") and np.all(np.equal(scale, 1)) and not extension(stored.dtype):
        same = stored == true
        return same, same
    parts = "c" in letters
    x, y = _parts(stored, parts), _parts(true, parts)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        y = y * (np.asarray(scale)[..., None] if parts else scale)
        dtype = _coarser(stored.dtype, true.dtype)
        least = 0.0 if extension(dtype) else float(np.finfo(dtype).smallest_subnormal)
        room = np.where(np.isfinite(y), ROUNDING * (epsilon(dtype) * np.abs(y) + least), 0)
        nan = np.isnan(x) & np.isnan(y)
        near = (x == y) | nan | (np.abs(x - y) <= room)
        exact = near & (nan | (_rounded(x, dtype) == _rounded(y, dtype)))
    return (near.all(axis=-1), exact.all(axis=-1)) if parts else (near, exact)


def _parts(x: Array, parts: bool) -> NDArray[np.float64]:
    """As float64; with one axis more, real and imaginary, where asked for."""
    wide = widen(x)
    return np.stack((wide, np.zeros_like(wide)), axis=-1) if parts and x.dtype.kind != "c" else wide


def _coarser(*dtypes: Dtype) -> Dtype:
    """The dtype of real numbers with the larger epsilon."""
    inexact = [dtype for dtype in dtypes if family(dtype) in "fc"] or [np.dtype(np.float64)]
    coarse = max(inexact, key=epsilon)
    return np.empty(0, coarse).real.dtype if coarse.kind == "c" else coarse


def _rounded(x: NDArray[np.float64], dtype: Dtype) -> NDArray[np.float64]:
    return x if epsilon(dtype) <= epsilon(np.dtype(np.float64)) else widen(narrow(x, dtype))


def _scales(layout: AnyLayout, small: Indices, large: Indices) -> Any:
    return np.where(small == large, layout.diagonal_scale, layout.offdiagonal_scale) if layout.scaled else 1.0


def _conjugated(numbers: Array, layout: AnyLayout, small: Indices, large: Indices, n: int) -> Array:
    """Numbers of the layout's own triangle as they stand in its half, and back."""
    if numbers.dtype.kind != "c" or isinstance(layout, Layout):
        return numbers
    return np.where(layout.crossed(small, large, n), numbers.conj(), numbers)


def _ordered(layout: AnyLayout, k: Indices, n: int) -> tuple[Indices, Indices]:
    i, j = layout.pair(k, n)
    return np.minimum(i, j), np.maximum(i, j)


def _sample(length: int) -> Indices:
    """Positions that are looked at first: all of a short half, of a long one its beginning and any others."""
    if length <= SAMPLE:
        return np.arange(length)
    others = np.random.default_rng(0).integers(0, length, SAMPLE // 2)
    return np.unique(np.concatenate((np.arange(SAMPLE // 2), others)))


def _all(length: int) -> Iterator[Indices]:
    for start in range(0, length, CHUNK):
        yield np.arange(start, min(start + CHUNK, length))


def _sample_and_all(length: int) -> Iterator[Indices]:
    yield _sample(length)
    if length > SAMPLE:
        yield from _all(length)


# ---- the matrix


@dataclass
class _Match:
    seen: int = 0
    agreed: int = 0
    exact: bool = True
    first: tuple[int, int, int] | None = None  # position, row and column of the first that differs


def _judge_matrix(cases: list[_Case], half: Array, full: Array) -> None:
    cases, length = [case for case in cases if case.alive], half.size
    matches = _match(cases, half, full, iter([_sample(length)]), stop=False)
    if length > SAMPLE:
        passed = [k for k, match in enumerate(matches) if match.first is None]
        again = _match([cases[k] for k in passed], half, full, _all(length), stop=True)
        if all(match.first for match in again):  # none is equal: count in full for the nearest of the sample
            passed = sorted(range(len(cases)), key=lambda k: -matches[k].agreed)[:4]
            again = _match([cases[k] for k in passed], half, full, _all(length), stop=False)
        for k, match in zip(passed, again, strict=True):
            matches[k] = match
    for case, match in zip(cases, matches, strict=True):
        case.agreed = match.agreed * length // max(match.seen, 1)
        if match.first is not None:
            case.against.append(_difference(match, half, full, case.layout, length))
            continue
        case.verdict = "equal"
        how = "exactly" if match.exact else "within rounding"
        case.reasons[0] = f"all {length:,} numbers are the matrix's {how}"
        gap = case.layout.implied is not None and not _is_constant(full.diagonal(), case.layout.implied)
        if gap:
            case.verdict = "equal off the diagonal"
            case.reasons[1] = f"its diagonal is left out as {case.layout.diagonal}, and is not in the matrix"
        case.weakness = (2 * gap + (not match.exact), 0)
    if any(case.alive for case in cases) and not _is_symmetric(full):
        for case in cases:
            alike = [other for other in cases if other.reading == case.reading and other.alive]
            if case.alive and len({other.layout.triangle for other in alike}) == 1:
                reason = f"the matrix is not symmetric: this is its {case.layout.triangle} triangle"
                case.reasons.append(reason)


def _match(
    cases: list[_Case], half: Array, full: Array, places: Iterator[Indices], *, stop: bool
) -> list[_Match]:
    """Compare each layout's half of the matrix with the half; where told to, until the first that differs."""
    matches = [_Match() for _ in cases]
    orders: dict[tuple[int, bool, bytes], list[tuple[_Case, _Match]]] = {}
    for case, match in zip(cases, matches, strict=True):
        key = case.n, case.layout.diagonal == "stored", case.reading[4]
        orders.setdefault(key, []).append((case, match))
    for k in places:
        stored, going = half[k], False
        for order in orders.values():
            left = [(case, match) for case, match in order if not (stop and match.first)]
            if not left:
                continue
            going = True
            n = left[0][0].n
            small, large = _ordered(left[0][0].layout, k, n)
            triangles: dict[str, Array] = {}
            for case, match in left:
                layout = case.layout
                if layout.triangle not in triangles:
                    i, j = (large, small) if layout.triangle == "lower" else (small, large)
                    triangles[layout.triangle] = full[i, j]
                true = _conjugated(triangles[layout.triangle], layout, small, large, n)
                near, exact = _agree(stored, true, _scales(layout, small, large))
                match.seen += len(k)
                match.agreed += int(np.count_nonzero(near))
                match.exact &= bool(exact.all())
                if match.first is None and not near.all():
                    at = int(np.argmin(near))
                    pair = int(small[at]), int(large[at])
                    match.first = int(k[at]), *(pair[::-1] if layout.triangle == "lower" else pair)
        if not going:
            break
    return matches


def _share(match: _Match) -> float:
    return match.agreed / match.seen if match.seen else 0.0


def _difference(match: _Match, half: Array, full: Array, layout: AnyLayout, length: int) -> str:
    assert match.first is not None
    k, i, j = match.first
    scale = layout.diagonal_scale if i == j else layout.offdiagonal_scale
    looked = "" if match.seen == length else " looked at"
    times = "" if scale == 1 else f" x {scale:.6g}"
    return (
        f"{match.agreed:,} of {match.seen:,} numbers{looked} agree; "
        f"half[{k}] is {half[k]}, the matrix has {full[i, j]}{times} at ({i}, {j})"
    )


def _is_constant(numbers: Array, value: int) -> bool:
    """Whether all of them are 0 or 1; dates are neither."""
    return family(numbers.dtype) not in "Mm" and bool(_agree(numbers, np.full(1, value))[0].all())


def _is_symmetric(full: Array) -> bool:
    blocks = [slice(start, start + 256) for start in range(0, len(full), 256)]
    pairs = ((a, b) for k, a in enumerate(blocks) for b in blocks[: k + 1])
    return all(_agree(full[a, b], full[b, a].T.copy())[0].all() for a, b in pairs)


# ---- entries and facts

MIRRORS: dict[str, Callable[[Any], Any]] = {
    "symmetric": lambda x: x,
    "hermitian": np.conj,
    "skew": np.negative,
    "skew-hermitian": lambda x: np.negative(np.conj(x)),
    "triangular": np.zeros_like,
}


def _judge_entries(cases: list[_Case], half: Array, entries: dict[tuple[int, int], Array]) -> None:
    beyond = max(max(pair) for pair in entries)
    for case in cases:
        if beyond >= case.n:
            case.against.append(f"there is no row {beyond} in a matrix of n = {case.n}")
            continue
        kinds = _kinds(case.layout, family(half.dtype))
        for (i, j), value in entries.items():
            left = [kind for kind in kinds if _has(case, half, kind, i, j, value)]
            if not left:
                case.against.append(f"({i}, {j}) would be {_entry(case, half, kinds[0], i, j)}, not {value}")
                break
            kinds = left
        else:
            fit = f"all {len(entries)} known entries fit" if len(entries) > 1 else "the known entry fits"
            if not {"symmetric", "hermitian"} & set(kinds):
                case.weakness = (case.weakness[0], 1)
                fit += f", but only if kind is {' or '.join(map(repr, kinds))}"
            case.reasons.append(fit)


def _kinds(layout: AnyLayout, letter: str) -> list[str]:
    """The kinds that a matrix in this layout may have, the usual ones first."""
    kinds = list(MIRRORS) if letter == "c" else ["symmetric", "skew", "triangular"]
    if letter == "c" and isinstance(layout, RectangularFullPacked):
        return ["hermitian", "triangular"]
    if letter in "buM" or layout.diagonal == "one":
        return [kind for kind in kinds if not kind.startswith("skew")]
    return kinds


def _has(case: _Case, half: Array, kind: str, i: int, j: int, value: Array) -> bool:
    """Whether a matrix of this kind with this half has the value at (i, j)."""
    layout, small, large = case.layout, np.array([min(i, j)]), np.array([max(i, j)])
    value = np.atleast_1d(value)
    if i == j and layout.implied is not None:
        return _is_constant(value, layout.implied)
    if _across(layout, i, j):
        if kind == "triangular":
            return not np.count_nonzero(value)
        value = MIRRORS[kind](value)
    true = _conjugated(value, layout, small, large, case.n)
    stored = half[layout.slot(small, large, case.n)]
    return bool(_agree(stored, true, _scales(layout, small, large))[0][0])


def _entry(case: _Case, half: Array, kind: str, i: int, j: int) -> Any:
    """What a matrix of this kind with this half has at (i, j), for people to read."""
    layout, small, large = case.layout, np.array([min(i, j)]), np.array([max(i, j)])
    if i == j and layout.implied is not None:
        return layout.implied
    number = _conjugated(half[layout.slot(small, large, case.n)], layout, small, large, case.n)
    if _across(layout, i, j):
        number = MIRRORS[kind](number)
    return _shown(number[0], layout.diagonal_scale if i == j else layout.offdiagonal_scale)


def _across(layout: AnyLayout, i: int, j: int) -> bool:
    """Whether (i, j) is in the triangle that the layout does not store."""
    return i < j if layout.triangle == "lower" else i > j


def _shown(number: Any, scale: float) -> str:
    if scale == 1:
        return str(number)
    return f"{(complex(number) if isinstance(number, np.complexfloating) else float(number)) / scale:.6g}"


def _judge_unit_diagonal(cases: list[_Case], half: Array) -> None:
    for case in cases:
        layout, at = case.layout, np.arange(case.n)
        if layout.diagonal == "one" or case.n == 0:
            case.reasons.append("a unit diagonal is what it leaves out")
        elif layout.diagonal == "zero":
            case.against.append("its diagonal is zero, not one")
        else:
            stored = half[layout.slot(at, at, case.n)]
            ones = _agree(stored, np.ones(1, np.int64), layout.diagonal_scale)[0]
            if ones.all():
                case.reasons.append(f"the {case.n:,} numbers on its diagonal are 1")
            else:
                k = int(np.argmin(ones))
                case.against.append(f"({k}, {k}) would be {_shown(stored[k], layout.diagonal_scale)}, not 1")


def _judge_semidefinite(cases: list[_Case], half: Array) -> None:
    largest, squares, finite = 0.0, 0.0, True
    for k in _all(half.size):
        sizes = _sizes(half[k])
        fine = np.isfinite(sizes)
        finite &= bool(fine.all())
        largest = max(largest, float(np.max(sizes, initial=0.0, where=fine)))
    if largest:
        for k in _all(half.size):
            sizes = _sizes(half[k]) / largest
            squares += float(np.sum(sizes * sizes, where=np.isfinite(sizes)))
    judged: dict[tuple[Any, ...], tuple[bool, str]] = {}
    for case in cases:
        if case.alive:
            if case.reading not in judged:
                judged[case.reading] = _semidefinite(case, half, largest or 1.0, squares, finite)
            holds, reason = judged[case.reading]
            (case.reasons if holds else case.against).append(reason)


def _semidefinite(case: _Case, half: Array, unit: float, squares: float, finite: bool) -> tuple[bool, str]:
    """Whether the matrix of this half may be positive semidefinite, and why; numbers are taken in `unit`."""
    layout, n, at = case.layout, case.n, np.arange(case.n)
    eps = epsilon(half.dtype) or epsilon(np.dtype(np.float64))
    if layout.diagonal == "stored":
        own = _parts(half[layout.slot(at, at, n)], True) / (unit * layout.diagonal_scale)
    else:
        own = np.stack((np.full(n, layout.implied) / unit, np.zeros(n)), axis=-1)
    diagonal, imaginary = own[:, 0], own[:, 1]
    with np.errstate(invalid="ignore"):
        spread = math.sqrt(2 * squares + float(np.sum(diagonal**2, where=np.isfinite(diagonal))))
        room = n * eps * spread
        if np.any(np.abs(imaginary) > room):
            return False, "its diagonal would not be real"
        if np.any(diagonal < -room):
            k = int(np.argmax(diagonal < -room))
            return False, f"({k}, {k}) would be {diagonal[k] * unit:.6g}: no semidefinite matrix has that"
        bounds = np.maximum(diagonal, 0) + room
        for places in _sample_and_all(half.size):
            small, large = _ordered(layout, places, n)
            sizes = _sizes(half[places]) / (unit * _scales(layout, small, large))
            beyond = sizes * sizes > bounds[small] * bounds[large] * (1 + 16 * eps)
            if beyond.any():
                at_first = int(np.argmax(beyond))
                i, j = int(large[at_first]), int(small[at_first])
                return False, (
                    f"({i}, {j}) would be {sizes[at_first] * unit:.6g} in size beside {diagonal[i] * unit:.6g} "
                    f"and {diagonal[j] * unit:.6g} on the diagonal: no semidefinite matrix has that"
                )
    if not finite:
        return (
            True,
            "positive semidefinite so far as pairs tell: with NaN or infinities there are no eigenvalues",
        )
    if n > EIGEN_SIDE:
        return True, (
            f"positive semidefinite so far as pairs tell: eigenvalues were not computed, n is above {EIGEN_SIDE}"
        )
    values = np.linalg.eigvalsh(_expanded(layout, half, n, unit)) if n else np.zeros(1)
    if values[0] < -n * eps * np.abs(values).max():
        return False, f"its eigenvalues would go from {values[0] * unit:.3g} to {values[-1] * unit:.3g}"
    return True, "its eigenvalues are not negative"


def _sizes(numbers: Array) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", over="ignore"):
        return np.abs(numbers.astype(np.complex128) if numbers.dtype.kind == "c" else widen(numbers))


def _expanded(layout: AnyLayout, half: Array, n: int, unit: float) -> Array:
    """The lower triangle of the symmetric or Hermitian matrix of a half, or of its conjugate, in `unit`."""
    large, small = np.tril_indices(n, -int(layout.diagonal != "stored"))
    numbers = half[layout.slot(small, large, n)]
    numbers = numbers.astype(np.complex128) if numbers.dtype.kind == "c" else widen(numbers)
    numbers = _conjugated(numbers, layout, small, large, n) / (unit * _scales(layout, small, large))
    full = np.zeros((n, n), numbers.dtype)
    full[large, small] = numbers
    if layout.implied is not None:
        np.fill_diagonal(full, layout.implied / unit)
    return full


# ---- hints: what orders equal evidence, and proves nothing


def _hint(cases: list[_Case], half: Array) -> None:
    if family(half.dtype) in "bMm" or not half.size:
        return
    sample = _sample(half.size)
    if (half[sample] == half[0]).all():
        return
    found: dict[tuple[Any, ...], tuple[int, str]] = {}
    for case in cases:
        if case.alive and case.n > 2:
            if case.reading not in found:
                strict = case.layout.diagonal != "stored"
                found[case.reading] = (_hint_strict if strict else _hint_stored)(case, half, sample)
            case.hint, text = found[case.reading]
            if text:
                case.reasons.append(f"hint: {text}")


def _hint_stored(case: _Case, half: Array, sample: Indices) -> tuple[int, str]:
    layout, n, at = case.layout, case.n, np.arange(case.n)
    diagonal = half[layout.slot(at, at, n)]
    if (diagonal == diagonal[0]).all():
        return 3, f"its whole diagonal is {_shown(diagonal[0], layout.diagonal_scale)}"
    if family(half.dtype) == "c":
        real = not diagonal.imag.any() and half[sample].imag.any()
        return (2, "its diagonal is real, other numbers are not") if real else (0, "")
    if n == 3:  # three pairs hold by chance
        return 0, ""
    diagonal = widen(diagonal) / layout.diagonal_scale
    small, large = _ordered(layout, sample, n)
    with np.errstate(over="ignore", invalid="ignore"):
        sizes = np.abs(widen(half[sample])) / _scales(layout, small, large)
        held = (
            diagonal.min() >= 0
            and (sizes <= np.sqrt(diagonal[small]) * np.sqrt(diagonal[large]) * (1 + 1e-6)).all()
        )
    return (2, "as in a covariance, no number is beyond what its diagonal allows") if held else (0, "")


def _hint_strict(case: _Case, half: Array, sample: Indices) -> tuple[int, str]:
    layout, n = case.layout, case.n
    if family(half.dtype) == "c" or layout.diagonal == "one" or not (widen(half[sample]) >= 0).all():
        return 0, ""
    three = np.sort(np.random.default_rng(0).integers(0, n, (SAMPLE, 3)), axis=1)
    i, j, k = three[(three[:, 0] < three[:, 1]) & (three[:, 1] < three[:, 2])].T
    sides = np.sort([widen(half[layout.slot(a, b, n)]) for a, b in ((i, j), (j, k), (i, k))], axis=0)
    held = (sides[2] <= (sides[0] + sides[1]) * (1 + 1e-6)).all()
    return (2, "as for distances, none is negative and no detour is shorter") if held else (0, "")


# ---- what goes out


def _report(cases: list[_Case], half: Array, sides: tuple[int, int], full: Array | None) -> Candidates:
    alive = sorted((case for case in cases if case.alive), key=lambda case: (case.weakness, -case.hint))
    ranks = {weakness: rank for rank, weakness in enumerate(sorted({case.weakness for case in alive}), 1)}
    groups: dict[Any, list[_Case]] = {}
    for case in alive:
        groups.setdefault((case.reading, case.weakness, *case.reasons), []).append(case)
    listed = [_candidate(group, ranks[group[0].weakness]) for group in groups.values()]
    groups = {}
    for case in sorted((case for case in cases if not case.alive), key=lambda case: -case.agreed):
        groups.setdefault((case.reading, case.agreed, len(case.against)), []).append(case)
    excluded = [_candidate(group, 0) for group in groups.values()]
    nearest = any(case.agreed for case in cases)
    return Candidates(listed, excluded, _summary(listed, excluded, half, sides, full, nearest))


def _candidate(group: list[_Case], rank: int) -> Candidate:
    first, layouts = group[0], tuple(case.layout for case in group)
    if not rank:
        return Candidate(0, layouts, first.n, "excluded", tuple(first.against))
    reasons = list(first.reasons)
    orders = {layout.order if isinstance(layout, Layout) else layout.name for layout in layouts}
    if len(orders) > 1:
        reasons.append(f"at n = {first.n} these orders are the same")
    elif len(layouts) > 1:
        reasons.append("alike for a symmetric matrix")
    return Candidate(rank, layouts, first.n, first.verdict, tuple(reasons))


def _summary(
    listed: list[Candidate],
    excluded: list[Candidate],
    half: Array,
    sides: tuple[int, int],
    full: Array | None,
    nearest: bool,
) -> str:
    fits = [f"n = {n} {how}" for n, how in zip(sides, ("with", "without"), strict=True) if n >= 0]
    count = "1 number" if half.size == 1 else f"{half.size:,} numbers"
    lines = [f"{count} of {half.dtype}: {', '.join(fits)} the diagonal."]
    first = [candidate for candidate in listed if candidate.rank == 1]
    if not listed:
        lines.append("No layout with a name fits.")
        if excluded and nearest:
            lines[-1] += f" The nearest is {' = '.join(excluded[0].names)}: {excluded[0].reasons[0]}."
    elif len(first) > 1:
        lines.append(f"{len(first)} readings fit equally well: what is known cannot tell them apart.")
        if full is None:
            lines[-1] += " The matrix, or entries of it, may."
    else:
        names, only = " = ".join(first[0].names), len(listed) == 1
        lines.append(f"Of the layouts with a name {f'only {names} fits' if only else f'{names} fits best'}.")
    root = math.isqrt(half.size)
    if full is None and root > 2 and root * root == half.size and _is_symmetric(half.reshape(root, root)):
        lines.append(f"By rows they are a symmetric matrix, {root} x {root}: perhaps no half at all.")
    return "\n".join(lines)
