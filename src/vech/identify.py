"""Which layout a half has: what its length, a full matrix, some entries and two facts leave over."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from reprlib import repr as short
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech.arrays import (
    Array,
    Dtype,
    as_array,
    as_square,
    epsilon,
    extension,
    family,
    is_array,
    is_finite,
    is_real,
)
from vech.layouts.dialects import DIALECTS, AnyLayout
from vech.layouts.kind import KINDS, Kind
from vech.layouts.layout import Layout, as_integer, as_side, one_of
from vech.layouts.orders import Explicit, RectangularFullPacked, TensorOrder
from vech.moves.expanding import expand_rows
from vech.moves.packing import pack
from vech.moves.rounding import narrow, widen

FACTS = ("positive semidefinite", "unit diagonal")
ROUNDING = 4  # units in the last place within which a scaled or a coarser number agrees
EIGEN_SIDE = 500  # eigenvalues take 0.06 s; eight times as long for twice the side
CHUNK = 2**17  # numbers compared at a time


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
    """What is known of it."""

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
    tolerance: float | None = None,
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
    tolerance : float, optional
        How far numbers of the half may be from those of the matrix, from entries and from a unit diagonal:
        5e-7 of a half that was printed with six decimals, n eps max|A| of another order of summation.

    Returns
    -------
    list of Candidate
        Each has `layout` (the first of `layouts`, which all read this half as the same symmetric matrix),
        `names`, `dialects`, `n`, `rank`, `verdict` and `reasons`. Equal ranks fit the evidence equally well;
        among them those whose diagonal is all 1 come first, then the order of ``vech.DIALECTS``. What is
        known of a diagonal that is not stored rules nothing out, but ranks below where it is stored and fits.
        The list may be empty. Its `excluded` is the list of what was ruled out, the nearest first: where more
        than half of the numbers agree, else by the largest difference. Its `summary` is a text, which names
        that difference. It prints as all of that.

    Raises
    ------
    ValueError
        If the length fits no n, or not the n that is given, or an argument is none of its choices.
    TypeError, IndexError
        For arrays and dtypes vech refuses, and for a `known` of another form.

    Notes
    -----
    Numbers agree if they are equal, or both NaN, or apart by the rounding of a scale or of the coarser of two
    dtypes (4 units in the last place), or by no more than `tolerance`. "Positive semidefinite" allows
    eigenvalues down to n eps max|w| below 0; above n = 500 none are computed, only the diagonal and all
    2 x 2 minors are judged. Never proven: that the half has one of the named layouts at all.

    Cost: each layout's half of the matrix is packed and compared; memory for one half (of a layout without
    diagonal two), as float64 where semidefiniteness is judged.

    Examples
    --------
    >>> found = identify([1, 2, 4, 3, 5, 6], matrix=[[1, 2, 4], [2, 3, 5], [4, 5, 6]])
    >>> found[0].names, found[0].verdict
    (('vech', 'numpy-triu'), 'equal')
    >>> print(identify([1.0, 0.5, 0.2, 1.0, 0.3, 1.0], known={"unit diagonal": True, (0, 1): 0.5}).summary)
    6 numbers of float64: n = 3 with, n = 4 without the diagonal.
    Of the layouts with a name only vech = numpy-triu fits.
    >>> identify([1.0, 0.33, 1.0], known={(0, 1): 1 / 3}, n=2, tolerance=0.005)[0].verdict
    'possible'
    """
    numbers = _one_half(half)
    room = _room(tolerance, numbers.dtype)
    full = None if matrix is None else _one_square(matrix, numbers.dtype)
    entries, facts = _known(known, numbers.dtype)
    wanted = _side(numbers, n, full)
    layouts = dict.fromkeys(DIALECTS.values())
    cases = [case for layout in layouts if (case := _case(layout, numbers, wanted)) is not None]
    if full is not None:
        _judge_matrix(cases, numbers, full, room)
    if entries:
        _judge_entries(cases, numbers, entries, room)
    ones = "unit diagonal" in facts
    if family(numbers.dtype) not in "Mm":
        _judge_diagonal(cases, numbers, ones, ones or (full is not None and _has_diagonal(full, 1)), room)
    if "positive semidefinite" in facts:
        _judge_semidefinite(cases, numbers, ones)
    return _report(cases, numbers, wanted, full)


