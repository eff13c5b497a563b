"""Solutions, determinants, eigenvalues, norms of a sparse half are its full matrix's, by every solver."""

import itertools
import re

import numpy as np
import pytest
from scipy import sparse

import cases
import reference
import vech
from vech.adapters import solvers
from vech.linalg import eigsh, inner, norm, slogdet, solve
from vech.linalg.factor.answers import solved
from vech.linalg.factor.sparse import DIRECT, SparseFactor

N = 40
REAL = ("cholmod", "pardiso", "qdldl", "superlu", "cg", "minres")
EVERY_KIND = [
    ("symmetric", "f8"),
    ("symmetric", "c16"),
    ("hermitian", "c16"),
    ("skew", "f8"),
    ("skew", "c16"),
    ("skew-hermitian", "c16"),
]


def needs(solver):
    if solver in DIRECT and not solvers.installed(solver):
        pytest.skip(f"{solvers.SOLVERS[solver].package} is not installed")


def pattern(n=N, seed=0):
    """About four numbers a row off the diagonal, symmetric."""
    found = np.random.default_rng(seed).random((n, n)) < 4 / n
    return found | found.T


def matrix(kind="symmetric", dtype="f8", n=N, *, definite=False, seed=1):
    rng = np.random.default_rng(seed)
    full = rng.normal(size=(n, n)) + (1j * rng.normal(size=(n, n)) if np.dtype(dtype).kind == "c" else 0)
    mirrored = {
        "symmetric": full.T,
        "hermitian": full.conj().T,
        "skew": -full.T,
        "skew-hermitian": -full.conj().T,
    }
    full = (full + mirrored[kind]) * (pattern(n) | np.eye(n, dtype=bool))
    if definite:
        full += np.diag(np.abs(full).sum(axis=1) + 1)
    return full.astype(dtype)


def half_of(full, kind="symmetric", triangle="lower"):
    return vech.SparseHalf(*reference.csr(full, triangle), len(full), triangle=triangle, kind=kind)


def right_side(n=N, dtype="f8", columns=()):
    rng = np.random.default_rng(5)
    b = rng.normal(size=(n, *columns))
    return (
        (b + 1j * rng.normal(size=b.shape)).astype(dtype) if np.dtype(dtype).kind == "c" else b.astype(dtype)
    )


def assert_solves(x, full, b, tolerance=1e-9):
    want = np.linalg.solve(full, b)
    assert x.dtype == want.dtype and x.shape == want.shape
    np.testing.assert_allclose(x, want, rtol=0, atol=tolerance * np.abs(want).max())


# ---------------------------------------------------------------- solve


@cases.each("solver", ["auto", *REAL])
@cases.each("triangle", ["lower", "upper"])
@cases.each("columns", [(), (1,), (3,)])
@cases.each("dtype", ["f8", "c16"])
def test_every_solver_solves_a_definite_matrix(solver, triangle, columns, dtype):
    needs(solver)
    full, b = matrix(definite=True), right_side(dtype=dtype, columns=columns)
    before = b.copy()
    assert_solves(solve(half_of(full, triangle=triangle), b, solver=solver), full, b)
    assert np.array_equal(b, before)


@pytest.mark.parametrize("solver", ["auto", "cholmod", "superlu", "cg", "minres"])
@pytest.mark.parametrize("triangle", ["lower", "upper"])
@pytest.mark.parametrize("definite", [True, False])
def test_hermitian_matrices_are_not_transposed_on_the_way(solver, triangle, definite):
    needs(solver)
    if solver in ("cholmod", "cg") and not definite:
        pytest.skip("for definite matrices")
    full, b = matrix("hermitian", "c16", definite=definite), right_side(dtype="c16")
    options = {} if definite or solver != "minres" else {"maxiter": 2000, "rtol": 1e-13}
    assert_solves(solve(half_of(full, "hermitian", triangle), b, solver=solver, **options), full, b, 1e-7)


