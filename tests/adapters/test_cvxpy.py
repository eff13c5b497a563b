"""CVXPY over halves: a store as a quadratic form, and a half of variables as a semidefinite matrix."""

import numpy as np
import pytest

import vech

cp = pytest.importorskip("cvxpy", reason="these are its expressions")

RNG = np.random.default_rng(8)


@pytest.mark.parametrize("layout", ("vech", "numpy-tril", "svec-lower"))
def test_a_store_is_the_matrix_of_a_quadratic_form(layout):
    S = vech.covariance.sample(RNG.normal(size=(40, 5)), layout=layout)
    w = cp.Variable(5)
    risk = cp.quad_form(w, S)
    assert risk.is_convex()
    cp.Problem(cp.Minimize(risk), [cp.sum(w) == 1]).solve()
    best = vech.linalg.solve(S, np.ones(5))
    np.testing.assert_allclose(w.value, best / best.sum(), atol=1e-6)
    assert risk.value == pytest.approx(S.quadratic(w.value))


def test_what_is_indefinite_is_refused_until_it_is_repaired():
    S = vech.Packed(np.array([1.0, 0.9, -0.9, 1.0, 0.9, 1.0]))
    w = cp.Variable(3)
    assert not cp.quad_form(w, S).is_convex()
    assert cp.quad_form(w, vech.linalg.nearest_correlation(S).matrix).is_convex()


@pytest.mark.parametrize("n", (4, 7))
def test_a_half_of_variables_is_a_semidefinite_matrix(n):
    full = np.clip(RNG.normal(size=(n, n)), -1, 1)
    R = vech.Packed(vech.pack(np.where(np.eye(n) == 1, 1, full), use="lower"))
    half = cp.Variable(n * (n + 1) // 2)
    X = cp.reshape(vech.linalg.duplication(n) @ half, (n, n), order="F")
    assert X.is_affine()
    problem = cp.Problem(cp.Minimize(cp.sum_squares(X - R.expand())), [X >> 0, cp.diag(X) == 1])
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    nearest = vech.linalg.nearest_correlation(R).matrix
    np.testing.assert_allclose(half.value, nearest.half, atol=1e-5)
    np.testing.assert_array_equal(vech.expand(half.value), X.value)


def test_norms_of_a_half_with_scales_are_those_of_the_matrix():
    S = vech.covariance.sample(RNG.normal(size=(40, 4)))
    half = cp.Variable(10)  # the numbers of svec: X = expand(half)
    target = vech.convert(S.half, "vech", "svec-lower")
    problem = cp.Problem(cp.Minimize(cp.norm(half - target)), [half[0] == 0])
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    X = vech.expand(half.value, "svec-lower")
    assert problem.value == pytest.approx(np.linalg.norm(X - S.expand()), rel=1e-5)