@dataclass
class _Case:
    """One layout while it is judged."""

    layout: AnyLayout
    n: int
    reading: tuple[Any, ...]
    reasons: list[str]
    against: list[str] = field(default_factory=list)
    verdict: str = "possible"
    agreed: int = 0  # numbers of the matrix
    most: bool = False  # more than half of them agree
    apart: float = math.inf  # the largest difference from what is known
    rounds: bool = False  # equal to the matrix, but not to the last bit
    unseen: int = 0  # what is known of a diagonal that is not stored
    odd: bool = False  # neither symmetric nor Hermitian
    ones: bool = False  # all that is on its diagonal

    @property
    def alive(self) -> bool:
        return not self.against

    @property
    def strict(self) -> bool:
        return self.layout.implied is not None

    @property
    def weakness(self) -> tuple[bool, int, bool]:
        return self.rounds, self.unseen, self.odd

    @property
    def farness(self) -> tuple[int, float, int]:
        """What sorts those that are ruled out."""
        return -self.agreed if self.most else 0, self.apart, -self.agreed

    @property
    def slots(self) -> NDArray[np.int64]:
        """Where the diagonal is in the half; nowhere where it is not stored."""
        return self.layout.diagonal_slots(self.n)

    def scale(self, i: int, j: int) -> float:
        return self.layout.diagonal_scale if i == j else self.layout.offdiagonal_scale


# ---- what comes in


def _one_half(half: ArrayLike) -> Array:
    array = as_array(half, "half")
    if array.ndim != 1:
        raise ValueError(
            f"half has shape {array.shape}: identify takes one vector, such as half[0]; "
            f"vech.pack makes one of a full matrix"
        )
    return array


def _one_square(matrix: ArrayLike, dtype: Dtype) -> Array:
    full = as_square(matrix, "the matrix")
    if full.ndim != 2 or full.shape[0] != full.shape[1]:
        raise ValueError(f"matrix has shape {full.shape}: identify compares with one square, (n, n)")
    _check_comparable("matrix", full.dtype, dtype)
    return full


def _room(tolerance: float | None, dtype: Dtype) -> float:
    if tolerance is None:
        return 0.0
    if not is_real(tolerance):
        raise TypeError(f"tolerance must be a real number, not {tolerance!r}")
    if not is_finite(tolerance) or tolerance < 0:
        raise ValueError(f"tolerance must be finite and not negative, but is {short(tolerance)}")
    if family(dtype) in "Mm":
        raise TypeError(f"tolerance is said of numbers, and half holds {dtype}")
    return float(tolerance)


def _check_comparable(what: str, other: Dtype, dtype: Dtype) -> None:
    letters = {family(other), family(dtype)}
    fit = not letters & set("Mm") or len(letters) == 1
    if fit and letters <= set("Mm"):
        try:
            np.promote_types(other, dtype)
        except TypeError:  # years and months have no length in seconds
            fit = False
    if not fit:
        raise TypeError(f"half holds {dtype} and {what} {other}: these cannot be equal")


