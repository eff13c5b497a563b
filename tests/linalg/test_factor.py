"""Cholesky factors of halves, through LAPACK and in panels; solve, inverse and slogdet of every kind."""

import re
import subprocess
import sys
import warnings

import numpy as np
import pytest
from numpy.linalg import LinAlgError
from scipy.linalg import LinAlgWarning

import cases
import reference
import vech
from vech.linalg import cholesky, cond, inverse, slogdet, solve
from vech.linalg.factor import rectangle
from vech.linalg.factor.answers import one_norm

INEXACT = {name: cases.DTYPES[name] for name in ("float32", "float64", "complex64", "complex128", ">f8")}
SIZES = (0, 1, 2, 3, 4, 17, 33)
ROUTES = {"lapack": (46_340, 512), "panels": (0, 7)}


@pytest.fixture(params=list(ROUTES))
def route(request, monkeypatch):
    """LAPACK, or the panels that replace it from n = 46 341 on."""
    side, panel = ROUTES[request.param]
    monkeypatch.setattr(rectangle, "LAPACK_SIDE", side)
    monkeypatch.setattr(rectangle, "PANEL", panel)


def definite(dtype, kind, n, *, salt=0):
    """A well conditioned positive definite matrix, exactly of its kind."""
    full = cases.matrix(dtype, kind, n, salt=salt)
    return (full / (2 * n + 2) + 2 * np.eye(n)).astype(dtype)


def store(full, layout, kind, **more):
    """The store of a full matrix; of a layout without its diagonal, what that layout can hold of it."""
    full = full.copy()
    if layout.diagonal != "stored":
        np.fill_diagonal(full, layout.diagonal == "one")
    half = reference.pack(full, layout, kind)
    return vech.Packed(half, layout, kind=kind, **more), full


def close(got, want, n, scale=1.0):
    """Equal within what n operations leave, times the growth of a well conditioned problem."""
    assert got.shape == want.shape
    bound = 8 * cases.tolerance(got.dtype, n) * scale
    assert np.max(np.abs(got - want), initial=0) <= bound * max(1, np.max(np.abs(want), initial=0))


def is_definite_case(layout, dtype, kind, n):
    fits = cases.fits(layout, dtype, kind, n) and layout.diagonal != "zero"
    return fits and (kind == "hermitian") == (dtype.kind == "c")


DEFINITE = cases.pairwise(
    is_definite_case, layout=cases.LAYOUTS, dtype=INEXACT, kind=("symmetric", "hermitian"), n=SIZES
)


@cases.each(("layout", "dtype", "kind", "n"), DEFINITE)
def test_a_factor_does_what_the_full_matrix_does(layout, dtype, kind, n, route):
    labels = [f"row {i}" for i in range(n)]
    S, full = store(definite(dtype, kind, n), layout, kind, labels=labels)
    F, L = cholesky(S), np.linalg.cholesky(full)
    native = dtype.newbyteorder("=")
    assert (F.n, F.dtype, F.half.dtype, F.nbytes) == (n, native, native, F.half.nbytes)
    close(vech.expand(F.half, kind="triangular"), L, n)
    close(np.array(F.logdet(), full.real.dtype), np.linalg.slogdet(full)[1], n, n + 1)
    for shape in ((n,), (n, 1), (n, 5)):
        b = cases.moderate(dtype, shape)
        close(F.solve(b), np.linalg.solve(full, b), n)
        close(F.L @ b, L @ b, n)
        close(F.L.solve(b), np.linalg.solve(L, b), n)
        close(F.L.H @ b, L.conj().T @ b, n)
        close(F.L.H.solve(b), np.linalg.solve(L.conj().T, b), n)
        close(b.T @ F.L, b.T @ L, n)
    inverse = F.inverse()
    assert inverse.layout == (layout if layout.diagonal == "stored" else layout.plain)
    assert (inverse.kind, inverse.labels) == (kind, tuple(labels))
    close(inverse.expand(), np.linalg.inv(full), n)