@pytest.mark.parametrize("solver", ["auto", "pardiso", "superlu", "minres"])
def test_indefinite_matrices_with_zeros_on_the_diagonal(solver):
    needs(solver)
    full, b = matrix(), right_side()
    np.fill_diagonal(full, 0)
    options = {"maxiter": 2000, "rtol": 1e-13} if solver == "minres" else {}
    assert_solves(solve(half_of(full), b, solver=solver, **options), full, b, 1e-6)


@pytest.mark.parametrize(("kind", "dtype"), EVERY_KIND)
@pytest.mark.parametrize("solver", ["auto", "superlu"])
@pytest.mark.parametrize("triangle", ["lower", "upper"])
def test_every_kind_is_solved(kind, dtype, solver, triangle):
    full, b = matrix(kind, dtype), right_side(dtype=dtype)
    assert_solves(solve(half_of(full, kind, triangle), b, solver=solver), full, b, 1e-8)


@pytest.mark.parametrize("kind", ["hermitian", "skew", "skew-hermitian"])
def test_a_diagonal_that_the_kind_does_not_have_is_not_computed_with(kind):
    full = matrix(kind, "c16", definite=kind == "hermitian")
    stored = full + np.diag(np.arange(N)) * {"hermitian": 1j, "skew": 1, "skew-hermitian": 1}[kind]
    for solver in ("auto", "superlu"):
        assert_solves(
            solve(half_of(stored, kind), right_side(dtype="c16"), solver=solver),
            full,
            right_side(dtype="c16"),
        )
    np.testing.assert_allclose(slogdet(half_of(stored, kind)), np.linalg.slogdet(full), rtol=1e-9)


@pytest.mark.parametrize("dtype", ["bool", "i4", "u1", "f4"])
def test_other_dtypes_are_computed_with_in_double(dtype):
    full = (
        np.diag(np.arange(1, 7)).astype(dtype) + np.eye(6, k=1).astype(dtype) + np.eye(6, k=-1).astype(dtype)
    )
    b = np.arange(6).astype("f4")
    x = solve(half_of(full.astype(dtype)), b)
    assert_solves(x, full.astype(dtype) if dtype == "f4" else full.astype(float), b, 1e-6)


def test_float32_is_solved_to_its_last_digit():
    full, b = matrix(dtype="f4", definite=True), right_side(dtype="f4")
    want = np.linalg.solve(full.astype(float), b.astype(float)).astype("f4")
    x = solve(half_of(full), b)
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, want, rtol=2e-7)


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("columns", [(), (0,), (2,)])
def test_the_smallest_matrices(n, columns):
    S = half_of(np.full((n, n), 4.0))
    x = solve(S, np.full((n, *columns), 8.0))
    assert x.shape == (n, *columns) and np.all(x == 2)
    assert slogdet(S) == pytest.approx((1.0, n * np.log(4)))


def test_the_best_solver_that_is_installed_is_taken(monkeypatch):
    there = {"cholmod", "pardiso", "qdldl", "superlu"}
    monkeypatch.setattr(solvers, "installed", lambda name: name in there)
    tried = []

    def recorder(name):
        class Named(solvers.SuperLU):
            kinds = solvers.SOLVERS[name].kinds

            def __init__(self, S, definite):
                tried.append(name)
                super().__init__(S, definite)

        return Named

    monkeypatch.setattr(solvers, "SOLVERS", {name: recorder(name) for name in DIRECT})
    definite, indefinite = half_of(matrix(definite=True)), half_of(matrix())
    hermitian = half_of(matrix("hermitian", "c16", definite=True), "hermitian")
    skew = half_of(matrix("skew"), "skew")
    for gone, S, name in (
        ((), definite, "cholmod"),
        (("cholmod",), definite, "pardiso"),
        (("cholmod", "pardiso"), definite, "qdldl"),
        (("cholmod", "pardiso", "qdldl"), definite, "superlu"),
        ((), indefinite, "pardiso"),
        (("pardiso",), indefinite, "superlu"),
        ((), hermitian, "cholmod"),
        (("cholmod",), hermitian, "superlu"),
        ((), skew, "superlu"),
    ):
        there.clear()
        there.update(set(DIRECT) - set(gone))
        tried.clear()
        assert SparseFactor(S).solver == name
        assert tried == [name]


