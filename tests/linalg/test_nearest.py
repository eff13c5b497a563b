"""nearest_correlation, nearest_psd and shrink_to_psd, held against what makes a matrix the nearest one."""

import itertools
import re

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
from scipy.sparse.linalg import LinearOperator, cg

import cases
import reference
import vech
from cases import LAYOUTS, PLAIN, SCALED
from vech.linalg import cholesky, nearest_correlation, nearest_psd, newton, shrink_to_psd
from vech.linalg.newton import eigenpairs

REPAIRS = {
    "correlation": nearest_correlation,
    "psd": nearest_psd,
    "shrink": shrink_to_psd,
}
STORED = {
    name: layout
    for name, layout in LAYOUTS.items()
    if layout.diagonal == "stored" and not isinstance(layout, vech.TensorOrder)
}
SIZES = (1, 2, 3, 4, 5, 17, 32)

# the example of N. Higham, "Computing the nearest correlation matrix", IMA J. Numer. Anal. 22, 2002
HIGHAM = np.array([[2.0, -1, 0, 0], [-1, 2, -1, 0], [0, -1, 2, -1], [0, 0, -1, 2]])
HIGHAM_NEAREST = [
    [1.0000, -0.8084, 0.1916, 0.1068],
    [-0.8084, 1.0000, -0.6562, 0.1916],
    [0.1916, -0.6562, 1.0000, -0.8084],
    [0.1068, 0.1916, -0.8084, 1.0000],
]


def store(full, layout="vech", kind="symmetric", **more):
    return vech.Packed(vech.pack(full, layout, kind=kind), layout, kind=kind, **more)


