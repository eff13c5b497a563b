"""The matrices of vech algebra against their definitions, written as double loops over the matrix."""

import itertools
import re

import numpy as np
import pytest
import scipy.sparse
from scipy.sparse.linalg import LinearOperator

import cases
import reference
import vech
from cases import LAYOUTS
from compare import assert_canonical
from vech.linalg import (
    commutation,
    covariance_of_vech,
    duplication,
    elimination,
    empirical_covariance_of_vech,
    kronecker_square,
    symmetrizer,
)

SIZES = range(7)
LINEAR = {name: layout for name, layout in LAYOUTS.items() if layout.diagonal != "one"}
STORED = {name: layout for name, layout in LAYOUTS.items() if layout.diagonal == "stored"}
SHAPES = list(itertools.product((0, 1, 2, 3, 5), repeat=2))


def fits(layout, n):
    return cases.has_side(layout, n) and (n > 0 or layout.diagonal == "stored")


def sided(layouts, sizes=SIZES):
    """Each layout at each side it has."""
    return [
        pytest.param(layout, n, id=f"{name}-{n}")
        for name, layout in layouts.items()
        for n in sizes
        if fits(layout, n)
    ]


def vec(full):
    """The columns one below the other, number by number."""
    rows, columns = full.shape
    return np.array([full[i, j] for j in range(columns) for i in range(rows)], full.dtype)


def cells(layout, n):
    """(i, j) of each number of a half, and its scale."""
    scales = (layout.offdiagonal_scale, layout.diagonal_scale)
    return [(i, j, scales[i == j]) for i, j in reference.cells(layout, n)]


def dense_duplication(n, layout):
    matrix = np.zeros((n * n, reference.length(layout, n)))
    for k, (i, j, scale) in enumerate(cells(layout, n)):
        matrix[i + n * j, k] = matrix[j + n * i, k] = 1 / scale
    return matrix


def dense_elimination(n, layout):
    matrix = np.zeros((reference.length(layout, n), n * n))
    for k, (i, j, scale) in enumerate(cells(layout, n)):
        matrix[k, i + n * j] = scale
    return matrix


def dense_commutation(m, n):
    matrix = np.zeros((m * n, m * n))
    for i, j in itertools.product(range(m), range(n)):
        matrix[j + n * i, i + m * j] = 1
    return matrix


def dense_symmetrizer(n):
    matrix = np.zeros((n * n, n * n))
    for i, j in itertools.product(range(n), repeat=2):
        matrix[i + n * j, i + n * j] += 0.5
        matrix[i + n * j, j + n * i] += 0.5
    return matrix


def assert_is(matrix, operator, want):
    """A canonical float64 csr_array and an operator, of this dense matrix and of its transpose."""
    assert type(matrix) is scipy.sparse.csr_array
    assert matrix.dtype == np.float64 and matrix.shape == want.shape
    assert_canonical(matrix)
    assert np.all(matrix.data != 0)
    np.testing.assert_array_equal(matrix.toarray(), want)
    assert_operator(operator, want, exact=True)


def assert_operator(operator, want, *, exact=False):
    assert isinstance(operator, LinearOperator)
    assert operator.dtype == want.dtype and operator.shape == want.shape
    close = 1e-15 if exact else 1e-13
    for of, full in ((operator, want), (operator.H, want.conj().T)):
        for columns in (1, 3):
            for dtype in ("float64", "complex128"):
                x = cases.moderate(dtype, (full.shape[1], columns))
                scale = 1 + np.abs(full) @ np.abs(x)
                assert np.all(np.abs(of @ x - full @ x) <= close * 10 * scale)
                assert np.all(np.abs(of @ x[:, 0] - full @ x[:, 0]) <= close * 10 * scale[:, 0])
                assert (of @ x).dtype == np.result_type(full, x)


# ---------------------------------------------------------------- the four matrices


@cases.each(("layout", "n"), sided(LINEAR))
def test_duplication_is_its_definition(layout, n):
    assert_is(duplication(n, layout), duplication(n, layout, as_operator=True), dense_duplication(n, layout))


@cases.each(("layout", "n"), sided(LINEAR))
def test_elimination_is_its_definition(layout, n):
    assert_is(elimination(n, layout), elimination(n, layout, as_operator=True), dense_elimination(n, layout))


@cases.each(("m", "n"), SHAPES)
def test_commutation_is_its_definition(m, n):
    assert_is(commutation(m, n), commutation(m, n, as_operator=True), dense_commutation(m, n))


@cases.each("n", SIZES)
def test_symmetrizer_is_its_definition(n):
    assert_is(symmetrizer(n), symmetrizer(n, as_operator=True), dense_symmetrizer(n))
    np.testing.assert_array_equal(commutation(n).toarray(), dense_commutation(n, n))