@cases.each("panel", [1, 13, 20, 512])
@cases.each("n", [1, 2, 40, 41])
@cases.each("dtype", ["float64", "complex128"])
def test_panels_of_any_width_agree_with_lapack(dtype, n, panel, monkeypatch):
    kind = "hermitian" if dtype == "complex128" else "symmetric"
    S = vech.Packed(vech.pack(definite(np.dtype(dtype), kind, n), kind=kind), kind=kind)
    b = cases.moderate(dtype, (n, 3))

    def answers(F):
        return F.half, F.solve(b), F.L @ b, F.inverse().half

    wanted = answers(cholesky(S))
    monkeypatch.setattr(rectangle, "LAPACK_SIDE", 0)
    monkeypatch.setattr(rectangle, "PANEL", panel)
    for got, want in zip(answers(cholesky(S)), wanted, strict=True):
        close(got, want, n)


@cases.each("dtype", [INEXACT[name] for name in ("float32", "float64", "complex64", "complex128")])
@cases.each("n", [1, 2, 3, 4, 17, 64, 65])
def test_update_and_downdate_change_the_factor_by_one_outer_product(dtype, n, route):
    kind = "hermitian" if dtype.kind == "c" else "symmetric"
    S, full = store(definite(dtype, kind, n), vech.Layout(), kind)
    x = cases.moderate(dtype, n)
    F = cholesky(S)
    F.update(x)
    close(vech.expand(F.half, kind="triangular"), np.linalg.cholesky(full + np.outer(x, x.conj())), n, 4)
    F.downdate(x)
    close(vech.expand(F.half, kind="triangular"), np.linalg.cholesky(full), n, 16)


def test_a_downdate_beyond_definiteness_is_refused_and_changes_nothing(route):
    S, _ = store(definite(np.dtype(float), "symmetric", 20), vech.Layout(), "symmetric")
    F = cholesky(S)
    before = F.half
    for x in (before[:20], 3 * before[:20]):  # the first column of L: what is left would be singular, or less
        with pytest.raises(LinAlgError, match=r"S - x x\^H is not positive definite: x\^H S\^-1 x is "):
            F.downdate(x)
        assert np.array_equal(F.half, before)


def test_updates_refuse_what_does_not_fit():
    F = cholesky(vech.Packed(np.array([2.0, 0.0, 2.0])))
    with pytest.raises(ValueError, match=r"x has shape \(3,\), but the factor is of side 2: \(2,\)"):
        F.update(np.ones(3))
    with pytest.raises(ValueError, match=r"x\[1\] is nan: update needs finite numbers"):
        F.update([1.0, np.nan])
    with pytest.raises(TypeError, match="x is complex and the factor real"):
        F.update([1j, 0])


@pytest.mark.parametrize("change", ["update", "downdate"])
def test_an_interrupted_change_leaves_the_factor_as_it_was(change, route, monkeypatch):
    S, full = store(definite(np.dtype(float), "symmetric", 80), vech.Layout(), "symmetric")
    F = cholesky(S)
    before, L = F.half, F.L
    x = np.full(80, 0.01)
    write, calls = rectangle.Rectangle.write, []

    def interrupted(self, start, panel):
        write(self, start, panel)
        calls.append(start)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rectangle.Rectangle, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            getattr(F, change)(x)
    assert calls and np.array_equal(F.half, before)
    getattr(F, change)(x)
    changed = np.linalg.cholesky(full + (1 if change == "update" else -1) * np.outer(x, x))
    close(vech.expand(F.half, kind="triangular"), changed, 80, 4)
    close(L @ np.eye(80), changed, 80, 4)  # a view follows


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_right_sides_that_are_not_finite_are_named(bad):
    S = vech.Packed(np.array([2.0, 0.0, 2.0]))
    indefinite = vech.Packed(np.array([2.0, 3.0, 2.0]))
    F = cholesky(S)
    for call in (F.solve, F.L.solve, lambda b: solve(S, b), lambda b: solve(indefinite, b)):
        with pytest.raises(ValueError, match=rf"b\[1\] is {bad}: solve needs finite numbers"):
            call([1.0, bad])
        with pytest.raises(ValueError, match=rf"b\[0, 1\] is {bad}: solve needs finite numbers"):
            call([[1.0, bad], [1, 1]])
        with pytest.raises(TypeError, match=r"b must be a NumPy array, not numpy\.ma\.MaskedArray: a mask"):
            call(np.ma.array([1.0, 2.0], mask=[0, 1]))
        with pytest.raises(TypeError, match=r"b must be a NumPy array, not vech.Packed: pass its full"):
            call(S)


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex64"])
def test_an_update_that_is_too_large_is_refused_and_changes_nothing(dtype, route):
    kind = "hermitian" if dtype == "complex64" else "symmetric"
    S, _ = store(definite(np.dtype(dtype), kind, 20), vech.Layout(), kind)
    F = cholesky(S)
    before = F.half
    largest = float(np.finfo(dtype).max)
    large = 1e155 if dtype == "float64" else 1e39
    for x in (np.full(20, large), np.eye(20)[19] * largest):
        with pytest.raises(
            OverflowError, match=rf"x is too large for a factor of {dtype}: x\[(0|19)\] is .*e\+"
        ):
            F.update(x)
        assert np.array_equal(F.half, before)
    F.update(np.full(20, np.sqrt(largest) / 100))
    assert np.isfinite(F.half).all()