@pytest.mark.parametrize("solver", ["qdldl", "cholmod"])
def test_auto_goes_on_where_a_positive_diagonal_promised_too_much(solver, monkeypatch):
    needs(solver)
    monkeypatch.setattr(solvers, "installed", lambda name: name in (solver, "superlu"))
    full = matrix()
    np.fill_diagonal(full, 0.5)
    assert np.linalg.eigvalsh(full)[0] < 0
    factor = SparseFactor(half_of(full))
    assert factor.solver == "superlu"
    assert_solves(solved(factor, right_side()), full, right_side())


def neumann(*shape):
    """The Laplacian of a grid without walls: constant vectors are its kernel."""
    total = sparse.csr_array((1, 1))
    for m in shape:
        line = sparse.diags_array(
            [-np.ones(m - 1), np.r_[1, np.full(m - 2, 2.0), 1], -np.ones(m - 1)], offsets=[-1, 0, 1]
        )
        total = sparse.kronsum(line, total) if total.shape[0] > 1 else line
    return sparse.csr_array(total)


@pytest.mark.parametrize("solver", ["auto", *DIRECT])
@pytest.mark.parametrize(
    ("shape", "consistent"), [((50,), True), ((12, 12), False), ((40, 40), True), ((7, 8, 9), True)]
)
def test_a_singular_matrix_is_an_error_even_where_rounding_hides_it(solver, shape, consistent):
    needs(solver)
    L = sparse.tril(neumann(*shape), format="csr")
    S = vech.SparseHalf(L.indptr, L.indices, L.data, L.shape[0], triangle="lower")
    b = right_side(S.n)
    b -= b.mean() if consistent else 0
    with pytest.raises(np.linalg.LinAlgError, match="S is singular to working precision"):
        solve(S, b, solver=solver)


def test_an_ill_conditioned_matrix_is_not_called_singular():
    full = np.diag(10.0 ** -np.arange(13)) + np.diag(np.full(12, 1e-14), 1) + np.diag(np.full(12, 1e-14), -1)
    for solver in ("auto", *(name for name in DIRECT if solvers.installed(name))):
        x = solve(half_of(full), np.ones(13), solver=solver)
        np.testing.assert_allclose(full @ x, np.ones(13), rtol=1e-3)


@pytest.mark.parametrize("solver", [name for name in DIRECT if name != "pardiso"])
@pytest.mark.parametrize("shape", [(50,), (12, 12), (40, 40), (7, 8, 9)])
def test_what_solve_calls_singular_has_determinant_zero(solver, shape, monkeypatch):
    needs(solver)
    monkeypatch.setattr(solvers, "installed", lambda name: name in (solver, "superlu"))
    S = vech.SparseHalf.from_sparse(neumann(*shape))
    assert slogdet(S) == (0.0, -np.inf)
    sign, logarithm = slogdet(S + 1e-8 * vech.SparseHalf.from_sparse(sparse.eye_array(S.n)))
    assert sign == 1 and np.isfinite(logarithm)


@pytest.mark.parametrize("solver", ["auto", *DIRECT])
def test_a_badly_scaled_matrix_is_not_called_singular(solver):
    needs(solver)
    full = matrix(definite=True) / 100
    scale = 10.0 ** np.linspace(-80, 60, N)
    S = half_of(scale[:, None] * full * scale)
    try:
        x = solve(S, scale * right_side(), solver=solver)
    except np.linalg.LinAlgError as error:  # MKL loses all digits of it on some processors, which is told
        assert solver == "pardiso" and "no digit of a solution is right" in str(error)
    else:
        np.testing.assert_allclose(scale * x, np.linalg.solve(full, right_side()), rtol=1e-9)
    sign, logarithm = slogdet(S)
    assert (sign, logarithm) == (1, pytest.approx(np.linalg.slogdet(full)[1] + 2 * np.log(scale).sum()))