def test_the_default_is_vech_by_columns():
    A = np.arange(16.0).reshape(4, 4)
    np.testing.assert_array_equal(elimination(4) @ vec(A), [0, 4, 8, 12, 5, 9, 13, 10, 14, 15])


@cases.each(("layout", "n"), sided(LINEAR, (3, 7)))
def test_duplication_of_a_half_is_vec_of_the_matrix(layout, n):
    full = cases.matrix("float64", "symmetric", n)
    if layout.diagonal == "zero":
        np.fill_diagonal(full, 0)
    half = vech.pack(full, layout)
    for D in (duplication(n, layout), duplication(n, layout, as_operator=True)):
        np.testing.assert_allclose(D @ half, vec(full), rtol=1e-15)
    for L in (elimination(n, layout), elimination(n, layout, as_operator=True)):
        np.testing.assert_allclose(L @ vec(full), half, rtol=1e-15)


@cases.each("n", (*SIZES, 20))
def test_the_identities_of_magnus_and_neudecker_hold(n):
    D, L, K, N = duplication(n), elimination(n), commutation(n), symmetrizer(n)
    plus = (L @ N).toarray()
    identity = np.eye(D.shape[1])
    np.testing.assert_array_equal((L @ D).toarray(), identity)
    np.testing.assert_array_equal(plus @ D.toarray(), identity)
    np.testing.assert_array_equal((D @ L @ N).toarray(), N.toarray())
    np.testing.assert_array_equal((K @ K).toarray(), np.eye(n * n))
    np.testing.assert_array_equal((K @ D).toarray(), D.toarray())
    np.testing.assert_array_equal((N @ N).toarray(), N.toarray())
    np.testing.assert_array_equal(N.toarray(), (np.eye(n * n) + K.toarray()) / 2)
    if 0 < n < 10:
        np.testing.assert_allclose(plus, np.linalg.pinv(D.toarray()), atol=1e-14)


def test_operators_multiply_among_themselves():
    plus = elimination(5, as_operator=True) @ symmetrizer(5, as_operator=True)
    half = cases.moderate("float64", 15)
    np.testing.assert_allclose(plus @ (duplication(5, as_operator=True) @ half), half, rtol=1e-15)


@pytest.mark.parametrize("dtype", ("int64", "bool", "float32", "complex64"))
def test_operators_compute_in_double_precision(dtype):
    x = cases.moderate(dtype, 6)
    for operator in (duplication(3, as_operator=True), duplication(3)):
        want = np.result_type(np.float64, x)
        assert (operator @ x).dtype == want
        np.testing.assert_array_equal(
            operator @ x, dense_duplication(3, cases.PLAIN["lower-columns-stored"]) @ x
        )


def test_an_operator_works_where_no_matrix_fits():
    n = 1500  # its symmetrizer would have 4.5 million numbers, its Kronecker square 10^12
    half = cases.moderate("float64", n * (n + 1) // 2)
    full = duplication(n, as_operator=True) @ half
    np.testing.assert_array_equal(full.reshape(n, n), vech.expand(half))
    np.testing.assert_array_equal(elimination(n, as_operator=True) @ full, half)
    np.testing.assert_array_equal(symmetrizer(n, as_operator=True) @ full, full)
    np.testing.assert_array_equal(commutation(n, as_operator=True) @ full, full)


def test_a_vector_that_does_not_fit_is_named_beside_the_operator():
    D = duplication(3, as_operator=True)
    for operator, shape, message in (
        (D, (5,), "x has shape (5,), but the operator is 9 x 6: (6,) or (6, m)"),
        (D, (5, 2), "x has shape (5, 2), but the operator is 9 x 6: (6,) or (6, m)"),
        (D.T, (5,), "x has shape (5,), but the operator is 6 x 9: (9,) or (9, m)"),
        (D.H, (6, 1), "x has shape (6, 1), but the operator is 6 x 9: (9,) or (9, m)"),
    ):
        says(ValueError, message, operator.__matmul__, np.ones(shape))
    says(ValueError, "x has shape (5,), but the operator is 6 x 9", D.rmatvec, np.ones(5))
    says(ValueError, "x has shape (5, 2), but the operator is 6 x 9", D.rmatmat, np.ones((5, 2)))


def test_a_complex_operator_has_its_transpose_and_its_adjoint():
    A = cases.moderate("complex128", (3, 4))
    full, operator = kronecker_square(A), kronecker_square(A, as_operator=True)
    x = cases.moderate("complex128", 6)
    np.testing.assert_allclose(operator.T @ x, full.T @ x, atol=1e-13)
    np.testing.assert_allclose(operator.H @ x, full.conj().T @ x, atol=1e-13)
    np.testing.assert_allclose(x @ operator, x @ full, atol=1e-13)


# ---------------------------------------------------------------- Kronecker squares


@cases.each(("m", "n"), SHAPES)
@cases.each(
    "layout",
    [
        layout
        for name, layout in STORED.items()
        if name in ("lower-columns-stored", "svec-upper", "both-scaled", "lapack-rfp-tl", "tfp-upper")
    ],
)
@cases.each("dtype", ("float64", "complex128"))
def test_a_kronecker_square_is_its_definition(dtype, layout, m, n):
    A = cases.moderate(dtype, (m, n))
    D, target = dense_duplication(n, layout), dense_duplication(m, layout)
    want = (
        np.linalg.pinv(target) @ np.kron(A, A) @ D
        if m and n
        else np.zeros((target.shape[1], D.shape[1]), dtype)
    )
    got = kronecker_square(A, layout)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, want, atol=1e-12)
    assert_operator(kronecker_square(A, layout, as_operator=True), got)


