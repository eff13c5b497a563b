"""identify: what a vector can be, from what is known, and never more than that.

Expected orders come from `slow_cells`: double loops, LAPACK's own routine, and the published rule of a spiral.
"""

import itertools
import math
import sys

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

import cases
import reference
import vech
from vech.orders import RectangularFullPacked, Spiral, TensorOrder

DISTINCT = list(dict.fromkeys(vech.DIALECTS.values()))
ANY_SIDE = [layout for layout in DISTINCT if not isinstance(layout, TensorOrder)]


def slow_cells(layout, n):
    """The cells (i, j), in the layout's own triangle, in storage order."""
    if isinstance(layout, vech.Layout):
        return reference.cells(layout, n)
    if isinstance(layout, TensorOrder):
        assert n == 3
        return [tuple("xyz".index(letter) for letter in word) for word in layout.components.split()]
    labels = np.arange(1.0, n * n + 1).reshape(n, n, order="C")
    if isinstance(layout, RectangularFullPacked):
        options = {"transr": "T" if layout.transposed else "N", "uplo": layout.triangle[0].upper()}
        half, info = scipy.linalg.lapack.dtrttf(labels, **options)
        assert info == 0
        return [divmod(int(label) - 1, n) for label in half]
    assert isinstance(layout, Spiral)
    x = list(range(n * (n + 1) // 2))
    filled = x[n:] + x[::-1] if layout.triangle == "lower" else x + x[n:][::-1]
    found = {}
    for i, j in itertools.product(range(n), repeat=2):
        if (i >= j) if layout.triangle == "lower" else (i <= j):
            found[filled[i * n + j]] = (i, j)
    return [found[k] for k in x]


def slow_half(layout, matrix):
    """The half of a matrix, number by number, scaled as the layout says."""
    numbers = [
        matrix[i, j] * (layout.diagonal_scale if i == j else layout.offdiagonal_scale)
        for i, j in slow_cells(layout, len(matrix))
    ]
    return np.array(numbers, matrix.dtype)


def slow_reading(layout, n):
    """What tells two layouts apart in symmetric matrices of side n: slots, scales, diagonal."""
    cells = slow_cells(layout, n)
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


# ---- length --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", (0, 1, 3, 6, 10, 15, 21, 45))
def test_length_alone_leaves_every_layout_that_fits_in_one_rank(length):
    found = vech.identify(np.arange(float(length)))
    fitting = {
        (layout, reference.side(length, layout) if isinstance(layout, vech.Layout) else _side(length))
        for layout in DISTINCT
        if not isinstance(layout, TensorOrder) or length == 6
    }
    assert {(layout, c.n) for c in found for layout in c.layouts} == fitting
    assert {c.rank for c in found} == {1}
    assert {c.verdict for c in found} == {"possible"}
    assert not found.excluded


def _side(length):
    return next(n for n in itertools.count() if n * (n + 1) // 2 == length)


@pytest.mark.parametrize("n", range(13))
def test_layouts_stand_together_exactly_if_they_hold_the_same_symmetric_matrix(n):
    found = vech.identify(np.zeros(n * (n + 1) // 2), n=n)
    groups = {frozenset(c.layouts) for c in found}
    expected = {}
    for layout in DISTINCT if n == 3 else ANY_SIDE:
        if layout.diagonal == "stored":
            expected.setdefault(slow_reading(layout, n), set()).add(layout)
    if n > 0:  # without a number there is nothing to tell apart
        assert groups == {frozenset(group) for group in expected.values()}
    else:
        assert len(groups) == 1


@pytest.mark.parametrize("n", range(1, 13))
def test_strict_layouts_stand_together_by_the_same_rule(n):
    found = vech.identify(np.zeros(n * (n - 1) // 2), n=n)
    expected = {}
    for layout in ANY_SIDE:
        if layout.diagonal == "zero":
            expected.setdefault(slow_reading(layout, n), set()).add(layout)
    assert {frozenset(c.layouts) for c in found} == {frozenset(group) for group in expected.values()}


def test_large_sides_are_grouped_as_small_ones():
    found = vech.identify(np.zeros(200 * 201 // 2), n=200)
    small = vech.identify(np.zeros(45), n=9)
    assert {frozenset(c.layouts) for c in found} == {frozenset(c.layouts) for c in small}


def test_a_length_that_fits_nothing_names_the_nearest():
    with pytest.raises(ValueError, match=r"12 numbers .* 10 \(n = 4, .*5.*15 \(n = 5, .*6"):
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
    found = vech.identify([1.0, 2.0, 5.0], n=2)
    first = found[0]
    assert named("vech", "numpy-tril", "lapack-upper", "numpy-triu") <= set(first.layouts)
    assert any("n = 2" in reason and "same" in reason for reason in first.reasons)
    assert not any(
        "n = 4" in r and "one sequence" in r for c in vech.identify(np.ones(10)) for r in c.reasons
    )


# ---- n -------------------------------------------------------------------------------------------------------


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


# ---- matrix --------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("layout", DISTINCT, ids=lambda layout: layout.name)
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


def test_only_hints_order_equal_evidence_and_do_not_change_the_rank():
    found = vech.identify(np.full(10, 2.0), matrix=np.full((4, 4), 2.0))
    assert {c.rank for c in found} == {1}
    assert "cannot tell" in found.summary


@pytest.mark.parametrize("layout", ANY_SIDE, ids=lambda layout: layout.name)
def test_a_matrix_that_is_not_symmetric_tells_the_triangle(layout):
    n = 6
    matrix = np.arange(1.0, 37.0).reshape(n, n)
    if layout.diagonal == "zero":
        np.fill_diagonal(matrix, 0)
    found = vech.identify(slow_half(layout, matrix), matrix=matrix)
    assert layout in best(found)
    assert {other.triangle for other in best(found)} == {layout.triangle}
    assert any(f"{layout.triangle} triangle" in reason for reason in found[0].reasons)


def test_a_triangular_factor_is_its_own_triangle():
    factor = np.tril(np.arange(1.0, 26.0).reshape(5, 5))
    found = vech.identify(slow_half(vech.as_layout("numpy-tril"), factor), matrix=factor)
    assert listed(found) == named("numpy-tril")


@pytest.mark.parametrize("layout", ANY_SIDE, ids=lambda layout: layout.name)
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


def test_scales_agree_within_rounding_and_plain_numbers_exactly():
    matrix = symmetric(7) / 3
    exact = vech.identify(slow_half(vech.as_layout("vech"), matrix), matrix=matrix)
    assert any("exactly" in reason for reason in exact[0].reasons)
    off = slow_half(vech.as_layout("svec-lower"), matrix) * (1 + 3e-16)
    near = vech.identify(off, matrix=matrix)
    assert vech.as_layout("svec-lower") in best(near)
    assert any("rounding" in reason for reason in near[0].reasons)


def test_the_coarser_dtype_sets_the_tolerance():
    matrix = symmetric(6) / 7
    half = slow_half(vech.as_layout("numpy-tril"), matrix)
    assert vech.as_layout("numpy-tril") in best(vech.identify(half.astype("f4"), matrix=matrix))
    coarse = vech.identify(half, matrix=matrix.astype("f4"))
    assert vech.as_layout("numpy-tril") in best(coarse)
    assert any("exactly" in reason for reason in coarse[0].reasons)
    assert vech.as_layout("numpy-tril") in best(vech.identify(half.astype("f2"), matrix=matrix))
    assert not vech.identify(
        half.astype("f4").astype("f8"), matrix=matrix
    )  # two float64, and a float32's error


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
    half[123_457] = 5
    found = vech.identify(half, matrix=matrix)
    assert not found and "245,349 of 245,350" in found.summary


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


def test_far_cells_count_when_symmetry_is_judged():
    matrix = symmetric(300)
    half = slow_half_plain("vech", matrix)
    matrix[2, 290] += 1
    found = vech.identify(half, matrix=matrix)
    assert best(found) == named("vech")
    assert any("lower triangle" in reason for reason in found[0].reasons)


def test_a_strict_half_of_a_matrix_with_another_diagonal_says_so():
    matrix = symmetric(6)
    found = vech.identify(matrix[np.triu_indices(6, 1)], matrix=matrix)
    assert best(found) == named("strict-triu", "condensed")
    assert found[0].verdict == "equal off the diagonal"
    assert any("diagonal" in reason and "not" in reason for reason in found[0].reasons)


def test_a_strict_half_of_a_correlation_has_ones_on_its_diagonal():
    matrix = np.corrcoef(np.random.default_rng(0).normal(size=(6, 20)))
    np.fill_diagonal(matrix, 1)
    found = vech.identify(matrix[np.triu_indices(6, 1)], matrix=matrix)
    assert vech.Layout("upper", "rows", diagonal="one") in best(found)
    assert {layout.diagonal for layout in best(found)} == {"one"}


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
    return np.array([matrix[i, j] for i, j in slow_cells(vech.as_layout(name), len(matrix))], matrix.dtype)


@pytest.mark.parametrize("dtype", cases.DTYPES)
def test_every_dtype_is_taken(dtype):
    dtype = cases.DTYPES[dtype]
    matrix = symmetric(5)
    matrix = matrix.astype("i8").astype(dtype) if dtype.kind in "Mm" else matrix.astype(dtype)
    if dtype.kind == "u":
        matrix = np.abs(symmetric(5)).astype(dtype)
    half = slow_half_plain("vech", matrix)
    assert vech.as_layout("vech") in best(vech.identify(half, matrix=matrix))
    assert vech.as_layout("vech") in listed(vech.identify(half))


# ---- known entries -------------------------------------------------------------------------------------------


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


def test_the_diagonal_of_a_strict_half_is_what_it_leaves_out():
    found = vech.identify(np.arange(10.0), n=5, known={(2, 2): 0.0})
    assert {layout.diagonal for layout in listed(found)} == {"zero"}
    found = vech.identify(np.arange(10.0), n=5, known={(2, 2): 1.0})
    assert {layout.diagonal for layout in listed(found)} == {"one"}
    assert not vech.identify(np.arange(10.0), n=5, known={(2, 2): 7.0})


def test_an_entry_that_only_a_skew_matrix_has_comes_after_and_says_so():
    half = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    found = vech.identify(half, n=4, known={(0, 1): -1.0})
    assert vech.as_layout("condensed") in listed(found)
    assert any("skew" in reason for reason in found[0].reasons)
    found = vech.identify(half, n=4, known={(0, 1): 1.0})
    assert not any("skew" in reason for c in found if c.rank == 1 for reason in c.reasons)


def test_what_only_a_skew_matrix_explains_has_a_lower_rank():
    found = vech.identify([1.0, 2.0, -3.0, 3.0, 5.0, 6.0], n=4, known={(0, 3): 3.0})
    ranks = {layout: candidate.rank for candidate in found for layout in candidate.layouts}
    assert ranks == {
        vech.as_layout("strict-tril"): 1,  # (3, 0) is its fourth number, 3
        vech.as_layout("condensed"): 2,  # its third, -3
    }


def test_unsigned_entries_do_not_wrap():
    found = vech.identify([1.0, 2.0, 3.0], n=3, known={(0, 1): np.uint8(255)})
    assert not found


def test_complex_numbers_in_rectangular_full_packed_are_hermitian():
    layout = vech.as_layout("lapack-rfp-nl")
    half = np.arange(10) + 1j * np.arange(10, 20)
    at = slow_cells(layout, 4).index((3, 0))
    value = half[at]
    assert layout in listed(vech.identify(half, n=4, known={(3, 0): value, (0, 3): value.conjugate()}))
    assert layout not in listed(vech.identify(half, n=4, known={(3, 0): value, (0, 3): value}))


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
        ({(0, 1): "x"}, TypeError, "text"),
        ({(0, 1): [1.0, 2.0]}, TypeError, "number"),
    ],
)
def test_known_is_a_mapping_of_entries_and_words(known, error, words):
    with pytest.raises(error, match=words):
        vech.identify(np.arange(10.0), known=known)


# ---- unit diagonal, positive semidefinite --------------------------------------------------------------------


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
    where = {(slow_cells(l, 7).index((k, k)), l.diagonal_scale) for l in best(found) for k in range(7)}
    assert where == {(slow_cells(layout, 7).index((k, k)), layout.diagonal_scale) for k in range(7)}


def test_a_unit_diagonal_that_is_left_out_is_one_not_zero():
    half = correlation(7)[np.triu_indices(7, 1)]
    found = vech.identify(half, n=7, known={"unit diagonal": True})
    assert {layout.diagonal for layout in listed(found)} == {"one"}
    assert all("zero" in " ".join(c.reasons) for c in found.excluded)


@pytest.mark.parametrize(
    "name",
    ["vech", "numpy-tril", "svec-lower", "nilearn-sym-vec", "tfp-fill-triangular-lower", "lapack-rfp-tu"],
)
@pytest.mark.parametrize("n", (6, 7, 40))
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
            for (i, j), value in zip(slow_cells(other, n), half, strict=True):
                full[i, j] = full[j, i] = value / (
                    other.diagonal_scale if i == j else other.offdiagonal_scale
                )
            values = np.linalg.eigvalsh(full)
            assert values[0] >= -2 * n * 2.3e-16 * np.abs(values).max()
    assert found.excluded


def test_a_negative_eigenvalue_excludes_although_each_pair_would_do():
    matrix = np.full((5, 5), -0.5) + 1.5 * np.eye(5)  # eigenvalue 1 - 4 / 2 = -1
    found = vech.identify(matrix[np.tril_indices(5)], n=5, known={"positive semidefinite": True})
    assert vech.as_layout("numpy-tril") not in listed(found)
    reasons = {c.layout.name: " ".join(c.reasons) for c in found.excluded}
    assert "eigenvalue" in " ".join(reasons.values())


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
        ([2.0, 0.1, 2.1, 2.0, 0.1, 2.0], "(2, 0) would be 2.1 in size beside 2 and 2"),
        ([2.0, 0.1, 0.1, 2.0 + 1j, 0.1, 2.0], "not be real"),
    ],
)
def test_what_is_not_semidefinite_says_why(half, reason):
    found = vech.identify(half, n=3, known={"positive semidefinite": True})
    [ruled_out] = [c for c in found.excluded if vech.as_layout("vech") in c.layouts]
    assert reason in " ".join(ruled_out.reasons)


def test_one_pair_among_many_excludes(monkeypatch):
    monkeypatch.setattr(sys.modules["vech.identify"], "EIGEN_SIDE", 5)
    half = np.eye(150)[np.tril_indices(150)]
    known = {"positive semidefinite": True}
    assert vech.as_layout("numpy-tril") in listed(vech.identify(half, n=150, known=known))
    for row, column in ((149, 3), (100, 50), (120, 119)):
        other = half.copy()
        other[row * (row + 1) // 2 + column] = 1.5
        assert vech.as_layout("numpy-tril") not in listed(vech.identify(other, n=150, known=known))


def test_a_zero_diagonal_makes_a_semidefinite_matrix_zero():
    known = {"positive semidefinite": True}
    found = vech.identify([0.5, 0.5, 0.5, 0.1, 0.1, 0.1], n=4, known=known)
    assert {layout.diagonal for layout in listed(found)} == {"one"}
    assert "zero" in {layout.diagonal for layout in listed(vech.identify(np.zeros(6), n=4, known=known))}


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


# ---- hints ---------------------------------------------------------------------------------------------------


def test_a_constant_diagonal_is_a_hint_that_orders_and_claims_nothing():
    half = slow_half(vech.as_layout("numpy-tril"), correlation(8))
    found = vech.identify(half, n=8)
    assert vech.as_layout("numpy-tril") in found[0].layouts
    assert any(reason.startswith("hint:") for reason in found[0].reasons)
    assert {c.rank for c in found} == {1}


def test_distances_are_a_hint():
    points = np.random.default_rng(0).normal(size=(9, 2))
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    for layout, indices in (("strict-triu", np.triu_indices(9, 1)), ("strict-tril", np.tril_indices(9, -1))):
        found = vech.identify(distances[indices], n=9)
        assert vech.as_layout(layout) in found[0].layouts
        assert any("distance" in reason for reason in found[0].reasons)
        assert {c.rank for c in found} == {1}


def test_a_constant_half_gives_no_hint():
    found = vech.identify(np.full(36, 1.0))
    assert not any("hint" in reason for c in found for reason in c.reasons)


# ---- what comes in, what comes out ---------------------------------------------------------------------------


def test_a_half_may_be_a_list_or_a_memory_map(tmp_path):
    assert listed(vech.identify([1, 2, 3])) == listed(vech.identify(np.array([1, 2, 3])))
    np.save(tmp_path / "half.npy", slow_half(vech.as_layout("vech"), symmetric(6)))
    mapped = np.load(tmp_path / "half.npy", mmap_mode="r")
    assert best(vech.identify(mapped, matrix=symmetric(6))) == named("vech", "numpy-triu")


@pytest.mark.parametrize(
    "shape, words", [((), "single number"), ((3, 3), "full matrix"), ((5, 3), r"half\[0\]")]
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


def test_the_layout_of_a_candidate_expands_the_half():
    half = np.arange(15.0)
    for candidate in vech.identify(half):
        for layout in candidate.layouts:
            if isinstance(layout, vech.Layout):
                assert vech.expand(half, layout).shape == (candidate.n, candidate.n)


def test_names_are_canonical_and_dialects_are_all_of_them():
    [first, *_] = vech.identify(np.arange(10.0), n=4)
    assert all(name in vech.DIALECTS for name in (*first.names, *first.dialects))
    assert {vech.DIALECTS[name] for name in first.dialects} == set(first.layouts)
    strict = vech.identify(np.zeros(6), n=4, known={"unit diagonal": True})
    assert "Layout('lower', 'columns', diagonal='one')" in strict[0].names


def test_it_prints_what_it_found_and_what_it_ruled_out():
    found = vech.identify(np.arange(10.0), n=4, known={(1, 1): 4.0})
    text = str(found)
    assert repr(found) == text
    assert text.startswith(found.summary)
    assert "1. vech" in text and "ruled out" in text and "numpy-tril" in text
    assert str(found[0]) in text


def test_the_only_one_left_is_called_that_and_no_more():
    matrix = np.arange(1.0, 37.0).reshape(6, 6)
    found = vech.identify(matrix[np.tril_indices(6)], matrix=matrix)
    assert "Of the layouts with a name only numpy-tril fits" in found.summary


@pytest.mark.slow
def test_ten_million_numbers_take_seconds_and_little_memory():
    import time
    import tracemalloc

    n = 4472
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
        assert took < 30 and peak < 2**27