def _known(known: Mapping[Any, Any] | None, dtype: Dtype) -> tuple[dict[tuple[int, int], Array], set[str]]:
    """The entries, each an array of one, and the facts."""
    entries: dict[tuple[int, int], Array] = {}
    facts: set[str] = set()
    if known is not None and not isinstance(known, Mapping):
        raise TypeError(
            f"known is a mapping such as {{(0, 1): 0.5, 'unit diagonal': True}}, not {type(known).__name__}"
        )
    for key, value in (known or {}).items():
        if isinstance(key, str):
            one_of("fact", key, FACTS)
            if not (isinstance(value, bool | np.bool) and value):
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
        if type(value) is int and abs(value) >= 2**63:
            value = float(value)
        entry = as_array(value, f"known[{i}, {j}]") if is_array(value) else np.asarray(value)
        if entry.ndim > 0 or entry.dtype.kind in "OSUT":
            raise TypeError(f"known[{i}, {j}] is one number, not {value!r}")
        entry = as_array(entry.reshape(1), f"known[{i}, {j}]")
        _check_comparable(f"known[{i}, {j}]", entry.dtype, dtype)
        entries[i, j] = entry
    return entries, facts


def _side(half: Array, n: int | None, full: Array | None) -> int | None:
    """The side that is wanted, if any is; refused if no half of so many numbers has it."""
    length, root = half.size, math.isqrt(half.size)
    try:
        runs = Layout().side(length)
    except ValueError as reason:
        square = f"; {length} = {root} x {root}: a full matrix, flattened?" if root * root == length else ""
        raise ValueError(f"{reason}{square}") from None
    wanted = None if n is None else as_side(n)
    if full is not None:
        if wanted not in (None, len(full)):
            raise ValueError(f"n = {n} was said, and matrix is {len(full)} x {len(full)}")
        wanted = len(full)
    if wanted not in (None, runs, runs + 1):
        raise ValueError(
            f"{length} numbers fit n = {runs} with the diagonal and n = {runs + 1} without it, "
            f"not n = {wanted}"
        )
    return wanted


def _case(layout: AnyLayout, half: Array, wanted: int | None) -> _Case | None:
    try:
        n = layout.side(half.size)
    except ValueError:  # a tensor of another side
        return None
    if wanted not in (None, n):
        return None
    letter = family(half.dtype)
    case = _Case(layout, n, _reading(layout, n, letter), [])
    case.reasons.append(f"{half.size:,} = n(n{'-' if case.strict else '+'}1)/2")
    if case.strict:
        case.reasons.append("its diagonal is not stored")
    if layout.scaled and letter in "biu":
        case.reasons.append(f"it is scaled, for which vech needs floats: astype(float), not {half.dtype}")
    if layout.scaled and letter in "bMm":
        case.against.append(f"it is scaled, and {half.dtype} is not")
    return case


def _reading(layout: AnyLayout, n: int, letter: str) -> tuple[Any, ...]:
    """What makes two layouts read a half as different matrices, symmetric or Hermitian but for conjugates."""
    strict = layout.implied is not None
    on = layout.diagonal_scale if n > 0 and not strict else 1.0
    off = layout.offdiagonal_scale if n > 1 else 1.0
    m = min(n, 8)  # orders that differ do so in a small matrix
    small, large = np.triu_indices(m, int(strict))
    crossed = np.zeros(0, np.bool)
    if letter == "c" and isinstance(layout, Explicit):
        crossed = layout.crossed(small, large, m) & (small < large)
    return n, on, off, layout.slot(small, large, m).tobytes(), crossed.tobytes() if crossed.any() else b""


# ---- comparing numbers


def _agree(
    stored: Array, true: Array, scale: Any = 1.0, room: float = 0.0
) -> tuple[NDArray[np.bool], NDArray[np.bool]]:
    """Whether stored = true x scale within rounding or room, and to the last bit of the coarser dtype."""
    near, bits = _agree_as_rounded(stored, true, scale)
    return (near | (_apart(stored, true, scale) <= room) if room and not near.all() else near), bits


def _apart(stored: Array, true: Array, scale: Any = 1.0) -> NDArray[np.float64]:
    """How far stored is from true x scale: infinity where one of them is NaN, and between dates."""
    if family(stored.dtype) in "Mm":
        return np.where(_agree_as_rounded(stored, true, scale)[0], 0.0, math.inf)
    parts = "c" in (family(stored.dtype), family(true.dtype))
    x, y = (array.astype(complex) if parts else widen(array).astype(float) for array in (stored, true))
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        y = y * scale
        apart = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, np.abs(x - y))
    apart[np.isnan(apart)] = math.inf
    return apart