def test_a_large_column_of_the_factor_overflows_no_update():
    F = cholesky(vech.Packed(np.array([1.0, 0.0, 1e300])))
    before = F.half
    with pytest.raises(OverflowError, match="x is too large"):
        F.update([0.0, 1e308])
    assert np.array_equal(F.half, before)


def test_a_copy_of_a_factor_is_left_alone(route):
    S, _ = store(definite(np.dtype(float), "symmetric", 20), vech.Layout(), "symmetric", labels=range(20))
    F = cholesky(S)
    before, other = F.half, F.copy()
    F.update(np.ones(20))
    assert np.array_equal(other.half, before)
    assert other.inverse().labels == tuple(range(20))


def test_factors_are_no_arrays_and_say_what_multiplies():
    F = cholesky(vech.Packed(np.array([4.0, 2.0, 10.0])))
    for product in (lambda: F @ np.ones(2), lambda: np.ones(2) @ F, lambda: np.eye(2) @ F):
        with pytest.raises(
            TypeError, match=r"a Cholesky is no matrix: F.L @ x multiplies by L, and S @ x by S"
        ):
            product()
    with pytest.raises(TypeError, match=r"F.half: vech.expand\(F.half, kind='triangular'\) is an array"):
        np.asarray(F)
    with pytest.raises(TypeError, match=r"L @ np.eye\(L.shape\[0\]\) is one"):
        np.asarray(F.L)
    with pytest.raises(ValueError, match=r"z has shape \(3,\), but S is of side 2: \(2,\) or \(2, m\)"):
        F.L @ np.ones(3)
    with pytest.raises(ValueError, match=r"z has shape \(3,\)"):
        np.ones(3) @ F.L
    np.testing.assert_allclose(F.L.T @ np.eye(2), [[2, 1], [0, 3]])
    assert repr(F.L), repr(F.L.T) == (
        "Triangle(lower, n=2, dtype=float64)",
        "Triangle(upper, n=2, dtype=float64)",
    )
    with pytest.raises(
        TypeError, match="the factor is complex: H is its conjugate transpose, and it has no T"
    ):
        cholesky(vech.Packed(np.array([4.0, 2j, 10]), kind="hermitian")).L.T  # noqa: B018


def kahan(n):
    """L L^T of Kahan's triangle, whose condition an all-positive start does not see."""
    sine, cosine = np.sin(1.2), np.cos(1.2)
    L = (np.diag(sine ** np.arange(n)) @ (np.eye(n) - cosine * np.triu(np.ones((n, n)), 1))).T
    return L @ L.T


def alternating(n):
    """Of which the all-positive start sees nothing: its inverse has rows of sum zero and one large number."""
    rng = np.random.default_rng(n)
    Q, _ = np.linalg.qr(np.column_stack([np.ones(n), rng.normal(size=(n, n - 1))]))
    full = Q @ np.diag(np.geomspace(1, 1e-6, n)) @ Q.T
    return (full + full.T) / 2