def test_rows_of_zeros_are_named():
    rows = np.arange(5)
    S = vech.SparseHalf.from_coo(rows, rows, np.array([1.0, 2, 3, 0, 5]), 5)
    with pytest.raises(np.linalg.LinAlgError, match="S is singular: row 3 holds nothing but zeros"):
        solve(S, np.ones(5))
    many = vech.SparseHalf.from_coo([5], [4], [1.0], 3_000_000_000, use="lower")
    assert slogdet(S) == slogdet(many) == (0.0, -np.inf)


def test_an_exactly_singular_matrix_has_determinant_zero():
    full = np.zeros((5, 5))
    full[0, 0] = full[2, 1] = full[1, 2] = full[4, 4] = 1
    assert slogdet(half_of(full)) == (0.0, -np.inf)
    with pytest.raises(np.linalg.LinAlgError, match="singular"):
        solve(half_of(full), np.ones(5))


@pytest.mark.parametrize("solver", ["cg", "minres"])
def test_an_iteration_that_ends_too_soon_is_an_error(solver):
    S = half_of(matrix(definite=True))
    with pytest.raises(
        np.linalg.LinAlgError, match=rf"{solver} stopped after \d+ steps with a residual of .* \|b\|"
    ):
        solve(S, right_side(), solver=solver, maxiter=2)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("solver", ["cg", "minres"])
@pytest.mark.parametrize(
    ("full", "b"),
    [
        (np.zeros((3, 3)), np.ones(3)),
        (np.diag([1.0, 0, 0]), np.ones(3)),
        (np.diag([2.0, -1, 0]), np.ones(3)),
        (np.array([[0.0, 1], [1, 0]]), np.array([1.0, 0])),
    ],
)
def test_an_iteration_gives_the_solution_or_one_error_and_no_warning(solver, full, b):
    try:
        x = solve(half_of(full), b, solver=solver)
    except np.linalg.LinAlgError as error:
        assert re.match(f"{solver} stopped .*(residual of|divide by zero)", str(error))
        assert solver == "cg" or np.linalg.matrix_rank(full) < len(full)
    else:
        np.testing.assert_allclose(full @ x, b)


@pytest.mark.filterwarnings("error")
def test_right_sides_of_zeros_and_first_guesses():
    S = vech.images.poisson((4, 4))
    for solver in ("cg", "minres"):
        assert not solve(S, np.zeros((16, 2)), solver=solver).any()
    nothing = vech.SparseHalf([0] * 17, [], [], 16, triangle="lower")
    with pytest.raises(
        np.linalg.LinAlgError, match=r"cg stopped (after \d+ steps )?where it had to divide by zero"
    ):
        solve(nothing, np.ones(16), solver="cg")


def test_options_of_an_iteration_reach_scipy():
    full, b = matrix(definite=True), right_side()
    counts = []
    scale = sparse.diags_array(1 / full.diagonal())
    for M in (None, scale):
        steps = itertools.count()
        solve(half_of(full), b, solver="cg", M=M, callback=lambda x, steps=steps: next(steps))
        counts.append(next(steps))
    assert 0 < counts[1] < counts[0]


@pytest.mark.parametrize(
    ("kind", "dtype", "solver", "message"),
    [
        (
            "hermitian",
            "c16",
            "qdldl",
            "takes real symmetric matrices, not a hermitian one: solver='superlu' takes every",
        ),
        (
            "symmetric",
            "c16",
            "cholmod",
            "takes real symmetric and hermitian matrices, not a complex symmetric one",
        ),
        ("hermitian", "c16", "pardiso", "takes real symmetric matrices, not a hermitian one"),
        ("skew", "f8", "cg", "takes real symmetric and hermitian matrices, not a skew one"),
        (
            "skew-hermitian",
            "c16",
            "minres",
            "takes real symmetric and hermitian matrices, not a skew-hermitian one",
        ),
    ],
)
def test_kinds_that_a_solver_does_not_take_name_one_that_does(kind, dtype, solver, message):
    with pytest.raises(TypeError, match=re.escape(f"solver={solver!r} {message}")):
        solve(half_of(matrix(kind, dtype), kind), right_side(), solver=solver)


