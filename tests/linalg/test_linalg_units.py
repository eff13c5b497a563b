"""f(c S) is what mathematics makes of f(S), for c from one end of the dtype to the other."""

import re

import numpy as np
import pytest
import scipy.linalg
from scipy import sparse

import cases
import vech
from vech.linalg import (
    cholesky,
    cond,
    eigh,
    eigsh,
    inner,
    inverse,
    lobpcg,
    nearest_correlation,
    nearest_psd,
    norm,
    shrink_to_psd,
    slogdet,
    solve,
)

N = 40
SCALES = [1e-310, 1e-300, 1e-150, 1e-12, 2.0**-3, 1e3, 1e8, 1e150, 1e300]
KINDS = ["definite", "indefinite", "hermitian", "complex symmetric", "skew"]


def digits(scale):
    """The relative error that numbers of this size have before anything is computed."""
    return 1e-9 if scale >= 1e-307 else 1e-3


def kind_of(name):
    return {"definite": "symmetric", "indefinite": "symmetric", "complex symmetric": "symmetric"}.get(
        name, name
    )


def matrix(name, n=N):
    rng = np.random.default_rng(11)
    X = rng.normal(size=(n, n))
    if name == "definite":
        return X @ X.T / n + np.eye(n)
    if name == "skew":
        return X - X.T
    if name == "hermitian":
        return X + X.T + 1j * (X - X.T)
    return (X + X.T) * (1 + 0.5j if name == "complex symmetric" else 1)


def stores(name, scale=1.0, n=N):
    full, kind = matrix(name, n) * scale, kind_of(name)
    yield vech.Packed(vech.pack(full, kind=kind), kind=kind)
    yield vech.SparseHalf.from_sparse(sparse.csr_array(full), kind=kind)


@pytest.mark.filterwarnings("error")
@cases.each("scale", SCALES)
@cases.each("name", KINDS)
def test_norms_determinants_and_conditions(name, scale):
    full, rtol = matrix(name), digits(scale)
    for S in stores(name, scale):
        for ord in ("fro", "max", 1, 2):
            want = np.abs(full).max() if ord == "max" else np.linalg.norm(full, ord)
            assert norm(S, ord) / scale == pytest.approx(want, rel=rtol)
        sign, logarithm = slogdet(S)
        want = np.linalg.slogdet(full)
        assert sign == pytest.approx(want.sign, rel=N * rtol)
        assert logarithm == pytest.approx(want.logabsdet + N * np.log(scale), rel=rtol)
    packed = next(stores(name, scale))
    assert cond(packed) == pytest.approx(cond(next(stores(name))), rel=100 * rtol)
    if name == "definite":
        assert cholesky(packed).cond() == pytest.approx(cholesky(next(stores(name))).cond(), rel=rtol)
        assert cholesky(packed).logdet() == pytest.approx(logarithm, rel=rtol)


@pytest.mark.filterwarnings("error")
@cases.each("right", [1e-300, 1e-150, 1e-3, 1.0, 1e3, 1e150, 1e300])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", KINDS)
def test_solutions(name, scale, right):
    if not 1e-290 < right / scale < 1e300:
        return  # no number of the dtype is the solution
    full = matrix(name)
    x = np.linspace(1, 2, N)
    solvers = {"definite": ("auto", "cg", "minres"), "indefinite": ("auto", "minres")}.get(name, ("auto",))
    packed, half = stores(name, scale)
    b = (full @ x) * right
    tolerance = np.linalg.cond(full) * max(1e-10, digits(scale))
    np.testing.assert_allclose(solve(packed, b) * (scale / right), x, rtol=tolerance)
    for solver in solvers:
        options = {"maxiter": 2000} if solver != "auto" else {}
        np.testing.assert_allclose(
            solve(half, np.stack((b, b / 7), axis=1), solver=solver, **options)[:, 0] * (scale / right),
            x,
            rtol=10 * tolerance,
        )
    if 1e-300 < scale < 1e300:
        np.testing.assert_allclose(
            inverse(packed).expand() * scale, np.linalg.inv(full), rtol=1e-6, atol=1e-9
        )


