"""The promise of every store, by a quantized one of whole numbers that its codes hold exactly."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse
from matrices import integers, matrix

import cases
import vech
from compare import assert_same_bits
from vech import linalg, neighbors

N = 150
KINDS = ("symmetric", "skew")


def made(kind="symmetric", n=N, dtype=np.float64, encoding="int8", labels=None, tile=32):
    full = integers(n, 127 if encoding == "int8" else 7, dtype, kind)
    return vech.quantize(vech.Packed.from_full(full, kind=kind, labels=labels), encoding, tile=tile), full


def test_it_says_what_it_is():
    Q, _ = made(labels=range(N))
    assert repr(Q) == "Quantized(n=150, dtype=float64, kind='symmetric', encoding='int8', domain='entries')"
    assert Q.describe()[:4] == (N, np.float64, "symmetric", tuple(range(N)))
    assert (Q.shape, Q.ndim, Q.tile, Q.grid, len(Q)) == ((N, N), 2, 32, 5, N)
    assert Q.nbytes == Q.codes.nbytes + Q.scales.nbytes + Q.diagonal().nbytes
    assert "<th>encoding</th><td>int8, of entries</td>" in Q._repr_html_()
    assert str(Q).splitlines()[-1] == repr(Q)


@pytest.mark.parametrize("kind", KINDS)
def test_copies_pickles_and_other_labels(kind):
    Q, full = made(kind, labels=[f"r{k}" for k in range(N)])
    for other in (Q.copy(), pickle.loads(pickle.dumps(Q)), copy.deepcopy(Q), copy.copy(Q)):
        assert type(other) is vech.Quantized and other.labels == Q.labels and other.kind == kind
        np.testing.assert_array_equal(other.expand(), full)
        assert other.error.frobenius == Q.error.frobenius
    twin = Q.copy()
    twin.codes[:] = 0
    np.testing.assert_array_equal(Q.expand(), full)
    named = Q.with_labels(str.upper)
    assert isinstance(named, vech.Quantized) and named.labels[3] == "R3" and Q.labels[3] == "r3"
    assert np.shares_memory(named.codes, Q.codes)
    assert Q.loc["r3", "r8"] == Q["r3", "r8"] == full[3, 8]
    np.testing.assert_array_equal(Q.loc[["r3", "r1"], "r5":"r8"], full[[3, 1], 5:9])


def test_nothing_derived_from_the_values_is_remembered():
    Q, full = made()
    before = Q.expand(), Q @ np.ones(N)
    Q.scales[:] *= 2
    np.testing.assert_array_equal(Q.expand(), 2 * full - np.diag(full.diagonal()))
    assert (Q @ np.ones(N) != before[1]).any()


@cases.each("kind", KINDS)
@cases.each("encoding", ["int8", "int4", "int4x2", "float16"])
@cases.each("dtype", ["f4", "f8"])
def test_its_numbers(kind, encoding, dtype):
    Q, full = made(kind, dtype=np.dtype(dtype), encoding=encoding)
    assert Q.dtype == dtype
    np.testing.assert_array_equal(np.asarray(Q), full)
    np.testing.assert_array_equal(Q.diagonal(), full.diagonal())
    for rows in (slice(0, N), slice(3, 17), slice(-5, None), range(7, 8), slice(9, 9), slice(100, 999)):
        want = full[rows.start : rows.stop] if isinstance(rows, range) else full[rows]
        np.testing.assert_array_equal(Q.expand(rows), want)
        block, cut = cases.block_for(want.shape, want.dtype, "padded-rows")
        out = cut(block)
        before = block.tobytes()
        assert Q.expand(rows, out, threads=2) is out
        np.testing.assert_array_equal(out, want)
        out[...] = cut(np.frombuffer(before, block.dtype).reshape(block.shape))
        assert block.tobytes() == before
    fortran = np.empty((N, N), dtype, order="F")
    np.testing.assert_array_equal(Q.expand(out=fortran), full)
    for rows, columns in (
        ([149, 0, 3, 3], [5, 66]),
        (slice(30, 70), slice(60, 130)),
        (7, slice(None)),
        ([], [1]),
    ):
        i, j = (np.atleast_1d(np.arange(N)[axis]) for axis in (rows, columns))
        want = full[np.ix_(i, j)]
        np.testing.assert_array_equal(Q.block(rows, columns), want)
        out = np.empty_like(want)
        assert Q.block(rows, columns, out) is out
        np.testing.assert_array_equal(out, want)
    mask = np.arange(N) % 7 == 0
    np.testing.assert_array_equal(Q.block(mask, mask), full[np.ix_(mask, mask)])
    assert Q[3, 149] == full[3, 149] and Q[-1, 0] == full[-1, 0]
    np.testing.assert_array_equal(Q[5], full[5])
    np.testing.assert_array_equal(Q[[1, 70], [120, 2]], full[[1, 70], [120, 2]])
    np.testing.assert_array_equal(Q[40:, [3]], full[40:, [3]])
    np.testing.assert_array_equal(Q.read_tile(1, 3), full[32:64, 96:128])
    for side in (None, 1000, 40, 7):
        for tile in Q.tiles(side):
            np.testing.assert_array_equal(tile.numbers, full[tile.rows, tile.columns])


@pytest.mark.parametrize("kind", KINDS)
def test_it_becomes_other_stores(kind):
    Q, full = made(kind, labels=range(N))
    for layout in ("vech", "numpy-triu", "lapack-lower"):
        P = Q.to_packed(layout)
        assert (
            P.layout.name in (layout, vech.as_layout(layout).name) and P.labels == Q.labels and P.kind == kind
        )
        np.testing.assert_array_equal(P.expand(), full)
    for part in ("full", "lower", "upper"):
        want = {"full": full, "lower": np.tril(full), "upper": np.triu(full)}[part]
        for found in (Q.to_csr(part=part), Q.to_csc(part=part), Q.to_coo(part=part)):
            np.testing.assert_array_equal(found.toarray(), want)
            assert found.nnz == np.count_nonzero(want) and type(found).__module__.startswith(
                scipy.sparse.__name__
            )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_its_products(kind, dtype):
    Q, full = made(kind, dtype=np.dtype(dtype))
    if kind == "skew":
        np.fill_diagonal(full, 0)
    wide = full.astype(float)
    for other in ("f4", "f8", "c8", "c16", "i1", "i8", "f2", ">f8"):
        for shape in ((N,), (N, 1), (N, 5), (2, N, 3), (N, 0), (2, 0, N, 2)):
            x = np.round(4 * cases.moderate(np.dtype(float), shape)).astype(other)
            want = (full @ x) if x.size else np.zeros(shape, np.result_type(full, x))
            found = Q.matmul(x)
            assert found.dtype == np.result_type(full, x).newbyteorder("=") and found.shape == want.shape
            np.testing.assert_allclose(
                found, wide @ x.astype(np.result_type(x, float)), atol=0.5e-2, rtol=1e-6
            )
            out = np.empty_like(found)
            assert Q.matmul(x, out) is out
            assert_same_bits(out, found)
    x = np.arange(float(N))
    np.testing.assert_allclose(x @ Q, x @ wide)
    np.testing.assert_allclose(Q.T @ x, wide.T @ x)
    np.testing.assert_allclose(Q.H @ x, wide.T @ x)
    np.testing.assert_allclose(Q.rmatvec(x), wide.T @ x)
    np.testing.assert_array_equal(Q.T.expand(), Q.expand().T)
    assert (Q.T is Q) == (kind == "symmetric")
    assert np.isnan(Q @ np.where(np.arange(N) == 3, np.nan, 1.0)).any()
    with pytest.raises(ValueError, match="out shares memory with the input"):
        Q.matmul(vector := np.zeros(N, np.result_type(dtype, float)), vector)


@pytest.mark.parametrize("encoding", ["int8", "uint8", "int4x2"])
def test_products_in_double_are_off_by_the_bound_and_the_rounding_of_single(encoding):
    """Whose certificate of numbers that are all alike says 0."""
    full = np.full((N, N), 0.3, np.float32)
    Q, x = vech.quantize(full, encoding), np.ones(N)
    off = np.linalg.norm(full @ x - Q @ x)
    rounding = 4 * np.finfo(np.float32).eps * np.linalg.norm(full.astype(float), 2) * np.linalg.norm(x)
    assert off <= Q.error.spectral_bound * np.linalg.norm(x) + rounding


@pytest.mark.every_target
@cases.each("encoding", ["int8", "int4", "int4x2"])
@cases.each("scales", ["tile", "two-sided"])
@cases.each("shape", [(N,), (N, 4)])
@cases.each("kind", ["wishart", "tiny", "decaying"])
def test_products_of_integers_stay_within_their_bound(encoding, scales, shape, kind):
    d = np.linspace(-1, 30, N, dtype=np.float32)
    Q = vech.quantize(matrix(kind, N, np.float32), encoding, scales=scales).scale(d)
    x = cases.moderate(np.dtype(np.float32), shape)
    off = np.abs(Q.matmul(x, precise=False) - Q.expand().astype(float) @ x)
    bound = Q.product_bound(x)
    assert (off <= bound).all() and bound.shape == shape
    assert bound.max() <= 0.1 * (np.abs(Q.expand()).astype(float) @ np.abs(x)).max()


def test_linear_algebra_and_neighbours():
    Q, full = made()
    Q = Q.with_diagonal(full.diagonal() + 3000)
    full = Q.expand()
    values = np.linalg.eigvalsh(full)
    np.testing.assert_allclose(
        linalg.eigsh(Q, 3)[0], np.sort(values[np.argsort(-np.abs(values))[:3]]), rtol=1e-9
    )
    for order in ("fro", 1, 2, np.inf):
        assert linalg.norm(Q, order) == pytest.approx(np.linalg.norm(full, order), rel=1e-12)
    assert linalg.norm(Q, "max") == np.abs(full).max()
    assert linalg.inner(Q, vech.Packed.from_full(full)) == pytest.approx(np.vdot(full, full))
    b = np.ones(N)
    np.testing.assert_allclose(full @ linalg.solve(Q, b), b, atol=1e-9)
    np.testing.assert_allclose(full @ linalg.solve(Q, b, solver="cg"), b, atol=1e-4)
    solution, failed = scipy.sparse.linalg.cg(scipy.sparse.linalg.aslinearoperator(Q), b, rtol=1e-10)
    assert failed == 0 and np.allclose(full @ solution, b)
    near, wanted = neighbors.nearest(Q, 4), neighbors.nearest(vech.Packed.from_full(full), 4)
    assert_same_bits(near.indices, wanted.indices)
    np.testing.assert_array_equal(
        neighbors.within(Q, -100).toarray(), neighbors.within(vech.Packed.from_full(full), -100).toarray()
    )
    assert Q.min() == full[np.tril_indices(N, -1)].min()


@pytest.mark.parametrize("scales", ["tile", "two-sided"])
def test_correlations_and_covariances_keep_the_codes(scales):
    full = vech.covariance.sample(cases.generator("cov").normal(size=(300, 70)) * np.arange(1, 71.0)).expand()
    S = vech.quantize(vech.Packed.from_full(full, labels=range(70)), "int8", scales=scales)
    R, sd = linalg.to_correlation(S)
    assert isinstance(R, vech.Quantized) and np.shares_memory(R.codes, S.codes) and R.labels == S.labels
    np.testing.assert_array_equal(R.diagonal(), np.ones(70))
    true = full / np.sqrt(np.multiply.outer(full.diagonal(), full.diagonal()))
    assert np.linalg.norm(R.expand() - true) <= R.error.frobenius
    back = linalg.to_covariance(R, sd)
    assert isinstance(back, vech.Quantized) and np.shares_memory(back.codes, S.codes)
    np.testing.assert_allclose(back.expand(), S.expand(), rtol=1e-13)
    assert np.linalg.norm(back.expand() - full) <= back.error.frobenius


def test_frames_keep_their_labels():
    pandas = pytest.importorskip("pandas")
    names = ["x", "y", "z"]
    frame = pandas.DataFrame(integers(3), index=names, columns=names)
    Q = vech.quantize(frame, "int4")
    assert Q.labels == ("x", "y", "z") and Q.loc["x", "z"] == frame.loc["x", "z"]
    series = pandas.Series(1.0, index=names)
    np.testing.assert_allclose(Q @ series, frame.to_numpy() @ np.ones(3))
    with pytest.raises(ValueError, match="row 0 of S is 'x', and of x 'z'"):
        Q @ series[::-1]
    with pytest.raises(ValueError, match=r"row 0 is .x. where column 0 is .y."):
        vech.quantize(frame[["y", "x", "z"]])
