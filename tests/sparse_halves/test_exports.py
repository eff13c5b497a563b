"""What each solver is given solves the right system; the other triangle, which most take too, does not."""

import io
import re
import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.io import mmread, mmwrite
from scipy.sparse.linalg import cg, spsolve

import cases
import reference
import vech
from compare import assert_canonical


def spd(n=6, seed=0, dtype="f8"):
    """Positive definite, about half of it zero."""
    rng = np.random.default_rng(seed)
    full = rng.normal(size=(n, n)) + (1j * rng.normal(size=(n, n)) if np.dtype(dtype).kind == "c" else 0)
    full[rng.random((n, n)) < 0.5] = 0
    full = full + full.conj().T
    np.fill_diagonal(full, np.abs(full).sum(axis=1) + 1)
    return full.astype(dtype)


FULL = spd()
B = np.arange(1.0, 7)
X = np.linalg.solve(FULL, B)


def half_of(full=FULL, triangle="lower", kind="symmetric"):
    return vech.SparseHalf(*reference.csr(full, triangle), len(full), triangle=triangle, kind=kind)


# ---------------------------------------------------------------- how each solver is asked


def by_osqp(P):
    osqp = pytest.importorskip("osqp")
    solver = osqp.OSQP()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        warnings.simplefilter("error", UserWarning)
        one = sparse.csc_matrix(np.zeros((1, 6)))
        solver.setup(P, -B, one, -np.ones(1), np.ones(1), verbose=False, eps_abs=1e-10, eps_rel=1e-10)
        return solver.solve().x


def by_qdldl(matrix):
    return pytest.importorskip("qdldl").Solver(matrix, upper=True).solve(B)


def by_clarabel(P):
    clarabel = pytest.importorskip("clarabel")
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    none = sparse.csc_array((0, 6))
    return np.array(clarabel.DefaultSolver(P, -B, none, np.zeros(0), [], settings).solve().x)


def by_cholmod(matrix):
    cholmod = pytest.importorskip("sksparse.cholmod")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return cholmod.cholesky(matrix)(B)


def by_pardiso(matrix, mtype=-2):
    pypardiso = pytest.importorskip("pypardiso")
    solver = pypardiso.PyPardisoSolver(mtype=mtype)
    found = solver.solve(matrix, B)
    solver.free_memory(everything=True)
    return found


SOLVERS = {
    "osqp": (by_osqp, 1e-7),
    "qdldl": (by_qdldl, 1e-12),
    "clarabel": (by_clarabel, 1e-6),
    "cholmod": (by_cholmod, 1e-12),
    "pardiso": (by_pardiso, 1e-12),
}
SHAPES = {  # the class, the triangle, and which triangle of ours has these very arrays
    "osqp": (sparse.csc_matrix, "upper", "lower"),
    "qdldl": (sparse.csc_array, "upper", "lower"),
    "clarabel": (sparse.csc_array, "upper", "lower"),
    "cholmod": (sparse.csc_array, "lower", "upper"),
    "pardiso": (sparse.csr_array, "upper", "upper"),
}


def export(S, name):
    return getattr(S, f"to_{name}")()


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("triangle", ["lower", "upper"])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i4", "bool"])
def test_the_export_solves_the_system(name, triangle, dtype):
    solve, tolerance = SOLVERS[name]
    full = FULL if dtype == "f8" else np.rint(10 * FULL).astype(dtype)
    full = np.eye(6, dtype=bool) if dtype == "bool" else full
    np.testing.assert_allclose(
        solve(export(half_of(full, triangle), name)), np.linalg.solve(full.astype(float), B), atol=tolerance
    )