@pytest.mark.filterwarnings("error")
@cases.each("scale", [1e-300, 1.0, 1e150, 1e300])
@cases.each("of_m", [1e-200, 1.0, 1e200])
@cases.each("solver", ["cg", "minres"])
def test_preconditioners_starts_and_callbacks_of_iterations(solver, scale, of_m):
    full, x = matrix("definite"), np.linspace(1, 2, N)
    half = [*stores("definite", scale)][1]
    M, seen = np.linalg.inv(np.diag(full.diagonal())) * of_m, []
    b = full @ x * scale
    for start in (None, x * (1 + 1e-3)):
        got = solve(half, b, solver=solver, M=M, x0=start, callback=lambda x: seen.append(np.array(x)))
        np.testing.assert_allclose(got, x, rtol=1e-7)
        np.testing.assert_allclose(seen[-1], x, rtol=1e-7)


@pytest.mark.parametrize("name", ["definite", "indefinite", "hermitian"])
@pytest.mark.parametrize(
    ("n", "scale"), [*((N, scale) for scale in SCALES), *((140, scale) for scale in SCALES[1::2])]
)
def test_eigenvalues(name, scale, n):
    full, mass = matrix(name, n), np.diag(np.linspace(1, 2, n))
    every = np.linalg.eigvalsh(full)
    beside_mass = scipy.linalg.eigh(full, mass, eigvals_only=True)[-3:]
    shift = float(every[n // 2]) + 1e-3
    near = np.sort(every[np.argsort(np.abs(every - shift))[:3]])
    bound = digits(scale) * np.abs(every).max()
    for S in stores(name, scale, n):
        for which, want in (("LA", every[-3:]), ("SA", every[:3])):
            values, vectors = eigsh(S, 3, which)
            np.testing.assert_allclose(values / scale, want, atol=bound)
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=0), 1)
        np.testing.assert_allclose(eigsh(S, 3, sigma=shift * scale)[0] / scale, near, atol=bound)
        if scale > 1e-300:
            got = eigsh(S, 3, "LA", M=mass * scale, return_eigenvectors=False)
            np.testing.assert_allclose(got, beside_mass, rtol=1e-8)
    np.testing.assert_allclose(
        eigh(next(stores(name, scale, n)), eigvals_only=True) / scale, every, atol=bound
    )


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e8, 1e300])
def test_lobpcg(scale):
    every = np.linalg.eigvalsh(matrix("definite"))
    for S in stores("definite", scale):
        values, _ = lobpcg(S, cases.moderate(float, (N, 3)), tol=1e-8 * scale, maxiter=300)
        np.testing.assert_allclose(values[:2] / scale, every[::-1][:2], rtol=1e-8)


@cases.each("scale", [2.0**-900, 1e-300, 1e-12, 1e8, 1e300])
def test_repairs(scale):
    full = matrix("indefinite") / 20
    np.fill_diagonal(full, 1)
    S, scaled = (vech.Packed(vech.pack(full * c)) for c in (1.0, scale))
    for task in (nearest_psd, shrink_to_psd):
        want, got = task(S), task(scaled)
        np.testing.assert_allclose(got.matrix.half / scale, want.matrix.half, atol=1e-10)
        assert got.distance / scale == pytest.approx(want.distance, rel=1e-8)
        assert got.iterations == want.iterations
    d = np.full(N, scale)
    np.fill_diagonal(full, d)  # which has no say in the nearest correlation
    got = nearest_correlation(vech.Packed(vech.pack(full)))
    np.testing.assert_allclose(got.matrix.half, nearest_correlation(S).matrix.half, atol=1e-8)


