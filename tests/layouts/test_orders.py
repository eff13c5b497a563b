"""Explicit orders: rectangular full packed, spirals and six numbers of a 3 x 3 tensor, in every function."""

import copy
import itertools
import pickle
import random
import re
import tracemalloc

import numpy as np
import pytest
import scipy.linalg.lapack
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from test_layout import LARGE

import cases
import reference
import vech
from cases import EXPLICIT, PLAIN, RFP, SPIRALS, STORE_KINDS, TENSORS
from compare import PARTS, assert_close, assert_same_bits, assert_same_sparse
from vech import cli
from vech.layouts.orders import ORDERS

every_target = pytest.mark.every_target
PIECES = RFP | SPIRALS
every_order = cases.each("order", EXPLICIT.values(), ids=EXPLICIT)
every_order_of_pieces = cases.each("order", PIECES.values(), ids=PIECES)
every_tensor = cases.each("order", TENSORS.values(), ids=TENSORS)
every_rfp = cases.each("order", RFP.values(), ids=RFP)


def sides(order, most):
    return [n for n in range(most + 1) if cases.has_side(order, n)]


def kinds(order, dtype):
    return [kind for kind in cases.KINDS if cases.fits(order, np.dtype(dtype), kind, 3)]


# ---- the reference itself ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "n", "rows"),
    [
        ("lapack-rfp-nl", 5, "00 33 43|10 11 44|20 21 22|30 31 32|40 41 42"),
        ("lapack-rfp-nl", 6, "33 43 53|00 44 54|10 11 55|20 21 22|30 31 32|40 41 42|50 51 52"),
        ("lapack-rfp-nu", 5, "02 03 04|12 13 14|22 23 24|00 33 34|01 11 44"),
        ("lapack-rfp-nu", 6, "03 04 05|13 14 15|23 24 25|33 34 35|00 44 45|01 11 55|02 12 22"),
    ],
)
def test_the_reference_draws_the_rectangles_of_lapacks_comments(name, n, rows):
    """The pictures of Gustavson and others (2010), also in the comments of DTRTTF."""
    rectangle = [[tuple(map(int, cell)) for cell in row.split()] for row in rows.split("|")]
    by_columns = [cell for column in zip(*rectangle, strict=True) for cell in column]
    assert reference.cells(RFP[name], n) == by_columns
    transposed = RFP[name.replace("-n", "-t")]
    assert reference.cells(transposed, n) == [cell for row in rectangle for cell in row]
    lower = name.endswith("l")
    split = (n + 1) // 2 if lower else n // 2
    aside = {cell for cell in by_columns if (min(cell) >= split if lower else max(cell) < split)}
    assert len(aside) == (n // 2) * (n // 2 + 1) // 2
    for order, straight in ((RFP[name], False), (transposed, True)):
        crossed = reference.crossed(order, n)
        assert [cell in aside for cell in reference.cells(order, n)] == [c != straight for c in crossed]


@pytest.mark.parametrize(
    ("name", "want"), [("tfp-lower", [4, 6, 5, 3, 2, 1]), ("tfp-upper", [1, 2, 3, 5, 6, 4])]
)
def test_the_reference_winds_as_the_example_of_fill_triangular(name, want):
    """[[4, 0, 0], [6, 5, 0], [3, 2, 1]] and [[1, 2, 3], [0, 5, 6], [0, 0, 4]] of 1 to 6."""
    order = SPIRALS[name]
    full = reference.expand(np.arange(1, 7), order, "triangular")
    by_rows = PLAIN[f"{order.triangle}-rows-stored"]
    assert reference.pack(full, by_rows, "triangular").tolist() == want


@every_order_of_pieces
def test_the_reference_formulas_describe_the_definitions(order):
    for n in range(41):
        for slot, (i, j) in enumerate(reference.cells(order, n)):
            assert reference.formula(order, i, j, n) == reference.formula(order, j, i, n) == slot


# ---- positions ---------------------------------------------------------------------------------------------


@every_order
def test_position_and_pair_are_the_storage_order(order):
    for n in sides(order, 40):
        cells = np.array(reference.cells(order, n), np.int64).reshape(-1, 2)
        slots = np.arange(len(cells))
        assert order.length(n) == len(cells) and order.side(len(cells)) == n
        for i, j in (cells.T, cells.T[::-1]):
            position = order.position(i, j, n)
            assert position.dtype == np.int64
            np.testing.assert_array_equal(position, slots)
        for axis, got in enumerate(order.pair(slots, n)):
            assert got.dtype == np.int64
            np.testing.assert_array_equal(got, cells[:, axis])


@every_order
def test_numbers_that_cross_are_those_that_lapack_conjugates(order):
    for n in sides(order, 40):
        i, j = np.array(reference.cells(order, n), np.int64).reshape(-1, 2).T
        crossed = order.crossed(np.minimum(i, j), np.maximum(i, j), n)
        np.testing.assert_array_equal(crossed, reference.crossed(order, n))


@every_order_of_pieces
@cases.each("n", (*LARGE, 4_294_967_294))
def test_index_arithmetic_is_exact_at_large_n(order, n):
    length = n * (n + 1) // 2
    assert order.length(n) == length and order.side(length) == n
    rng = random.Random(n)
    edges = [0, 1, 2, n // 2 - 2, n // 2 - 1, n // 2, n // 2 + 1, n // 2 + 2, n - 2, n - 1, 46_339]
    indices = edges + [rng.randrange(n) for _ in range(300)]
    pairs = [(i, j) for i in indices for j in edges if max(i, j) < n]
    want = [reference.formula(order, i, j, n) for i, j in pairs]
    i, j = np.array(pairs).T
    assert order.position(i, j, n).tolist() == want
    assert min(want) >= 0 and max(want) < length
    own = [(max(p), min(p)) if order.triangle == "lower" else (min(p), max(p)) for p in pairs]
    assert list(zip(*(axis.tolist() for axis in order.pair(np.array(want), n)), strict=True)) == own

    around = {slot + step for slot in want for step in (-1, 0, 1)} | {0, 1, length - 1}
    slots = sorted(slot for slot in around if 0 <= slot < length)
    i, j = order.pair(np.array(slots), n)
    assert [reference.formula(order, int(a), int(b), n) for a, b in zip(i, j, strict=True)] == slots
    assert np.all(i >= j if order.triangle == "lower" else i <= j)


@given(order=st.sampled_from(list(PIECES.values())), n=st.integers(1, 4_294_967_295), data=st.data())
def test_pair_is_the_inverse_of_position(order, n, data):
    slot = data.draw(st.integers(0, order.length(n) - 1))
    i, j = order.pair(slot, n)
    assert order.position(i, j, n) == order.position(j, i, n) == slot
    assert reference.formula(order, int(i), int(j), n) == slot
    assert min(i, j) >= 0 and max(i, j) < n


@every_order
def test_positions_broadcast_and_scalars_stay_scalars(order):
    table = order.position(np.arange(3)[:, None], np.arange(3), 3)
    want = {cell: slot for slot, cell in enumerate(reference.cells(order, 3))}
    assert table.tolist() == [[want.get((i, j), want.get((j, i))) for j in range(3)] for i in range(3)]
    assert np.ndim(order.position(2, 1, 3)) == 0 and order.position(2, 1, 3) == table[2, 1]
    i, j = order.pair(0, 3)
    assert np.ndim(i) == np.ndim(j) == 0 and (i, j) == reference.cells(order, 3)[0]
    assert order.position([], [], 3).shape == (0,)
    i, j = order.pair(np.array([[0, 1], [2, 3]]), 3)
    assert i.shape == j.shape == (2, 2)
    assert order.position(np.uint8(2), np.int8(1), 3) == table[2, 1]


@every_order
@cases.each(("i", "j", "wrong"), [(3, 0, "row 3"), (0, -1, "column -1"), (2**40, 0, f"row {2**40}")])
def test_position_refuses_what_is_out_of_range(order, i, j, wrong):
    with pytest.raises(IndexError, match=f"^{wrong} is out of range: there are 3$"):
        order.position([1, i], [0, j], 3)


@every_order
@cases.each("k", [-1, 6, 2**62])
def test_pair_refuses_what_is_out_of_range(order, k):
    with pytest.raises(IndexError, match=f"^position {k} is out of range: there are 6$"):
        order.pair([0, k], 3)


@every_order
@cases.each("wrong", [1.0, "1", True, np.array([1.5]), np.array([True])])
def test_positions_are_integers(order, wrong):
    with pytest.raises(TypeError, match="integer"):
        order.position(wrong, 0, 3)
    with pytest.raises(TypeError, match="integer"):
        order.pair(wrong, 3)
    if not isinstance(wrong, np.ndarray):
        for method in (order.length, order.side):
            with pytest.raises(TypeError, match="integer"):
                method(wrong)


@every_order_of_pieces
def test_a_length_or_side_that_cannot_be_is_refused(order):
    with pytest.raises(ValueError, match=r"length 7 fits no n: .* 6 for n=3 or 10 for n=4"):
        order.side(7)
    with pytest.raises(ValueError, match="-1"):
        order.length(-1)
    for n in (2**32, 2**40):
        with pytest.raises(ValueError, match=f"n = {n} is out of range"):
            order.position(0, 0, n)
    assert order.length(0) == order.side(0) == 0
    assert [axis.shape for axis in order.pair([], 0)] == [(0,), (0,)]


# ---- the value objects -------------------------------------------------------------------------------------


@every_order
def test_an_order_is_a_frozen_value(order):
    same = eval(repr(order), vars(vech))
    assert same == order and hash(same) == hash(order)
    for other in (pickle.loads(pickle.dumps(order)), copy.deepcopy(order)):
        assert other == order and hash(other) == hash(order) and repr(other) == repr(order)
    assert len({order, same, *EXPLICIT.values()}) == len(EXPLICIT)
    assert order not in (*PLAIN.values(), "lapack-rfp-nl", None)
    with pytest.raises(AttributeError):
        order.triangle = "lower"
    assert vech.as_layout(order) is order
    assert order.diagonal == "stored" and order.implied is None
    assert order.scaled == cases.is_scaled(order)
    assert order.plain == vech.Layout(reference.cells(order, 3)[0] and order.triangle, "rows")


@every_order
def test_the_triangle_is_where_the_cells_are(order):
    for i, j in reference.cells(order, 3):
        assert i >= j if order.triangle == "lower" else i <= j


def test_names_and_calls():
    assert {order.name for order in RFP.values()} == set(RFP)
    assert vech.Spiral().name == "tfp-fill-triangular-lower"
    assert vech.Spiral("upper").name == "tfp-fill-triangular-upper"
    for name, order in ORDERS.items():
        assert order.name == name and vech.as_layout(name) == order
    assert vech.RectangularFullPacked() == RFP["lapack-rfp-nl"]
    assert repr(RFP["lapack-rfp-tu"]) == "RectangularFullPacked(triangle='upper', transposed=True)"
    assert repr(vech.Spiral()) == "Spiral(triangle='lower')"
    nameless = TENSORS["tensor-lower"]
    assert nameless.name == repr(nameless) == "TensorOrder('zx yy yx zz zy xx')"
    assert repr(TENSORS["tensor-both-scaled"]) == (
        "TensorOrder('yy zz xy xx yz xz', diagonal_scale=3.0, offdiagonal_scale=0.7)"
    )
    assert repr(vech.as_layout("voigt-stress")) == "TensorOrder('xx yy zz yz xz xy')"


def test_components_are_read_without_regard_to_case_and_blanks():
    assert vech.TensorOrder(" XX  yy zz\tYZ xz xy ") == vech.as_layout("voigt-stress")
    assert vech.TensorOrder("xx yy zz yz xz xy", offdiagonal_scale=2) == vech.as_layout("voigt-strain")


@cases.each(
    ("make", "error", "words"),
    [
        (lambda: vech.RectangularFullPacked("L"), ValueError, "unknown triangle 'L': "),
        (lambda: vech.RectangularFullPacked("lower", "T"), TypeError, "transposed is True or False, not 'T'"),
        (lambda: vech.RectangularFullPacked("lower", 1), TypeError, "transposed is True or False, not 1"),
        (lambda: vech.Spiral("lowr"), ValueError, "unknown triangle 'lowr': did you mean 'lower'?"),
        (lambda: vech.Spiral(None), TypeError, "triangle is a name (lower, upper), not NoneType"),
        (lambda: vech.TensorOrder(6), TypeError, "components is text such as 'xx yy zz yz xz xy', not 6"),
        *(
            (
                lambda words=words: vech.TensorOrder(words),
                ValueError,
                f"components {words!r} are not the six numbers of a symmetric 3 x 3 tensor: xx yy zz and one",
            )
            for words in (
                "",
                "xx yy zz",
                "xx yy zz xy yx xz",
                "xx yy zz xy xz yz yz",
                "xx yy zz xy xz yw",
                "xxyyzz",
            )
        ),
        (
            lambda: vech.TensorOrder("xx yy zz xy zx yz"),
            ValueError,
            "components 'xx yy zz xy zx yz' mix both triangles: write xy xz yz, or yx zx zy",
        ),
        *(
            (
                lambda scale=scale: vech.TensorOrder("xx yy zz xy xz yz", diagonal_scale=scale),
                ValueError,
                f"diagonal_scale must be finite and positive, not {scale!r}",
            )
            for scale in (0, -1.0, float("inf"), float("nan"))
        ),
        (
            lambda: vech.TensorOrder("xx yy zz xy xz yz", offdiagonal_scale="2"),
            TypeError,
            "offdiagonal_scale must be a real number, not '2'",
        ),
    ],
)  # fmt: skip
def test_what_is_no_order_is_refused(make, error, words):
    with pytest.raises(error, match="^" + re.escape(words)):
        make()


# ---- LAPACK itself -----------------------------------------------------------------------------------------


def routine(letter, name):
    found = getattr(scipy.linalg.lapack, letter + name)

    def call(*arguments, **options):
        *results, info = found(*arguments, **options)
        assert info == 0
        return results[0]

    return call


@every_target
@cases.each("n", [1, 2, 3, 4, 7, 8, 15, 16, 17, 18, 31, 32, 33, 100, 257])
@cases.each("letter", "sdcz")
@every_rfp
def test_rectangular_full_packed_is_what_lapack_reads_and_writes(order, letter, n):
    dtype = np.dtype({"s": "f4", "d": "f8", "c": "c8", "z": "c16"}[letter])
    uplo, triangle = order.triangle[0].upper(), order.triangle
    options = {"uplo": uplo, "transr": "N" if not order.transposed else "C" if dtype.kind == "c" else "T"}
    packed = {"L": "vech", "U": "lapack-upper"}[uplo]
    numbers = cases.moderate(dtype, (n, n))
    one_triangle = np.tril(numbers) if uplo == "L" else np.triu(numbers)
    two_triangles = one_triangle + one_triangle.conj().T
    for kind, full in (("triangular", one_triangle), ("hermitian", two_triangles)):
        arf = routine(letter, "trttf")(full, **options)
        ap = routine(letter, "trttp")(full, uplo=uplo)
        assert_same_bits(vech.pack(full, order, kind=kind), arf)
        assert_same_bits(vech.pack(full, order, kind=kind, use=triangle), arf)
        assert_same_bits(
            vech.convert(ap, packed, order, kind=kind), routine(letter, "tpttf")(n, ap, **options)
        )
        assert_same_bits(
            vech.convert(arf, order, packed, kind=kind), routine(letter, "tfttp")(n, arf, **options)
        )
        back = vech.expand(arf, order, kind=kind)
        where = np.tril_indices(n) if uplo == "L" else np.triu_indices(n)
        assert_same_bits(back[where], np.asarray(routine(letter, "tfttr")(n, arf, **options))[where])
        np.testing.assert_array_equal(back, full)


@cases.each("n", [5, 6, 33, 34])
@cases.each("letter", "dz")
@every_rfp
def test_lapack_factors_a_packed_matrix_in_place_of_the_full_one(order, letter, n):
    dtype = np.dtype({"d": "f8", "z": "c16"}[letter])
    root = cases.moderate(dtype, (n, n))
    full = root @ root.conj().T + n * np.eye(n)
    full = (full + full.conj().T) / 2
    transr = "N" if not order.transposed else "C" if dtype.kind == "c" else "T"
    arf = vech.pack(full, order, kind="hermitian")
    factor = routine(letter, "pftrf")(n, arf, transr=transr, uplo=order.triangle[0].upper())
    cholesky = vech.expand(factor, order, kind="triangular")
    product = cholesky @ cholesky.conj().T if order.triangle == "lower" else cholesky.conj().T @ cholesky
    np.testing.assert_allclose(product, full, rtol=1e-12, atol=1e-12)


# ---- moves -------------------------------------------------------------------------------------------------


@every_target
@cases.each("dtype", ["f4", "c8"])
@every_order
def test_every_small_side_and_the_first_large_ones(order, dtype):
    """Both ways through a matrix, and every parity of its halves."""
    dtype = np.dtype(dtype)
    for n, kind in itertools.product(sides(order, 21), kinds(order, dtype)):
        half = cases.half(dtype, order, kind, n, batch=(2,))
        full = reference.expand(half, order, kind)
        assert_same_bits(vech.expand(half, order, kind=kind), full)
        assert_same_bits(vech.expand(half[0], order, kind=kind), full[0])
        packed = reference.pack(full, order, kind)
        assert_same_bits(vech.pack(full, order, kind=kind), packed)
        if kind != "triangular":
            for use in ("lower", "upper"):
                assert_same_bits(
                    vech.pack(full, order, kind=kind, use=use), reference.pack(full, order, kind, use)
                )


@every_target
@pytest.mark.parametrize(
    ("dtype", "n"),
    [*itertools.product(("f8", "c8", ">f4"), (8, 9, 16, 17, 18)), *itertools.product(("f8", "c8"), (40, 65))],
)
@every_order_of_pieces
def test_convert_to_and_from_every_layout(order, dtype, n):
    dtype = np.dtype(dtype)
    others = cases.PLAIN | cases.SCALED | PIECES
    if n > 18:  # what a scale or a one does is seen at small sides: numbers are computed one by one
        plain = {name: order for name, order in cases.PLAIN.items() if order.diagonal != "one"}
        others = plain | PIECES | {"both-scaled": cases.SCALED["both-scaled"]}
    for other, kind in itertools.product(others.values(), ("hermitian", "triangular")):
        for source, target in ((order, other), (other, order)):
            if not cases.convertible(source, target, dtype, kind, n):
                continue
            half = cases.half(dtype, source, kind, n, values=cases.moderate)
            if target.diagonal != "stored":
                cases.set_diagonal(half, source, n, {"zero": 0, "one": 1}[target.diagonal])
            assert_same_bits(
                vech.convert(half, source, target, kind=kind), reference.convert(half, source, target, kind)
            )


@cases.each("dtype", [">f4", "f2", "f4"])
@every_order_of_pieces
def test_scales_reach_the_diagonal_of_a_long_half(order, dtype):
    """Longer than the blocks in which numbers are computed."""
    n, scaled = 600, vech.Layout("lower", "columns", diagonal_scale=4.0, offdiagonal_scale=2.0)
    half = (np.arange(n * (n + 1) // 2) % 7 + 1).astype(dtype)
    i, j = order.pair(np.arange(half.size), n)
    want = np.empty_like(half)
    want[scaled.position(i, j, n)] = half * np.where(i == j, 4, 2).astype("i1")
    got = vech.convert(half, order, scaled)
    assert_same_bits(got, want)
    assert_same_bits(vech.convert(got, scaled, order), half)


@every_order
def test_convert_to_the_same_order_may_work_in_place(order):
    for n in (3, 20):
        if not cases.has_side(order, n):
            continue
        half = cases.half(np.complex128, order, "hermitian", n)
        want = half.copy()
        assert vech.convert(half, order, order, kind="hermitian", out=half) is half
        assert_same_bits(half, want)
        assert_same_bits(vech.convert(half, order, order, kind="hermitian"), want)
        other = vech.Layout(order.triangle, "rows")
        with pytest.raises(ValueError, match="out shares memory with the input"):
            vech.convert(half, order, other, kind="hermitian", out=half)


@every_order
def test_an_asymmetry_is_named_in_an_explicit_order_too(order):
    for n in (3, 20):
        if not cases.has_side(order, n):
            continue
        full = cases.matrix(np.complex64, "hermitian", n)
        full[0, 2] += 5
        with pytest.raises(ValueError, match=r"not hermitian: a\[(0, 2|2, 0)\] is"):
            vech.pack(full, order, kind="hermitian")
        vech.pack(full, order, kind="hermitian", tolerance=6)
        full = cases.matrix(np.complex64, "hermitian", n)
        full[1, 1] += 3j
        with pytest.raises(ValueError, match=r"not hermitian: a\[1, 1\] is"):
            vech.pack(full, order, kind="hermitian")


@cases.each("n", [3, 20])
@cases.each("order", SPIRALS.values(), ids=SPIRALS)
@cases.each("dtype", ["i1", ">i4", "i8"])
def test_the_smallest_integer_cannot_be_negated(order, dtype, n):
    smallest = np.iinfo(dtype).min
    half = np.zeros(order.length(n), dtype)
    half[order.position(2, 1, n)] = smallest
    words = rf"{smallest} at \((2, 1|1, 2)\) has no negative in"
    other = "numpy-triu" if order.triangle == "lower" else "numpy-tril"
    for call in (
        lambda: vech.expand(half, order, kind="skew"),
        lambda: vech.convert(half, order, other, kind="skew"),
        lambda: vech.Packed(half, order, kind="skew").expand(slice(1, 3)),
        lambda: vech.to_csr(half, order, kind="skew"),
    ):
        with pytest.raises(OverflowError, match=words):
            call()
    same = vech.Layout(order.triangle, "rows")
    assert vech.convert(half, order, same, kind="skew").min() == smallest
    half[:] = 0
    half[order.position(1, 1, n)] = smallest
    assert vech.expand(half, order, kind="skew")[1, 1] == smallest


@cases.each("dtype", ["f2", "f4", "f8", ">f8", "c8"])
def test_a_finite_number_that_would_become_infinite_is_an_overflow(dtype):
    order = vech.TensorOrder("xx yy zz yz xz xy", diagonal_scale=4.0, offdiagonal_scale=0.25)
    dtype, kind = np.dtype(dtype), "hermitian"
    largest = np.finfo(dtype).max
    half, full = np.zeros(6, dtype), np.zeros((3, 3), dtype)
    half[3] = full[1, 1] = largest
    words = r"a finite number becomes infinite in \S+ when layout TensorOrder\("
    with pytest.raises(OverflowError, match=words):
        vech.expand(half, order, kind=kind)
    with pytest.raises(OverflowError, match=words):
        vech.pack(full, order, kind=kind)
    with pytest.raises(OverflowError, match="a finite number becomes infinite"):
        vech.convert(np.stack([np.zeros_like(half), half]), order, "voigt-stress", kind=kind)
    half[3] = np.inf
    assert np.isinf(vech.expand(half, order, kind=kind)[1, 2])


@pytest.mark.parametrize("dtype", ["bool", "int32", "M8[s]"])
def test_a_scale_needs_an_inexact_dtype(dtype):
    for call in (
        lambda: vech.expand(np.zeros(6, dtype), "mandel"),
        lambda: vech.pack(np.zeros((3, 3), dtype), "voigt-strain"),
        lambda: vech.convert(np.zeros(6, dtype), "voigt-stress", "mandel"),
        lambda: vech.Packed(np.zeros(6, dtype), "mandel"),
    ):
        with pytest.raises(
            TypeError, match=r"layout (mandel|voigt-strain) scales what it stores, and .*astype"
        ):
            call()


@every_tensor
def test_a_long_batch_of_tensors(order):
    count = 20_000
    half = cases.moderate(np.float64, (count, 6))
    cells = reference.cells(order, 3)
    full = np.empty((count, 3, 3))
    for k, (i, j) in enumerate(cells):
        scale = reference.scale(order, i, j)
        full[:, i, j] = full[:, j, i] = half[:, k] if scale == 1 else half[:, k] / scale
    for threads in (1, 2, 3, 7):
        got = vech.expand(half, order, threads=threads)
        np.testing.assert_allclose(got, full, rtol=1e-15)
        np.testing.assert_allclose(vech.pack(full, order, threads=threads), half, rtol=1e-15)
        assert_same_bits(got, vech.expand(half, order, threads=1))


# ---- what has no form --------------------------------------------------------------------------------------


def every_way_in(order, dtype, kind):
    half = np.zeros(6, dtype)
    full = np.zeros((3, 3), dtype)
    empty = np.zeros(0, dtype)
    ways = {
        "expand": lambda: vech.expand(half, order, kind=kind),
        "expand axis": lambda: vech.expand(half[:, None], order, kind=kind, axis=0),
        "pack": lambda: vech.pack(full, order, kind=kind),
        "pack use": lambda: vech.pack(full, order, kind=kind, use=order.triangle),
        "convert from": lambda: vech.convert(half, order, "vech", kind=kind),
        "convert to": lambda: vech.convert(half, "vech", order, kind=kind),
        "convert": lambda: vech.convert(half, order, order, kind=kind),
        "nonzeros": lambda: vech.nonzeros(half, order, kind=kind),
        "to_csr": lambda: vech.to_csr(half, order, kind=kind),
        "from_sparse": lambda: vech.from_sparse(scipy.sparse.csr_array(full), order, kind=kind),
        "Packed": lambda: vech.Packed(half, order, kind=kind),
        "to_packed": lambda: vech.SparseHalf(
            [0, 0, 0, 0], [], empty, 3, triangle="lower", kind=kind
        ).to_packed(order),
    }
    return ways.items()


@every_rfp
@cases.each(
    ("dtype", "kind", "fitting"),
    [
        ("f8", "skew", "'symmetric' and 'triangular'"),
        ("i2", "skew", "'symmetric' and 'triangular'"),
        ("c16", "symmetric", "'hermitian' and 'triangular'"),
        ("c16", "skew", "'hermitian' and 'triangular'"),
        ("c8", "skew-hermitian", "'hermitian' and 'triangular'"),
    ],
)
def test_rectangular_full_packed_has_no_form_for_what_it_cannot_cross(order, dtype, kind, fitting):
    words = f"layout {order.name} has no form for kind '{kind}' of {np.dtype(dtype)}, only for {fitting}"
    for name, call in every_way_in(order, dtype, kind):
        with pytest.raises(ValueError, match="^" + re.escape(words)):
            pytest.fail(f"{name} gave {call()}")
    with pytest.raises(ValueError, match=re.escape(words)):
        vech.expand(np.zeros((0, 6), dtype), order, kind=kind)


@every_rfp
def test_real_skew_hermitian_is_skew_and_has_no_form_either(order):
    with pytest.raises(ValueError, match=rf"layout {order.name} has no form for kind 'skew"):
        vech.expand(np.zeros(6), order, kind="skew-hermitian")


@every_rfp
def test_the_kind_of_complex_numbers_must_be_said_first(order):
    with pytest.raises(ValueError, match="say kind='symmetric' or kind='hermitian'"):
        vech.expand(np.zeros(6, complex), order)


@every_tensor
def test_a_tensor_has_three_rows(order):
    name = re.escape(order.name)
    for n in (0, 1, 2, 4, 100):
        words = rf"^{name} is an order of 3 x 3 tensors: n = {n} has none$"
        length = n * (n + 1) // 2
        for call in (
            lambda n=n: order.length(n),
            lambda n=n: order.position(0, 0, n),
            lambda n=n: order.pair(0, n),
            lambda n=n: vech.pack(np.zeros((n, n)), order),
            lambda n=n: vech.pack(np.zeros((0, n, n)), order),
            lambda n=n: vech.from_sparse(scipy.sparse.csr_array((n, n)), order),
            lambda length=length: vech.convert(np.zeros(length), "vech", order),
            lambda n=n: vech.SparseHalf([0] * (n + 1), [], [], n, triangle="lower").to_packed(order),
        ):
            with pytest.raises(ValueError, match=words):
                call()
        words = rf"^a half of length {length} fits no n: {name} holds 6 numbers, of n = 3$"
        for call in (
            lambda length=length: order.side(length),
            lambda length=length: vech.expand(np.zeros(length), order),
            lambda length=length: vech.expand(np.zeros((4, length)), order),
            lambda length=length: vech.convert(np.zeros(length), order, "vech"),
            lambda length=length: vech.Packed(np.zeros(length), order),
            lambda length=length: vech.nonzeros(np.zeros(length), order),
            lambda length=length: vech.to_csr(np.zeros(length), order),
        ):
            with pytest.raises(ValueError, match=words):
                call()


# ---- rows of a store ---------------------------------------------------------------------------------------


@every_target
@cases.each("n", [1, 2, 5, 6, 16, 17, 18, 19, 20])
@every_order_of_pieces
def test_any_panel_of_rows_is_those_rows(order, n):
    """All starts and stops: on this side of the split of the order, across it, beyond it."""
    kind = "hermitian" if order in RFP.values() else "skew-hermitian"
    half = cases.half(np.complex64, order, kind, n)
    full, store = reference.expand(half, order, kind), vech.Packed(half, order, kind=kind)
    for start, stop in itertools.combinations_with_replacement(range(n + 1), 2):
        assert_same_bits(store.expand(slice(start, stop)), full[start:stop])


@every_target
@pytest.mark.parametrize("n", [129, 130])
@pytest.mark.parametrize("dtype", ["u1", "f4", "f8", "c16"])
@every_order_of_pieces
def test_panels_around_the_split_of_a_larger_matrix(order, dtype, n):
    kind = "hermitian"
    half = cases.half(np.dtype(dtype), order, kind, n)
    full, store = reference.expand(half, order, kind), vech.Packed(half, order, kind=kind)
    edges = (0, 1, n // 2 - 1, n // 2, n // 2 + 1, n // 2 + 2, n - 1, n)
    for start, stop in itertools.combinations(edges, 2):
        want = full[start:stop]
        block, cut = cases.block_for(want.shape, want.dtype, "padded-rows")
        expected = block.copy()
        cut(expected)[...] = want
        store.expand(range(start, stop), cut(block), threads=2)
        assert block.tobytes() == expected.tobytes()
        fortran = np.asfortranarray(np.zeros_like(want))
        assert_same_bits(np.ascontiguousarray(store.expand(slice(start, stop), fortran)), want)


# ---- stores of tensors; those of other orders are among all stores and layouts -----------------------------

SMALL_INDICES = [
    *itertools.product(range(-3, 3), repeat=2),
    *range(-3, 3),
    slice(None), slice(1, None), slice(None, None, -1), slice(2, 0, -1), (slice(1, 3), slice(0, 2)),
    (slice(None), 1), ([2, 0], [1, 1]), ([2, 0], slice(None)), np.array([True, False, True]), [],
]  # fmt: skip


@cases.each("dtype", ["f4", "c16", "f2", ">f8", "m8[s]"])
@every_tensor
def test_a_store_of_a_tensor_is_the_full_tensor(order, dtype):
    dtype = np.dtype(dtype)
    for kind in STORE_KINDS:
        if not cases.fits(order, dtype, kind, 3):
            continue
        half = cases.half(dtype, order, kind, 3, values=cases.moderate)
        store = vech.Packed(half, order, kind=kind, labels="xyz")
        full = reference.expand(half, order, kind)
        assert store.n == 3 and store.layout == order and store.half is half
        assert_same_bits(store.expand(), full)
        assert_same_bits(store.diagonal(), full.diagonal().copy())
        for index in SMALL_INDICES:
            got, want = store[index], full[index]
            assert type(got) is type(want) and got.dtype == want.dtype and got.shape == want.shape
            assert got.tobytes() == want.tobytes(), index
        for start, stop in itertools.combinations_with_replacement(range(4), 2):
            assert_same_bits(store.expand(slice(start, stop)), full[start:stop])
        for rows, columns in (([0, 2], [1]), ([2, 2], [0, 1, 2]), (slice(1, 3), [-1]), ([], [0])):
            chosen = [np.arange(3)[np.array(a, int) if isinstance(a, list) else a] for a in (rows, columns)]
            assert_same_bits(store.block(rows, columns), np.ascontiguousarray(full[np.ix_(*chosen)]))
        assert_same_bits(store.T.expand(), np.ascontiguousarray(full.T))
        assert_same_bits(store.T.T.expand(), full)
        assert (store.T is store) == (store.kind == "symmetric")
        if dtype.kind != "m":
            np.testing.assert_array_equal(store.H.expand(), full.conj().T)
        assert store.T.labels == store.H.labels == ("x", "y", "z")
        for other in (pickle.loads(pickle.dumps(store)), copy.deepcopy(store), store.copy()):
            assert other.layout == order and other.labels == ("x", "y", "z") and other.half is not half
            assert_same_bits(other.half.astype(dtype), half)  # NumPy's pickles forget the byte order


@every_tensor
@cases.each("kind", STORE_KINDS)
def test_rows_and_columns_of_a_tensor_in_another_order(order, kind):
    half = cases.half(np.complex64, order, kind, 3, values=cases.moderate)
    store = vech.Packed(half, order, kind=kind, labels="xyz")
    full = store.expand()
    for chosen in itertools.permutations(range(3)):
        for moved in (store.permute(chosen), store.submatrix(chosen)):
            assert moved.layout == order and "".join(moved.labels) == "".join("xyz"[k] for k in chosen)
            assert_same_bits(moved.expand(), np.ascontiguousarray(full[np.ix_(chosen, chosen)]))
    for chosen in ([], [1], [2, 0], [0, 0], [0, 1, 2, 0], [1, 1, 0, 2]):
        part = store.submatrix(chosen)
        assert part.layout == vech.Layout(order.triangle, "rows")
        assert part.kind == kind and part.n == len(chosen)
        assert "".join(part.labels) == "".join("xyz"[k] for k in chosen)
        np.testing.assert_array_equal(part.expand(), full[np.ix_(chosen, chosen)])


@cases.each(
    "order",
    EXPLICIT,
    where=lambda order, kind: kind in kinds(order, "c8") and cases.has_side(order, 19),
)
@cases.each("kind", ["hermitian", "skew"])
def test_a_submatrix_of_an_explicit_order_keeps_the_bits(order, kind):
    half = cases.half(np.complex64, order, kind, 19)
    store, full = vech.Packed(half, order, kind=kind), reference.expand(half, order, kind)
    for chosen in ([18, 0, 9, 10], [9], list(range(18, -1, -1)), list(range(3, 17))):
        part = store.submatrix(chosen)
        assert part.layout == order
        assert_same_bits(part.half, reference.pack(full[np.ix_(chosen, chosen)], order, kind))
    back = store.permute(range(18, -1, -1)).permute(range(18, -1, -1))
    assert_same_bits(back.half, half)


@every_order
def test_products_maps_and_factors(order):
    for n in (3, 20):
        if not cases.has_side(order, n):
            continue
        half = cases.moderate(np.float64, order.length(n))
        store, full = vech.Packed(half, order), vech.expand(half, order)
        x = cases.moderate(np.float64, (n, 2))
        assert_close(store @ x, reference.matmul(full, x), n, np.abs(full) @ np.abs(x))
        assert_close(x.T @ store, reference.matmul(full, x).T, n, np.abs(x.T) @ np.abs(full))
        doubled = 2 * store
        assert doubled.layout == order
        assert_same_bits(doubled.half, 2 * half)
        mapped = store.map(np.square)
        tensor = isinstance(order, vech.TensorOrder)
        assert mapped.layout == (vech.TensorOrder(order.components) if tensor else order)
        assert_same_bits(mapped.expand(), np.square(full))


def test_a_store_names_the_order_that_it_has():
    half = np.arange(6.0)
    for name in ("lapack-rfp-nl", "tfp-fill-triangular-upper", "mandel"):
        assert repr(vech.Packed(half, name)).endswith(f"kind='symmetric', layout={name!r})")
    order = TENSORS["tensor-lower"]
    assert repr(vech.Packed(half, order)).endswith("layout=TensorOrder('zx yy yx zz zy xx'))")


@every_order_of_pieces
def test_parts_of_a_matrix_need_little_memory(order):
    n = 3000
    half = np.zeros(order.length(n), np.complex64)
    store = vech.Packed(half, order, kind="hermitian")
    for take in (
        lambda: store[7],
        lambda: store.block([1, n - 1], [0, n // 2]),
        lambda: store.expand(slice(n // 2 - 1, n // 2 + 1)),
        lambda: store.diagonal(),
        lambda: store.submatrix([n - 1, 7, n // 2]),
    ):
        tracemalloc.start()
        try:
            take()
            assert tracemalloc.get_traced_memory()[1] < half.nbytes / 20
        finally:
            tracemalloc.stop()


def test_indexing_a_large_matrix_touches_only_what_it_asks_for():
    n = 100_000
    for order in PIECES.values():
        half = cases.untouched(n * (n + 1) // 2)
        pairs = [(0, 0), (n - 1, n - 1), (n // 2, 3), (n // 2 - 1, n // 2), (n - 1, n // 2 + 1), (7, 5)]
        for k, (i, j) in enumerate(pairs, start=1):
            half[reference.formula(order, i, j, n)] = k
        store = vech.Packed(half, order)
        for k, (i, j) in enumerate(pairs, start=1):
            assert store[i, j] == store[j, i] == k
        assert store.expand(slice(n // 2 - 1, n // 2 + 1)).sum() == 3 + 4 + 4
        assert store[7].sum() == 6
        assert store.diagonal().sum() == 3


# ---- sparse ------------------------------------------------------------------------------------------------


@cases.each("dtype", ["f4", "c16"])
@every_order
def test_nonzeros_come_in_storage_order(order, dtype):
    dtype = np.dtype(dtype)
    for n, kind in itertools.product(
        [n for n in (3, 12, 20) if cases.has_side(order, n)], kinds(order, dtype)
    ):
        half = cases.half(dtype, order, kind, n, values=cases.moderate)
        half[::3] = 0
        i, j, values = vech.nonzeros(half, order, kind=kind)
        position = order.position(i, j, n)
        assert np.all(np.diff(position) > 0)
        assert_same_bits(position, np.flatnonzero(half))
        for got, want in zip((i, j, values), reference.nonzeros(half, order, kind), strict=True):
            assert_same_bits(got, want)
        full = reference.expand(half, order, kind)
        for part in PARTS:
            assert_same_sparse(vech.to_csr(half, order, kind=kind, part=part), full, part)
            if kind != "triangular":
                assert_same_sparse(vech.Packed(half, order, kind=kind).to_csc(part=part), full, part)
        for use in ("both", "mean"):
            if kind != "triangular":
                back = vech.from_sparse(vech.to_csr(half, order, kind=kind), order, kind=kind, use=use)
                np.testing.assert_allclose(back, half, rtol=1e-6)


# ---- files and the command line ----------------------------------------------------------------------------


@cases.each("suffix", [".npy", ".npz"])
@cases.each("name", list(ORDERS))
def test_a_named_order_comes_back_from_a_file(tmp_path, name, suffix):
    order = ORDERS[name]
    for dtype, kind in (("f4", "symmetric"), ("c16", "hermitian")):
        half = cases.half(np.dtype(dtype), order, kind, 3)
        path = tmp_path / f"{kind}{suffix}"
        vech.io.write(path, vech.Packed(half, name, kind=kind, labels="abc"))
        store = vech.read(path)
        assert store.layout == order and store.kind == kind and store.labels == ("a", "b", "c")
        assert_same_bits(np.asarray(store.half), half)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("order", [TENSORS["tensor-lower"], TENSORS["tensor-both-scaled"]], ids=repr)
def test_an_order_without_a_name_cannot_be_written(tmp_path, order, suffix):
    path = tmp_path / f"half{suffix}"
    words = f"{order.name} has no name that a file could say: vech.convert it to a named layout first"
    with pytest.raises(TypeError, match="^" + re.escape(words) + "$"):
        vech.io.write(path, vech.Packed(np.zeros(6), order))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["lapack-rfp-nl", "lapack-rfp-tu", "tfp-fill-triangular-lower", "mandel"])
def test_the_command_line_takes_an_order_by_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    order, n = ORDERS[name], 3 if name == "mandel" else 6
    half = cases.moderate(np.float64, order.length(n))
    full = reference.expand(half, order)
    np.save("half.npy", half)
    for arguments in (
        ["expand", "half.npy", "--layout", name, "-o", "full.npy"],
        ["convert", "half.npy", "--from", name, "--to", "vech", "-o", "vech.npy"],
        ["convert", "vech.npy", "--to", name, "-o", "back.npy"],
        ["pack", "full.npy", "--layout", name, "-o", "packed.npy"],
    ):
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        assert caught.value.code == 0
    assert_same_bits(np.load("full.npy"), full)
    assert_same_bits(np.load("vech.npy"), reference.convert(half, order, vech.Layout()))
    packed = reference.pack(full, order)
    assert_same_bits(np.load("packed.npy"), packed)
    np.testing.assert_allclose(np.load("back.npy"), half, rtol=1e-15)
    assert vech.read("back.npy").layout == vech.read("packed.npy").layout == order