@pytest.mark.parametrize("name", ["osqp", "qdldl", "clarabel", "cholmod"])
def test_the_other_triangle_is_silently_wrong(name):
    """For the record: what these solvers do not notice. PARDISO reads beyond its memory instead."""
    solve, _ = SOLVERS[name]
    kind, triangle, _ = SHAPES[name]
    wrong = kind(np.tril(FULL) if triangle == "upper" else np.triu(FULL))
    found = solve(wrong)
    assert np.all(np.isfinite(found)) and np.abs(found - X).max() > 1e-3
    np.testing.assert_allclose(found, B / FULL.diagonal(), atol=1e-6)  # the diagonal is all they saw


def test_solvers_of_general_matrices_want_the_full_one():
    """For the record: a half is silently wrong there, and expand, to_csr and to_csc are right."""
    lower = sparse.csc_array(np.tril(FULL))
    assert np.abs(spsolve(lower, B) - X).max() > 1e-3
    S = half_of()
    np.testing.assert_allclose(spsolve(S.to_csc(), B), X, rtol=1e-12)
    np.testing.assert_allclose(cg(S.to_csr(), B, rtol=1e-12)[0], X, rtol=1e-9)
    np.testing.assert_allclose(by_pardiso(S.to_csr(), mtype=11), X, rtol=1e-12)
    assert np.abs(by_pardiso(sparse.csr_array(np.triu(FULL)), mtype=11) - X).max() > 1e-3


# ---------------------------------------------------------------- what each export is


@cases.each("name", list(SHAPES))
@cases.each("triangle", ["lower", "upper"])
@cases.each("dtype", ["f8", "f4", "u1"])
@cases.each("n", [0, 1, 2, 6, 30])
def test_the_export_is_the_triangle_its_consumer_wants(name, triangle, dtype, n):
    full = np.abs(np.rint(3 * spd(n, n))).astype(dtype)
    matrix = export(half_of(full, triangle), name)
    kind, wanted, _ = SHAPES[name]
    assert type(matrix) is kind
    assert matrix.dtype == np.float64
    assert matrix.indices.dtype == matrix.indptr.dtype == np.int32
    assert_canonical(matrix)
    assert np.array_equal(matrix.toarray(), np.tril(full) if wanted == "lower" else np.triu(full))


@pytest.mark.parametrize("name", SHAPES)
def test_arrays_that_fit_are_shared(name):
    _, _, ours = SHAPES[name]
    indptr, indices, data = reference.csr(FULL, ours)
    S = vech.SparseHalf(indptr.astype(np.int32), indices.astype(np.int32), data, 6, triangle=ours)
    matrix = export(S, name)
    assert np.shares_memory(matrix.data, S.data)
    assert np.shares_memory(matrix.indices, S.indices)
    other = export(half_of(FULL, "lower" if ours == "upper" else "upper"), name)
    for array in ("indptr", "indices", "data"):
        assert np.array_equal(getattr(other, array), getattr(matrix, array))


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("triangle", ["lower", "upper"])
def test_exporting_changes_nothing(name, triangle):
    S = half_of(spd(20), triangle)
    before = [array.copy() for array in (S.indptr, S.indices, S.data)]
    matrix = export(S, name)
    matrix.sort_indices()
    matrix.sum_duplicates()
    for array, was in zip((S.indptr, S.indices, S.data), before, strict=True):
        assert np.array_equal(array, was)


def test_explicit_zeros_are_kept():
    S = vech.SparseHalf([0, 1, 3], [0, 0, 1], [1.0, 0.0, 2.0], 2, triangle="lower")
    for name in SHAPES:
        assert export(S, name).nnz == 3


@pytest.mark.parametrize("name", ["pardiso", "qdldl"])
@pytest.mark.parametrize("triangle", ["lower", "upper"])
@pytest.mark.parametrize("missing", [[], [0], [5], [0, 3, 4], range(6)])
def test_these_solvers_get_the_whole_diagonal(name, triangle, missing):
    full = FULL.copy()
    full[list(missing), list(missing)] = 0
    matrix = export(half_of(full, triangle), name)
    assert_canonical(matrix)
    assert np.array_equal(matrix.toarray(), np.triu(full))
    ends = matrix.indptr[:-1] if name == "pardiso" else matrix.indptr[1:] - 1
    assert np.array_equal(matrix.indices[ends], np.arange(6))