def test_wrong_arguments_are_refused(monkeypatch):
    S = half_of(matrix(definite=True))
    with pytest.raises(ValueError, match=r"solver.*'lu'.*auto.*minres"):
        solve(S, right_side(), solver="lu")
    with pytest.raises(
        TypeError, match=r"solver='superlu' takes no rtol: .* say solver='cg' or solver='minres'"
    ):
        solve(S, right_side(), solver="superlu", rtol=1e-3)
    with pytest.raises(ValueError, match=r"b has shape \(3,\), but S is of side 40: \(40,\) or \(40, m\)"):
        solve(S, np.ones(3))
    message = "a Packed is solved by LAPACK: leave solver out, or take a SparseHalf; solver='cg' and 'minres'"
    with pytest.raises(TypeError, match=message):
        solve(vech.Packed(np.ones(3)), np.ones(2), solver="superlu")
    with pytest.raises(TypeError, match=r"solver='auto' takes no rtol: .*so say solver='cg' or"):
        solve(vech.Packed(np.ones(3)), np.ones(2), rtol=1e-3)
    with pytest.raises(TypeError, match="'cg' needs a real symmetric or a Hermitian matrix, and S is skew"):
        solve(vech.Packed(np.ones(3), kind="skew"), np.ones(2), solver="cg")
    with pytest.raises(TypeError, match="minres takes no M and x0 for complex matrices: solver='cg' does"):
        solve(half_of(matrix("hermitian", "c16"), "hermitian"), right_side(), solver="minres", x0=np.ones(N))
    monkeypatch.setattr(solvers, "installed", lambda name: name == "superlu")
    message = (
        "solver='cholmod' needs the package scikit-sparse, which is not installed: .*or choose from superlu"
    )
    with pytest.raises(ModuleNotFoundError, match=message):
        solve(S, right_side(), solver="cholmod")
    S.data[3] = np.nan
    with pytest.raises(ValueError, match=r"S\[\d, \d\] is nan: factors need finite numbers"):
        solve(S, right_side())


# ---------------------------------------------------------------- determinants