def _agree_as_rounded(stored: Array, true: Array, scale: Any) -> tuple[NDArray[np.bool], NDArray[np.bool]]:
    letters = {family(stored.dtype), family(true.dtype)}
    if letters & set("Mm"):
        common = np.promote_types(stored.dtype, true.dtype)
        a, b = stored.astype(common), true.astype(common)
        same = a.view(np.int64) == b.view(np.int64)
        for array, wide in ((stored, a), (true, b)):  # beyond the common unit's range they wrap around
            same &= wide.astype(array.dtype).view(np.int64) == array.view(np.int64)
        return same, same
    exact = letters <= set("biu") and not extension(stored.dtype) and not extension(true.dtype)
    if exact and np.all(np.equal(scale, 1)):
        same = stored == true
        return same, same
    dtype = _coarser(stored, true)
    if parts := "c" in letters:
        stored, true, scale = stored.astype(complex), true.astype(complex), np.asarray(scale)[..., None]
    x, y = widen(stored), widen(true)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        y = y * scale
        least = 0.0 if extension(dtype) else float(np.finfo(dtype).smallest_subnormal)
        room = np.where(np.isfinite(y), ROUNDING * (epsilon(dtype) * np.abs(y) + least), 0)
        nan = np.isnan(x) & np.isnan(y)
        near = (x == y) | nan | (np.abs(x - y) <= room)
        if epsilon(dtype) > epsilon(np.dtype(np.float64)):
            x, y = widen(narrow(x, dtype)), widen(narrow(y, dtype))
        bits = near & (nan | (x == y))
    return (near[..., 0] & near[..., 1], bits[..., 0] & bits[..., 1]) if parts else (near, bits)


def _coarser(a: Array, b: Array) -> Dtype:
    coarse = max(a.dtype, b.dtype, key=epsilon)
    return coarse if epsilon(coarse) else np.dtype(np.float64)


def _compare(case: _Case, half: Array, true: Array, room: float) -> tuple[bool, int]:
    """Whether numbers, once they are scaled, agree to the last bit; and the first that does not.

    The case knows how many agree, and the largest difference of others.
    """
    exact, first, slots = True, half.size, case.slots
    case.apart = 0.0
    scale: Any = 1.0
    for start in range(0, half.size, CHUNK):
        stored = half[start : start + CHUNK]
        if case.layout.scaled:
            scale = np.full(stored.size, case.layout.offdiagonal_scale)
            scale[slots[(slots >= start) & (slots < start + CHUNK)] - start] = case.layout.diagonal_scale
        near, bits = _agree(stored, true[start : start + CHUNK], scale, room)
        count = int(np.count_nonzero(near))
        if count < near.size and first == half.size:
            first = start + int(np.argmin(near))
        if not bits.all():
            case.apart = max(case.apart, float(_apart(stored, true[start : start + CHUNK], scale).max()))
        case.agreed, exact = case.agreed + count, exact and bool(bits.all())
    case.most = 2 * case.agreed > half.size
    return exact, first


# ---- the matrix