@pytest.mark.parametrize("triangle", ["lower", "upper"])
def test_a_diagonal_that_is_not_stored_is_no_obstacle(triangle):
    """An arrow, whose head is zero on the diagonal, and so an empty column of the upper triangle."""
    full = np.eye(6)
    full[0, 1:] = full[1:, 0] = 1
    full[0, 0] = 0
    S, want = half_of(full, triangle), np.linalg.solve(full, B)
    np.testing.assert_allclose(by_pardiso(S.to_pardiso()), want, rtol=1e-12)
    np.testing.assert_allclose(by_qdldl(S.to_qdldl()), want, rtol=1e-12)


@pytest.mark.parametrize("triangle", ["lower", "upper"])
def test_hermitian_exports_are_not_conjugated(triangle):
    full = spd(dtype="c16")
    S = half_of(full, triangle, "hermitian")
    assert np.array_equal(S.to_cholmod().toarray(), np.tril(full))
    assert np.array_equal(S.to_pardiso().toarray(), np.triu(full))
    np.testing.assert_allclose(by_cholmod(S.to_cholmod()), np.linalg.solve(full, B), rtol=1e-12)
    stored = full + 1j * np.diag(np.arange(6))
    settled = half_of(stored, triangle, "hermitian")
    assert np.array_equal(settled.to_cholmod().toarray(), np.tril(full))
    assert np.array_equal(settled.expand(), half_of(stored, triangle, "hermitian").expand())


def test_complex_symmetric_and_single_precision_go_to_pardiso():
    full = (FULL * (1 + 2j)).astype("c8")
    matrix = half_of(full).to_pardiso()
    assert matrix.dtype == np.complex128
    assert np.array_equal(matrix.toarray(), np.triu(full))


@pytest.mark.parametrize(
    ("name", "kind", "dtype", "message"),
    [
        ("osqp", "hermitian", "c16", "OSQP takes real symmetric matrices, not a hermitian one"),
        ("osqp", "skew", "f8", "OSQP takes real symmetric matrices, not a skew one"),
        ("qdldl", "symmetric", "c16", "QDLDL takes real symmetric matrices, not a complex symmetric one"),
        (
            "clarabel",
            "skew-hermitian",
            "c16",
            "Clarabel takes real symmetric matrices, not a skew-hermitian one",
        ),
        (
            "cholmod",
            "symmetric",
            "c16",
            "CHOLMOD takes real symmetric or hermitian matrices, not a complex symmetric",
        ),
        ("cholmod", "skew", "f8", "CHOLMOD takes real symmetric or hermitian matrices, not a skew one"),
        (
            "pardiso",
            "skew",
            "f8",
            (
                "or complex symmetric matrices, not a skew one: to_csr() gives the full matrix for solvers "
                "of general ones"
            ),
        ),
    ],
)
def test_kinds_that_a_consumer_does_not_take_are_refused(name, kind, dtype, message):
    S = vech.SparseHalf([0, 0, 1], [0], np.ones(1, dtype), 2, triangle="lower", kind=kind)
    with pytest.raises(TypeError, match=re.escape(message)):
        export(S, name)


@pytest.mark.parametrize(("name", "program"), [("osqp", "OSQP"), ("pardiso", "PARDISO")])
def test_more_than_32_bits_can_count_is_refused(name, program, monkeypatch):
    monkeypatch.setattr("vech.sparse.exports.INT32_MAX", 20)
    S = half_of(spd(20))
    message = f"{program} counts in 32 bits, up to 20: n = 20 with {S.nnz} numbers is beyond"
    with pytest.raises(OverflowError, match=re.escape(message)):
        export(S, name)