GRADED = {
    "kahan": kahan,
    "alternating": alternating,
    "graded": lambda n: np.diag(np.geomspace(1, 1e-8, n)) + 1e-9 * np.eye(n)[::-1],
    "hilbert": lambda n: 1 / (1 + np.add.outer(np.arange(n), np.arange(n))) + 1e-8 * np.eye(n),
}


@cases.each("n", [5, 12, 30])
@cases.each("name", list(GRADED))
def test_cond_sees_an_inverse_that_is_large_in_few_places(name, n):
    full = GRADED[name](n)
    S = vech.Packed(vech.pack(full, use="lower"))
    true = np.linalg.cond(full, 1)
    for got in (cholesky(S).cond(), cond(S)):
        assert 0.5 * true <= got <= true * (1 + 1e-3)


def test_cond_looks_once_more_along_an_alternating_vector():
    n = 17
    hidden = np.where(np.arange(n) % 2, -1.0, 1.0)
    hidden[0] = 0  # and of sum 0: neither ones nor the unit vector that follows see it
    apply = lambda x: x + 1000 * np.outer(hidden, hidden) @ x
    full = apply(np.eye(n))
    true = np.linalg.norm(full, 1)
    found = one_norm(apply, n, np.dtype(float))
    assert true / 3 <= found <= true * (1 + 1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 65])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_cond_is_near_the_condition_number_and_not_above_it(dtype, n, route):
    dtype = np.dtype(dtype)
    kind = "hermitian" if dtype.kind == "c" else "symmetric"
    S, full = store(definite(dtype, kind, n), vech.Layout(), kind)
    true = np.linalg.cond(full, 1)
    assert true / 3 <= cholesky(S).cond() <= true * (1 + 1e-9)


@cases.each("n", [1, 2, 4, 17, 40])
@cases.each(
    ("dtype", "kind"),
    [
        ("float32", "symmetric"),
        ("float64", "symmetric"),
        ("float64", "skew"),
        ("complex128", "symmetric"),
        ("complex128", "hermitian"),
        ("complex128", "skew"),
        ("complex128", "skew-hermitian"),
    ],
)
def test_the_condition_of_every_kind_is_near_and_not_above(dtype, kind, n):
    if kind == "skew":
        n += n % 2
    full = indefinite(np.dtype(dtype), kind, n)
    S, full = store(full, vech.Layout("upper", "rows"), kind)
    true = np.linalg.cond(full, 1)
    assert true / 3 <= cond(S) <= true * (1 + 1e-3)


def test_the_condition_of_singular_and_empty_matrices():
    assert cond(vech.Packed(np.ones(3))) == np.inf
    assert cond(vech.Packed(np.array([1.0, 2.0, 3.0]), "condensed", kind="skew")) == np.inf
    assert cond(vech.Packed(np.zeros(0))) == 0


@pytest.mark.parametrize("minor", [1, 2, 40, 41, 77, 80])
def test_a_matrix_that_is_not_definite_names_its_leading_minor(minor, route):
    full = definite(np.dtype(float), "symmetric", 80)
    full[minor - 1, minor - 1] = -1
    S, _ = store(full, vech.Layout("upper", "rows"), "symmetric")
    with pytest.raises(LinAlgError, match=f"its leading minor of order {minor} is not positive"):
        cholesky(S)


@cases.each("task", [cholesky, inverse, slogdet, lambda S: solve(S, np.ones(S.n))])
@cases.each("value", [np.nan, np.inf])
@cases.each("i, j", [(0, 0), (1, 0), (40, 3), (39, 39), (79, 78), (79, 79)])
def test_nan_and_infinity_are_named(task, value, i, j, route):
    full = definite(np.dtype(float), "symmetric", 80)
    full[i, j] = full[j, i] = value
    S, _ = store(full, vech.Layout("lower", "rows"), "symmetric")
    with pytest.raises(ValueError, match=rf"S\[{i}, {j}\] is {value}: factors need finite numbers"):
        task(S)


def test_cholesky_refuses_other_kinds_with_the_way_out():
    half = np.array([2, 1j, 2])
    for kind, name in (
        ("symmetric", "complex symmetric"),
        ("skew", "skew"),
        ("skew-hermitian", "skew-hermitian"),
    ):
        message = (
            f"cholesky needs a real symmetric or a Hermitian matrix, and S is {name}: .*kind='hermitian'"
        )
        with pytest.raises(TypeError, match=message):
            cholesky(vech.Packed(half, kind=kind))