@pytest.mark.parametrize(("kind", "dtype"), EVERY_KIND)
@pytest.mark.parametrize("n", [1, 2, 5, 6, N])
def test_slogdet_is_that_of_the_full_matrix(kind, dtype, n):
    full = matrix(kind, dtype, n)
    sign, logarithm = slogdet(half_of(full, kind))
    want = np.linalg.slogdet(full)
    if kind == "skew" and n % 2:
        assert (sign, logarithm) == (0.0, -np.inf)
    else:
        assert sign == pytest.approx(want.sign, abs=1e-9)
        assert logarithm == pytest.approx(want.logabsdet, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("solver", [name for name in DIRECT if name != "pardiso"])
@pytest.mark.parametrize("seed", range(4))
def test_each_factor_gives_the_determinant(solver, seed, monkeypatch):
    needs(solver)
    monkeypatch.setattr(solvers, "installed", lambda name: name in (solver, "superlu"))
    for definite in (True, False):
        full = matrix(definite=definite, seed=seed)
        np.testing.assert_allclose(slogdet(half_of(full)), np.linalg.slogdet(full), rtol=1e-10)


# ---------------------------------------------------------------- eigenvalues, norms, inner products


@pytest.mark.parametrize(("kind", "dtype"), [("symmetric", "f8"), ("symmetric", "f4"), ("hermitian", "c16")])
@pytest.mark.parametrize("options", [{"which": "LA"}, {"which": "SA"}, {"sigma": 0}, {"sigma": 1.3}])
@pytest.mark.parametrize("triangle", ["lower", "upper"])
def test_eigenpairs_are_those_of_the_full_matrix(kind, dtype, options, triangle):
    full = matrix(kind, dtype)
    values, vectors = eigsh(half_of(full, kind, triangle), 3, **options)
    every = np.linalg.eigvalsh(full)
    if "sigma" in options:
        want = np.sort(every[np.argsort(np.abs(every - options["sigma"]))[:3]])
    else:
        want = every[-3:] if options["which"] == "LA" else every[:3]
    loose = 1e-3 if dtype == "f4" else 1e-8
    np.testing.assert_allclose(values, want, atol=loose)
    np.testing.assert_allclose(full @ vectors, vectors * values, atol=loose)


def test_the_smallest_eigenvalues_of_a_large_grid_are_found_by_their_factor():
    shape = (60, 50)
    line = [2 - 2 * np.cos(np.pi * np.arange(1, m + 1) / (m + 1)) for m in shape]
    S = vech.images.poisson(shape)
    want = np.sort(np.add.outer(*line), axis=None)[:5]
    np.testing.assert_allclose(eigsh(S, 5, sigma=0)[0], want, rtol=1e-9)


def test_sigma_at_an_eigenvalue_is_told():
    L = sparse.tril(neumann(9, 9), format="csr")
    S = vech.SparseHalf(L.indptr, L.indices, L.data, L.shape[0], triangle="lower")
    with pytest.raises(
        np.linalg.LinAlgError,
        match=r"sigma = 0.0 is an eigenvalue, and has no factor: take a number beside it",
    ):
        eigsh(S, 2, sigma=0)
    assert eigsh(S, 2, sigma=-1e-3)[0][0] == pytest.approx(0, abs=1e-9)


@cases.each("ord", ["fro", "max", 1, np.inf, 2])
@cases.each(("kind", "dtype"), [*EVERY_KIND, ("symmetric", "f4"), ("symmetric", "i4")])
@cases.each("triangle", ["lower", "upper"])
def test_norms_are_those_of_the_full_matrix(ord, kind, dtype, triangle):
    full = matrix(kind, "f8" if dtype == "i4" else dtype)
    full = np.rint(10 * full).astype(dtype) if dtype == "i4" else full
    want = (
        np.abs(full).max() if ord == "max" else np.linalg.norm(full.astype(np.result_type(full, "f8")), ord)
    )
    assert norm(half_of(full, kind, triangle), ord) == pytest.approx(
        want, rel=1e-5 if dtype == "f4" else 1e-12
    )


def test_norms_neither_overflow_nor_lose_what_is_not_finite():
    assert norm(half_of(np.diag([3e200, 4e200]))) == pytest.approx(5e200)
    assert norm(half_of(np.diag([1.0, np.inf]))) == np.inf
    assert np.isnan(norm(half_of(np.diag([1.0, np.nan]))))
    assert norm(half_of(np.zeros((3, 3)))) == norm(half_of(np.zeros((0, 0))), 1) == 0
    with pytest.raises(ValueError, match="unknown ord 'nuc'"):
        norm(half_of(np.eye(2)), "nuc")


@cases.each(("first", "second"), list(itertools.product(EVERY_KIND, repeat=2)))
@cases.each("triangles", [("lower", "lower"), ("lower", "upper"), ("upper", "upper")])
def test_inner_is_vdot_of_the_full_matrices(first, second, triangles):
    a, b = matrix(*first, n=12), matrix(*second, n=12, seed=3) * (pattern(12, 9) | np.eye(12, dtype=bool))
    S, T = half_of(a, first[0], triangles[0]), half_of(b, second[0], triangles[1])
    want = np.vdot(a, b)
    for left, right in ((S, T), (S, T.to_packed()), (S.to_packed(), T)):
        assert inner(left, right) == pytest.approx(want, rel=1e-12, abs=1e-12)


def test_norms_and_inner_products_of_billions_of_rows():
    n = 3 * 10**9
    S = vech.SparseHalf.from_coo([n - 1, 9, n - 1], [4, 9, n - 2], [3.0, -2, 4], n, use="lower")
    T = vech.SparseHalf.from_coo([n - 1, 9], [4, 8], [5.0, 1], n, use="lower", triangle="upper")
    assert (norm(S, "max"), norm(S, 1)) == (4, 7)
    assert norm(S) == pytest.approx(np.sqrt(2 * 9 + 4 + 2 * 16))
    assert inner(S, T) == inner(T, S) == 30


def test_inner_of_integers_does_not_wrap_around():
    S = half_of(np.diag(np.array([2**40, 3])))
    assert inner(S, S) == 2.0**80 + 9
    with pytest.raises(ValueError, match="matrices of 2 and of 3 rows do not fit each other"):
        inner(S, half_of(np.eye(3)))


def test_a_right_side_with_nan_is_refused():
    S = vech.images.poisson((4, 4))
    for solver in ("auto", "cg"):
        with pytest.raises(ValueError, match=r"b\[3\] is nan: solve needs finite numbers"):
            solve(S, np.where(np.arange(16) == 3, np.nan, 1), solver=solver)
        with pytest.raises(ValueError, match=r"b\[2, 1\] is inf: solve needs finite numbers"):
            solve(S, np.where(np.arange(32).reshape(16, 2) == 5, np.inf, 1), solver=solver)


# ---------------------------------------------------------------- memory is no singularity


OUT_OF_MEMORY = (MemoryError(), RuntimeError("SUPERLU_MALLOC fails for buf in intCalloc()"))


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["MemoryError", "RuntimeError"])
def test_too_little_memory_is_not_called_singular(error, monkeypatch):
    def splu(*_, **__):
        raise error

    monkeypatch.setattr("scipy.sparse.linalg.splu", splu)
    monkeypatch.setattr(solvers, "installed", lambda name: name == "superlu")
    S = half_of(matrix())
    message = "SuperLU has no memory for the factor of a matrix of side 40 .* solver='cg' or 'minres' needs"
    for task in (
        lambda: solve(S, right_side(), solver="superlu"),
        lambda: slogdet(S),
        lambda: eigsh(S, 1, sigma=0.1),
    ):
        with pytest.raises(MemoryError, match=message):
            task()