@pytest.mark.parametrize("name", SHAPES)
def test_mostly_empty_rows_are_spread_out_or_refused(name):
    full = np.zeros((5000, 5000))
    full[4000, [7, 4000]] = full[[7, 4000], 4000] = 3.0
    S = vech.SparseHalf.from_coo([4000, 4000], [7, 4000], [3.0, 3.0], 5000, use="lower")
    matrix = export(S, name)
    assert np.array_equal(matrix.toarray(), np.tril(full) if SHAPES[name][1] == "lower" else np.triu(full))
    huge = vech.SparseHalf.from_coo([3 * 10**9 - 1], [7], [3.0], 3 * 10**9, use="lower")
    with pytest.raises(
        OverflowError, match=r"n = 3000000000 with 1 numbers is beyond; submatrix\(\) leaves empty"
    ):
        export(huge, name)


def test_64_bit_indices_of_the_owner_are_narrowed():
    indptr, indices, data = reference.csr(FULL, "lower")
    S = vech.SparseHalf(indptr.astype(np.int64), indices.astype(np.int64), data, 6, triangle="lower")
    for name in SHAPES:
        assert export(S, name).indices.dtype == np.int32


# ---------------------------------------------------------------- Matrix Market


@pytest.mark.parametrize("triangle", ["lower", "upper"])
@pytest.mark.parametrize(
    ("kind", "dtype"), [("symmetric", "f8"), ("hermitian", "c16"), ("skew", "f8"), ("symmetric", "i8")]
)
def test_matrix_market_files_hold_the_lower_half_and_say_so(triangle, kind, dtype, tmp_path):
    full = spd(dtype="c16") if dtype == "c16" else np.rint(9 * FULL).astype(dtype)
    full = np.tril(full, -1) - np.tril(full, -1).T if kind == "skew" else full
    S = half_of(full, triangle, kind)
    path, file = tmp_path / "matrix.of.mine", io.BytesIO()
    S.to_matrix_market(path)
    S.to_matrix_market(file)
    assert path.read_bytes() == file.getvalue()
    symmetry = {"skew": "skew-symmetric"}.get(kind, kind)
    assert file.getvalue().startswith(b"%%MatrixMarket matrix coordinate")
    assert file.getvalue().splitlines()[0].endswith(symmetry.encode())
    assert np.array_equal(mmread(path).toarray(), full)
    fmm = pytest.importorskip("fast_matrix_market")
    assert np.array_equal(fmm.mmread(str(path)).toarray(), full)
    (_, (rows, columns)), shape = fmm.read_coo(str(path), generalize_symmetry=False)
    assert shape == (6, 6) and np.all(rows >= columns)


def test_writing_a_half_by_hand_is_silently_wrong():
    """For the record: mmwrite drops an upper half told to be symmetric, and calls a lower one general."""
    file = io.BytesIO()
    mmwrite(file, sparse.coo_array(np.triu(FULL)), symmetry="symmetric")
    assert np.array_equal(mmread(io.BytesIO(file.getvalue())).toarray(), np.diag(FULL.diagonal()))
    file = io.BytesIO()
    mmwrite(file, sparse.coo_array(np.tril(FULL)))
    assert b"general" in file.getvalue().splitlines()[0]


def test_what_matrix_market_cannot_say_is_refused(tmp_path):
    skew = vech.SparseHalf([0, 0, 1], [0], [1j], 2, triangle="lower", kind="skew-hermitian")
    for target in (io.BytesIO(), tmp_path / "a.mtx"):
        with pytest.raises(
            ValueError, match=r"Matrix Market has no skew-hermitian matrices: write \.npy or \.npz"
        ):
            skew.to_matrix_market(target)
    diagonal = vech.SparseHalf([0, 1, 1], [0], [1.0], 2, triangle="lower", kind="skew")
    with pytest.raises(ValueError, match=r"a skew matrix has the number 1.0 at \(0, 0\) of its diagonal"):
        diagonal.to_matrix_market(tmp_path / "a.mtx")
    assert not list(tmp_path.iterdir())