@pytest.mark.parametrize("task", [cholesky, inverse, slogdet, lambda S: solve(S, np.ones(2))])
def test_tasks_refuse_what_is_no_packed_store_of_numbers(task):
    if task in (cholesky, inverse):
        message = (
            r"takes a Packed store, not SparseHalf: \w+\(S.to_packed\(\)\), with all its zeros; "
            r"solve, slogdet"
        )
        with pytest.raises(TypeError, match=message):
            task(vech.SparseHalf(np.array([0, 1, 2]), np.array([0, 1]), np.ones(2), 2, triangle="lower"))
    with pytest.raises(TypeError, match=r"takes a Packed store, not ndarray: .*vech.pack makes the half"):
        task(np.ones(3))
    with pytest.raises(TypeError, match=r"float16, with which LAPACK does not compute: astype\(np.float32\)"):
        task(vech.Packed(np.ones(3, np.float16)))
    with pytest.raises(
        TypeError, match=r"timedelta64\[s\], with which LAPACK does not compute: astype\(float\)"
    ):
        task(vech.Packed(np.ones(3, "m8[s]")))


def test_right_sides_that_do_not_fit_are_refused():
    S = vech.Packed(np.array([2.0, 0.0, 2.0]))
    for call in (cholesky(S).solve, cholesky(S).L.solve, lambda b: solve(S, b)):
        with pytest.raises(ValueError, match=r"b has shape \(3,\), but S is of side 2: \(2,\) or \(2, m\)"):
            call(np.ones(3))
        with pytest.raises(TypeError, match="b has dtype float16"):
            call(np.ones(2, np.float16))


def test_a_real_factor_takes_complex_right_sides_and_integers_become_float64():
    S = vech.Packed(np.array([4, 2, 10]))
    F = cholesky(S)
    assert F.dtype == np.float64
    b = np.array([[8 + 4j, 1], [22 - 2j, 3j]])
    close(F.solve(b), np.linalg.solve(S.expand(), b), 2)
    assert F.solve(b.astype("complex64")).dtype == np.complex128
    single = cholesky(vech.Packed(S.half.astype("float32")))
    assert (single.solve(b).dtype, single.solve(b.real).dtype) == (np.complex64, np.float32)


def test_the_given_half_is_not_changed(route):
    for layout in (rectangle.ORDER, vech.Layout()):
        S, _ = store(definite(np.dtype(float), "symmetric", 33), layout, "symmetric")
        before = S.half.copy()
        cholesky(S), solve(S, np.ones(33)), inverse(S), slogdet(S)
        F = cholesky(S)
        F.update(np.ones(33))
        assert np.array_equal(S.half, before)


def test_a_hermitian_diagonal_is_taken_as_real(route):
    S = vech.Packed(np.array([4 + 9j, 2, 10 - 7j]), kind="hermitian")
    close(cholesky(S).half, np.array([2, 1, 3 + 0j]), 2)


# ---- every kind --------------------------------------------------------------------------------------------


def is_case(layout, dtype, kind, n):
    regular = kind != "skew" or n % 2 == 0
    if kind in ("hermitian", "skew-hermitian") and dtype.kind != "c":
        return False  # other names of symmetric and skew
    return regular and cases.fits(layout, dtype, kind, n) and layout.diagonal == "stored"


INDEFINITE = cases.pairwise(
    is_case, layout=cases.LAYOUTS, dtype=INEXACT, kind=cases.STORE_KINDS, n=(0, 1, 2, 3, 4, 16, 17)
)


def indefinite(dtype, kind, n):
    """A regular matrix of random eigenvalues: of half a side, a skew one bordered by units is regular."""
    full = cases.matrix(dtype, kind, n).astype(np.promote_types(dtype, "f8") if dtype.kind == "f" else "c16")
    k = n // 2
    full[k : 2 * k, :k] += 3 * np.sqrt(n) * np.eye(k)
    full[:k, k : 2 * k] += (-1 if kind.startswith("skew") else 1) * 3 * np.sqrt(n) * np.eye(k)
    return full.astype(dtype)