def _judge_matrix(cases: list[_Case], half: Array, full: Array, room: float) -> None:
    cases, coarse = [case for case in cases if case.alive], _coarser(half, full)
    packed: dict[AnyLayout, list[_Case]] = {}
    for case in cases:
        packed.setdefault(_plain(case.layout), []).append(case)
    for order, group in packed.items():
        true = pack(full, order, kind="hermitian", use=order.triangle)
        if group[0].strict:
            true = np.delete(true, order.diagonal_slots(len(full)))
        for case in group:
            exact, first = _compare(case, half, true, room)
            if first < half.size:
                i, j = (int(index) for index in case.layout.pair(first, case.n))
                times = "" if case.scale(i, j) == 1 else f" x {case.scale(i, j):.6g}"
                case.against.append(
                    f"{case.agreed:,} of {half.size:,} numbers agree; half[{first}] is {half[first]}, "
                    f"the matrix has {full[i, j]}{times} at ({i}, {j}); the largest difference is "
                    f"{case.apart:.3g}"
                )
                continue
            case.rounds = not exact
            whole = not case.strict or _has_diagonal(full, 0)
            case.verdict = "equal" if whole else "equal off the diagonal"
            plain = epsilon(half.dtype) == epsilon(full.dtype) and not case.layout.scaled
            within = f"within {case.apart:.3g}" if room else "within rounding"
            how = within if case.rounds else "exactly" if plain else f"to the last bit of {coarse}"
            case.reasons[0] = f"all {half.size:,} numbers are the matrix's {how}"
        del true  # before the next is packed
    if any(case.alive for case in cases) and not _is_symmetric(full, room):
        for case in cases:
            alike = [other for other in cases if other.reading == case.reading and other.alive]
            if case.alive and len({other.layout.triangle for other in alike}) == 1:
                reason = f"the matrix is not symmetric: this is its {case.layout.triangle} triangle"
                case.reasons.append(reason)


def _plain(layout: AnyLayout) -> AnyLayout:
    """The same order with its diagonal stored and nothing scaled."""
    if isinstance(layout, Layout):
        return layout.plain
    return TensorOrder(layout.components) if isinstance(layout, TensorOrder) else layout


def _has_diagonal(full: Array, value: int) -> bool:
    return bool((full.diagonal() == np.array(value).astype(full.dtype)).all())