@cases.each("dtype", ["f4", "f8", "c8", "c16"])
@cases.each("exponent", [-0.95, -0.6, -0.3, 0.3, 0.6, 0.95])
def test_frobenius_norms_neither_overflow_nor_vanish(dtype, exponent):
    n, big = 33, float(np.finfo(dtype).max)
    scale = 2.0 ** round(exponent * np.log2(big))
    full = cases.matrix(dtype, "hermitian" if np.dtype(dtype).kind == "c" else "symmetric", n)
    full = full / np.abs(full).max() * np.float32(0.5)
    kind = "hermitian" if np.dtype(dtype).kind == "c" else "symmetric"
    want = np.linalg.norm(full.astype("c16"))
    scaled = (full * np.dtype(dtype).type(scale)).astype(dtype)
    for S in (
        vech.Packed(vech.pack(scaled, kind=kind), kind=kind),
        vech.SparseHalf.from_sparse(sparse.csr_array(scaled), kind=kind),
    ):
        assert norm(S) / scale == pytest.approx(want, rel=1e-5 if dtype in ("f4", "c8") else 1e-13)
        assert norm(S, "max") / scale == pytest.approx(0.5, rel=1e-5)


@cases.each("off", [1.41421356, 2**0.5, 2**0.5 * (1 + 1e-9), 1.5])
@cases.each("on", [1.0, 0.7])
def test_a_scale_near_the_root_of_two_is_not_taken_for_it(off, on):
    layout = vech.Layout("lower", "columns", diagonal_scale=on, offdiagonal_scale=off)
    a, b = (cases.matrix("float64", "symmetric", 30, salt=salt) for salt in (0, 1))
    np.fill_diagonal(a, 100)  # beside which the rest is small
    S, T = (vech.Packed(vech.pack(x, layout), layout) for x in (a, b))
    assert inner(S, T) == pytest.approx(np.vdot(a, b), rel=1e-14, abs=1e-11)
    assert norm(S) == pytest.approx(np.linalg.norm(a), rel=1e-14)


def test_a_solution_beyond_the_dtype_is_told():
    packed, half = stores("definite", 1e-300)
    for S, solver in ((packed, "auto"), (half, "auto"), (half, "cg"), (half, "minres")):
        with pytest.raises(OverflowError, match="x has numbers beyond float64: divide b by a number first"):
            solve(S, np.full(N, 1e100), solver=solver)


def test_an_inverse_beyond_the_dtype_is_told():
    message = "the inverse has numbers beyond float64: multiply S by a number first"
    for name in ("definite", "indefinite"):
        with pytest.raises(OverflowError, match=message):
            inverse(next(stores(name, 1e-310)))
    F = cholesky(next(stores("definite", 1e-310)))
    with pytest.raises(OverflowError, match=message):
        F.inverse()
    with pytest.raises(OverflowError, match="x has numbers beyond float64: divide b by a number first"):
        F.solve(np.ones(N))


# ---- at the ends of a dtype, where numbers are whole multiples of the least one ----------------

ENDS = {"f4": (-149, 105), "f8": (-1074, 1000), "c8": (-149, 105), "c16": (-1074, 1000)}
HELD = {
    "definite": ("vech", "hermitian"),
    "definite in svec": ("svec-lower", "hermitian"),
    "definite in a rectangle": ("lapack-rfp-tu", "hermitian"),
    "indefinite": ("vech", "hermitian"),
    "indefinite in svec": ("svec-upper", "symmetric"),
    "skew": ("condensed", "skew"),
}


def whole(name, dtype, n=12):
    """A half of whole numbers, exact times any power of two; its layout and kind."""
    layout, kind = vech.as_layout(HELD[name][0]), HELD[name][1]
    parts = np.random.default_rng(3).integers(-9, 10, (2, layout.length(n)))
    half = (parts[0] + 1j * parts[1] if np.dtype(dtype).kind == "c" else parts[0]).astype(dtype)
    if kind != "skew":
        half[layout.diagonal_slots(n)] = 400 if name.startswith("definite") else np.arange(n) - 5
    return half, layout, kind


def raised(x, exponent):
    """x times two to the exponent, to the bit."""
    real = np.ldexp(x.real, exponent)
    return real + 1j * np.ldexp(x.imag, exponent) if x.dtype.kind == "c" else real