@cases.each(("layout", "dtype", "kind", "n"), INDEFINITE)
def test_solve_inverse_and_slogdet_take_every_kind(layout, dtype, kind, n):
    S, full = store(indefinite(dtype, kind, n), layout, kind)
    scale = np.linalg.cond(full) if n else 1
    for shape in ((n,), (n, 1), (n, n + 1)):
        b = cases.moderate(dtype, shape)
        got, want = solve(S, b), np.linalg.solve(full, b)
        assert got.dtype == want.dtype
        close(got, want, n, scale)
    got = inverse(S)
    assert (got.kind, got.layout) == (kind, layout)
    close(got.expand(), np.linalg.inv(full), n, scale)
    sign, logarithm = slogdet(S)
    true_sign, true_logarithm = np.linalg.slogdet(full)
    close(np.array(sign).astype(dtype), np.array(true_sign).astype(dtype), n, scale)
    close(np.array(logarithm, full.real.dtype), np.array(true_logarithm), n, scale)


@cases.each("n", [2, 6, 7, 41])
@cases.each(("dtype", "kind"), [("float64", "symmetric"), ("complex128", "hermitian"), ("c8", "hermitian")])
def test_the_sign_of_a_real_determinant_is_exactly_one(dtype, kind, n):
    for salt in range(5):
        S, full = store(cases.matrix(dtype, kind, n, salt=salt), vech.Layout(), kind)
        sign = slogdet(S).sign
        assert type(sign) is float and sign in (1.0, -1.0)
        assert sign == np.round(np.linalg.slogdet(full)[0].real)


@pytest.mark.parametrize("kind", ["skew", "skew-hermitian", "hermitian"])
def test_an_inverse_has_the_diagonal_of_its_kind(kind):
    S, _ = store(indefinite(np.dtype(complex), kind, 8), vech.Layout(), kind)
    diagonal = inverse(S).diagonal()
    wrong = {"skew": diagonal, "skew-hermitian": diagonal.real, "hermitian": diagonal.imag}[kind]
    assert not wrong.any()
    real, _ = store(indefinite(np.dtype(float), "skew", 8), vech.Layout(), "skew")
    assert not inverse(real).diagonal().any()


@cases.each("left", ["float32", "float64", "complex64", "int8", ">f4"])
@cases.each("right", ["float32", "float64", "complex64", "int64", "bool"])
def test_solve_has_numpys_result_dtype(left, right):
    for numbers in ([4, 2, 10], [0, 2, 1]):
        S = vech.Packed(np.array(numbers, left), kind="hermitian")
        b = np.array([1, 0], right)
        want = np.linalg.solve(S.expand(), b)
        assert solve(S, b).dtype == want.dtype
        close(solve(S, b), want, 2, 10)


@pytest.mark.parametrize(
    "half, kind", [([1.0, 1.0, 1.0], None), ([0.0, 0.0, 0.0], None), ([0j, 0, 0], "symmetric")]
)
def test_singular_matrices_have_no_solution_and_no_determinant(half, kind):
    S = vech.Packed(np.array(half), kind=kind)
    for task in (inverse, lambda S: solve(S, np.ones(2)), lambda S: solve(S, np.ones((2, 9)))):
        with pytest.raises(LinAlgError, match="S is singular: it has no inverse, and S x = b no single"):
            task(S)
    assert slogdet(S) == (0.0, -np.inf)