@pytest.mark.parametrize("layout", cases.TENSORS.values(), ids=cases.TENSORS)
def test_the_kronecker_square_of_a_rotation_turns_tensors(layout):
    angle = 0.3
    A = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    full = cases.matrix("float64", "symmetric", 3)
    for M in (kronecker_square(A, layout), kronecker_square(A, layout, as_operator=True)):
        turned = vech.expand(M @ vech.pack(full, layout), layout)
        np.testing.assert_allclose(turned, A @ full @ A.T, atol=1e-14)


def test_in_svec_it_is_the_symmetric_kronecker_product():
    A = cases.matrix("float64", "symmetric", 4)
    M = kronecker_square(A, "svec-lower")
    np.testing.assert_allclose(M, M.T, atol=1e-14)


def test_batches_of_halves_are_columns_or_rows():
    A = cases.moderate("float64", (3, 4))
    full = cases.matrix("float64", "symmetric", 4, batch=(5,))
    halves = vech.pack(full)
    want = vech.pack(A @ full @ A.T, use="lower")
    for M in (kronecker_square(A), kronecker_square(A, as_operator=True)):
        np.testing.assert_allclose(halves @ M.T, want, atol=1e-13)
        np.testing.assert_allclose(M @ halves.T, want.T, atol=1e-13)


def test_many_halves_go_through_in_chunks(monkeypatch):
    monkeypatch.setattr("vech.linalg.algebra.CHUNK", 40)
    assert_operator(
        kronecker_square(np.eye(4)[:3] + 1, as_operator=True), kronecker_square(np.eye(4)[:3] + 1)
    )


def test_a_large_kronecker_square_is_not_formed():
    n = 200
    A = cases.moderate("float64", (n, n))
    full = cases.matrix("float64", "symmetric", n)
    got = kronecker_square(A, as_operator=True) @ vech.pack(full)
    np.testing.assert_allclose(vech.expand(got), A @ full @ A.T, atol=1e-9)


# ---------------------------------------------------------------- covariances


@cases.each(("layout", "n"), sided(STORED, (1, 2, 3, 4, 6)))
def test_the_covariance_under_normality_is_its_formula(layout, n):
    sigma = np.cov(cases.moderate("float64", (n, 20))).reshape(n, n)
    D = dense_duplication(n, layout)
    plus = np.linalg.pinv(D)
    want = 2 * plus @ np.kron(sigma, sigma) @ plus.T / 50
    S = vech.Packed(vech.pack(sigma), "vech")
    got = covariance_of_vech(S, 50, layout)
    assert got.n == D.shape[1] and got.layout == vech.as_layout("vech") and got.dtype == np.float64
    np.testing.assert_allclose(got.expand(), want, rtol=1e-12, atol=1e-15)


@cases.each(("layout", "n"), sided(STORED, (1, 2, 3, 4)))
def test_the_covariance_from_data_is_its_formula(layout, n):
    X = cases.moderate("float64", (30, n)) ** 3
    Z = X - X.mean(axis=0)
    pairs = cells(layout, n)
    want = np.zeros((len(pairs), len(pairs)))
    for (r, (i, j, s)), (c, (k, l, t)) in itertools.product(enumerate(pairs), repeat=2):
        fourth = np.mean(Z[:, i] * Z[:, j] * Z[:, k] * Z[:, l])
        want[r, c] = s * t * (fourth - np.mean(Z[:, i] * Z[:, j]) * np.mean(Z[:, k] * Z[:, l])) / 30
    got = empirical_covariance_of_vech(X, layout)
    assert got.layout == vech.as_layout("vech")
    np.testing.assert_allclose(got.expand(), want, rtol=1e-10, atol=1e-10)