def test_a_pivot_of_zero_is_told_in_our_words():
    S = half_of(np.ones((4, 4)))
    with pytest.raises(np.linalg.LinAlgError, match="S is singular to working precision") as raised:
        solve(S, np.ones(4), solver="superlu")
    assert "exactly singular" not in str(raised.value)


def with_entries(value, *places):
    full = np.eye(N)
    for place in places:
        full[place] = value
    return full


@pytest.mark.parametrize("solver", ["cg", "minres"])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(
    ("M", "message"),
    [
        (with_entries(np.nan, (1, 1)), r"M\[1, 1\] is nan: \w+ needs finite numbers"),
        (with_entries(np.inf, (2, 1), (1, 2)), r"M\[2, 1\] is inf: \w+ needs finite numbers"),
        (
            with_entries(3.0, (2, 1)),
            (
                r"^M is not symmetric: a\[2, 1\] is 3.0, but a\[1, 2\] is 0.0.*: M=\(M \+ M.conj\(\).T\) / 2 "
                r"has a mean of both"
            ),
        ),
        (with_entries(np.nan, (2, 1)), r"^M is not symmetric: a\[2, 1\] is nan, but a\[1, 2\] is 0.0"),
    ],
)
def test_a_preconditioner_is_finite_and_its_own_adjoint(M, message, make, solver):
    with pytest.raises(ValueError, match=message):
        solve(half_of(matrix("symmetric", "f8")), right_side(), solver=solver, M=make(M))


@pytest.mark.parametrize("solver", ["cg", "minres"])
def test_a_start_is_finite_and_a_callback_is_called(solver):
    S, start = half_of(matrix("symmetric", "f8")), np.zeros(N)
    start[3] = np.nan
    with pytest.raises(ValueError, match=rf"x0\[3\] is nan: {solver} needs finite numbers"):
        solve(S, right_side(), solver=solver, x0=start)
    with pytest.raises(TypeError, match="callback must be a function of x, not 5"):
        solve(S, right_side(), solver=solver, callback=5)


def test_pardiso_is_looked_for_once(monkeypatch):
    glob = pytest.importorskip("pypardiso.pardiso_wrapper").glob
    S, searches = vech.SparseHalf.from_sparse(sparse.eye_array(3) * 2.0), []
    solve(S, np.ones(3), solver="pardiso")
    monkeypatch.setattr(glob, "glob", lambda *args, **more: searches.append(args) or [])
    assert np.allclose(solve(S, np.ones(3), solver="pardiso"), 0.5, rtol=1e-15)
    assert not searches