def test_skew_matrices_of_odd_side_are_singular():
    S = vech.Packed(np.array([1.0, 2.0, 3.0]), "condensed", kind="skew")
    with pytest.raises(LinAlgError, match="S is singular"):
        solve(S, np.ones(3))
    assert slogdet(S) == (0.0, -np.inf)
    for n in (5, 7, 21):  # where LU alone finds a last pivot of rounding
        S = vech.Packed(cases.moderate("float64", n * (n - 1) // 2), "condensed", kind="skew")
        for task in (inverse, lambda S: solve(S, np.ones(S.n))):
            with pytest.raises(LinAlgError, match="S is singular"):
                task(S)
        assert slogdet(S) == (0.0, -np.inf)


def test_slogdet_does_not_overflow():
    n = 500
    S = vech.Packed(np.zeros(n * (n + 1) // 2))
    S.set_diagonal(np.full(n, 1e300))
    assert np.isclose(slogdet(S).logabsdet, n * np.log(1e300))
    S.set_diagonal(np.full(n, -1e300))
    assert slogdet(S) == pytest.approx((1.0, n * np.log(1e300)))


# ---- memory ------------------------------------------------------------------------------------------------

PEAK = """
import numpy as np, vech, sys
from vech.linalg import cholesky, solve
from pathlib import Path

def resident(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024

def diagonal(n):
    S = vech.Packed(np.full(n * (n + 1) // 2, 0.0))  # in memory that is there
    S.set_diagonal(np.arange(1.0, n + 1))
    return S

def indefinite(n):
    S = diagonal(n)
    S[n - 1, n - 2] = n + 1
    return S

def factor_and_solve(S):
    cholesky(S).solve(np.ones(S.n))

def solve_indefinite(S):
    solve(S, np.ones(S.n))

tasks = {"definite": (diagonal, factor_and_solve), "indefinite": (indefinite, solve_indefinite)}
make, task = tasks[sys.argv[1]]
task(make(1000))  # loads SciPy and the buffers of BLAS
S = make(3000)
Path("/proc/self/clear_refs").write_text("5")
before = resident("VmRSS")
task(S)
print((resident("VmHWM") - before) / S.nbytes)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peaks are read from /proc")
@pytest.mark.parametrize(("matrix", "halves"), [("definite", 1), ("indefinite", 2)])
def test_the_peak_of_memory_is_one_half_or_one_matrix(matrix, halves):
    run = subprocess.run([sys.executable, "-c", PEAK, matrix], capture_output=True, text=True)
    if "clear_refs" in run.stderr:
        pytest.skip("this system does not reset peaks")
    assert run.returncode == 0, run.stderr
    assert halves - 0.1 < float(run.stdout) < halves + 0.25, "and BLAS's own buffers"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_singular_to_working_precision_is_warned_of(dtype):
    rows = np.random.default_rng(0).normal(size=(50, 300)).astype(dtype)
    S = vech.covariance.sample(rows)
    limits = np.finfo(dtype)
    for size in np.array([1.0, limits.tiny / limits.eps, limits.max / 1e5], dtype):
        for columns in (1, 100):
            with pytest.warns(LinAlgWarning, match=r"S is singular to working precision: its reci") as said:
                solve(S * size, np.full((300, columns), min(size, 1), dtype))
            assert f"below the {np.finfo(dtype).eps:.3g} of {dtype}" in str(said[0].message)
            assert said[0].filename == __file__
    with pytest.warns(LinAlgWarning, match="shrink S, add to its diagonal") as said:
        inverse(S)
    assert said[0].filename == __file__


@pytest.mark.parametrize("size", [1.0, 1e-300, 1e290])
def test_no_warning_is_given_while_a_digit_is_right(size):
    near = vech.Packed(np.array([1.0, 0.0, 1e-15]) * size)  # definite
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        solve(near, np.ones(2) * size)
        solve(-near, np.ones(2) * size)
        inverse(near / size)
    with pytest.warns(LinAlgWarning, match="its reciprocal condition number is 1e-17, below"):
        solve(vech.Packed(np.array([1.0, 0.0, 1e-17]) * size), np.ones(2) * size)


def test_what_a_triangle_advises_instead_of_an_array_runs():
    F = cholesky(vech.Packed(np.array([4.0, 2.0, 10.0])))
    with pytest.raises(TypeError) as caught:
        np.asarray(F.L)
    first, second = re.fullmatch(
        r"a Triangle is no array: (.*) is one; and of the factor F, whose F\.L it is, (.*)", str(caught.value)
    ).groups()
    full = np.array([[2.0, 0.0], [1.0, 3.0]])
    names = {"L": F.L, "F": F, "np": np, "vech": vech}
    np.testing.assert_array_equal(eval(first, names), full)
    np.testing.assert_array_equal(eval(second, names), full)
