"""Packed as a matrix: arithmetic, comparison, assignment, dtypes; all as NumPy with the full matrix."""

import copy
import itertools
import operator
import pickle
import re
import tracemalloc

import ml_dtypes
import numpy as np
import pytest
from test_packed import INDICES

import cases
import reference
import vech
from cases import DTYPES, LAYOUTS, STORE_KINDS
from compare import assert_same_bits
from interrupts import at_every

NUMBERS = {name: dtype for name, dtype in DTYPES.items() if dtype.kind not in "mM"}
SOME_LAYOUTS = {
    name: LAYOUTS[name]
    for name in ("lower-columns-stored", "upper-rows-stored", "lower-rows-zero", "both-scaled",
                 "strict-doubled", "lapack-rfp-nl", "tfp-upper")
}  # fmt: skip
FEW = {
    name: NUMBERS[name] for name in ("float64", "complex64", "int16", "bool", "float16", ">f4", "bfloat16")
}
SIDES = (0, 1, 2, 3, 5, 17)
ARITHMETIC = {name: getattr(operator, name) for name in ("add", "sub", "mul", "truediv")}
COMPARISONS = {name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")}
OPERATORS = ARITHMETIC | COMPARISONS
SCALARS = {
    "3": 3,
    "0": 0,
    "-1": -1,
    "0.7": 0.7,
    "2j": 2j,
    "1+2j": 1 + 2j,
    "True": True,
    "f4": np.float32(1.5),
    "f8": np.float64(-2.5),
    "c8": np.complex64(2),
    "u1": np.uint8(2),
    "nan": float("nan"),
    "0-d": np.array(2.0),
}


def fits(layout, dtype, kind, n, **_):
    return kind != "triangular" and cases.fits(layout, dtype, kind, n)


def packed(layout, dtype, kind, n, *, values=cases.moderate, salt=0, **more):
    """A store and the full matrix it stands for, by the reference."""
    half = cases.half(dtype, layout, kind, n, values=values, salt=salt)
    return vech.Packed(half, layout, kind=kind, **more), reference.expand(half, layout, kind)


def mirrored(full, kind):
    """What the transposed cells say about each cell."""
    turned = full.T
    if kind in ("hermitian", "skew-hermitian"):
        turned = turned.conj()
    if kind in ("skew", "skew-hermitian"):
        turned = -turned if full.dtype != bool else ~turned
    return turned


def kinds_of(full):
    """Every kind whose mirror rule these numbers keep."""
    wide = full.astype(np.complex128)
    wide[~np.isfinite(wide)] = np.nan  # a division by an integer zero knows no sign
    return {kind for kind in STORE_KINDS if np.array_equal(wide, mirrored(wide, kind), equal_nan=True)}


def numpys(function, *inputs):
    """What NumPy gives, or the error that it raises."""
    with np.errstate(all="ignore"):
        try:
            return np.asarray(function(*inputs))
        except (TypeError, OverflowError) as error:
            return error


def assert_near(got, want, *inputs):
    """Equal, or apart by no more than a few roundings of what went in; what is not finite alike."""
    assert got.dtype.newbyteorder("=") == want.dtype.newbyteorder("="), f"{got.dtype} instead of {want.dtype}"
    arrays = [np.asarray(x) for x in (want, *inputs)]
    roundings = max(cases.tolerance(x.dtype, 4) for x in arrays if x is arrays[0] or x.ndim)
    with np.errstate(all="ignore"):
        got, want, *inputs = (x.astype(np.complex128) for x in (got, *arrays))
        sizes = [np.broadcast_to(np.abs(x), want.shape) for x in (want, *inputs)]
        bound = roundings * np.max(np.where(np.isfinite(sizes), sizes, 0), axis=0)
        for a, b in ((got.real, want.real), (got.imag, want.imag)):
            near = (np.abs(a - b) <= bound) | (a == b) | ~(np.isfinite(a) | np.isfinite(b))
            assert near.all(), (a[~near], b[~near])


def check(result, want, *inputs):
    """A result is of a kind that the numbers have, and near to NumPy's."""
    assert type(result) is vech.Packed
    real = {"hermitian": "symmetric", "skew-hermitian": "skew"}
    found = kinds_of(want)
    allowed = found if want.dtype.kind == "c" else {real.get(kind, kind) for kind in found}
    assert result.kind in allowed and result.dtype == want.dtype
    assert_near(result.expand(), want, *inputs)


def tried(function, *inputs):
    with np.errstate(all="ignore"):
        try:
            return function(*inputs)
        except (TypeError, OverflowError) as error:
            return error


# ---- numbers -----------------------------------------------------------------------------------------------


@cases.each(
    ("layout", "dtype", "kind", "n", "operation", "scalar"),
    cases.pairwise(
        fits,
        layout=LAYOUTS,
        dtype=NUMBERS,
        kind=STORE_KINDS,
        n=SIDES,
        operation=OPERATORS,
        scalar=SCALARS,
        apart=("layout", "dtype"),
    ),
)
@pytest.mark.parametrize("reflected", [False, True])
def test_a_number_meets_every_entry(layout, dtype, kind, n, operation, scalar, reflected):
    store, full = packed(layout, dtype, kind, n)
    before = store.half.copy()
    if (
        full.dtype.kind in "iu"
    ):  # NumPy may crash comparing integers of another byte order to -1: its issue 28117
        full = full.astype(full.dtype.newbyteorder("="))
    want = numpys(operation, *((scalar, full) if reflected else (full, scalar)))
    got = tried(operation, *((scalar, store) if reflected else (store, scalar)))
    assert_same_bits(store.half, before)
    if isinstance(want, Exception):
        assert isinstance(got, type(want) | TypeError)
    elif isinstance(got, Exception):
        assert isinstance(got, TypeError), got
        rigid = n < 2 or not np.any(full) or not np.isfinite(np.abs(scalar))  # of more kinds than it says
        rigid |= reflected and operation is operator.truediv and "skew" in kind  # divides by zeros
        by_chance = operation in COMPARISONS.values() and kind != "symmetric"  # all true, say
        assert rigid or by_chance or not kinds_of(want), got
    else:
        check(got, want, full, scalar)
        assert got.layout.triangle == layout.triangle


@pytest.mark.parametrize("name", ["condensed", "strict-triu"])
def test_a_diagonal_of_zeros_stays_out_while_it_is_zero(name):
    store = vech.Packed(np.array([1.0, 2.0, 4.0]), name)
    for result in (
        store * 2,
        2 * store,
        store / 4,
        -store,
        abs(store),
        store + store,
        store - store,
        store * store,
    ):
        assert result.layout == store.layout
    with np.errstate(invalid="ignore"):
        stored = (store + 1, 1 - store, store + 0, store * np.inf, store / store, operator.eq(store, store))
    for result in stored:
        assert result.layout == vech.Layout(store.layout.triangle, store.layout.traversal)


def test_a_number_added_to_a_strict_half_is_on_the_diagonal():
    assert (vech.Packed([3], "condensed") + 2).expand().tolist() == [[2, 5], [5, 2]]
    unit = vech.Packed([3.0], vech.Layout(diagonal="one"))
    assert (unit + 2).expand().tolist() == [[3, 5], [5, 3]]
    assert (unit * 2).expand().tolist() == [[2, 6], [6, 2]]
    assert (-unit).expand().tolist() == [[-1, -3], [-3, -1]]


def test_a_scaled_half_keeps_its_scale():
    half = np.array([1.0, 2.0, 4.0])
    store = vech.Packed(half, "svec-lower")
    for result in (store * 2, store / 2, store + store, -store, store + 1, store * store):
        assert result.layout == store.layout
    assert_same_bits((store * 2).half, half * 2)
    assert_same_bits((store + store).half, half * 2)
    assert (store == store.copy()).layout == vech.Layout() and (store == store.copy()).half.all()


def test_equal_scales_cancel_without_computing():
    narrow, _ = packed(vech.as_layout("svec-lower"), np.dtype("f4"), "symmetric", 65)
    wide = vech.Packed(np.zeros(65 * 66 // 2), "svec-upper")
    moved = vech.convert(narrow.half, "svec-lower", "svec-upper")
    assert_same_bits((wide + narrow).half, moved.astype(float))


def test_a_number_that_scaling_makes_infinite_is_an_overflow():
    store = vech.Packed(np.array([1, 1, 1], np.float16), "svec-lower")
    with pytest.raises(
        OverflowError, match="a finite number becomes infinite in float16 when layout svec-lower scales it"
    ):
        store + np.float16(60000)


def test_kinds_follow_the_rules_of_signs():
    real = vech.Packed(np.array([1.0, 2, 3]))
    skew = vech.Packed(np.array([0.0, 2, 0]), kind="skew")
    hermitian = vech.Packed(np.array([1, 2 + 1j, 3]), kind="hermitian")
    symmetric = vech.Packed(np.array([1, 2 + 1j, 3]), kind="symmetric")
    for result, kind in (
        (real + real, "symmetric"),
        (skew * skew, "symmetric"),
        (skew * real, "skew"),
        (real + hermitian, "hermitian"),
        (hermitian * real, "hermitian"),
        (real * symmetric, "symmetric"),
        (real * 1j, "symmetric"),
        (hermitian * 1j, "skew-hermitian"),
        (hermitian * 1j * 1j, "hermitian"),
        (hermitian * skew, "skew-hermitian"),
        (hermitian / hermitian, "hermitian"),
        (abs(skew), "symmetric"),
        (abs(hermitian), "symmetric"),
        (hermitian == hermitian.copy(), "symmetric"),
        (skew + 0, "skew"),
    ):
        assert result.kind == kind
    assert abs(hermitian).dtype == float


REFUSED = [
    ("hermitian + 1j", "add of a hermitian complex128 matrix and the number 1j is of no kind: its triangles"),
    (
        "hermitian + symmetric",
        "add of a hermitian complex128 matrix and a symmetric complex128 matrix is of no kind",
    ),
    ("skew + 1", "add of a skew float64 matrix and the number 1 is of no kind"),
    ("skew + real", "add of a skew float64 matrix and a symmetric float64 matrix is of no kind"),
    ("hermitian * (1 + 1j)", "multiply of a hermitian complex128 matrix and the number (1+1j) is of no kind"),
    ("hermitian < 1", "less of a hermitian complex128 matrix and the number 1 is of no kind"),
    ("hermitian == 1j", "equal of a hermitian complex128 matrix and the number 1j is of no kind"),
    ("skew > skew", "greater of a skew float64 matrix and a skew float64 matrix is of no kind"),
    (
        "1 / skew",
        "the number 1 divided by a skew float64 matrix is of no kind: it divides by a diagonal of zeros",
    ),
    (
        "real + np.ones(2)",
        "np.add of a Packed takes numbers and stores, not an array of shape (2,): take the full",
    ),
    ("np.eye(2) * real", "np.multiply of a Packed takes numbers and stores, not an array of shape (2, 2)"),
    ("real + 'a'", "unsupported operand type(s) for +: 'Packed' and 'str'"),
    ("real * 'a'", "np.multiply of a Packed takes numbers and stores, not a str: take float(x)"),
    ("b'a' * real", "np.multiply of a Packed takes numbers and stores, not a bytes: take float(x)"),
    ("real + [1, 2]", "np.add of a Packed takes numbers and stores, not an array of shape (2,)"),
    (
        "real + real.to_csr()",
        (
            "np.add of a Packed takes numbers and stores, not a csr_array: "
            "make a store with Packed(from_sparse(x))"
        ),
    ),
    ("real.to_csr() - real", "np.subtract of a Packed takes numbers and stores, not a csr_array"),
    (
        "real ** 2",
        (
            "a Packed has no power: S.map(lambda v: v**2) is that of each number, "
            "S @ S.expand() the matrix product"
        ),
    ),
    ("2 ** real", "a Packed has no power"),
    ("real // 2", "a Packed has no // and no %: S.map(lambda v: v // 2) works number by number"),
    ("2 // real", "a Packed has no // and no %"),
    ("real % 2", "a Packed has no // and no %"),
    ("2 % real", "a Packed has no // and no %"),
    ("np.matrix(np.eye(2)) @ real", "x must be a NumPy array, not numpy.matrix: pass numpy.asarray(x)"),
    (
        "np.maximum(real, 1)",
        "np.maximum does not work on a Packed, which holds each number once: map a function",
    ),
    (
        "np.max(real)",
        (
            "S.max() takes no axis=: it is of each pair once, without the diagonal; "
            "S.max(diagonal=True) is of both"
        ),
    ),
    (
        "integers / integers",
        "is of no kind: a zero of int64 has no sign to mirror, so divide by its astype(float)",
    ),
    ("skew / integers", "a skew float64 matrix divided by a skew int64 matrix is of no kind"),
    ("real < None", "'<' not supported between instances of 'Packed' and 'NoneType'"),
    ("real * Fraction(1, 2)", "np.multiply of a Packed takes numbers that NumPy has, not Fraction(1, 2)"),
    ("real + Decimal(1)", "np.add of a Packed takes numbers that NumPy has, not Decimal('1'): take float(x)"),
    ("real * np.longdouble(2)", "longdouble differs between machines"),
]


@cases.each(("expression", "message"), REFUSED, ids=[expression for expression, _ in REFUSED])
def test_what_has_no_kind_is_refused(expression, message):
    from decimal import Decimal
    from fractions import Fraction

    names = {
        "Decimal": Decimal,
        "integers": vech.Packed(np.array([0, 2, 0]), kind="skew"),
        "np": np,
        "Fraction": Fraction,
        "real": vech.Packed(np.array([1.0, 2, 3])),
        "skew": vech.Packed(np.array([0.0, 2, 0]), kind="skew"),
        "hermitian": vech.Packed(np.array([1, 2 + 1j, 3]), kind="hermitian"),
        "symmetric": vech.Packed(np.array([1, 2 + 1j, 3]), kind="symmetric"),
    }
    if "longdouble" in expression:
        message = "differs between machines"
    with pytest.raises(TypeError, match=re.escape(message)):
        eval(expression, names)


def test_a_skew_matrix_divides_zeros_as_numpy_does():
    a, b = (vech.Packed(np.array(x), kind="skew") for x in ([0, 1, 0], [0.0, 0.0, 0.0]))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal((a / b).expand(), a.expand() / b.expand())


def test_numpys_functions_are_the_operators():
    store = vech.Packed(np.array([1.0, 2.0, 3.0]))
    assert_same_bits(np.add(2, store).half, np.array([3.0, 4.0, 5.0]))
    assert_same_bits(np.less(np.float64(2), store).half, np.array([False, False, True]))
    assert_same_bits((np.float64(2) >= store).half, np.array([True, True, False]))
    assert_same_bits(np.subtract(np.float64(2), store).half, np.array([1.0, 0.0, -1.0]))


@pytest.mark.parametrize("kind", ["hermitian", "skew", "skew-hermitian"])
def test_arithmetic_takes_the_part_of_the_diagonal_that_its_kind_allows(kind):
    store, full = packed(vech.Layout(), np.dtype(complex), kind, 5)
    dirty = store.copy()
    dirty.half[dirty.layout.position(2, 2, 5)] += {"hermitian": 5j, "skew": 5, "skew-hermitian": 5}[kind]
    for result, want in ((dirty + dirty, full + full), (dirty * 2, full * 2), (dirty * dirty, full * full)):
        assert_near(result.expand(), want)
    assert (dirty == store).half.all()


def test_logic_on_bool():
    a, b = (vech.Packed(np.array(x, bool)) for x in ([0, 0, 1], [0, 1, 1]))
    assert (a & b).half.tolist() == [False, False, True]
    assert (a | b).half.tolist() == [False, True, True]
    assert (a ^ b).half.tolist() == [False, True, False]
    assert (~a).half.tolist() == [True, True, False]
    assert (True & a).half.tolist() == [False, False, True]


def test_a_matrix_has_no_truth_and_no_hash():
    store = vech.Packed(np.array([1.0, 2.0, 3.0]))
    with pytest.raises(ValueError, match=re.escape("a matrix is neither true nor false: S.half.all() and")):
        assert store == store.copy()
    with pytest.raises(TypeError, match="unhashable type: 'Packed'"):
        hash(store)
    assert (store == None) is False and (store != "text") is True


# ---- two matrices ------------------------------------------------------------------------------------------


@cases.each(
    ("left", "right", "dtype", "other", "kind", "second", "n", "operation"),
    cases.pairwise(
        lambda left, right, dtype, other, kind, second, n, operation: (
            fits(left, dtype, kind, n) and fits(right, other, second, n)
        ),
        left=LAYOUTS,
        right=SOME_LAYOUTS,
        dtype=FEW,
        other={name: NUMBERS[name] for name in ("float64", "int32", "complex64", "float16", ">f4")},
        kind=STORE_KINDS,
        second=STORE_KINDS,
        n=SIDES,
        operation=OPERATORS,
    ),
)
def test_two_matrices_meet_entry_by_entry(left, right, dtype, other, kind, second, n, operation):
    a, full_a = packed(left, dtype, kind, n)
    b, full_b = packed(right, other, second, n, salt=1)
    want, got = numpys(operation, full_a, full_b), tried(operation, a, b)
    if isinstance(want, Exception):
        assert isinstance(got, type(want) | TypeError)
    elif isinstance(got, Exception):
        assert isinstance(got, TypeError), got
        rigid = n < 2 or not np.any(full_a) or not np.any(full_b)
        rigid |= operation is operator.truediv and b.kind == "skew"  # divides by zeros
        by_chance = operation in COMPARISONS.values() and (kind, second) != ("symmetric", "symmetric")
        assert rigid or by_chance or not kinds_of(want), got
    else:
        check(got, want, full_a, full_b)
        assert (got.layout.triangle, got.n) == (left.triangle, n)


@cases.each("name", [name for name, order in cases.EXPLICIT.items() if not cases.is_scaled(order)])
def test_a_result_has_the_order_of_the_left_one(name):
    order = cases.EXPLICIT[name]
    a, full = packed(order, np.dtype(float), "symmetric", 3)
    b, _ = packed(vech.Layout(), np.dtype(float), "symmetric", 3)
    for result in (a + b, a * 2, a + 1, a / b, a == b, abs(a), a.map(np.exp)):
        assert result.layout == order
    if isinstance(order, vech.RectangularFullPacked):  # which has no complex symmetric form
        complex_one = a * (1 + 1j)
        assert complex_one.kind == "symmetric" and complex_one.layout == order.plain
        np.testing.assert_array_equal(complex_one.expand(), full * (1 + 1j))
        np.testing.assert_array_equal(a.map(lambda x: x + 1j * x).expand(), full + 1j * full)


def test_a_matrix_of_another_side_is_refused():
    for operation in (operator.add, operator.eq, operator.iadd):
        with pytest.raises(ValueError, match="matrices of 3 and of 2 rows do not fit each other"):
            operation(vech.Packed(np.zeros(6)), vech.Packed(np.zeros(3)))


def test_a_sparse_half_is_packed_first():
    sparse = vech.SparseHalf([0, 1, 2], [0, 0], [1.0, 2.0], 2, triangle="lower")
    store = vech.Packed(np.array([1.0, 2.0, 3.0]))
    for total in (store + sparse, sparse + store):
        assert_same_bits(total.expand(), np.array([[2.0, 4.0], [4.0, 3.0]]))
    assert (store == sparse).half.tolist() == [True, True, False]
    assert_same_bits((sparse - store).expand(), np.array([[0.0, 0.0], [0.0, -3.0]]))


def test_labels_are_kept_where_they_agree():
    a, b, c = (vech.Packed(np.ones(3), labels=labels) for labels in ("xy", None, "xz"))
    assert (a + b).labels == (b + a).labels == (2 * a).labels == (a == a.copy()).labels == ("x", "y")
    assert abs(a).labels == a.astype(int).labels == a.map(np.sqrt).labels == ("x", "y")
    for operation in (operator.add, operator.iadd, operator.lt):
        with pytest.raises(ValueError, match="the labels of row 1 differ, 'y' and 'z': permute one"):
            operation(a, c)


@pytest.mark.parametrize(
    "labels",
    [
        lambda: [float("nan"), 1.0],
        lambda: [np.float64("nan"), "b"],
        lambda: [np.array([1, 2]), np.array([3, 4])],
    ],
)
def test_labels_may_be_nan_or_arrays(labels):
    a, b = (vech.Packed(np.ones(3), labels=labels()) for _ in range(2))
    assert len((a + b).labels) == 2
    for other in (["x", labels()[1]], [np.array([1, 3]), 0], [np.array([1, 2, 3]), 0]):
        with pytest.raises(ValueError, match="the labels of row 0 differ, "):
            a + vech.Packed(np.ones(3), labels=other)


def test_dates_are_subtracted_and_compared():
    days = vech.Packed(np.array(["2020-01-01", "2020-01-03", "2020-01-07"], "M8[D]"))
    assert (days - days.half[0]).half.astype(int).tolist() == [0, 2, 6]
    assert (days - days).dtype == np.dtype("m8[D]")
    assert (days > np.datetime64("2020-01-02")).half.tolist() == [False, True, True]
    assert ((days - days.half[0]) * 2).half.astype(int).tolist() == [0, 4, 12]
    with pytest.raises(TypeError):
        days + days


# ---- in place ----------------------------------------------------------------------------------------------

IN_PLACE = {name: getattr(operator, name) for name in ("iadd", "isub", "imul", "itruediv")}


@cases.each(
    ("layout", "dtype", "kind", "n", "operation", "other"),
    cases.pairwise(
        fits,
        layout=LAYOUTS,
        dtype=FEW,
        kind=STORE_KINDS,
        n=SIDES,
        operation=IN_PLACE,
        other={"2": 2, "0.5": 0.5, "0": 0, "2j": 2j, "same": "same", "vech": "vech", "integers": "integers"},
    ),
)
def test_in_place_writes_into_the_half(layout, dtype, kind, n, operation, other):
    store, full = packed(layout, dtype, kind, n)
    half, before = store.half, store.half.copy()
    right = full_right = other
    if other == "same":
        right, full_right = packed(layout, dtype, kind, n, salt=2)
    elif other == "vech":
        right, full_right = packed(cases.plain(vech.Layout()), dtype, kind, n, salt=2)
    elif other == "integers":
        right, full_right = packed(vech.as_layout("numpy-triu"), np.dtype("i1"), "symmetric", n, salt=2)
    want = numpys(operation, full.copy(), full_right)
    got = tried_in_place(operation, store, right)
    if isinstance(got, Exception):
        assert_same_bits(store.half, before)
        if isinstance(want, Exception) or n < 2 or not np.any(full) or store.kind not in kinds_of(want):
            return
        strict = layout.diagonal != "stored"
        named = strict and (other in ("vech", "integers") or np.any(np.diag(want) != layout.implied))
        named |= other == 2j and dtype.kind != "c"  # which ml_dtypes would let pass
        assert named, got
    else:
        assert got is store and store.half is half and half.dtype == dtype
        if not isinstance(want, Exception):
            assert_near(store.expand(), want, full, full_right)


def tried_in_place(operation, store, right):
    with np.errstate(all="ignore"):
        try:
            return operation(store, right)
        except (TypeError, ValueError, OverflowError) as error:
            return error


def test_in_place_names_what_has_no_place():
    integers = vech.Packed(np.array([1, 2, 3]))
    with pytest.raises(
        TypeError, match="the result has dtype float64, which a half of int64 cannot hold: write S = S"
    ):
        integers += 0.5
    strict = vech.Packed(np.array([1.0]), "condensed")
    for other in (1, vech.Packed([0.0, 1.0, 0.0])):
        with pytest.raises(
            ValueError, match="layout condensed has no place for the result, which needs vech: wri"
        ):
            strict += other
    assert strict.half.tolist() == [1.0]
    bits = vech.Packed(np.ones(3, ml_dtypes.bfloat16))
    for other in (2j, vech.Packed(np.ones(3, complex), kind="symmetric")):
        with pytest.raises(
            TypeError, match=r"the result has dtype complex\d*, which a half of bfloat16 cannot hold"
        ):
            bits += other
    assert (bits.half == 1).all()
    strict *= 2
    assert strict.half.tolist() == [2.0]
    skew = vech.Packed(np.array([0.0, 1.0, 0.0]), kind="skew")
    with pytest.raises(
        TypeError, match="the result is symmetric and the matrix skew, so it has no place in the same"
    ):
        skew *= skew
    fixed = np.arange(3.0)
    fixed.flags.writeable = False
    store = vech.Packed(fixed)
    for change in (
        lambda: operator.iadd(store, 1),
        lambda: store.set_diagonal(1),
        lambda: store.add_diagonal(1),
        lambda: operator.setitem(store, (0, 0), 1),
        lambda: operator.setitem(store, store > 1, 1),
    ):
        with pytest.raises(
            ValueError, match=re.escape("the half is read-only: copy() gives a matrix that can be")
        ):
            change()


def test_in_place_with_halves_that_share_memory():
    memory = np.arange(2.0**18 + 700)
    n = 700
    length = n * (n + 1) // 2
    ahead, behind = memory[1 : length + 1], memory[:length]
    want = ahead + behind
    store = vech.Packed(ahead)
    store += vech.Packed(behind)
    assert_same_bits(store.half, want)
    skew, full = packed(vech.Layout(), np.dtype(float), "skew", 65)
    skew -= skew.T
    np.testing.assert_array_equal(skew.expand(), 2 * full)


# ---- assignment --------------------------------------------------------------------------------------------


@cases.each(
    ("layout", "dtype", "kind", "index"),
    cases.pairwise(
        lambda layout, dtype, kind, index: fits(layout, dtype, kind, 5),
        layout=SOME_LAYOUTS,
        dtype=FEW,
        kind=STORE_KINDS,
        index={str(index).replace("\n", ""): index for index in INDICES},
    ),
)
def test_both_sides_follow_an_assignment(layout, dtype, kind, index):
    store, full = packed(layout, dtype, kind, 5)
    _, target = packed(layout, dtype, kind, 5, salt="target")
    chosen = np.zeros((5, 5), bool)
    chosen[index] = True
    store[index] = target[index]
    want = np.where(chosen | chosen.T, target, full).astype(dtype)
    if cases.is_scaled(layout):
        assert_near(store.expand(), want)
    else:
        assert_same_bits(store.expand(), want)


@pytest.mark.parametrize("kind", STORE_KINDS)
@pytest.mark.parametrize("n", [0, 1, 2, 40, 700])
def test_a_whole_matrix_can_be_assigned(kind, n):
    store, _ = packed(vech.Layout(), np.dtype(complex), "symmetric", n)
    store = vech.Packed(store.half, kind=kind)
    full = cases.generator(n).normal(size=(n, n)) + 1j
    full = full + mirrored(full, kind)
    store[...] = full
    np.testing.assert_array_equal(store.expand(), full)


def test_a_wrong_cell_of_a_large_assignment_is_found_and_nothing_is_changed():
    n = 600
    store = vech.Packed(np.arange(n * (n + 1) / 2))
    before = store.half.copy()
    full = np.ones((n, n))
    full[30, 500] = 2
    for key in (np.s_[:, :], np.s_[10:510, :505], (np.arange(n)[:, None], np.arange(n))):
        with pytest.raises(ValueError, match=r"contradict themselves at \((30, 500|500, 30)\)"):
            store[key] = full[key]
        assert_same_bits(store.half, before)


def test_two_sides_may_differ_by_a_rounding():
    store = vech.Packed(np.zeros(3))
    store[:, :] = [[1, 2], [np.nextafter(2, 3), 4]]
    assert store[1, 0] in (2, np.nextafter(2, 3))
    integers = vech.Packed(np.zeros(3, int))
    with pytest.raises(ValueError, match="contradict"):
        integers[:, :] = [[1, 2], [3, 4]]


def test_values_are_spread_over_what_is_indexed():
    store = vech.Packed(np.zeros(6))
    store[0] = 5
    store[1:, 1:] = [[7]]
    assert store.expand().tolist() == [[5, 5, 5], [5, 7, 7], [5, 7, 7]]
    store[np.eye(3, dtype=bool)] = [1, 2, 3]
    assert store.diagonal().tolist() == [1, 2, 3]
    store[[0, 1], [2, 2]] = np.array([8.0, 9.0])
    assert store[2].tolist() == [8, 9, 3]
    store[2] = store.half[:3]  # memory of its own half
    assert store[2].tolist() == [1, 5, 8]


@cases.each(
    ("layout", "dtype", "kind"),
    cases.pairwise(
        lambda layout, dtype, kind: fits(layout, dtype, kind, 3),
        layout=LAYOUTS,
        dtype=DTYPES,
        kind=STORE_KINDS,
        apart=("layout", "dtype"),
    ),
)
def test_a_matrix_of_bool_chooses_what_is_filled(layout, dtype, kind):
    store, full = packed(layout, dtype, kind, 3)
    mask = vech.Packed(np.array([0, 1, 0, 1, 1, 0], bool), "numpy-triu")
    mask.half[mask.layout.position(range(3), range(3), 3)] = False
    number = np.array(0 if "skew" in store.kind else 2).astype("i8").astype(dtype)[()]
    store[mask] = number
    want = np.where(mask.expand(), number, full).astype(dtype)
    if cases.is_scaled(layout):
        assert_near(store.expand(), want)
    else:
        np.testing.assert_array_equal(store.expand(), want)


@pytest.mark.parametrize("name", ["diagonal-halved", "both-scaled", "svec-lower", "mandel", "tfp-upper"])
def test_a_mask_reaches_the_diagonal(name):
    store, _ = packed(LAYOUTS[name], np.dtype(float), "symmetric", 3)
    store[store > -9] = 2.5
    np.testing.assert_allclose(store.expand(), np.full((3, 3), 2.5), rtol=1e-15)
    strict = vech.Packed(np.ones(3), "condensed")
    strict[strict == strict.copy()] = 0
    assert strict.half.tolist() == [0, 0, 0]
    with pytest.raises(
        ValueError, match=r"2.0 cannot be at \(0, 0\): layout condensed leaves out its diagonal"
    ):
        strict[strict == 0] = 2


def test_masks_are_made_by_comparison():
    store = vech.Packed(np.array([-1.0, 2.0, -3.0, 4.0, -5.0, 6.0]), "svec-lower")
    want = np.where(store.expand() < 0, 9, store.expand())
    store[store < 0] = 9
    np.testing.assert_allclose(store.expand(), want, rtol=1e-15)
    with pytest.raises(ValueError, match="a mask that is a matrix takes one number, not an array of shape"):
        store[store < 0] = np.ones(3)
    with pytest.raises(IndexError, match="a matrix as a mask holds bool, not float64"):
        store[store] = 1
    with pytest.raises(IndexError, match="a mask that is a matrix has each number once, so it takes none"):
        store[store > 0]
    hermitian = vech.Packed(np.array([1, 1j, 3]), kind="hermitian")
    with pytest.raises(
        ValueError, match=re.escape("1j would stand on both sides of the diagonal, where a herm")
    ):
        hermitian[vech.Packed(np.array([False, True, False]))] = 1j


CONTRADICTIONS = [
    (
        "real",
        np.s_[0:2, 0:2],
        [[1, 2], [3, 4]],
        "contradict themselves at (0, 1): 2.0 and 3.0 are meant for one",
    ),
    ("real", ([0, 1], [1, 0]), [1, 2], "contradict themselves at (0, 1): 1.0 and 2.0"),
    ("real", ([0, 0], [1, 1]), [1, 2], "contradict themselves at (0, 1): 1.0 and 2.0"),
    ("hermitian", np.s_[:2, :2], [[1, 1j], [1j, 1]], "since (1, 0) is its hermitian mirror"),
    ("skew", np.s_[:2, :2], [[0, 1], [1, 0]], "since (1, 0) is its skew mirror"),
    ("hermitian", (1, 1), 2j, "2j cannot be at (1, 1): the diagonal of a hermitian matrix is real"),
    (
        "skew-hermitian",
        (1, 1),
        2,
        "(2+0j) cannot be at (1, 1): the diagonal of a skew-hermitian matrix is imag",
    ),
    ("skew", (1, 1), 2, "2.0 cannot be at (1, 1): the diagonal of a skew matrix is zero"),
    (
        "strict",
        (1, 1),
        2,
        "2.0 cannot be at (1, 1): layout condensed leaves out its diagonal, which is all 0: conv",
    ),
    (
        "strict",
        0,
        [1, 2, 3],
        "1.0 cannot be at (0, 0): layout condensed leaves out its diagonal, which is all 0",
    ),
    ("strict", 0, [np.nan, 2, 3], "nan cannot be at (0, 0): layout condensed leaves out"),
    ("real", 0, [1, 2], "values of shape (2,) do not fit what is indexed, (3,)"),
    ("real", (0, 0), [1, 2], "values of shape (2,) do not fit what is indexed, ()"),
]


@cases.each(("name", "key", "values", "message"), CONTRADICTIONS, ids=lambda x: str(x)[:30])
def test_what_contradicts_itself_is_refused_and_nothing_is_changed(name, key, values, message):
    store = {
        "real": vech.Packed(np.arange(6.0)),
        "hermitian": vech.Packed(np.arange(6.0) + 0j, kind="hermitian"),
        "skew": vech.Packed(np.zeros(6), kind="skew"),
        "skew-hermitian": vech.Packed(np.zeros(6, complex), kind="skew-hermitian"),
        "strict": vech.Packed(np.arange(3.0), "condensed"),
    }[name]
    before = store.half.copy()
    with pytest.raises(ValueError, match=re.escape(message)):
        store[key] = values
    assert_same_bits(store.half, before)


def test_the_implied_diagonal_may_be_assigned():
    store = vech.Packed(np.arange(3.0), "condensed")
    store[0] = [0, 7, 8]
    store[1, 1] = 0
    store.set_diagonal(0)
    store.add_diagonal(np.zeros(3))
    assert store.expand().tolist() == [[0, 7, 8], [7, 0, 2], [8, 2, 0]]
    with pytest.raises(
        ValueError, match=re.escape("leaves out its diagonal, which is all 0: convert the half to vech")
    ):
        store.add_diagonal(1)


def test_dtypes_are_those_of_numpys_assignment():
    integers = vech.Packed(np.zeros(3, np.int8))
    integers[0, 0] = 2.7
    integers[1] = np.array([3.9, 4.2])
    assert integers.half.tolist() == [2, 3, 4]
    with pytest.raises(OverflowError, match="out of bounds"):
        integers[0, 0] = 300
    real = vech.Packed(np.zeros(3))
    for value in (1j, np.complex64(1), np.array([1j, 2]), [1j, 2]):
        with pytest.raises(
            TypeError, match=r"numbers do not fit a half of float64: take their .real, or astype"
        ):
            real[0] = value
    with pytest.raises(
        TypeError, match=r"what is assigned must be a NumPy array, not vech.Packed: pass its full matrix"
    ):
        real[:, :] = vech.Packed(np.zeros(3))
    with pytest.raises(TypeError, match=r"holds text"):
        real[0, 0] = "1"
    assert not real.half.any()
    bits = vech.Packed(np.zeros(3, ml_dtypes.bfloat16))
    bits[0, 1] = 1 / 3
    assert bits[1, 0] == ml_dtypes.bfloat16(1 / 3)


@cases.each("index", [(5, 0), 5, ([0, 1], [0, 7]), 1.0, (0, 1, 2), (None, 0), ([0, 1], [0, 1, 2])], ids=str)
def test_a_key_that_cannot_be_read_cannot_be_written(index):
    with pytest.raises(IndexError):
        vech.Packed(np.zeros(15))[index] = 1


def test_assigning_to_a_large_matrix_touches_only_what_it_asks_for():
    n = 100_000
    store = vech.Packed(cases.untouched(n * (n + 1) // 2))
    tracemalloc.start()
    store[n - 1, 5] = 3
    store[7] = np.ones(n)
    store[:3, -4:] = 2
    store[[1, 2], [5, 6]] = [8, 9]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e7
    assert store[5, n - 1] == 3 and store[50, 7] == 1 and store[n - 1, 2] == 2 and store[6, 2] == 9


# ---- diagonals ---------------------------------------------------------------------------------------------


@cases.each(
    ("layout", "dtype", "kind", "n"),
    cases.pairwise(fits, layout=LAYOUTS, dtype=FEW, kind=STORE_KINDS, n=SIDES),
)
def test_diagonals_are_set_and_added_to(layout, dtype, kind, n):
    store, full = packed(layout, dtype, kind, n)
    _, other = packed(layout, dtype, kind, n, salt="other")
    want = full.copy()
    np.fill_diagonal(want, np.diag(other))
    store.set_diagonal(np.diag(other))
    assert_near(store.expand(), want)
    addend = np.zeros(n, dtype) if layout.diagonal != "stored" else np.diag(full)
    store.add_diagonal(addend)
    want[np.arange(n), np.arange(n)] += addend
    assert_near(store.expand(), want, full, other)


def test_a_diagonal_is_a_number_or_n_of_them():
    store = vech.Packed(np.zeros(6))
    assert store.set_diagonal(2) is store
    assert store.add_diagonal([1, 2, 3]) is store
    store.add_diagonal(0.5)
    assert store.diagonal().tolist() == [3.5, 4.5, 5.5]
    for change in (store.set_diagonal, store.add_diagonal):
        with pytest.raises(ValueError, match=r"shape \(2,\)"):
            change([1, 2])
        with pytest.raises(TypeError):
            change(1j)
    assert store.diagonal().tolist() == [3.5, 4.5, 5.5]
    with pytest.raises(ValueError, match=r"diagonal has shape \(2,\), but the matrix has 3 rows"):
        store.add_diagonal([1, 2])
    with pytest.raises(
        TypeError, match="a diagonal of float64 cannot be added to a half of int64: astype one of them first"
    ):
        vech.Packed(np.zeros(3, int)).add_diagonal(0.5)
    for addend in ("a", ["a"] * 3, np.datetime64(1, "D")):
        with pytest.raises(TypeError, match=r"<U1|a diagonal of .* cannot be added to a half of float64"):
            store.add_diagonal(addend)
    for half in (np.zeros(6), np.zeros(6, ml_dtypes.bfloat16)):
        for addend in (1j, np.full(3, 1j)):
            with pytest.raises(
                TypeError, match=r"a complex diagonal does not fit a half of .*: astype\(complex\)"
            ):
                vech.Packed(half).add_diagonal(addend)
    hermitian = vech.Packed(np.array([1 + 5j, 2j, 3]), kind="hermitian")
    hermitian.add_diagonal(1)
    assert hermitian.diagonal().tolist() == [2, 4]
    with pytest.raises(
        ValueError, match=re.escape("cannot be at (0, 0): the diagonal of a hermitian matrix is real")
    ):
        hermitian.add_diagonal(1j)


# ---- functions, dtypes, copies -----------------------------------------------------------------------------


@cases.each(
    ("layout", "dtype", "n"),
    cases.pairwise(
        lambda layout, dtype, n: fits(layout, dtype, "symmetric", n), layout=LAYOUTS, dtype=FEW, n=SIDES
    ),
)
def test_a_function_meets_true_values(layout, dtype, n):
    store, full = packed(layout, dtype, "symmetric", n)
    mapped = store.map(lambda x: x + x)
    assert mapped.layout.diagonal == "stored" and not mapped.layout.scaled and mapped.kind == "symmetric"
    assert mapped.layout.triangle == layout.triangle
    assert_near(mapped.expand(), full + full)


def test_a_function_gives_as_many_numbers_as_it_takes():
    store = vech.Packed(np.ones(6))
    for function in (np.sum, lambda x: x[:3], lambda x: x[:, None]):
        with pytest.raises(
            ValueError, match=r"the function gives shape .* for 6 numbers: it must give one for each"
        ):
            store.map(function)


@pytest.mark.parametrize("name", ["vech", "svec-lower"])
def test_a_function_cannot_reach_the_half(name):
    store = vech.Packed(np.array([1.0, 2.0, 3.0]), name)
    before = store.half.copy()
    with pytest.raises(ValueError, match="read-only"):
        store.map(lambda x: np.exp(x, out=x))
    for function in (lambda x: x, lambda x: x[:], np.asarray):
        mapped = store.map(function)
        assert not np.shares_memory(mapped.half, store.half) and mapped.half.flags.writeable
        mapped += 1
    assert_same_bits(store.half, before)


def test_a_function_gives_an_array_without_a_mask():
    store = vech.Packed(np.array([1.0, -2.0, 3.0]))
    with pytest.raises(
        TypeError, match=r"what the function gives must be a NumPy array, not numpy\.ma\.MaskedArray"
    ):
        store.map(np.ma.sqrt)
    assert store.map(lambda x: x.tolist()).half.tolist() == [1, -2, 3]


@cases.each(
    ("layout", "dtype", "kind", "n"),
    cases.pairwise(fits, layout=LAYOUTS, dtype=NUMBERS, kind=STORE_KINDS, n=SIDES, apart=("layout", "dtype")),
)
def test_parts_and_the_conjugate(layout, dtype, kind, n):
    store, full = packed(layout, dtype, kind, n, labels=range(n))
    parts = [(store.conj(), full.conj()), (store.real, full.real)]
    if not reference.is_ml(dtype):
        parts.append((store.imag, full.imag))
    for part, want in parts:
        assert part.labels == store.labels and part.dtype.newbyteorder("=") == want.dtype.newbyteorder("=")
        assert np.shares_memory(part.half, store.half) == (part is store and part.half.size > 0)
        assert part.kind in kinds_of(want)
        np.testing.assert_array_equal(part.expand().astype(complex), want.astype(complex))


def test_parts_take_what_counts_of_a_diagonal():
    hermitian = vech.Packed(np.array([1 + 9j, 2 + 3j, 4 + 9j]), kind="hermitian")
    assert hermitian.imag.half.tolist() == [0, 3, 0] and hermitian.imag.kind == "skew"
    assert hermitian.real.half.tolist() == [1, 2, 4] and np.real(hermitian).kind == "symmetric"
    skew = vech.Packed(np.array([9 + 1j, 2 + 3j, 9 + 4j]), kind="skew-hermitian")
    assert skew.real.half.tolist() == [0, 2, 0] and skew.real.kind == "skew"
    assert skew.imag.half.tolist() == [1, 3, 4] and skew.imag.kind == "symmetric"


def test_a_dtype_too_small_for_the_scale_is_an_overflow():
    half = vech.convert(np.array([1.0, 6e4, 2.0]), "vech", "svec-lower")
    store = vech.Packed(half, "svec-lower")
    with pytest.raises(
        OverflowError,
        match="a finite number becomes infinite in float16 when layout svec-lower scales it: convert",
    ):
        store.astype("f2")
    assert store.astype("f4").expand()[0, 1] == pytest.approx(6e4)
    with np.errstate(over="warn"), pytest.warns(RuntimeWarning, match="overflow"):  # as NumPy's astype
        assert np.isinf((store * 10).astype("f2").expand()[0, 1])
    store.half[1] = np.inf
    assert np.isinf(store.astype("f2").half[1])


@cases.each("narrow", ["f2", "f4", "bfloat16", "i4"])
@cases.each("order", ["vech", "numpy-tril", "condensed", "lapack-rfp-nl"])
@cases.each("wide", ["f8", "c16"])
def test_a_scaled_half_meets_a_narrower_one_in_the_dtype_of_the_result(narrow, order, wide):
    dtype = np.dtype(getattr(ml_dtypes, narrow, narrow))
    layout = LAYOUTS.get(order) or vech.as_layout(order)
    left, full = packed(vech.as_layout("svec-upper"), np.dtype(wide), "symmetric", 9)
    right, other = packed(layout, dtype, "symmetric", 9)
    for operation in (operator.add, operator.sub):
        want = operation(full, other.astype(wide))
        got = operation(left, right)
        assert got.dtype == wide and got.layout.scaled
        np.testing.assert_allclose(got.expand(), want, rtol=0, atol=1e-14)


@cases.each(
    ("layout", "dtype", "kind", "target"),
    cases.pairwise(
        lambda layout, dtype, kind, target: fits(layout, dtype, kind, 3) and cases.allows(target, kind),
        layout=LAYOUTS,
        dtype=NUMBERS,
        kind=STORE_KINDS,
        target={
            name: NUMBERS[name]
            for name in ("float32", "float64", "int64", "complex128", "bfloat16", ">f4", "bool")
        },
        apart=("layout", "dtype"),
    ),
)
def test_a_matrix_in_another_dtype(layout, dtype, kind, target):
    store, full = packed(layout, dtype, kind, 3, labels="abc")
    if dtype.kind == "c" and target.kind != "c":
        with pytest.raises(
            TypeError, match=re.escape(f"{dtype} numbers would lose their imaginary part in {target}")
        ):
            store.astype(target)
        return
    if target.kind == "b" and "skew" in store.kind:
        with pytest.raises(TypeError, match="needs numbers with a sign"):
            store.astype(target)
        return
    changed = store.astype(target)
    assert changed.dtype == target and changed.labels == ("a", "b", "c") and changed.kind == store.kind
    assert not np.shares_memory(changed.half, store.half)
    assert_near(changed.expand(), full.astype(target), full)


def test_a_matrix_of_its_own_dtype_is_itself_without_a_copy():
    store = vech.Packed(np.ones(3))
    assert store.astype(float, copy=False) is store
    assert store.astype(float) is not store and store.astype("f4", copy=False).dtype == np.float32


def test_results_can_be_pickled_and_copied():
    store = vech.Packed(np.array([1.0, 2.0, 3.0]), "svec-upper", labels="ab") * 3 + 1
    for other in (pickle.loads(pickle.dumps(store)), copy.copy(store), copy.deepcopy(store), store.copy()):
        assert other.layout == store.layout and other.labels == ("a", "b") and (other == store).half.all()


@cases.each("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@cases.each("dtype", DTYPES.values())
def test_a_pickle_keeps_every_bit(dtype, protocol):
    half = cases.raw(dtype, 6)
    store = pickle.loads(pickle.dumps(vech.Packed(half, kind="symmetric"), protocol))
    assert store.dtype.str == dtype.str
    assert_same_bits(store.half, half)


# ---- cost --------------------------------------------------------------------------------------------------


def peak_of(function):
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_arithmetic_takes_the_memory_of_its_result():
    n = 2500
    store = vech.Packed(np.ones(n * (n + 1) // 2))
    upper = vech.Packed(np.ones(n * (n + 1) // 2), "lapack-upper")
    scaled = vech.Packed(np.ones(n * (n + 1) // 2), "svec-lower")
    skew = vech.Packed(np.zeros(n * (n + 1) // 2), kind="skew")
    once, spare = store.nbytes, 2**23
    for function in (
        lambda: store + store,
        lambda: store * 2,
        lambda: store + upper,
        lambda: scaled + 1,
        lambda: skew + skew,
        lambda: upper.map(np.negative),
    ):
        assert peak_of(function) < once + spare
    for function in (
        lambda: operator.iadd(store, 1),
        lambda: operator.iadd(store, store),
        lambda: store < 1,
        lambda: store.set_diagonal(1),
        lambda: store._repr_html_(),
    ):
        assert peak_of(function) < once / 8 + spare
    full = np.ones((n, n))
    assert peak_of(lambda: operator.setitem(store, np.s_[:, :], 1)) < 3 * spare
    assert peak_of(lambda: operator.setitem(store, np.s_[:, :], full)) < once + 4 * spare


# ---- all or nothing ----------------------------------------------------------------------------------------


def hermitian(layout):
    half = cases.moderate(np.complex128, vech.as_layout(layout).length(9))
    return vech.Packed(half, layout, kind="hermitian")


def test_ctrl_c_in_the_midst_of_many_entries_comes_when_all_are_written(monkeypatch):
    monkeypatch.setattr("vech.packed.assign.BLOCK", 20)
    before = cases.moderate(np.float64, 45)
    stores = []

    def fresh():
        stores.append(vech.Packed(before.copy()))
        return lambda: operator.setitem(stores[-1], np.s_[1:, :], 3.0)

    after = np.where(np.arange(45) == 0, before, 3.0)
    for _ in at_every(7, fresh):
        assert np.array_equal(stores[-1].half, before) or np.array_equal(stores[-1].half, after)
    assert np.array_equal(stores[-1].half, after)


NINE = cases.moderate(np.float64, (9, 9))
NINE = NINE + NINE.T
CHANGES = {
    "a row": ("vech", lambda S: operator.setitem(S, 3, NINE[3])),
    "a block": ("svec-lower", lambda S: operator.setitem(S, np.s_[2:6, 2:6], NINE[2:6, 2:6])),
    "everything": ("vech", lambda S: operator.setitem(S, np.s_[:, :], NINE)),
    "everything in a spiral": ("lapack-rfp-nl", lambda S: operator.setitem(S, np.s_[:, :], NINE)),
    "a number": ("svec-lower", lambda S: operator.setitem(S, np.s_[2:, :], 3.0)),
    "where a mask is": ("svec-lower", lambda S: operator.setitem(S, abs(S) > 0, 3.0)),
    "the diagonal": ("svec-lower", lambda S: S.set_diagonal(np.arange(9.0))),
    "a sum": ("vech", lambda S: operator.iadd(S, hermitian("vech"))),
    "a sum of another order": ("vech", lambda S: operator.isub(S, hermitian("lapack-upper"))),
    "a product": ("svec-lower", lambda S: operator.imul(S, hermitian("svec-lower"))),
    "an update": ("vech", lambda S: S.add_outer(NINE[:, :3], -0.5)),
    "an update of a scaled half": ("svec-lower", lambda S: S.add_outer(NINE[:, :3] * 1j)),
    "an update in a spiral": ("lapack-rfp-nl", lambda S: S.add_outer(NINE[:, :3])),
}


@pytest.mark.parametrize("name", CHANGES)
def test_ctrl_c_at_any_step_leaves_the_old_half_or_the_new_one(name, monkeypatch):
    monkeypatch.setattr("vech.packed.assign.BLOCK", 20)
    monkeypatch.setattr("vech.packed.products.SIDE", 4)
    monkeypatch.setattr("vech.moves.runs.SIDE", 4)
    layout, change = CHANGES[name]
    before = hermitian(layout).half
    done = hermitian(layout)
    change(done)
    assert not np.array_equal(done.half, before)
    stores = []

    def fresh():
        stores.append(hermitian(layout))
        return lambda: change(stores[-1])

    for step in at_every(31, fresh):
        half = stores[-1].half
        assert np.array_equal(half, before) or np.array_equal(half, done.half), step
    assert len(stores) > 10


def test_errors_in_the_midst_leave_the_old_half(monkeypatch):
    monkeypatch.setattr("vech.packed.assign.BLOCK", 9)
    S = vech.Packed(np.ones(45), "svec-lower")
    largest = np.full((9, 9), 1.0)
    largest[7, 2] = largest[2, 7] = 1.7e308  # times the root of 2 it is infinite
    wrong = NINE.copy()
    wrong[8, 2] += 1
    for kind, values in ((OverflowError, largest), (ValueError, wrong)):
        for key in (np.s_[:, :], np.s_[[2, 7, 8], :], np.s_[:, [2, 7, 8]]):
            with pytest.raises(kind):
                S[key] = values[key]
            assert np.array_equal(S.half, np.ones(45))
    with pytest.raises(OverflowError):
        S[abs(S) > 0] = 1.7e308
    assert np.array_equal(S.half, np.ones(45))


def test_numbers_that_numpy_is_to_refuse_leave_the_old_half():
    S = vech.Packed(np.array([1.0, 1e200, 2.0]))
    before = S.half.copy()
    with np.errstate(all="raise"):
        for change in (
            lambda: operator.imul(S, 1e200),
            lambda: operator.imul(S, S),
            lambda: operator.itruediv(S, 0.0),
            lambda: S.add_outer([1e200, 1e200]),
        ):
            with pytest.raises(FloatingPointError):
                change()
            assert np.array_equal(S.half, before)


def test_every_operator_is_tested():
    from vech.operators import Operators

    tested = {"__array_ufunc__", "__bool__", "__hash__", "__neg__", "__pos__", "__abs__", "__invert__"}
    names = itertools.chain(
        OPERATORS, IN_PLACE, (f"r{name}" for name in ARITHMETIC), ("and", "or", "xor", "rand", "ror", "rxor")
    )
    tested |= {f"__{name}__" for name in names}
    tested |= {f"__{name}__" for name in ("pow", "rpow", "floordiv", "rfloordiv", "mod", "rmod")}  # REFUSED
    defined = {name for name, value in vars(Operators).items() if name.startswith("__") and callable(value)}
    assert defined <= tested
    store = vech.Packed(np.array([1.0, 2.0, 3.0]))
    assert (+store).half is not store.half and (+store == store.copy()).half.all()