def _is_symmetric(full: Array, room: float = 0.0) -> bool:
    step = max(1, CHUNK // max(len(full), 1))
    return all(
        _agree(full[k : k + step, : k + step], full[: k + step, k : k + step].T.copy(), room=room)[0].all()
        for k in range(0, len(full), step)
    )


# ---- entries and facts


def _judge_entries(
    cases: list[_Case], half: Array, entries: dict[tuple[int, int], Array], room: float
) -> None:
    beyond = max(max(pair) for pair in entries)
    for case in cases:
        if beyond >= case.n:
            case.against.append(f"there is no row {beyond} in a matrix of n = {case.n}")
            continue
        stored = [pair for pair in entries if not (case.strict and pair[0] == pair[1])]
        case.unseen += len(entries) - len(stored)
        kinds = _kinds(case.layout, family(half.dtype))
        for i, j in stored:
            true, numbers = entries[i, j], {kind: _entry(case, half, kind, i, j) for kind in kinds}
            scale = case.scale(i, j)
            kinds = [kind for kind, number in numbers.items() if _agree(number, true, scale, room)[0][0]]
            if not kinds:
                if case.alive and not case.agreed:
                    case.apart = _farthest(case, half, entries, stored)
                number = _shown(next(iter(numbers.values()))[0], case.scale(i, j))
                case.against.append(f"({i}, {j}) would be {number}, not {true[0]}")
                break
        else:
            if not stored:
                continue
            fit = f"all {len(stored)} known entries fit" if len(stored) > 1 else "the known entry fits"
            fit += " off the diagonal" if len(stored) < len(entries) else ""
            case.odd = not {Kind.SYMMETRIC, Kind.HERMITIAN} & set(kinds)
            only = f", but only if kind is {' or '.join(map(repr, kinds))}" if case.odd else ""
            case.reasons.append(fit + only)


def _farthest(
    case: _Case, half: Array, entries: dict[tuple[int, int], Array], stored: list[tuple[int, int]]
) -> float:
    """The largest difference from known entries, of the kind where it is least."""
    return min(
        max(
            float(_apart(_entry(case, half, kind, i, j), entries[i, j], case.scale(i, j))[0])
            for i, j in stored
        )
        for kind in _kinds(case.layout, family(half.dtype))
    )


def _kinds(layout: AnyLayout, letter: str) -> list[Kind]:
    """The kinds that a matrix in this layout may have."""
    if letter == "c":
        return [Kind.HERMITIAN, Kind.TRIANGULAR] if isinstance(layout, RectangularFullPacked) else list(KINDS)
    signed = [] if letter in "buM" else [Kind.SKEW]
    return [Kind.SYMMETRIC, *signed, Kind.TRIANGULAR]


def _entry(case: _Case, half: Array, kind: Kind, i: int, j: int) -> Array:
    """The number at (i, j) of a matrix of this kind with this half, still scaled, in an array of one."""
    layout, small, large = case.layout, min(i, j), max(i, j)
    number = half[[layout.slot(small, large, case.n)]]
    if half.dtype.kind == "c" and isinstance(layout, Explicit) and layout.crossed(small, large, case.n):
        number = Kind.HERMITIAN.mirror(number)
    across = i < j if layout.triangle == "lower" else i > j
    return kind.mirror(number) if across else number


def _shown(number: Any, scale: float) -> str:
    if scale == 1:
        return str(number)
    return f"{(complex(number) if isinstance(number, np.complexfloating) else float(number)) / scale:.6g}"


def _judge_diagonal(cases: list[_Case], half: Array, known: bool, ones: bool, room: float) -> None:
    """Say where the diagonal is all one; where it is known to be, rule out all else that is stored."""
    for case in cases:
        if case.strict:
            case.unseen += known
            if ones:
                case.reasons.append("for the ones on it take vech.Layout(..., diagonal='one')")
        elif case.n > 0:
            diagonal = half[case.slots]
            is_one = _agree(diagonal, np.ones(1, np.int64), case.scale(0, 0), room)[0]
            case.ones = bool(is_one.all())
            if case.ones:
                case.reasons.append("its whole diagonal is 1")
            elif known:
                k = int(np.argmin(is_one))
                case.against.append(f"({k}, {k}) would be {_shown(diagonal[k], case.scale(k, k))}, not 1")


def _judge_semidefinite(cases: list[_Case], half: Array, ones: bool) -> None:
    with np.errstate(invalid="ignore"):  # a signaling NaN
        numbers = half.astype(np.complex128 if half.dtype.kind == "c" else np.float64, order="C")
    parts = numbers.view(np.float64)
    finite = np.isfinite(parts)
    largest = float(max(parts.max(initial=0, where=finite), -parts.min(initial=0, where=finite))) or 1.0
    unit = max(largest, 1e-150)  # whose reciprocal is finite
    parts /= unit
    norm = float(np.linalg.norm(parts if finite.all() else parts[finite]))
    eps = epsilon(half.dtype) or epsilon(np.dtype(np.float64))
    judged: dict[tuple[Any, ...], tuple[bool, str]] = {}
    for case in cases:
        if case.alive and case.strict and not ones:
            case.unseen += 1
            case.reasons.append("positive semidefinite or not: that is up to its diagonal")
        elif case.alive:
            if case.reading not in judged:
                judged[case.reading] = _semidefinite(case, numbers, unit, norm, eps, bool(finite.all()))
            holds, reason = judged[case.reading]
            (case.reasons if holds else case.against).append(reason)


def _semidefinite(
    case: _Case, numbers: Array, unit: float, norm: float, eps: float, finite: bool
) -> tuple[bool, str]:
    """Whether the matrix of these numbers, taken in `unit`, may be positive semidefinite, and why."""
    n = case.n
    diagonal = np.full(n, 1 / unit) if case.strict else numbers[case.slots] / case.layout.diagonal_scale
    room = n * eps * math.hypot(math.sqrt(2) * norm, math.sqrt(n) / unit if case.strict else 0)
    if np.any(np.abs(diagonal.imag) > room):
        return False, "its diagonal would not be real"
    own = diagonal.real
    if np.any(own < -room):
        k = int(np.argmax(own < -room))
        return False, f"({k}, {k}) would be {float(own[k]) * unit:.6g}: no semidefinite matrix has that"

    def rows(start: int, stop: int) -> Array:
        full = expand_rows(numbers, case.layout, "hermitian", start, stop, None, None)
        full[np.arange(stop - start), np.arange(start, stop)] = own[start:stop]
        return full

    if finite and n <= EIGEN_SIDE:
        values = np.linalg.eigvalsh(rows(0, n)) if n else np.zeros(1)
        if values[0] < -n * eps * np.abs(values).max():
            return False, (
                f"its eigenvalues would go from {float(values[0]) * unit:.3g} to "
                f"{float(values[-1]) * unit:.3g}"
            )
        return True, "no eigenvalue is below 0 but by rounding"
    with np.errstate(invalid="ignore"):
        root = np.sqrt(np.maximum(own, 0) + room)
        step = max(1, CHUNK // n)
        for start in range(0, n, step):
            sizes = np.abs(rows(start, min(start + step, n)))
            beyond = sizes > root[start : start + step, None] * root * (1 + 16 * eps)
            if beyond.any():
                i, j = (int(index) for index in np.argwhere(beyond)[0])
                size, i = float(sizes[i, j]), i + start
                return False, (
                    f"({i}, {j}) would be {size * unit:.6g} in size beside {float(own[i]) * unit:.6g} "
                    f"and {float(own[j]) * unit:.6g} on the diagonal: no semidefinite matrix has that"
                )
    why = f"n is above {EIGEN_SIDE}" if finite else "there are NaN or infinities"
    return True, f"positive semidefinite so far as pairs tell: eigenvalues were not computed, {why}"


# ---- what goes out


def _report(cases: list[_Case], half: Array, wanted: int | None, full: Array | None) -> Candidates:
    alive = sorted((case for case in cases if case.alive), key=lambda case: (case.weakness, not case.ones))
    ranks = {weakness: rank for rank, weakness in enumerate(sorted({case.weakness for case in alive}), 1)}
    groups: dict[Any, list[_Case]] = {}
    for case in alive:
        groups.setdefault((case.reading, case.weakness, *case.reasons), []).append(case)
    listed = [_candidate(group, ranks[group[0].weakness]) for group in groups.values()]
    groups = {}
    dead = sorted((case for case in cases if not case.alive), key=lambda case: case.farness)
    for case in dead:
        groups.setdefault((case.reading, case.farness, len(case.against)), []).append(case)
    excluded = [_candidate(group, 0) for group in groups.values()]
    near = [group for group in groups.values() if group[0].farness == dead[0].farness]
    return Candidates(listed, excluded, _summary(listed, near, half, wanted, full))


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


def _nearest(near: list[list[_Case]]) -> str:
    """What is said of the layouts that are ruled out by the least."""
    first = near[0][0]
    names = [" = ".join(case.layout.name for case in group) for group in near]
    if not math.isfinite(first.apart):
        return f" Of {names[0]}: {first.against[0]}."
    if len(near) > 1:
        listed = ", ".join(names[:-1])
        return (
            f" None is nearest: {listed} and {names[-1]} are each off by {first.apart:.3g} at most. "
            f"Of {names[0]}: {first.against[0]}."
        )
    room = f"{first.apart * 1.05:.2g}"
    return f" The nearest is {names[0]}: {first.against[0]}; a tolerance of {room} lets it pass."


def _summary(
    listed: list[Candidate],
    near: list[list[_Case]],
    half: Array,
    wanted: int | None,
    full: Array | None,
) -> str:
    runs = Layout().side(half.size)
    sides = ((runs, "with"), (runs + 1, "without"))
    fits = ", ".join(f"n = {n} {how}" for n, how in sides if wanted in (None, n))
    count = "1 number" if half.size == 1 else f"{half.size:,} numbers"
    lines = [f"{count} of {half.dtype}: {fits} the diagonal."]
    first = [candidate for candidate in listed if candidate.rank == 1]
    if not listed:
        lines.append("No layout with a name fits.")
        if near:
            lines[-1] += _nearest(near)
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