def test_panels_do_not_change_the_covariance_from_data(monkeypatch):
    X = cases.moderate("float64", (40, 5))
    want = empirical_covariance_of_vech(X).half
    monkeypatch.setattr("vech.linalg.algebra.CHUNK", 30)
    np.testing.assert_allclose(empirical_covariance_of_vech(X).half, want, atol=1e-15)


def test_both_covariances_agree_on_many_normal_samples():
    rng = np.random.default_rng(1)
    mix = rng.normal(size=(4, 4))
    X = rng.normal(size=(200_000, 4)) @ mix.T
    normal = covariance_of_vech(vech.Packed(vech.pack(mix @ mix.T, use="lower")), len(X)).expand()
    data = empirical_covariance_of_vech(X).expand()
    assert np.linalg.norm(data - normal) < 0.02 * np.linalg.norm(normal)


def test_the_covariance_foretells_the_scatter_of_sample_covariances():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(4000, 25, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0.3], [0, 0, 2]])
    Z = X - X.mean(axis=1, keepdims=True)
    halves = vech.pack(Z.swapaxes(1, 2) @ Z / 24, use="lower")
    mean = vech.Packed(halves.mean(axis=0))
    want = covariance_of_vech(mean, 24).expand()
    assert np.linalg.norm(np.cov(halves.T) - want) < 0.1 * np.linalg.norm(want)


# ---------------------------------------------------------------- errors


def says(error, message, call, *arguments, **options):
    with pytest.raises(error, match=re.escape(message)):
        call(*arguments, **options)


@pytest.mark.parametrize("make", (duplication, elimination))
def test_a_diagonal_of_ones_is_not_linear(make):
    layout = cases.PLAIN["lower-columns-one"]
    says(
        ValueError,
        "leaves out a diagonal of ones, so vec is no linear function of its halves",
        make,
        3,
        layout,
    )


@pytest.mark.parametrize("make", (duplication, elimination, commutation, symmetrizer))
def test_a_side_is_not_negative(make):
    with pytest.raises(ValueError, match="-1"):
        make(-1)
    with pytest.raises(TypeError):
        make(2.5)


@pytest.mark.parametrize("make", (duplication, commutation, symmetrizer))
def test_a_matrix_beyond_memory_names_the_operator(make):
    says(MemoryError, "as_operator=True forms no matrix", make, 2**22)
    assert make(2**22, as_operator=True).shape[0] == 2**44


def test_a_kronecker_square_is_of_one_matrix():
    says(
        ValueError,
        "A has shape (3,): a Kronecker square is of one matrix, (m, n)",
        kronecker_square,
        np.ones(3),
    )
    says(MemoryError, "as_operator=True forms no matrix", kronecker_square, np.ones((2000, 2000)))
    dates = np.zeros((2, 2), "m8[s]")
    says(
        TypeError,
        "A holds timedelta64[s], and products of dates are none: pass numbers",
        kronecker_square,
        dates,
    )


def test_layouts_that_leave_out_the_diagonal_hold_no_covariance():
    message = "layout condensed leaves out the diagonal: take one that stores it, such as 'vech'"
    says(ValueError, message, kronecker_square, np.eye(2), "condensed")
    says(ValueError, message, covariance_of_vech, vech.Packed(np.ones(3)), 5, "condensed")
    says(ValueError, message, empirical_covariance_of_vech, np.ones((3, 2)), "condensed")


def test_a_covariance_is_of_real_data():
    complex_store = vech.Packed(np.ones(3, complex), kind="hermitian")
    says(
        TypeError,
        "S is complex128 and hermitian: a covariance of real data",
        covariance_of_vech,
        complex_store,
    )
    says(TypeError, "covariance_of_vech takes a Packed store, not ndarray", covariance_of_vech, np.ones(3))
    says(TypeError, "X is complex128: fourth moments", empirical_covariance_of_vech, np.ones((3, 2), complex))
    says(
        ValueError, "X has shape (3,): data are a matrix of samples", empirical_covariance_of_vech, np.ones(3)
    )
    says(ValueError, "X has shape (0, 3): data are a matrix", empirical_covariance_of_vech, np.ones((0, 3)))


@cases.each("n_samples", (0, -3, np.nan, np.inf, "many"))
def test_samples_are_counted(n_samples):
    message = f"n_samples must be a positive number, not {n_samples!r}"
    says(ValueError, message, covariance_of_vech, vech.Packed(np.ones(3)), n_samples)
