"""identify: what a vector can be, from what is known, and never more than that.

Expected orders come from `reference.cells`; of complex rectangular full packed from LAPACK itself.
"""

import itertools
import math
import sys
import time
import tracemalloc

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

import cases
import reference
import vech
from vech.layouts.orders import RectangularFullPacked, TensorOrder

DISTINCT = list(dict.fromkeys(vech.DIALECTS.values()))
ANY_SIDE = [layout for layout in DISTINCT if not isinstance(layout, TensorOrder)]


def slow_half(layout, matrix):
    """The half of a matrix, number by number, scaled as the layout says."""
    numbers = [
        matrix[i, j] * (layout.diagonal_scale if i == j else layout.offdiagonal_scale)
        for i, j in reference.cells(layout, len(matrix))
    ]
    return np.array(numbers, matrix.dtype)


def slow_reading(layout, n):
    """What tells two layouts apart in symmetric matrices of side n: slots, scales, diagonal."""
    cells = reference.cells(layout, n)
    numbers = [
        (min(i, j), max(i, j), layout.diagonal_scale if i == j else layout.offdiagonal_scale)
        for i, j in cells
    ]
    return layout.diagonal, tuple(numbers)


def symmetric(n, seed=0):
    """A symmetric matrix of distinct numbers of both signs, its diagonal neither zeros nor ones."""
    a = np.zeros((n, n))
    numbers = iter(np.random.default_rng(seed).permutation(np.arange(2.0, n * (n + 1) // 2 + 2)))
    for i in range(n):
        for j in range(i + 1):
            a[i, j] = a[j, i] = next(numbers) * (-1) ** (i * j + j)
    return a


def best(found):
    """Every layout of rank 1."""
    return {layout for candidate in found if candidate.rank == 1 for layout in candidate.layouts}


def listed(found):
    return {layout for candidate in found for layout in candidate.layouts}


def named(*names):
    return {vech.as_layout(name) for name in names}


# ---- length ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", (0, 1, 3, 6, 10, 15, 21, 45))
def test_length_alone_leaves_every_layout_that_fits_in_one_rank(length):
    found = vech.identify(np.arange(float(length)))
    fitting = {(layout, reference.side(length, layout)) for layout in (DISTINCT if length == 6 else ANY_SIDE)}
    assert {(layout, c.n) for c in found for layout in c.layouts} == fitting
    assert {(c.rank, c.verdict) for c in found} == {(1, "possible")}
    assert not found.excluded


@cases.each("n", range(1, 13))
def test_layouts_stand_together_exactly_if_they_hold_the_same_symmetric_matrix(n):
    for length, diagonal in ((n * (n + 1) // 2, "stored"), (n * (n - 1) // 2, "zero")):
        found = vech.identify(np.zeros(length), n=n)
        expected = {}
        for layout in DISTINCT if n == 3 else ANY_SIDE:
            if layout.diagonal == diagonal:
                expected.setdefault(slow_reading(layout, n), set()).add(layout)
        assert {frozenset(c.layouts) for c in found} == {frozenset(group) for group in expected.values()}


@pytest.mark.parametrize("dtype", ("f8", "c16"))
def test_large_sides_are_grouped_as_small_ones_odd_or_even(dtype):
    for large, small in ((200, 12), (201, 13)):
        groups = [
            {frozenset(c.layouts) for c in vech.identify(np.zeros(n * (n + 1) // 2, dtype), n=n)}
            for n in (large, small)
        ]
        assert groups[0] == groups[1]


def test_a_length_that_fits_nothing_names_the_nearest():
    with pytest.raises(ValueError, match=r"12 fits no n: .* is 10 for n=4 or 15 for n=5"):
        vech.identify(np.zeros(12))


def test_a_square_number_of_numbers_that_fits_nothing_may_be_a_full_matrix():
    with pytest.raises(ValueError, match=r"9 = 3 x 3.*full matrix"):
        vech.identify(np.zeros(9))


def test_a_flattened_symmetric_matrix_is_pointed_at():
    full = symmetric(6)
    assert "6 x 6" in vech.identify(full.ravel()).summary
    full[0, 1] = 99
    assert "6 x 6" not in vech.identify(full.ravel()).summary


def test_small_sides_say_that_the_orders_are_one():
    [first, *_] = vech.identify([1.0, 2.0, 5.0], n=2)
    assert named("vech", "numpy-tril", "lapack-upper", "numpy-triu") <= set(first.layouts)
    assert "at n = 2 these orders are the same" in first.reasons
    assert not any("are the same" in str(c) for c in vech.identify(np.ones(45), n=9))


# ---- n -----------------------------------------------------------------------------------------------------


def test_n_leaves_those_that_fit_it():
    found = vech.identify(np.arange(10.0), n=5)
    assert listed(found) == named("condensed", "strict-tril", "strict-triu", "picos-skew")
    assert {c.n for c in found} == {5}


def test_n_that_does_not_fit_names_those_that_do():
    with pytest.raises(ValueError, match=r"10 numbers .*n = 4 .*n = 5.*not n = 7"):
        vech.identify(np.arange(10.0), n=7)


@pytest.mark.parametrize("n, error", [(2.5, TypeError), (-1, ValueError), (True, TypeError)])
def test_n_is_a_side(n, error):
    with pytest.raises(error):
        vech.identify(np.arange(10.0), n=n)


# ---- matrix ------------------------------------------------------------------------------------------------


@given(
    st.sampled_from(ANY_SIDE), st.integers(5, 9), st.integers(0, 1000), st.sampled_from(["f8", "f4", ">f8"])
)
def test_a_full_matrix_leaves_its_layout_and_none_of_another_order(layout, n, seed, dtype):
    matrix = symmetric(n, seed).astype(dtype)
    if layout.diagonal == "zero":
        np.fill_diagonal(matrix, 0)
    found = vech.identify(slow_half(layout, matrix), matrix=matrix)
    assert layout in best(found)
    assert {slow_reading(other, n) for other in best(found)} == {slow_reading(layout, n)}
    assert {c.verdict for c in found if c.rank == 1} == {"equal"}


@cases.each("layout", DISTINCT, ids=lambda layout: layout.name)
def test_six_numbers_are_told_apart_too(layout):
    matrix = symmetric(3) if layout.diagonal == "stored" else symmetric(4)
    if layout.diagonal == "zero":
        np.fill_diagonal(matrix, 0)
    found = vech.identify(slow_half(layout, matrix), matrix=matrix)
    n = len(matrix)
    same = {
        other
        for other in DISTINCT
        if other.diagonal == layout.diagonal
        and (n == 3 or not isinstance(other, TensorOrder))
        and slow_reading(other, n) == slow_reading(layout, n)
    }
    assert listed(found) == same


@given(st.integers(2, 12), st.sampled_from([0.0, 1.0, -3.5, np.nan]))
def test_a_constant_matrix_never_tells_orders_apart(n, value):
    found = vech.identify(np.full(n * (n + 1) // 2, value), matrix=np.full((n, n), value))
    plain = {layout for layout in ANY_SIDE if layout.diagonal == "stored" and not layout.scaled}
    assert plain <= best(found)
    assert len({frozenset(c.layouts) for c in found}) == 1 or "cannot tell" in found.summary


@cases.each("layout", ANY_SIDE, ids=lambda layout: layout.name)
def test_a_matrix_that_is_not_symmetric_tells_the_triangle(layout):
    n = 6
    matrix = np.arange(1.0, 37.0).reshape(n, n)
    if layout.diagonal == "zero":
        np.fill_diagonal(matrix, 0)
    found = vech.identify(slow_half(layout, matrix), matrix=matrix)
    assert layout in best(found)
    assert {other.triangle for other in best(found)} == {layout.triangle}
    assert any(f"{layout.triangle} triangle" in reason for reason in found[0].reasons)


@cases.each("layout", ANY_SIDE, ids=lambda layout: layout.name)
def test_a_hermitian_matrix_tells_which_side_is_conjugated(layout):
    n = 5
    real, imaginary = symmetric(n, 1), np.tril(symmetric(n, 2), -1)
    matrix = real + 1j * (imaginary - imaginary.T)
    if layout.diagonal == "zero":
        np.fill_diagonal(matrix, 0)
    half = slow_half(layout, matrix)
    if isinstance(layout, RectangularFullPacked):
        options = {"transr": "C" if layout.transposed else "N", "uplo": layout.triangle[0].upper()}
        half, info = scipy.linalg.lapack.ztrttf(matrix, **options)
        assert info == 0
    found = vech.identify(half, matrix=matrix)
    assert layout in best(found)
    assert {other.triangle for other in best(found)} == {layout.triangle}


THIRD = symmetric(7) / 3
SAID = {
    "exactly": [
        ("numpy-tril", "f8", "f8"),
        ("numpy-tril", ">f8", "f8"),
        ("numpy-tril", "i2", "i8"),
        ("lapack-rfp-nu", "f4", "f4"),
    ],
    "to the last bit of float32": [("numpy-tril", "f4", "f8"), ("numpy-tril", "f8", "f4")],
    "to the last bit of float64": [("svec-upper", "f8", "f8"), ("numpy-tril", "f8", "i8")],
    "to the last bit of complex64": [("numpy-tril", "c8", "c16")],
    "within rounding": [("svec-upper", "f4", "f4")],
}


@pytest.mark.parametrize(
    "said, name, stored, given", [(said, *row) for said, rows in SAID.items() for row in rows]
)
def test_no_more_is_said_of_the_bits_than_was_compared(said, name, stored, given):
    layout, matrix = vech.as_layout(name), symmetric(7) if "i" in stored + given else THIRD
    half = slow_half(layout, matrix).astype(stored)
    if said == "within rounding":
        half[3] = np.nextafter(half[3], np.inf, dtype=half.dtype)
    found = vech.identify(half, matrix=matrix.astype(given))
    assert layout in best(found)
    assert found[0].reasons[0] == f"all 28 numbers are the matrix's {said}"


def test_two_float64_may_not_be_a_float32_apart():
    half = slow_half(vech.as_layout("numpy-tril"), THIRD)
    assert not vech.identify(half.astype("f4").astype("f8"), matrix=THIRD)
    assert vech.identify(half * (1 + 3e-16), matrix=THIRD)


def test_an_exact_reading_comes_before_one_within_rounding():
    matrix = symmetric(6) / 7
    upper = np.triu_indices(6, 1)
    matrix[upper] = np.nextafter(matrix[upper], np.inf)
    found = vech.identify(slow_half(vech.as_layout("vech"), matrix), matrix=matrix)
    assert best(found) == named("vech")
    assert vech.as_layout("numpy-triu") in listed(found)


def test_large_integers_are_compared_without_rounding():
    matrix = (symmetric(5) + 2**60).astype("i8")
    half = slow_half(vech.as_layout("vech"), matrix)
    assert vech.as_layout("vech") in best(vech.identify(half, matrix=matrix))
    half[7] += 1
    found = vech.identify(half, matrix=matrix)
    assert not found and "14 of 15" in found.summary


def test_integers_can_be_engineering_strain():
    found = vech.identify([1, 2, 3, 8, 10, 12], matrix=[[1, 6, 5], [6, 2, 4], [5, 4, 3]])
    assert best(found) == named("voigt-strain")
    assert any("astype" in reason for reason in found[0].reasons)


def test_nothing_equal_names_the_nearest_and_how_many_numbers_agree():
    matrix = symmetric(6)
    half = slow_half(vech.as_layout("vech"), matrix)
    half[4] += 0.5
    found = vech.identify(half, matrix=matrix)
    assert list(found) == []
    assert "nearest" in found.summary and "vech" in found.summary and "20 of 21" in found.summary
    assert vech.as_layout("vech") in found.excluded[0].layouts
    assert found.excluded[0].verdict == "excluded"
    assert any("half[4]" in reason and "(4, 0)" in reason for reason in found.excluded[0].reasons)


def test_one_wrong_number_among_very_many_is_found():
    n = 700
    numbers = np.random.default_rng(0).normal(size=(n, n))
    matrix = numbers + numbers.T
    half = matrix[np.tril_indices(n)]
    assert vech.as_layout("numpy-tril") in best(vech.identify(half, matrix=matrix))
    half[200_123] = 5
    found = vech.identify(half, matrix=matrix)
    assert not found and "245,349 of 245,350 numbers agree; half[200123] is 5.0" in found.summary


def test_nan_agrees_with_nan_only():
    matrix = symmetric(5)
    matrix[3, 1] = matrix[1, 3] = np.nan
    half = slow_half(vech.as_layout("vech"), matrix)
    assert best(vech.identify(half, matrix=matrix)) == named("vech", "numpy-triu")
    assert not vech.identify(np.nan_to_num(half), matrix=matrix)
    assert not vech.identify(half, matrix=np.nan_to_num(matrix))


def test_infinities_agree():
    matrix = symmetric(5)
    matrix[3, 1] = matrix[1, 3] = -np.inf
    for name in ("vech", "svec-lower"):
        layout = vech.as_layout(name)
        assert layout in best(vech.identify(slow_half(layout, matrix), matrix=matrix))
    assert not vech.identify(slow_half(vech.as_layout("vech"), symmetric(5)), matrix=matrix)
    assert not vech.identify(slow_half(vech.as_layout("vech"), matrix), matrix=-matrix)


def test_far_cells_count_when_symmetry_is_judged(monkeypatch):
    monkeypatch.setattr(sys.modules["vech.identify"], "CHUNK", 3000)
    matrix = symmetric(300)
    half = slow_half_plain("vech", matrix)
    matrix[2, 290] += 1
    found = vech.identify(half, matrix=matrix)
    assert best(found) == named("vech")
    assert any("lower triangle" in reason for reason in found[0].reasons)


@pytest.mark.parametrize(
    "diagonal, verdict", [(0, "equal"), (1, "equal off the diagonal"), (7, "equal off the diagonal")]
)
def test_a_strict_half_is_never_said_to_have_a_diagonal(diagonal, verdict):
    matrix = symmetric(6)
    np.fill_diagonal(matrix, diagonal)
    found = vech.identify(matrix[np.triu_indices(6, 1)], matrix=matrix)
    [first] = [c for c in found if c.rank == 1]
    assert set(first.layouts) == named("strict-triu", "condensed")
    assert first.verdict == verdict
    assert "its diagonal is not stored" in first.reasons
    assert any("diagonal='one'" in reason for reason in first.reasons) == (diagonal == 1)
    assert not any("zero" in str(c) for c in (*found, *found.excluded))


def test_a_matrix_of_another_side_is_refused():
    with pytest.raises(ValueError, match=r"10 numbers .*n = 4 .*n = 5.*not .*6"):
        vech.identify(np.zeros(10), matrix=np.zeros((6, 6)))
    with pytest.raises(ValueError, match=r"n = 4.*5 x 5"):
        vech.identify(np.zeros(10), n=4, matrix=np.zeros((5, 5)))


@pytest.mark.parametrize("shape", [(4,), (4, 5), (2, 4, 4)])
def test_a_matrix_is_one_square(shape):
    with pytest.raises(ValueError, match="matrix has shape"):
        vech.identify(np.zeros(10), matrix=np.zeros(shape))


def test_dates_are_compared_too():
    matrix = symmetric(5).astype("i8").astype("M8[D]")
    half = slow_half_plain("numpy-tril", matrix)
    assert best(vech.identify(half, matrix=matrix)) == named("numpy-tril", "lapack-upper")
    with pytest.raises(TypeError, match="datetime"):
        vech.identify(half, matrix=matrix.astype("i8"))


def slow_half_plain(name, matrix):
    return np.array(
        [matrix[i, j] for i, j in reference.cells(vech.as_layout(name), len(matrix))], matrix.dtype
    )


@cases.each("dtype", list(cases.DTYPES))
def test_every_dtype_is_taken(dtype):
    dtype = cases.DTYPES[dtype]
    matrix = symmetric(5)
    matrix = matrix.astype("i8").astype(dtype) if dtype.kind in "Mm" else matrix.astype(dtype)
    if dtype.kind == "u":
        matrix = np.abs(symmetric(5)).astype(dtype)
    half = slow_half_plain("vech", matrix)
    assert vech.as_layout("vech") in best(vech.identify(half, matrix=matrix))
    assert vech.as_layout("vech") in listed(vech.identify(half))


# ---- known entries -----------------------------------------------------------------------------------------


def test_entries_leave_the_layouts_in_which_they_stand_there():
    matrix = symmetric(5)
    half = slow_half(vech.as_layout("numpy-tril"), matrix)
    found = vech.identify(half, known={(1, 1): matrix[1, 1], (3, 2): matrix[3, 2]})
    assert best(found) == named("numpy-tril", "lapack-upper")
    assert {c.verdict for c in found} == {"possible"}
    assert all(c.n == 5 for c in found)


def test_an_entry_is_compared_in_the_scale_of_the_layout():
    matrix = symmetric(5)
    half = slow_half(vech.as_layout("svec-upper"), matrix)
    found = vech.identify(half, n=5, known={(0, 3): matrix[0, 3]})
    assert {layout.offdiagonal_scale for layout in best(found)} == {math.sqrt(2)}


def test_an_excluded_layout_says_what_it_would_have_there():
    found = vech.identify(np.arange(10.0), n=4, known={(0, 1): 1.0, (1, 1): 4.0})
    reasons = {c.layout.name: " ".join(c.reasons) for c in found.excluded}
    assert "(1, 1)" in reasons["lapack-upper"] and "2.0" in reasons["lapack-upper"]
    assert vech.as_layout("vech") in best(found)


def test_reasons_are_given_for_infinities_too():
    half = np.array([complex(np.inf, 1), 2, 3])
    found = vech.identify(half, n=2, known={(0, 0): 5})
    assert not found and all("inf" in c.reasons[0] for c in found.excluded if c.layout.name == "vech")


def test_an_entry_beyond_n_excludes_that_n():
    found = vech.identify(np.arange(10.0), known={(4, 0): 3.0})
    assert {c.n for c in found} == {5}
    assert any("no row 4" in reason for c in found.excluded if c.n == 4 for reason in c.reasons)


def test_an_entry_of_a_diagonal_that_is_not_stored_is_evidence_of_nothing():
    half = np.arange(10.0)
    for value in (0.0, 1.0, 7.0):
        found = vech.identify(half, n=5, known={(2, 2): value})
        assert listed(found) == named("condensed", "strict-tril", "strict-triu", "picos-skew")
        assert not any("known entr" in str(c) for c in found)
    [fit] = vech.identify(half, n=5, known={(2, 2): 7.0, (0, 3): 2.0})
    assert set(fit.layouts) == named("condensed", "strict-triu")
    assert "the known entry fits off the diagonal" in fit.reasons


def test_an_entry_of_a_stored_diagonal_comes_before():
    found = vech.identify(np.arange(10.0), known={(2, 2): 7.0, (0, 3): 3.0})
    assert {layout: c.rank for c in found for layout in c.layouts} == {
        vech.as_layout("vech"): 1,
        vech.as_layout("numpy-triu"): 1,
        vech.as_layout("strict-tril"): 2,
    }


def test_what_only_a_skew_matrix_explains_has_a_lower_rank_and_says_so():
    found = vech.identify([1.0, 2.0, -3.0, 3.0, 5.0, 6.0], n=4, known={(0, 3): 3.0})
    ranks = {layout: candidate.rank for candidate in found for layout in candidate.layouts}
    assert {layout: rank for layout, rank in ranks.items() if not layout.scaled} == {
        vech.as_layout("strict-tril"): 1,  # (3, 0) is its fourth number, 3
        vech.as_layout("condensed"): 2,  # its third, -3
    }
    assert ["skew" in str(c) for c in found] == [c.rank == 2 for c in found]


def test_unsigned_entries_do_not_wrap():
    found = vech.identify([1.0, 2.0, 3.0], n=3, known={(0, 1): np.uint8(255)})
    assert not found


@pytest.mark.parametrize("n", (4, 5))
@pytest.mark.parametrize("name", ("lapack-rfp-nl", "lapack-rfp-nu", "lapack-rfp-tl", "lapack-rfp-tu"))
def test_complex_numbers_in_rectangular_full_packed_are_hermitian(name, n):
    layout = vech.as_layout(name)
    half = np.arange(n * (n + 1) // 2) + 1j * np.arange(10, 10 + n * (n + 1) // 2)
    places = zip(reference.cells(layout, n), reference.crossed(layout, n), half, strict=True)
    for (i, j), conjugated, number in places:
        value = number.conjugate() if conjugated else number
        mirrored = {(j, i): value.conjugate()} if i != j else {}
        assert layout in listed(vech.identify(half, n=n, known={(i, j): value} | mirrored))
        assert layout not in listed(vech.identify(half, n=n, known={(i, j): value.conjugate()}))


def test_complex_numbers_tell_more_orders_apart_than_real_ones():
    groups = {frozenset(c.layouts) for c in vech.identify(np.zeros(3), n=2)}
    assert named("lapack-rfp-nu", "lapack-rfp-tu") in groups
    matrix = np.array([[1.0, 2 - 1j], [2 + 1j, 3.0]])
    halves = [scipy.linalg.lapack.ztrttf(matrix, transr=how, uplo="U")[0] for how in "NC"]
    assert not np.array_equal(*halves)
    groups = {frozenset(c.layouts) for c in vech.identify(np.zeros(3, complex), n=2)}
    assert named("lapack-rfp-nu", "lapack-rfp-tu") not in groups
    [one, *_] = vech.identify(np.zeros(1, complex), n=1)
    assert named("vech", "lapack-rfp-nu", "lapack-rfp-tu") <= set(one.layouts)


def test_complex_entries_may_be_conjugated_in_the_other_triangle_only():
    half = np.arange(10) + 1j * np.arange(10, 20)
    upper_only = vech.identify(half, n=4, known={(0, 1): half[1].conjugate(), (1, 0): half[1]})
    assert vech.as_layout("vech") in best(upper_only)
    assert vech.as_layout("numpy-triu") not in best(upper_only)


def test_nan_is_known_where_it_is():
    half = np.arange(10.0)
    half[3] = np.nan
    found = vech.identify(half, n=4, known={(3, 0): np.nan})
    assert vech.as_layout("vech") in listed(found)
    assert vech.as_layout("numpy-tril") not in listed(found)


@pytest.mark.parametrize(
    "known, error, words",
    [
        ([(0, 1)], TypeError, "mapping"),
        ({"positive": True}, ValueError, "positive semidefinite"),
        ({"unit diagonal": False}, ValueError, "left out"),
        ({(0,): 1.0}, TypeError, r"\(i, j\)"),
        ({3: 1.0}, TypeError, r"\(i, j\)"),
        ({(0, 1.5): 1.0}, TypeError, "integer"),
        ({(-1, 0): 1.0}, IndexError, "-1"),
        ({(0, 1): "x"}, TypeError, "is one number, not 'x'"),
        ({(0, 1): [1.0, 2.0]}, TypeError, "number"),
    ],
)
def test_known_is_a_mapping_of_entries_and_words(known, error, words):
    with pytest.raises(error, match=words):
        vech.identify(np.arange(10.0), known=known)


# ---- unit diagonal, positive semidefinite ------------------------------------------------------------------


def correlation(n, seed=0):
    matrix = np.corrcoef(np.random.default_rng(seed).normal(size=(n, n + 5)))
    np.fill_diagonal(matrix, 1)
    return (matrix + matrix.T) / 2


@pytest.mark.parametrize("name", ["vech", "numpy-tril", "nilearn-sym-vec", "lapack-rfp-nl"])
def test_a_unit_diagonal_tells_where_the_diagonal_is(name):
    layout = vech.as_layout(name)
    half = slow_half(layout, correlation(7))
    found = vech.identify(half, n=7, known={"unit diagonal": True})
    assert layout in best(found)
    where = {(reference.cells(l, 7).index((k, k)), l.diagonal_scale) for l in best(found) for k in range(7)}
    assert where == {(reference.cells(layout, 7).index((k, k)), layout.diagonal_scale) for k in range(7)}


def test_a_stored_unit_diagonal_comes_before_one_that_is_not_stored():
    half = correlation(7)[np.tril_indices(7)]
    found = vech.identify(half, known={"unit diagonal": True})
    assert best(found) == named("numpy-tril", "lapack-upper", "svec-upper")
    assert "its whole diagonal is 1" in found[0].reasons
    assert {c.n for c in found if c.rank == 2} == {8}
    strict = vech.identify(half, n=8, known={"unit diagonal": True})
    assert {c.rank for c in strict} == {1}
    assert all("diagonal='one'" in str(c) and "not stored" in str(c) for c in strict)


def test_a_diagonal_of_ones_is_pointed_at_and_changes_no_rank():
    found = vech.identify(correlation(8)[np.tril_indices(8)])
    assert vech.as_layout("numpy-tril") in found[0].layouts
    assert "its whole diagonal is 1" in found[0].reasons
    assert {c.rank for c in found} == {1}
    assert "cannot tell" in found.summary


@cases.each(
    "name",
    ["vech", "numpy-tril", "svec-lower", "nilearn-sym-vec", "tfp-fill-triangular-lower", "lapack-rfp-tu"],
)
@cases.each("n", (6, 7, 40))
def test_a_covariance_leaves_the_orders_in_which_it_is_one(name, n):
    layout = vech.as_layout(name)
    x = np.random.default_rng(n).normal(size=(n, 3)) * np.arange(1, n + 1)[:, None]
    matrix = x @ x.T  # of rank 3: eigenvalues that are zero but for rounding
    found = vech.identify(slow_half(layout, matrix), n=n, known={"positive semidefinite": True})
    assert layout in listed(found)
    assert all(c.verdict == "possible" for c in found)
    half = slow_half(layout, matrix)
    for candidate in found:  # an eigenvalue of each that stays
        for other in candidate.layouts:
            full = np.zeros((n, n))
            for (i, j), value in zip(reference.cells(other, n), half, strict=True):
                full[i, j] = full[j, i] = value / (
                    other.diagonal_scale if i == j else other.offdiagonal_scale
                )
            values = np.linalg.eigvalsh(full)
            assert values[0] >= -2 * n * 2.3e-16 * np.abs(values).max()
    assert found.excluded


def test_a_complex_covariance_is_hermitian():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(6, 3)) + 1j * rng.normal(size=(6, 3))
    matrix = x @ x.conj().T
    found = vech.identify(matrix[np.tril_indices(6)], n=6, known={"positive semidefinite": True})
    assert named("numpy-tril", "lapack-upper") <= listed(found)
    assert vech.as_layout("vech") not in listed(found)
    for how, side in itertools.product("NC", "UL"):
        half, info = scipy.linalg.lapack.ztrttf(matrix, transr=how, uplo=side)
        assert info == 0
        found = vech.identify(half, n=6, known={"positive semidefinite": True})
        assert vech.as_layout(f"lapack-rfp-{'n' if how == 'N' else 't'}{side.lower()}") in listed(found)


@pytest.mark.parametrize(
    "half, reason",
    [
        ([2.0, 0.1, 0.1, -1.0, 0.1, 2.0], "(1, 1) would be -1"),
        ([2.0, 0.1, 2.1, 2.0, 0.1, 2.0], "eigenvalues would go from -0.1"),
        ([2.0, 0.1, 0.1, 2.0 + 1j, 0.1, 2.0], "not be real"),
    ],
)
def test_what_is_not_semidefinite_says_why(half, reason):
    found = vech.identify(half, n=3, known={"positive semidefinite": True})
    [ruled_out] = [c for c in found.excluded if vech.as_layout("vech") in c.layouts]
    assert reason in " ".join(ruled_out.reasons)


def test_one_pair_among_many_excludes(monkeypatch):
    monkeypatch.setattr(sys.modules["vech.identify"], "EIGEN_SIDE", 5)
    monkeypatch.setattr(sys.modules["vech.identify"], "CHUNK", 1000)
    half = np.diag(np.arange(1.0, 151))[np.tril_indices(150)]
    known = {"positive semidefinite": True}
    assert vech.as_layout("numpy-tril") in listed(vech.identify(half, n=150, known=known))
    for row, column in ((149, 3), (100, 50), (120, 119)):
        other = half.copy()
        other[row * (row + 1) // 2 + column] = 200
        [ruled_out] = [
            c
            for c in vech.identify(other, n=150, known=known).excluded
            if vech.as_layout("numpy-tril") in c.layouts
        ]
        assert (
            f"({column}, {row}) would be 200 in size beside {column + 1} and {row + 1} "
            in ruled_out.reasons[0]
        )


def test_without_its_diagonal_a_half_may_be_semidefinite_or_not():
    half, known = [0.9, 0.9, 0.1], {"positive semidefinite": True}
    found = vech.identify(half, n=3, known=known)
    assert not found.excluded and all("up to its diagonal" in str(c) for c in found)
    found = vech.identify(half, n=3, known=known | {"unit diagonal": True})  # determinant -0.468
    assert not any("up to its diagonal" in str(c) for c in found)
    assert named("condensed", "strict-triu", "strict-tril") <= {
        layout for c in found.excluded for layout in c.layouts
    }
    unit = known | {"unit diagonal": True}
    assert not vech.identify([0.5, 0.5, 0.5], n=3, known=unit).excluded
    assert vech.as_layout("condensed") not in listed(vech.identify([1.2, 0.0, 0.0], n=3, known=unit))


def test_large_sides_are_judged_by_necessary_tests_and_say_so(monkeypatch):
    monkeypatch.setattr(sys.modules["vech.identify"], "EIGEN_SIDE", 5)
    x = np.random.default_rng(0).normal(size=(30, 40))
    matrix = x @ x.T
    found = vech.identify(matrix[np.tril_indices(30)], n=30, known={"positive semidefinite": True})
    assert vech.as_layout("numpy-tril") in listed(found)
    assert vech.as_layout("vech") not in listed(found)
    assert any("eigenvalues were not computed" in reason for reason in found[0].reasons)


def test_nan_leaves_semidefiniteness_open():
    half = np.eye(6)[np.tril_indices(6)]
    half[4] = np.nan
    found = vech.identify(half, n=6, known={"positive semidefinite": True})
    assert vech.as_layout("numpy-tril") in listed(found)
    assert any("NaN" in reason for reason in found[0].reasons)


def test_dates_are_neither_semidefinite_nor_of_unit_diagonal():
    for word in ("positive semidefinite", "unit diagonal"):
        with pytest.raises(TypeError, match="datetime64"):
            vech.identify(np.zeros(6, "M8[D]"), known={word: True})


# ---- what comes in, what comes out -------------------------------------------------------------------------


def test_a_half_may_be_a_list_or_a_memory_map(tmp_path):
    assert listed(vech.identify([1, 2, 3])) == listed(vech.identify(np.array([1, 2, 3])))
    np.save(tmp_path / "half.npy", slow_half(vech.as_layout("vech"), symmetric(6)))
    mapped = np.load(tmp_path / "half.npy", mmap_mode="r")
    assert best(vech.identify(mapped, matrix=symmetric(6))) == named("vech", "numpy-triu")


@pytest.mark.parametrize(
    "shape, words", [((), "one vector"), ((3, 3), "full matrix"), ((5, 3), r"half\[0\]")]
)
def test_a_half_is_one_vector(shape, words):
    with pytest.raises(ValueError, match=words):
        vech.identify(np.zeros(shape))


def test_what_is_no_array_is_refused():
    with pytest.raises(TypeError, match="half"):
        vech.identify("1 2 3")
    with pytest.raises(TypeError, match="half"):
        vech.identify(vech.Packed(np.zeros(3)))


@pytest.mark.parametrize(
    "side, matrix", [(0, np.zeros((0, 0))), (1, np.array([[0.0]])), (1, np.array([[5.0]]))]
)
def test_no_numbers_fit_what_has_none(side, matrix):
    found = vech.identify([], matrix=matrix)
    assert found and {c.n for c in found} == {side}


def test_every_layout_of_a_candidate_expands_the_half_to_one_matrix():
    for half in (np.arange(6.0), np.arange(15.0)):
        for candidate in vech.identify(half):
            fulls = [vech.expand(half, layout) for layout in candidate.layouts]
            assert all(np.array_equal(full, fulls[0]) for full in fulls)
            assert all(full.shape == (candidate.n, candidate.n) for full in fulls)


def test_names_are_canonical_and_dialects_are_all_of_them():
    [first, *_] = vech.identify(np.arange(10.0), n=4)
    assert all(name in vech.DIALECTS for name in (*first.names, *first.dialects))
    assert {vech.DIALECTS[name] for name in first.dialects} == set(first.layouts)


def test_it_prints_what_it_found_and_what_it_ruled_out():
    found = vech.identify(np.arange(10.0), n=4, known={(1, 1): 4.0})
    text = str(found)
    assert repr(found) == text
    assert text.startswith(found.summary)
    assert "1. vech" in text and "ruled out" in text and "numpy-tril" in text
    assert str(found[0]) in text


@pytest.mark.slow
def test_four_million_numbers_take_seconds_and_the_memory_of_one_half():
    n = 3000
    half = np.random.default_rng(0).normal(size=n * (n + 1) // 2)
    matrix = np.empty((n, n))
    at = np.tril_indices(n)
    matrix[at] = half
    matrix[at[::-1]] = half
    del at
    for other in (matrix, np.zeros((n, n)), None):
        tracemalloc.start()
        began = time.process_time()
        vech.identify(half, matrix=other, known={"positive semidefinite": True})
        took = time.process_time() - began
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert took < 7 and peak < 1.25 * half.nbytes


def test_dates_are_equal_only_if_they_are_the_same_moment():
    half, matrix = np.full(6, 2**55, "M8[s]"), np.zeros((3, 3), "M8[ns]")
    assert not vech.identify(half, matrix=matrix)  # 2**55 s wraps around to 0 ns
    assert vech.identify(np.zeros(6, "M8[s]"), matrix=matrix)
    with pytest.raises(TypeError, match=r"half holds timedelta64\[Y\] and .* timedelta64\[s\]: these cannot"):
        vech.identify(np.zeros(6, "m8[Y]"), matrix=np.zeros((3, 3), "m8[s]"))


@pytest.mark.parametrize("size", [1e-320, 1e-310, 1e300, 1.7e308])
def test_semidefiniteness_is_judged_at_both_ends_of_the_range(size):
    psd = {"positive semidefinite": True}
    assert "vech" in vech.identify(np.array([1.0, 0.0, 0.0, 1.0, 0.0, 1.0]) * size, known=psd)[0].names
    indefinite = vech.identify(np.array([0.3, 0.3, 0.3, 1.0, 1.0, 1.0]) * size, known=psd)
    assert "voigt-strain" not in [name for candidate in indefinite for name in candidate.names]


@pytest.mark.parametrize("value", [None, {}, "1", [1.0, 2.0]])
def test_an_entry_is_one_number(value):
    with pytest.raises(TypeError, match=r"known\[0, 1\] is one number, not"):
        vech.identify(np.arange(6.0), known={(0, 1): value})
    assert not vech.identify(np.arange(6.0), known={(0, 1): 10**30})


def correlation_of_30():
    return np.corrcoef(np.random.default_rng(0).normal(size=(60, 30)).T)


def test_a_rounded_half_fits_within_a_tolerance_and_names_it_otherwise():
    matrix = correlation_of_30()
    half = matrix[np.tril_indices(30)].round(6)
    summary = vech.identify(half, matrix=matrix).summary
    assert "The nearest is lapack-upper = numpy-tril: 30 of 465 numbers agree; half[1] is 0.067681" in summary
    assert "the largest difference is 5e-07; a tolerance of 5.2e-07 lets it pass." in summary
    found = vech.identify(half, matrix=matrix, tolerance=5.2e-7)
    assert best(found) == named(
        "numpy-tril", "lapack-upper"
    ) and "all 465 numbers are the matrix's within 5e-07" in str(found)
    assert not vech.identify(half, matrix=matrix, tolerance=4e-7)


def test_another_order_of_summation_fits_within_a_tolerance():
    rows = np.random.default_rng(0).normal(size=(60, 30))
    half = np.einsum("ki,kj->ij", rows, rows)[np.triu_indices(30)]
    found = vech.identify(half, matrix=rows.T @ rows, tolerance=1e-12)
    assert best(found) == named("numpy-triu", "vech")


def test_entries_fit_within_a_tolerance():
    matrix = correlation_of_30()
    half = matrix[np.tril_indices(30)].round(6)
    known = {(0, 1): matrix[0, 1], (4, 7): matrix[4, 7], (2, 2): 1.0}
    summary = vech.identify(half, known=known).summary
    assert "The nearest is lapack-upper = numpy-tril: (0, 1) would be 0.067681, not 0.0676809" in summary
    assert best(vech.identify(half, known=known, tolerance=5e-7)) == named("numpy-tril", "lapack-upper")


def test_equals_are_not_told_apart_by_their_place_in_a_list():
    matrix = correlation_of_30()
    summary = vech.identify(matrix[np.tril_indices(30)].round(6), known={(0, 1): matrix[0, 1]}).summary
    assert "None is nearest: vech = numpy-triu, lapack-upper = numpy-tril," in summary
    assert "are each off by 6.29e-08 at most. Of vech = numpy-triu: (0, 1) would be 0.067681" in summary


def test_a_unit_diagonal_is_one_within_a_tolerance():
    half = np.array([0.999999, 0.5, 0.2, 1.0, 0.3, 1.000001])
    assert not named("vech") <= best(vech.identify(half, n=3, known={"unit diagonal": True}))
    assert named("vech") <= best(vech.identify(half, n=3, known={"unit diagonal": True}, tolerance=2e-6))


@pytest.mark.parametrize(
    ("half", "tolerance", "error", "text"),
    [
        ([1.0], "5e-7", TypeError, "tolerance must be a real number, not '5e-7'"),
        ([1.0], -1, ValueError, "tolerance must be finite and not negative, but is -1"),
        ([1.0], np.nan, ValueError, "tolerance must be finite and not negative, but is nan"),
        (
            np.array(["2020"], "M8[D]"),
            1,
            TypeError,
            "tolerance is said of numbers, and half holds date",
        ),
    ],
)
def test_a_tolerance_that_is_none_is_refused(half, tolerance, error, text):
    with pytest.raises(error) as refused:
        vech.identify(half, tolerance=tolerance)
    assert text in str(refused.value)
