"""Stores that see codes through something: the promise, the certificate, and what each is published for."""

import copy
import math
import pickle

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse.linalg

import cases
import vech
from compare import assert_same_bits
from vech import linalg
from vech.quantized import hadamard, low_rank, outliers

MAKERS = {
    "hadamard": hadamard,
    "outliers": outliers,
    "rows-given": lambda S, encoding="int8", **more: outliers(S, encoding, rows=slice(0, None, 7), **more),
    "low-rank": lambda S, encoding="int8", **more: low_rank(S, min(5, len(S)), encoding, **more),
}
every_maker = cases.each("make", MAKERS.values(), ids=MAKERS)
N = 130
SIZES = (1, 2, 64, 65, 130)


def wishart(n, seed=0, sizes=0.0):
    """A covariance; rows of sizes that are lognormal."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2 * n)) * np.exp(sizes * rng.normal(size=(n, 1)))
    return X @ X.T / (2 * n)


def decaying(n, seed=0):
    rng = np.random.default_rng(seed)
    U = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return (U * np.arange(1.0, n + 1) ** -1.5) @ U.T


# ---- the promise -------------------------------------------------------------------------------------------


@every_maker
@cases.each("encoding", ["int8", "uint8", "sign", "int4x2"])
@cases.each("n", SIZES)
def test_it_is_symmetric_and_its_certificate_is_its_error(make, encoding, n):
    full = wishart(n, n, 1.0)
    L = make(full, encoding)
    found = L.expand()
    assert found.dtype == L.dtype == np.float64 and L.kind == "symmetric"
    assert_same_bits(found, np.ascontiguousarray(found.T))
    e = np.abs(found - full)
    assert np.linalg.norm(e) <= L.error.frobenius <= np.linalg.norm(e) * (1 + 1e-10)
    assert e.max() <= L.error.max <= (1 + 1e-15) * e.max()
    spectral = np.abs(np.linalg.eigvalsh(found - full)).max(initial=0)
    assert spectral <= L.error.spectral_bound <= min(np.linalg.norm(e), e.sum(axis=1).max()) * (1 + 1e-10)
    assert L.error.tiles.shape == (L.grid, L.grid)
    i, j = L.grid - 1, 0
    own = e[i * L.tile :, : L.tile]
    assert L.error.tiles[i, j] == pytest.approx(np.linalg.norm(own), rel=1e-9)
    values, others = np.linalg.eigvalsh(full), np.linalg.eigvalsh(found)
    assert np.abs(values - others).max() <= L.error.spectral_bound * (1 + 1e-12)
    low, high = L.eigenvalue_interval()
    assert low <= values[0] and values[-1] <= high
    assert high - low <= np.ptp(others) + 2.001 * L.error.spectral_bound + 1e-9


@every_maker
@pytest.mark.parametrize("n", [0, 65, 530])
def test_parts_have_the_bits_of_the_whole(make, n):
    L = make(wishart(n, 3), "int4")
    full = L.expand()
    rng = np.random.default_rng(5)
    assert_same_bits(L.diagonal(), full.diagonal().copy())
    assert_same_bits(np.asarray(L), full)
    assert_same_bits(L.expand(slice(n // 3, n // 2)), full[n // 3 : n // 2])
    out = np.empty((n, n), L.dtype)
    assert L.expand(out=out) is out
    assert_same_bits(out, full)
    if n:
        rows, columns = rng.integers(0, n, 9), rng.integers(0, n, 7)
        assert_same_bits(L.block(rows, columns), full[np.ix_(rows, columns)])
    for layout in ("vech", "numpy-tril", "lapack-upper"):
        assert_same_bits(L.to_packed(layout).expand(), full)
    for side in (None, 100):
        again = np.zeros_like(full)
        for tile in L.tiles(side):
            again[tile.rows, tile.columns] = tile.numbers
        assert_same_bits(np.tril(again), np.tril(full))


@every_maker
@cases.each("dtype", [np.float32, np.float64, np.float16, np.int16])
@cases.each("shape", [(), (5,)])
def test_products_are_those_of_the_full_matrix(make, dtype, shape):
    full = (wishart(N, 7, 1.0) * 50).astype(dtype)
    if dtype == np.float16 and make is MAKERS["low-rank"]:
        full = full.astype(np.float32)
    L = make(full)
    assert L.dtype == (np.float32 if full.dtype.itemsize < 5 and full.dtype.kind == "f" else np.float64)
    wide = L.expand().astype(np.float64)
    for kind in (np.float32, np.float64, np.complex64, np.complex128, np.int32):
        x = cases.moderate(kind, (N, *shape))
        want = wide @ x
        bound = 2e-4 if np.float32 in (L.dtype, kind) or kind == np.complex64 else 1e-12
        found = L @ x
        assert found.dtype == np.matmul(L.expand(), x).dtype and found.shape == want.shape
        assert np.abs(found - want).max() <= bound * np.linalg.norm(wide) * np.linalg.norm(x) / 15
        out = np.empty_like(found)
        assert L.matmul(x, out=out) is out
        assert_same_bits(out, found)
        np.testing.assert_allclose(x.T @ L, found.T, rtol=0, atol=0)
    batch = cases.moderate(np.float64, (2, 3, N, 2))
    np.testing.assert_allclose(L @ batch, wide @ batch, rtol=1e-4, atol=1e-4 * np.abs(wide).max())


@every_maker
def test_threads_leave_the_bits(make):
    L = make(wishart(300, 9))
    x = cases.moderate(np.float64, (300, 3))
    assert_same_bits(L.matmul(x, threads=1), L.matmul(x, threads=3))


@every_maker
def test_labels_stay_with_the_matrix(make):
    names = tuple(f"r{k}" for k in range(70))
    L = make(vech.Packed.from_full(wishart(70), labels=names))
    assert L.labels == L.copy().labels == L.to_packed().labels == L.T.labels == names
    assert L.loc["r3", "r5"] == L.expand()[3, 5]
    other = L.with_labels([name.upper() for name in names])
    assert type(other) is type(L) and other.labels[0] == "R0" and L.labels == names
    assert_same_bits(other.expand(), L.expand())
    assert make(pytest.importorskip("pandas").DataFrame(wishart(70), names, names)).labels == names


@every_maker
def test_it_can_be_pickled_and_copied_and_shares_nothing(make):
    L = make(wishart(70), "int4")
    for other in (pickle.loads(pickle.dumps(L)), copy.deepcopy(L), L.copy()):
        assert type(other) is type(L) and other.error.frobenius == L.error.frobenius
        assert_same_bits(other.expand(), L.expand())
        assert not np.shares_memory(other.quantized.codes, L.quantized.codes)
    assert 70 * 70 / 4 < L.nbytes < 70 * 70 * 8
    assert repr(L) == f"{type(L).__name__}(n=70, dtype=float64, kind='symmetric')"


@every_maker
def test_the_library_takes_it(make):
    full = wishart(150, 1)
    L = make(full)
    wide = L.expand()
    np.testing.assert_allclose(linalg.eigsh(L, 3)[0], np.linalg.eigvalsh(wide)[-3:], rtol=1e-8)
    assert linalg.norm(L) == pytest.approx(np.linalg.norm(wide), rel=1e-12)
    x = linalg.solve(L, np.ones(150), solver="cg")
    np.testing.assert_allclose(wide @ x, 1, atol=1e-7)
    found = scipy.sparse.linalg.eigsh(scipy.sparse.linalg.aslinearoperator(L), 2)[0]
    np.testing.assert_allclose(found, np.linalg.eigvalsh(wide)[-2:], rtol=1e-8)
    near = vech.neighbors.nearest(L, 2, largest=True)
    assert_same_bits(near.values, np.take_along_axis(wide, near.indices, axis=1))
    assert L.max() == wide[np.tril_indices(150, -1)].max()


@every_maker
@cases.each("form", ["packed", "sparse", "float32"])
def test_any_store_will_do(make, form):
    full = wishart(130, 2)
    S = {
        "packed": lambda: vech.Packed.from_full(full, "lapack-upper"),
        "sparse": lambda: vech.SparseHalf.from_sparse(vech.Packed.from_full(full).to_csr()),
        "float32": lambda: vech.Packed.from_full(full.astype(np.float32)),
    }[form]()
    np.testing.assert_allclose(make(S).expand(), make(full).expand(), atol=1e-2 * np.abs(full).max())
    assert make(S).error.frobenius < 0.01 * np.linalg.norm(full)


@every_maker
@cases.each("scale", [1e-30, 1e30])
@cases.each("dtype", [np.float32, np.float64])
def test_errors_go_with_the_numbers(make, scale, dtype):
    full = wishart(100, 4, 1.0)
    L, M = make(full.astype(dtype)), make((full * scale).astype(dtype))
    assert M.error.frobenius == pytest.approx(L.error.frobenius * scale, rel=0.01)


@every_maker
def test_zeros_stay_zeros(make):
    L = make(np.zeros((70, 70)))
    assert not L.expand().any() and L.error.frobenius == L.error.spectral_bound == 0


@every_maker
def test_what_does_not_fit_is_said(make):
    skew = vech.Packed(np.array([0.0, 1, 0]), kind="skew")
    with pytest.raises(TypeError, match=r"takes symmetric matrices, and S is skew: vech\.quantize takes it"):
        make(skew)
    with pytest.raises(TypeError, match="complex"):
        make(vech.Packed(np.ones(3, complex), kind="hermitian"))
    bad = wishart(70)
    bad[9, 4] = bad[4, 9] = np.inf
    with pytest.raises(ValueError, match=r"S\[9, 4\] is inf"):
        make(bad)
    L = make(wishart(70))
    with pytest.raises(ValueError, match=r"x has shape \(69,\), but S @ x needs 70 rows"):
        L @ np.ones(69)
    with pytest.raises(ValueError, match="out has shape"):
        L.matmul(np.ones(70), out=np.empty(69))
    with pytest.raises(IndexError, match="out of bounds"):
        L.block(70, 0)


@every_maker
@cases.each("n", [1, 2, 65, 600])
def test_numbers_are_taken_as_from_the_full_matrix(make, n):
    S = make(vech.Packed.from_full(wishart(n), labels=[f"r{k}" for k in range(n)]), "int4")
    full, rng = S.expand(), cases.generator("taken", n)
    rows, columns = rng.integers(-n, n, (2, 30))
    for key in (
        (0, n - 1),
        (-1, 0),
        n // 2,
        (slice(None, None, -2), 0),
        (slice(n // 3, None), slice(None, n // 2)),
        (rows, columns),
        (rows[:, None], columns[:7]),
        (rows, slice(None)),
        (np.arange(n) % 3 == 0, 0),
        ([], []),
    ):
        found, wanted = S[key], full[key]
        assert type(found) is type(wanted) and found.shape == wanted.shape
        assert_same_bits(np.asarray(found), np.asarray(wanted).copy())
    assert S["r0", f"r{n - 1}"] == full[0, n - 1]
    with pytest.raises(IndexError, match=f"index {n} is out of bounds"):
        S[n, 0]
    with pytest.raises(KeyError, match="no row has the label 'x'"):
        S["x", 0]


@every_maker
@cases.each("dtype", [np.float32, np.float64])
@cases.each("unit", [1e-30, 1.0, 1e15])
@cases.each("encoding", ["int8", "sign"])
def test_a_shift_makes_it_positive_semidefinite_and_is_counted(make, dtype, unit, encoding):
    full = (unit * (1.0 - np.eye(90) / 50 + decaying(90))).astype(dtype)
    full = np.tril(full) + np.tril(full, -1).T
    S = make(full, encoding)
    before, P = S.expand(), S.shift_to_psd()
    assert np.linalg.eigvalsh(before.astype(float))[0] < 0
    after = P.expand()
    assert (
        type(P) is type(S) and P.quantized is not S and np.shares_memory(P.quantized.codes, S.quantized.codes)
    )
    assert np.linalg.eigvalsh(after.astype(float))[0] >= 0
    shift = after.astype(float) - before
    off = ~np.eye(90, dtype=bool)
    assert not shift[off].any() and np.ptp(np.diag(shift)) <= 4 * np.finfo(dtype).eps * np.abs(after).max()
    needed = -np.linalg.eigvalsh(before.astype(float))[0]
    assert shift.max() <= needed + 200 * np.finfo(dtype).eps * np.linalg.norm(before.astype(float))
    E = full.astype(float) - after
    assert np.linalg.norm(E) <= P.error.frobenius and np.abs(E).max() <= P.error.max
    assert np.linalg.norm(E, 2) <= P.error.spectral_bound
    low, high = P.eigenvalue_interval()
    values = np.linalg.eigvalsh(full.astype(float))
    assert low <= values[0] and values[-1] <= high
    assert_same_bits(S.expand(), before)
    np.testing.assert_allclose(P @ np.ones(90), after @ np.ones(90, dtype), rtol=1e-4)


@every_maker
def test_a_shift_that_is_not_needed_is_none(make):
    S = make(wishart(70) + np.eye(70))
    assert S.shift_to_psd() is S
    empty = make(np.zeros((0, 0)))
    assert empty.shift_to_psd() is empty


def test_a_shift_of_what_is_in_another_domain_is_refused():
    full = decaying(40) + 1e-3 * np.eye(40)
    S = low_rank(full, 3, "int8", domain="log")
    assert S.shift_to_psd() is S
    S.weights = -100 * S.weights
    with pytest.raises(
        ValueError, match=r"codes of numbers, and those of S are in the domain 'log': vech\.lin"
    ):
        S.shift_to_psd()


@every_maker
def test_what_it_has_not_says_what_has(make):
    S = make(wishart(20))
    with pytest.raises(
        AttributeError, match=r"has no permute: S\.to_packed\(\) makes a Packed of its numbers"
    ):
        S.permute([1, 0])
    with pytest.raises(
        AttributeError, match=r"has no codes: S\.quantized has, of the codes alone, which are"
    ):
        S.codes  # noqa: B018
    with pytest.raises(AttributeError, match=r"'toarray': S\.expand\(\) is the same here"):
        S.toarray()
    with pytest.raises(
        AttributeError, match=r"a Quantized has no trace: S\.to_packed\(\) makes a Packed of it"
    ):
        S.quantized.trace()
    with pytest.raises(AttributeError, match="object has no attribute 'nothing'"):
        S.nothing  # noqa: B018


# ---- hadamard ----------------------------------------------------------------------------------------------


@cases.each("n", [1, 2, 3, 64, 100, 193])
@cases.each("block", [1, 2, 32, 128])
def test_the_rotation_is_that_of_hadamard_matrices(n, block):
    L = hadamard(wishart(n), "float16", seed=3, block=block)
    sides, left = [], n
    for side in (block, *(2**k for k in range(block.bit_length() - 1)[::-1])):
        sides += [side] * (left // side)
        left %= side
    H = scipy.linalg.block_diag(*(scipy.linalg.hadamard(side) / math.sqrt(side) for side in sides))
    R, full = H * L.signs, wishart(n)
    np.testing.assert_allclose(R @ R.T, np.eye(n), atol=1e-14)
    assert set(np.unique(L.signs)) <= {-1, 1}
    off = full - np.diag(full.diagonal())
    np.testing.assert_allclose(L.quantized.expand(), R @ off @ R.T, atol=1e-3)
    np.testing.assert_allclose(L.expand(), R.T @ L.quantized.expand() @ R + np.diag(L.added), atol=1e-14)
    np.testing.assert_allclose(L.diagonal(), full.diagonal(), rtol=1e-14)


def test_norms_of_errors_are_those_of_the_rotation_but_for_the_diagonal():
    L = hadamard(wishart(200, 5), "int4")
    assert 0.98 * L.quantized.error.frobenius < L.error.frobenius < L.quantized.error.frobenius


@pytest.mark.parametrize("encoding", ["int8", "int4"])
def test_rows_of_very_different_size_lose_less_by_a_rotation(encoding):
    """At the same bits a third of the spectral error, as 2.4e-3 to 7.8e-4; no less where rows are alike."""
    gain = {}
    for sizes in (0.0, 0.5):
        full = wishart(192, 11, sizes)
        plain, turned = (
            np.abs(np.linalg.eigvalsh(Q.expand() - full)).max()
            for Q in (vech.quantize(full, encoding), hadamard(full, encoding))
        )
        gain[sizes] = plain / turned
    assert gain[0.5] > 2
    assert 0.8 < gain[0.0] < 1.2


def test_a_seed_gives_the_same_signs_and_another_others():
    full = wishart(80)
    assert_same_bits(hadamard(full, seed=4).expand(), hadamard(full, seed=4).expand())
    assert (hadamard(full, seed=4).signs != hadamard(full, seed=5).signs).any()
    stochastic = hadamard(full, seed=4, rounding="stochastic")
    assert (stochastic.signs == hadamard(full, seed=4).signs).all()


def test_no_result_goes_into_what_holds_the_matrix():
    L = hadamard(wishart(70))
    with pytest.raises(ValueError, match="out shares memory with the input"):
        L.matmul(np.ones(70), out=L.added)
    with pytest.raises(ValueError, match="out shares memory with the input"):
        L.block(0, slice(None), out=L.added[None])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_beyond_the_dtype_are_an_error(dtype):
    full = np.full((70, 70), np.finfo(dtype).max)
    with pytest.raises(
        OverflowError, match=rf"sums of them are beyond {np.dtype(dtype)}: divide it by a power"
    ):
        hadamard(full)


def test_what_hadamard_does_not_take_is_said():
    with pytest.raises(ValueError, match="so domain='cholesky' has no place: leave it out"):
        hadamard(wishart(5), domain="cholesky")
    with pytest.raises(ValueError, match="tile is 65"):
        hadamard(wishart(5), tile=65)
    with pytest.raises(TypeError, match="seed must be an integer, not None"):
        hadamard(wishart(5), seed=None)


@pytest.mark.parametrize(
    ("block", "error", "message"),
    [
        (48, ValueError, "block is 48, and must be a power of two from 1 to 512"),
        (1024, ValueError, "block is 1024, and must be a power of two"),
        (0, ValueError, "block is 0"),
        (2.0, TypeError, "block must be an integer, not 2.0"),
    ],
)
def test_blocks_are_judged(block, error, message):
    with pytest.raises(error, match=message):
        hadamard(wishart(5), block=block)


# ---- outliers ----------------------------------------------------------------------------------------------


def spoilt(n, rows, seed=0):
    full = wishart(n, seed)
    for row in rows:
        full[row] *= 300
        full[:, row] *= 300
    return full


def test_rows_of_outliers_are_found_and_the_others_keep_their_digits():
    full = spoilt(300, (17, 200))
    L = outliers(full)
    assert L.rows.tolist() == [17, 200]
    others = np.delete(np.arange(300), L.rows)
    within = np.ix_(others, others)
    plain = np.abs(vech.quantize(full, "int8").expand() - full)[within].max()
    assert np.abs(L.expand() - full)[within].max() < plain / 20
    strip = np.abs(L.expand() - full)[L.rows]
    assert np.all(strip <= 2**-11 * np.abs(full[L.rows]) + 2**-39 * np.abs(full).max())
    assert L.nbytes - L.quantized.nbytes == 2 * 300 * 2 + 2 * 8
    np.testing.assert_array_equal(L.diagonal(), full.diagonal())


def test_no_number_beyond_the_threshold_is_left_among_the_codes():
    rng = np.random.default_rng(13)
    full = rng.standard_t(2, (120, 120))
    full = full + full.T
    below = np.tril_indices(120, -1)
    for threshold in (3.0, 6.0):
        L = outliers(full, threshold=threshold)
        left = L.quantized.expand()
        np.fill_diagonal(left, 0)
        limit = threshold * math.sqrt(math.pi / 2) * np.abs(full[below]).mean()
        assert 0.9 * limit < np.abs(left).max() <= limit * 1.01
        assert len(L.rows) < (np.abs(full[below]) > limit).sum()


def test_rows_can_be_given_by_label():
    S = vech.Packed.from_full(wishart(40), labels=[f"r{k}" for k in range(40)])
    assert outliers(S, rows=["r7", "r3", "r7"]).rows.tolist() == [3, 7]
    assert outliers(S, rows=[-1]).rows.tolist() == [39]
    everything = outliers(S, rows=slice(None))
    np.testing.assert_allclose(everything.expand(), S.expand(), rtol=2**-11, atol=2**-24)
    assert outliers(S, rows=[]).rows.size == 0
    with pytest.raises(IndexError, match="out of bounds"):
        outliers(S, rows=[40])
    with pytest.raises(KeyError, match="no row has the label 'r40'"):
        outliers(S, rows=["r40"])


@pytest.mark.parametrize("threshold", [0, -1.0, np.nan, "6", True, 10**400])
def test_thresholds_are_positive(threshold):
    with pytest.raises(ValueError, match="threshold must be a positive number, not"):
        outliers(wishart(5), threshold=threshold)


# ---- low rank ----------------------------------------------------------------------------------------------


def test_decaying_spectra_lose_far_less_at_about_the_same_bytes():
    """Measured before: .0043 of the Frobenius norm with 16 eigenvectors and 4 bits, .11 with 4 bits alone."""
    full = decaying(512).astype(np.float32)
    four, eight, split = vech.quantize(full, "nf4"), vech.quantize(full, "int8"), low_rank(full, 16, "nf4")
    assert split.nbytes < 1.5 * four.nbytes < 1.01 * eight.nbytes
    assert split.error.frobenius < min(four.error.frobenius / 10, eight.error.frobenius)
    assert split.error.frobenius < 0.0045 * np.linalg.norm(full)


def test_it_is_eigenvectors_and_the_rest():
    full = decaying(150) + 0.01 * np.eye(150)
    L = low_rank(full, 4, "float16")
    values = np.linalg.eigvalsh(full)
    mean = values[:-4].mean()
    np.testing.assert_allclose(np.sort(L.weights), values[-4:] - mean, rtol=1e-9)
    np.testing.assert_allclose(L.vectors.T @ L.vectors, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(
        L.expand(), (L.vectors * L.weights) @ L.vectors.T + L.quantized.expand(), atol=1e-14
    )
    np.testing.assert_allclose(np.linalg.eigvalsh(L.quantized.expand())[-1], values[-5], rtol=1e-2)
    np.testing.assert_allclose(L.diagonal(), full.diagonal(), rtol=1e-13)


@pytest.mark.parametrize("solver", ["auto", "cg", "minres"])
@pytest.mark.parametrize("shape", [(120,), (120, 3)])
def test_solutions_are_those_of_the_whole(solver, shape):
    full = decaying(120) * 100 + np.eye(120)
    L = low_rank(full, 8, "int8")
    b = cases.moderate(np.float64, shape)
    x = L.solve(b, solver=solver)
    assert x.shape == shape
    np.testing.assert_allclose(x, np.linalg.solve(L.expand(), b), rtol=1e-6, atol=1e-8)


def test_an_indefinite_rest_is_solved_by_a_factor():
    full = decaying(60) - np.eye(60) * 0.01
    L = low_rank(full, 3, "int8")
    assert np.linalg.eigvalsh(L.quantized.expand())[0] < 0
    np.testing.assert_allclose(L.expand() @ L.solve(np.ones(60)), 1, atol=1e-6)


def test_what_has_no_solution_by_the_rest_is_said():
    X = np.random.default_rng(3).normal(size=(60, 3))
    with pytest.raises(np.linalg.LinAlgError, match="the rest is singular to working precision, or nearly"):
        low_rank(X @ X.T, 3).solve(np.ones(60))
    with pytest.raises(np.linalg.LinAlgError, match="singular"):
        low_rank(np.zeros((60, 60)), 3).solve(np.ones(60))


def test_right_sides_keep_their_labels_and_are_judged():
    pandas = pytest.importorskip("pandas")
    names = [f"r{k}" for k in range(30)]
    L = low_rank(vech.Packed.from_full(decaying(30) + np.eye(30), labels=names), 2)
    x = L.solve(pandas.Series(1.0, names))
    assert isinstance(x, pandas.Series) and list(x.index) == names
    with pytest.raises(ValueError, match="b has shape"):
        L.solve(np.ones(29))
    with pytest.raises(ValueError, match=r"b\[3\] is nan"):
        L.solve(np.where(np.arange(30) == 3, np.nan, 1.0))


@pytest.mark.parametrize("rank", [0, 70])
def test_no_eigenvector_and_all(rank):
    full = wishart(70)
    L = low_rank(full, rank)
    assert L.vectors.shape == (70, rank)
    np.testing.assert_allclose(L.solve(full @ np.ones(70)), 1, atol=0.1)
    if rank:
        np.testing.assert_allclose(L.expand(), full, atol=1e-12)


@pytest.mark.parametrize(
    ("rank", "error", "message"),
    [
        (-1, ValueError, "rank is -1, and S has side 5: 0 to 5 eigenvectors"),
        (6, ValueError, "rank is 6, and S has side 5"),
        (2.0, TypeError, "rank must be an integer, not 2.0"),
        (True, TypeError, "rank must be an integer, not True"),
    ],
)
def test_ranks_are_judged(rank, error, message):
    with pytest.raises(error, match=message):
        low_rank(wishart(5), rank)