def correlation(n, dtype="float64", salt=0):
    """Symmetric, with ones on its diagonal, and indefinite from n = 3 on."""
    rng = cases.generator("correlation", n, salt)
    full = np.tril(np.clip(rng.normal(0, 0.7, (n, n)), -1, 1), -1)
    full = full + full.T + np.eye(n)
    if n > 2:
        full[:3, :3] = [[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]
    return full.astype(dtype)


def indefinite(n, dtype, kind):
    """Of its kind, with a positive diagonal and, from n = 2 on, a negative eigenvalue."""
    full = cases.matrix(dtype, kind, n)
    np.fill_diagonal(full, 0.5 + np.arange(n) % 3)
    if n > 1:
        full[0, 1] = full[1, 0] = 2
    return full


def has_factor(matrix):
    try:
        cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True


def assert_sound(found, full):
    """The fields say of the matrix what is true, and the matrix has a factor."""
    got = found.matrix.expand()
    scale = np.linalg.norm(full) + np.linalg.norm(got)
    bound = 4 * cases.tolerance(got.dtype, len(full)) * scale
    assert has_factor(found.matrix)
    assert abs(found.distance - np.linalg.norm(got.astype("c16") - full)) <= bound
    assert abs(found.smallest_eigenvalue - np.linalg.eigvalsh(got.astype("c16"))[0]) <= bound
    assert found.smallest_eigenvalue > -bound
    assert isinstance(found.distance, float) and isinstance(found.smallest_eigenvalue, float)
    assert isinstance(found.iterations, int)


# ---------------------------------------------------------------- the nearest correlation


def multiplier(S, X):
    """The Z that ends ``X - S = Z + Diag(y)``, with the y that best makes Z X = 0."""
    y = scipy.optimize.lsq_linear(_rows_of_diagonals(X), ((X - S) @ X).ravel()).x
    return X - S - np.diag(y)


def _rows_of_diagonals(X):
    """The matrix that takes y to vec(Diag(y) X)."""
    n = len(X)
    return np.einsum("ik,ij->ijk", np.eye(n), X).reshape(n * n, n)


@cases.each("n", SIZES)
def test_the_nearest_correlation_meets_the_optimality_conditions(n):
    full = correlation(n)
    found = nearest_correlation(store(full), tol=1e-10)
    X = found.matrix.expand()
    Z = multiplier(full, X)
    assert_sound(found, full)
    assert np.all(np.diagonal(X) == 1)
    assert np.linalg.eigvalsh(X)[0] > 0
    assert np.linalg.eigvalsh(Z)[0] >= -1e-8 * n
    assert np.linalg.norm(Z @ X) <= 1e-8 * n


def test_the_published_example_comes_out():
    found = nearest_correlation(store(HIGHAM))
    np.testing.assert_allclose(found.matrix.expand(), HIGHAM_NEAREST, atol=5e-5)
    assert found.distance == pytest.approx(2.1337, abs=5e-5)


def alternating_projections(full, steps):
    """Higham 2002: Dykstra's correction, projections on semidefinite and on unit diagonal."""
    Y, correction = full.copy(), np.zeros_like(full)
    for _ in range(steps):
        R = Y - correction
        values, vectors = np.linalg.eigh(R)
        X = vectors * np.maximum(values, 0) @ vectors.T
        correction = X - R
        Y = X.copy()
        np.fill_diagonal(Y, 1)
    return Y


@pytest.mark.parametrize("n", (3, 10, 20))
def test_no_correlation_found_by_alternating_projections_is_nearer(n):
    full = correlation(n)
    other = alternating_projections(full, 1000)
    found = nearest_correlation(store(full))
    np.testing.assert_allclose(found.matrix.expand(), other, atol=1e-6)
    assert found.distance <= np.linalg.norm(other - full) + 1e-9


def test_statsmodels_finds_the_same_correlation():
    tools = pytest.importorskip("statsmodels.stats.correlation_tools", reason="statsmodels is not installed")
    full = correlation(12)
    other = tools.corr_nearest(full, threshold=1e-12, n_fact=10_000)
    found = nearest_correlation(store(full))
    np.testing.assert_allclose(found.matrix.expand(), other, atol=1e-4)
    assert found.distance <= np.linalg.norm(other - full) + 1e-9


def test_the_diagonal_of_what_is_given_has_no_say():
    full = correlation(9)
    other = full + np.diag(np.arange(9.0))
    found, again = (nearest_correlation(store(S), tol=1e-10).matrix.half for S in (full, other))
    np.testing.assert_allclose(again, found, atol=1e-9)


@pytest.mark.parametrize("floor", (1e-8, 0.01, 0.3))
def test_a_floor_gives_the_nearest_correlation_among_those_that_keep_it(floor):
    full = correlation(20)
    found = nearest_correlation(store(full), floor=floor, tol=1e-10)
    X = found.matrix.expand()
    assert np.all(np.diagonal(X) == 1)
    assert np.linalg.eigvalsh(X)[0] == pytest.approx(floor, abs=1e-12)
    Z = multiplier(full - floor * np.eye(20), X - floor * np.eye(20))
    assert np.linalg.eigvalsh(Z)[0] >= -1e-8
    assert np.linalg.norm(Z @ (X - floor * np.eye(20))) <= 1e-7


@pytest.mark.parametrize("tol", (1e-3, 1e-6, 1e-9))
def test_a_smaller_tol_is_closer_to_the_optimum(tol):
    full = correlation(30)
    best = nearest_correlation(store(full), tol=1e-13).matrix.expand()
    found = nearest_correlation(store(full), tol=tol)
    assert np.abs(found.matrix.expand() - best).max() <= 10 * tol
    assert found.iterations <= 8


@pytest.mark.parametrize("share", (0.02, 0.5, 0.98))
def test_few_or_many_negative_eigenvalues_converge_alike(share):
    n = 50
    rng = cases.generator("shares", share)
    vectors = np.linalg.qr(rng.normal(size=(n, n)))[0]
    values = np.where(np.arange(n) < share * n, -1.0, 1.0) * rng.uniform(0.1, 1, n)
    full = vectors * values @ vectors.T
    full -= np.diag(np.diagonal(full) - 1) if share < 0.9 else np.diag(np.diagonal(full) - 0.01)
    found = nearest_correlation(store((full + full.T) / 2), tol=1e-11)
    assert found.iterations <= 12
    Z = multiplier(full, found.matrix.expand())
    assert np.linalg.eigvalsh(Z)[0] >= -1e-8
    assert np.linalg.norm(Z @ found.matrix.expand()) <= 1e-7


def far(n):
    full = np.tril(1000 * cases.generator("far", n).standard_t(2, (n, n)), -1)
    return full + full.T + np.eye(n)


@pytest.mark.parametrize("n", (5, 20))
def test_numbers_far_from_a_correlation_need_shorter_steps_and_converge(n):
    full = far(n)
    found = nearest_correlation(store(full), tol=1e-9)
    assert 5 < found.iterations <= 25
    Z = multiplier(full, found.matrix.expand())
    assert np.linalg.eigvalsh(Z)[0] >= -1e-5
    assert np.linalg.norm(Z @ found.matrix.expand()) <= 1e-5 * np.linalg.norm(full)


def test_a_search_that_may_not_go_on_says_how_far_it_came():
    message = (
        r"nearest_correlation missed .* diagonal by 0\.\d+ after 1 steps, and tol is 1e-06: allow more max_it"
    )
    with pytest.raises(np.linalg.LinAlgError, match=message):
        nearest_correlation(store(correlation(30)), max_iterations=1)


@cases.each("n", (5, 20))
@cases.each("size", (1e10, 1e12, 1e200, 1e307))
def test_numbers_beside_which_ones_are_rounding_are_named(size, n):
    full = np.tril(size * cases.generator("lost", n).normal(size=(n, n)), -1)
    full += full.T + np.eye(n)
    message = (
        r"lost in the rounding of float64: .* tol is 1e-06, beside eigenvalues of .*: divide a covariance"
    )
    with pytest.raises(np.linalg.LinAlgError, match=message):
        nearest_correlation(store(full))


def test_a_search_that_stands_still_is_noticed():
    lost = 0
    for seed, size in itertools.product(range(6), (1e8, 1e10)):  # which of them is lost, a BLAS decides
        full = np.tril(size * np.random.default_rng(seed).normal(size=(20, 20)), -1)
        with pytest.raises(np.linalg.LinAlgError, match="nearest_correlation") as raised:
            nearest_correlation(store(full + full.T + np.eye(20)), max_iterations=300)
        assert "nan" not in str(raised.value)
        lost += "lost in the rounding" in str(raised.value)
    assert lost


def test_large_numbers_take_more_steps_and_arrive():
    full = np.tril(1e6 * np.random.default_rng(0).normal(size=(20, 20)), -1)
    found = nearest_correlation(store(full + full.T + np.eye(20)), max_iterations=300)
    assert found.iterations > 20
    assert np.all(found.matrix.diagonal() == 1) and has_factor(found.matrix)


def test_steps_are_not_negative_and_none_are_allowed():
    says(
        ValueError,
        "max_iterations must be at least 0, not -1",
        nearest_correlation,
        store(correlation(3)),
        max_iterations=-1,
    )
    says(
        TypeError,
        "max_iterations must be an integer",
        nearest_correlation,
        store(correlation(3)),
        max_iterations=1.5,
    )
    with pytest.raises(np.linalg.LinAlgError, match="after 0 steps"):
        nearest_correlation(store(correlation(3)), max_iterations=0)


def graded_correlation(n):
    """Far from a correlation in some rows and near in others, so that the Hessian's diagonal varies."""
    rng = cases.generator("graded", n)
    grades = np.geomspace(1, 1e3, n)
    full = np.tril(rng.normal(size=(n, n)) * np.sqrt(np.outer(grades, grades)), -1)
    return full + full.T + np.eye(n)


def test_conjugate_gradients_are_preconditioned(monkeypatch):
    count = 0

    def counted(operator, *arguments, **options):
        def matvec(x):
            nonlocal count
            count += 1
            return operator @ x

        return cg(LinearOperator(operator.shape, matvec, dtype=float), *arguments, **options)

    monkeypatch.setattr("scipy.sparse.linalg.cg", counted)
    found = nearest_correlation(store(graded_correlation(80)), tol=1e-9)
    assert found.iterations <= 14
    assert 0 < count <= 150  # 114; 220 without the diagonal of the Hessian


def test_a_step_gains_its_share_of_the_slope(monkeypatch):
    calls = 0

    def counted(matrix):
        nonlocal calls
        calls += 1
        return eigenpairs(matrix)

    monkeypatch.setattr(newton, "eigenpairs", counted)
    decompositions = []
    for share in (1e-4, 0.5):
        monkeypatch.setattr(newton, "ARMIJO", share)
        calls = 0
        found = nearest_correlation(store(far(20)), tol=1e-9)
        decompositions.append(calls)
    assert found.iterations < decompositions[0] < decompositions[1]


# ---------------------------------------------------------------- the nearest semidefinite matrix


@cases.each(
    ("dtype", "kind"),
    (
        ("float32", "symmetric"),
        ("float64", "symmetric"),
        ("complex64", "hermitian"),
        ("complex128", "hermitian"),
    ),
)
@cases.each("n", SIZES)
def test_the_nearest_psd_matrix_clips_the_eigenvalues(n, dtype, kind):
    full = indefinite(n, dtype, kind)
    found = nearest_psd(store(full, kind=kind))
    assert_sound(found, full)
    values, vectors = np.linalg.eigh(full.astype("c16"))
    want = vectors * np.maximum(values, 0) @ vectors.conj().T
    bound = 10 * cases.tolerance(dtype, n) * np.linalg.norm(full)
    assert found.matrix.dtype == dtype and found.matrix.kind == kind
    assert np.linalg.norm(found.matrix.expand() - want) <= bound
    assert abs(found.distance - np.linalg.norm(np.minimum(values, 0))) <= bound


@pytest.mark.parametrize("floor", (1e-6, 0.5))
@pytest.mark.parametrize("sign", (1, -1))
def test_eigenvalues_below_the_floor_are_lifted_to_it_and_no_others(floor, sign):
    full = sign * indefinite(12, "float64", "symmetric")
    found = nearest_psd(store(full), floor=floor)
    want = np.maximum(np.linalg.eigvalsh(full), floor)
    np.testing.assert_allclose(np.linalg.eigvalsh(found.matrix.expand()), want, atol=1e-12)
    assert found.smallest_eigenvalue == pytest.approx(floor, abs=1e-12)


def test_a_matrix_of_negative_eigenvalues_only_becomes_the_floor():
    found = nearest_psd(vech.Packed(np.array([-1.0, 0, -4])), floor=0.25)
    np.testing.assert_allclose(found.matrix.half, [0.25, 0, 0.25], atol=1e-15)


@cases.each("seed", range(60))
def test_what_users_factor_has_a_factor(seed):
    n = 2 + seed % 24
    full = np.corrcoef(np.random.default_rng(seed).normal(size=(n, n)).T)
    for repair in REPAIRS.values():
        cholesky(repair(vech.Packed(vech.pack(full, use="lower"))).matrix)


def test_a_singular_matrix_that_happens_to_have_a_factor_is_lifted_to_the_floor():
    x = np.array([1.0, 2.0, 3.0])
    S = vech.Packed(vech.pack(np.outer(x, x) + 1e-15 * np.eye(3)))
    cholesky(S)
    for options, floor in (({}, 4 * 3 * np.finfo(float).eps * 9), ({"floor": 0.1}, 0.1)):
        found = nearest_psd(S, **options)
        assert found.iterations == 1
        assert found.smallest_eigenvalue == pytest.approx(floor, abs=1e-14)


@cases.each("scale", (1e-310, 1e-200, 1e200, 8e307))
@cases.each("repair", (nearest_psd, shrink_to_psd))
def test_repairs_are_right_at_every_scale(repair, scale):
    full = np.array([[1.0, 1.25, 0.5], [1.25, 1, 1.25], [0.5, 1.25, 1]])
    want = repair(store(full))
    with np.errstate(all="raise", under="ignore"):
        found = repair(store(full * scale))
    rel = 1e-11 if scale > 1e-300 else 1e-6
    np.testing.assert_allclose(found.matrix.expand() / scale, want.matrix.expand(), rtol=rel, atol=rel)
    assert found.distance / scale == pytest.approx(want.distance, rel=1e-6)
    assert has_factor(found.matrix)


@pytest.mark.parametrize("scale", (1e-300, 1e300))
def test_larger_shrunk_matrices_have_a_smallest_eigenvalue_at_every_scale(scale):
    full = correlation(80)
    want, found = (shrink_to_psd(store(full * size), floor=size * 1e-3) for size in (1, scale))
    assert found.smallest_eigenvalue / scale == pytest.approx(want.smallest_eigenvalue, rel=1e-6)
    assert found.distance / scale == pytest.approx(want.distance, rel=1e-6)


def test_the_smallest_numbers_are_not_called_zeros():
    found = nearest_psd(vech.Packed(np.full(6, 1e-320)))
    np.testing.assert_allclose(found.matrix.half, 1e-320, rtol=0.01)
    assert has_factor(found.matrix)


def test_what_exceeds_the_dtype_is_named():
    message = "the nearest matrix has numbers beyond float64: divide S by a number first"
    says(OverflowError, message, nearest_psd, vech.Packed(np.array([1.7e308, 1.7e308, -1.7e308])))
    target = vech.Packed(np.array([1.7e308, -1.7e308 * 0.9, 1.7e308]))
    message = "S and target are further apart than float64 reaches: divide both by a number"
    says(OverflowError, message, shrink_to_psd, vech.Packed(np.array([1.0, 1.7e308, 1.0])), target)


def test_zero_rows_and_negative_diagonals_have_a_nearest_psd_matrix():
    found = nearest_psd(store(np.diag([1.0, 0, -2])))
    np.testing.assert_allclose(found.matrix.expand(), np.diag([1.0, 0, 0]), atol=1e-13)
    assert has_factor(found.matrix)


# ---------------------------------------------------------------- shrinking


@cases.each(
    ("dtype", "kind"),
    (
        ("float32", "symmetric"),
        ("float64", "symmetric"),
        ("complex64", "hermitian"),
        ("complex128", "hermitian"),
    ),
)
@cases.each("n", (*SIZES, 80))
def test_shrinking_goes_no_further_than_it_must(n, dtype, kind):
    full = indefinite(n, dtype, kind)
    found = shrink_to_psd(store(full, kind=kind))
    assert_sound(found, full)
    target = np.diag(np.diagonal(full))
    # S + a (D - S) is singular first where 1 / (1 - a) is an eigenvalue of (D, D - S)
    smallest = scipy.linalg.eigvalsh(full.astype("c16"), target.astype("c16"))[0]
    step = max(0.0, smallest / (smallest - 1)) if n > 1 else 0.0
    slack = 2e-6 + 20 * cases.tolerance(dtype, n)
    assert -slack <= found.distance / np.linalg.norm(target - full) - step <= slack if n > 1 else True


def test_shrinking_keeps_ones_and_variances_to_the_bit():
    full = indefinite(30, "float64", "symmetric") * np.pi
    found = shrink_to_psd(store(full))
    assert found.iterations == 20
    np.testing.assert_array_equal(found.matrix.diagonal(), np.diagonal(full))


@cases.each("layout", sorted(SCALED.keys() & STORED.keys() | {"vech", "lapack-upper"}))
def test_a_block_that_the_target_shares_stays_to_the_bit(layout):
    full = correlation(12) / 3 + np.eye(12) * 2 / 3
    full[3:, 3:] = correlation(9)
    target = np.eye(12)
    target[:3, :3] = full[:3, :3]
    layout = SCALED.get(layout, layout)
    S = store(full, layout)
    found = shrink_to_psd(S, store(target, layout))
    assert found.iterations > 0
    agree = full == target
    np.testing.assert_array_equal(found.matrix.expand()[agree], S.expand()[agree])
    assert_sound(found, full)


def test_a_smaller_tol_takes_more_steps_and_goes_less_far():
    S = store(correlation(20))
    coarse, fine = shrink_to_psd(S, tol=0.1), shrink_to_psd(S, tol=1e-10)
    assert (coarse.iterations, fine.iterations) == (4, 34)
    assert 0 < fine.distance < coarse.distance
    assert fine.smallest_eigenvalue < 1e-9 < coarse.smallest_eigenvalue


@pytest.mark.parametrize("tol", (1e-17, 1e-20, 5e-324))
def test_bisection_ends_where_numbers_do(tol):
    S = store(correlation(20))
    found = shrink_to_psd(S, tol=tol)
    assert found.iterations < 64
    assert found.distance == pytest.approx(shrink_to_psd(S, tol=1e-15).distance, rel=1e-12)


def test_a_diagonal_below_the_floor_is_named():
    S = vech.Packed(np.array([1e-300, 1, 0, 1, 1, 1]))
    message = (
        "diagonal number 0 of S is 1e-300: shrinking keeps the diagonal, so it must be positive, or pass a "
    )
    says(ValueError, message + "target, and above the floor of 2.66e-15", shrink_to_psd, S)
    says(
        ValueError,
        "diagonal number 1 of S is 1.0: shrinking",
        shrink_to_psd,
        vech.Packed(np.array([3.0, 2, 1])),
        floor=2,
    )


def test_a_smallest_eigenvalue_lost_in_rounding_is_found_all_the_same():
    full = correlation(100)
    found = shrink_to_psd(store(full), tol=1e-15, floor=1e-15)
    assert_sound(found, full)
    assert found.smallest_eigenvalue < 1e-13


def test_a_floor_under_the_shrunk_matrix_is_kept():
    found = shrink_to_psd(store(correlation(20)), floor=0.25)
    assert 0.25 < found.smallest_eigenvalue < 0.25 + 1e-5


def test_a_target_may_differ_on_the_diagonal():
    full = correlation(15)
    found = shrink_to_psd(store(full), store(3 * np.eye(15)))
    assert_sound(found, full)
    assert np.all(found.matrix.diagonal() > 1)


def test_a_target_in_another_layout_is_the_same_target():
    full, target = correlation(15), 0.5 * np.eye(15) + 0.5
    one = shrink_to_psd(store(full), store(target))
    two = shrink_to_psd(store(full), store(target, "lapack-rfp-tu"))
    np.testing.assert_array_equal(one.matrix.half, two.matrix.half)


# ---------------------------------------------------------------- all three


@cases.each("repair", REPAIRS.values(), ids=REPAIRS)
@cases.each("layout", STORED.values(), ids=STORED)
@cases.each("n", (3, 16))
def test_every_layout_holds_the_same_repair(n, layout, repair):
    full = correlation(n)
    want = repair(store(full)).matrix.expand()
    found = repair(store(full, layout, labels=range(n)))
    np.testing.assert_allclose(found.matrix.expand(), want, atol=1e-12)
    keeps = layout.diagonal_scale == 1
    assert found.matrix.layout == (layout if keeps else layout.plain)
    assert found.matrix.labels == tuple(range(n))
    if repair is not nearest_psd:
        assert np.all(found.matrix.diagonal() == 1)


@pytest.mark.parametrize("repair", REPAIRS.values(), ids=REPAIRS)
def test_a_diagonal_of_ones_that_is_left_out_is_stored_in_the_result(repair):
    layout = PLAIN["lower-columns-one"]
    full = correlation(8)
    found = repair(store(full, layout))
    assert found.matrix.layout == layout.plain
    np.testing.assert_allclose(found.matrix.expand(), repair(store(full)).matrix.expand(), atol=1e-12)


@cases.each("repair", REPAIRS.values(), ids=REPAIRS)
@cases.each("layout", cases.TENSORS.values(), ids=cases.TENSORS)
def test_a_tensor_keeps_its_order(layout, repair):
    found = repair(store(correlation(3), layout))
    assert found.matrix.layout == (layout if layout.diagonal_scale == 1 else layout.plain)
    assert has_factor(found.matrix)


@cases.each("repair", REPAIRS.values(), ids=REPAIRS)
@cases.each("dtype", (">f8", ">f4", "float32"))
def test_the_result_is_of_the_dtype_given_in_native_order(dtype, repair):
    full = correlation(20, dtype)
    found = repair(store(full))
    assert found.matrix.dtype == np.dtype(dtype).newbyteorder("=")
    assert_sound(found, full)


@cases.each("repair", REPAIRS.values(), ids=REPAIRS)
@cases.each("n", (0, 1, 2, 30))
def test_a_definite_matrix_stays_as_it_is(n, repair):
    full = 0.5 * np.eye(n) + 0.5
    S = store(full)
    found = repair(S)
    assert found.distance == 0 and found.iterations == 0
    np.testing.assert_array_equal(found.matrix.half, S.half)
    assert not np.shares_memory(found.matrix.half, S.half)
    assert found.smallest_eigenvalue == pytest.approx([np.inf, 1, 0.5][min(n, 2)])


@pytest.mark.parametrize("repair", REPAIRS.values(), ids=REPAIRS)
def test_a_singular_matrix_hardly_moves_and_gets_a_factor(repair):
    found = repair(vech.Packed(np.ones(55)))
    assert has_factor(found.matrix)
    assert found.distance < 1e-4
    assert found.smallest_eigenvalue > 0


@cases.each("repair", REPAIRS.values(), ids=REPAIRS)
@cases.each("dtype", ("float32", "float64"))
@cases.each("rank", (1, 3, 60))
def test_a_matrix_of_low_rank_gets_a_factor(rank, dtype, repair):
    data = cases.generator("rank", rank).normal(size=(rank + 1, 120))
    full = (
        np.corrcoef(data.T).astype(dtype) if rank > 1 else np.sign(np.outer(data[0], data[0])).astype(dtype)
    )
    np.fill_diagonal(full, 1)
    found = repair(vech.Packed(vech.pack(full, use="lower")))
    assert has_factor(found.matrix)
    assert np.abs(found.matrix.expand() - full).max() < 2400 * np.finfo(dtype).eps + 2e-6 * (
        repair is shrink_to_psd
    )


@pytest.mark.parametrize("repair", REPAIRS.values(), ids=REPAIRS)
def test_what_is_given_is_not_written_to(repair):
    half = vech.pack(correlation(10))
    half.flags.writeable = False
    repair(vech.Packed(half))


@pytest.mark.parametrize("repair", (nearest_psd, shrink_to_psd))
def test_imaginary_parts_on_a_hermitian_diagonal_count_for_nothing(repair):
    S = store(indefinite(9, "complex128", "hermitian"), kind="hermitian")
    other = S.copy()
    other.half[S.layout.position(np.arange(9), np.arange(9), 9)] += 5j
    found, again = repair(S), repair(other)
    assert again.distance == pytest.approx(found.distance, rel=1e-12)
    np.testing.assert_allclose(again.matrix.half.real, found.matrix.half.real, atol=1e-12)
    assert has_factor(again.matrix)
    if repair is nearest_psd:
        assert not again.matrix.diagonal().imag.any()


# ---------------------------------------------------------------- errors


def says(error, message, call, *arguments, **options):
    with pytest.raises(error, match=re.escape(message)):
        call(*arguments, **options)


@cases.each("bad", (np.nan, np.inf, -np.inf))
@cases.each("name", list(REPAIRS))
def test_numbers_that_are_not_finite_are_named(name, bad):
    half = vech.pack(correlation(4))
    half[2] = bad
    task = REPAIRS[name].__name__
    says(ValueError, f"S[2, 0] is {bad}: {task} needs finite numbers", REPAIRS[name], vech.Packed(half))


def test_rows_of_zeros_have_no_correlation():
    S = vech.Packed(np.array([1.0, 0, 0.5, 0, 0, 1]))
    for repair in (nearest_correlation, shrink_to_psd):
        says(ValueError, "row 1 of S is all zeros: leave it out, with S.submatrix", repair, S)


@pytest.mark.parametrize("bad", (0.0, -2.0))
def test_a_diagonal_that_is_not_positive_is_named(bad):
    S = vech.Packed(np.array([1.0, 0.5, bad]))
    says(ValueError, f"diagonal number 1 of S is {bad}: a correlation has ones there", nearest_correlation, S)
    says(ValueError, f"diagonal number 1 of S is {bad}: shrinking keeps the diagonal", shrink_to_psd, S)


@cases.each("name", list(REPAIRS))
@cases.each("dtype", ("int64", "bool", "float16", "datetime64[ns]"))
def test_numbers_that_lapack_lacks_are_refused(dtype, name):
    task = REPAIRS[name].__name__
    message = f"{task} computes with what LAPACK has, and S holds {np.dtype(dtype)}: astype(float) first"
    says(TypeError, message, REPAIRS[name], vech.Packed(np.ones(3, dtype)))


@cases.each("name", list(REPAIRS))
@cases.each(("dtype", "kind"), (("complex128", "symmetric"), ("float64", "skew"), ("c8", "skew")))
def test_kinds_without_real_eigenvalues_are_refused(dtype, kind, name):
    task = REPAIRS[name].__name__
    called = "complex symmetric" if kind == "symmetric" else kind
    message = (
        f"{task} needs a real symmetric or a Hermitian matrix, and S is {called}: "
        f"others have no real eigenvalues"
    )
    says(TypeError, message, REPAIRS[name], vech.Packed(np.zeros(3, dtype), kind=kind))


def test_a_complex_matrix_has_no_nearest_correlation():
    S = vech.Packed(np.ones(3, complex), kind="hermitian")
    says(
        TypeError,
        "S is complex128 and hermitian: correlations are real, and nearest_psd",
        nearest_correlation,
        S,
    )


@pytest.mark.parametrize("name", REPAIRS)
def test_what_is_no_packed_store_is_refused(name):
    task = REPAIRS[name].__name__
    says(TypeError, f"{task} takes a Packed store, not ndarray", REPAIRS[name], np.ones(6))
    sparse = vech.SparseHalf(*reference.csr(np.eye(3), "lower"), 3, triangle="lower")
    says(
        TypeError,
        f"{task} takes a Packed store, not SparseHalf: {task}(S.to_packed())",
        REPAIRS[name],
        sparse,
    )


@cases.each("floor", (0, -1.0, np.nan, np.inf, "low"))
@cases.each("repair", REPAIRS.values(), ids=REPAIRS)
def test_a_floor_is_positive(repair, floor):
    message = f"floor must be a positive number, not {floor!r}"
    says(ValueError, message, repair, store(correlation(3)), floor=floor)


def test_a_correlation_cannot_have_a_floor_of_one():
    says(ValueError, "floor must be below 1, not 1.0", nearest_correlation, store(correlation(3)), floor=1)


@pytest.mark.parametrize("layout", ["vech", "svec-lower", "condensed"])
def test_zeros_are_their_own_nearest_matrix_unless_a_floor_is_given(layout):
    S = vech.Packed(np.zeros(3), layout)
    found = nearest_psd(S)
    assert (found.distance, found.iterations, found.smallest_eigenvalue) == (0, 0, 0)
    np.testing.assert_array_equal(found.matrix.expand(), S.expand())
    np.testing.assert_array_equal(nearest_psd(S, floor=0.5).matrix.expand(), np.eye(S.n) / 2)


@pytest.mark.parametrize("tol", (0, -1, np.nan, "fine"))
def test_a_tol_is_positive(tol):
    S = store(correlation(3))
    says(ValueError, f"tol must be a positive number, not {tol!r}", nearest_correlation, S, tol=tol)
    says(ValueError, f"tol must be a number between 0 and 1, not {tol!r}", shrink_to_psd, S, tol=tol)


def test_a_target_must_fit_and_be_definite():
    S = store(correlation(3))
    says(ValueError, "has no Cholesky factor: it must be positive definite", shrink_to_psd, S, S)
    message = (
        "target is Packed(n=2, dtype=float64, kind='symmetric', layout='vech') and S is Packed(n=3, dtype="
    )
    says(ValueError, message, shrink_to_psd, S, store(np.eye(2)))
    says(TypeError, "shrink_to_psd takes a Packed store, not ndarray", shrink_to_psd, S, np.ones(6))
    says(
        ValueError,
        "target[0, 0] is nan: shrink_to_psd needs",
        shrink_to_psd,
        S,
        vech.Packed(np.full(6, np.nan)),
    )