@pytest.mark.filterwarnings("error")
@cases.each("end", [0, 1])
@cases.each("dtype", list(ENDS))
@cases.each("name", list(HELD))
def test_factors_at_the_ends_of_a_dtype_have_all_digits(name, dtype, end):
    half, layout, kind = whole(name, dtype)
    exponent, rtol = ENDS[dtype][end], 4000 * float(np.finfo(dtype).eps)
    S, T = (vech.Packed(numbers, layout, kind=kind) for numbers in (half, raised(half, exponent)))
    sign, logarithm = slogdet(S)
    logarithm += S.n * exponent * np.log(2)
    assert slogdet(T) == (pytest.approx(sign, rel=rtol), pytest.approx(logarithm, rel=rtol))
    assert cond(T) == pytest.approx(cond(S), rel=rtol)
    tasks = [solve, lambda S, b: solve(S, b[:, :1])]
    if name.startswith("definite"):
        tasks.append(lambda S, b: cholesky(S).solve(b))
        tasks.append(lambda S, _: cholesky(S).half / (1 if S is not T else np.exp2(exponent / 2)))
        assert cholesky(T).logdet() == pytest.approx(logarithm, rel=rtol)
    b = np.random.default_rng(4).integers(-99, 100, (S.n, 5)).astype(dtype)
    for task in tasks:
        want = task(S, b)
        np.testing.assert_allclose(task(T, raised(b, exponent)), want, rtol=0, atol=rtol * np.abs(want).max())


@pytest.mark.parametrize("name", ["definite", "indefinite"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_tiny_right_sides_keep_their_digits_beside_others(name, dtype):
    half, layout, kind = whole(name, dtype)
    least = ENDS[dtype][0]
    exponents = np.array([least, least // 2])
    b = np.random.default_rng(4).integers(-99, 100, (12, 2)).astype(dtype)
    want = solve(vech.Packed(half, layout, kind=kind), b)
    S = vech.Packed(raised(half, least * 2 // 3), layout, kind=kind)
    got = np.ldexp(solve(S, np.ldexp(b, exponents)), least * 2 // 3 - exponents)
    np.testing.assert_allclose(got, want, rtol=0, atol=4000 * float(np.finfo(dtype).eps) * np.abs(want).max())


def test_an_implied_diagonal_of_ones_is_not_lifted_with_tiny_numbers():
    S = vech.Packed(np.array([1e-320, 2e-320, 3e-320]), vech.Layout(diagonal="one"))
    assert slogdet(S) == (1.0, 0.0)
    np.testing.assert_array_equal(solve(S, np.ones(3)), np.ones(3))


def test_the_condition_of_huge_numbers_beside_an_implied_diagonal():
    assert cond(vech.Packed(np.array([1e300]), vech.Layout(diagonal="one"))) == pytest.approx(1.0)


# ---- options of iterations ---------------------------------------------------------------------------------


@cases.each(
    ("error", "message", "options"),
    [
        (
            TypeError,
            "solver='cg' takes no foo: its options are rtol, atol, maxiter, M, x0, callback",
            {"foo": 1},
        ),
        (ValueError, "rtol must be a finite number from 0 on, not -1", {"rtol": -1}),
        (ValueError, "atol must be a finite number from 0 on, not nan", {"atol": np.nan}),
        (ValueError, "maxiter must be at least 1, not 0", {"maxiter": 0}),
        (TypeError, "maxiter must be an integer, not 2.5", {"maxiter": 2.5}),
        (ValueError, "x0 has shape (3,), but S is of side 40", {"x0": np.ones(3)}),
        (TypeError, "x0 is complex, and S and b are real", {"x0": np.ones(N) * 1j}),
        (TypeError, "x0 must be a NumPy array, not numpy.ma.MaskedArray", {"x0": np.ma.ones(N)}),
        (TypeError, "M must be a NumPy array, not numpy.ma.MaskedArray", {"M": np.ma.ones((N, N))}),
        (ValueError, "M has shape (3, 3), but S is of side 40", {"M": np.eye(3)}),
    ],
)
def test_options_that_do_not_fit_are_told(error, message, options):
    half = [*stores("definite")][1]
    with pytest.raises(error, match=re.escape(message)):
        solve(half, np.ones(N), solver="cg", **options)


def test_an_indefinite_preconditioner_is_told():
    half = [*stores("definite")][1]
    with pytest.raises(np.linalg.LinAlgError, match="minres stopped: M is not positive definite"):
        solve(half, np.ones(N), solver="minres", M=-np.eye(N))
