"""Product codes: the store against sums by hand, its promise, how rows are coded, a search in two stages."""

import pickle
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse.linalg

import vech
from compare import assert_close, assert_same_bits
from vech import linalg
from vech.pairwise import ProductCodes, distances, kernel, nearest, product_codes

METRICS = ("sqeuclidean", "dot", "cosine")


def made(n=37, parts=3, k=5, dtype=np.float64, seed=0, **options):
    """Codes and tables of no data at all."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, k, (n, parts)).astype(np.uint8)
    return ProductCodes(codes, random.normal(size=(parts, k * (k + 1) // 2)).astype(dtype), **options)


def by_hand(S, diagonal=None):
    """Each number as the sum that it is."""
    n, parts = S.codes.shape
    tables = [vech.Packed(np.asarray(table, float)).expand() for table in S.tables]
    full = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            full[i, j] = sum(tables[m][S.codes[i, m], S.codes[j, m]] for m in range(parts))
    if diagonal is not None:
        full[np.diag_indices(n)] = diagonal
    return full


def clustered(n=300, m=16, dtype=np.float64, seed=1, spread=0.15):
    """Rows about some places, as those of real data are."""
    random = np.random.default_rng(seed)
    places = random.normal(size=(30, m))
    return (places[random.integers(0, 30, n)] + spread * random.normal(size=(n, m))).astype(dtype)


# ---- the store -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("diagonal", [None, 0.0, np.linspace(1, 2, 37)], ids=["tables", "zero", "held"])
@pytest.mark.parametrize("tile", [8, 256])
def test_numbers_are_sums_of_what_tables_say(monkeypatch, dtype, diagonal, tile):
    monkeypatch.setattr("vech.pairwise.coded.SIDE", tile)
    S = made(dtype=dtype, diagonal=diagonal)
    want = by_hand(S, None if diagonal is None else np.asarray(diagonal, dtype))
    full = S.expand()
    assert full.dtype == S.dtype == dtype
    np.testing.assert_allclose(full, want, rtol=8 * np.finfo(dtype).eps, atol=4 * np.finfo(dtype).eps)
    assert_same_bits(full, full.T.copy())
    assert_same_bits(S.diagonal(), full.diagonal().copy())
    assert_same_bits(S.expand(slice(5, 20)), full[5:20])
    for rows, columns, numbers in S.tiles(10):
        assert_same_bits(np.ascontiguousarray(numbers), full[rows, columns])
    assert_same_bits(S.block(3, 3), full[3:4, 3:4])
    rows, columns = [30, 2, -1, 2], np.arange(37) % 3 == 0
    assert_same_bits(S.block(rows, columns), full[rows][:, columns])
    out = np.empty((4, 13), dtype)
    assert S.block(rows, columns, out) is out
    assert_same_bits(out, full[rows][:, columns])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("chunk", [7, 2**16])
@pytest.mark.parametrize("diagonal", [None, 0.0, np.linspace(1, 2, 37)], ids=["tables", "zero", "held"])
def test_products_are_those_of_the_expanded_matrix(monkeypatch, dtype, chunk, diagonal):
    monkeypatch.setattr("vech.pairwise.coded.CHUNK", chunk)
    S = made(dtype=dtype, diagonal=diagonal)
    full, random = S.expand().astype(np.float64), np.random.default_rng(2)
    rtol = 1e-12 if dtype == np.float64 else 1e-6
    for shape in ((37,), (37, 1), (37, 4), (2, 37, 3), (37, 0)):
        x = random.normal(size=shape).astype(dtype)
        y = S @ x
        assert y.dtype == dtype and y.shape == shape
        np.testing.assert_allclose(y, full @ x, rtol=0, atol=rtol * 37 * np.abs(full).max())
        out = np.empty_like(y)
        assert S.matmul(x, out) is out
        assert_same_bits(out, y)
    z = random.normal(size=37) + 1j * random.normal(size=37)
    np.testing.assert_allclose(S @ z, full @ z, atol=rtol * 37 * np.abs(full).max())
    assert_same_bits(np.ones((2, 37), dtype) @ S, (S @ np.ones((37, 2), dtype)).T)
    assert (S @ np.ones(37, int)).dtype == np.float64
    with pytest.raises(ValueError, match=r"x has shape \(36,\), but S @ x needs 37 rows: \(37,\) or "):
        S @ np.ones(36)


def test_the_product_is_the_expanded_one_to_twelve_digits():
    S = made(n=2000, parts=8, k=64)
    x = np.random.default_rng(1).normal(size=2000)
    want = S.expand() @ x
    assert np.abs(S @ x - want).max() <= 1e-12 * np.abs(want).max()
    assert S.nbytes == 2000 * 8 + 8 * 8 * (64 * 65 // 2)


def test_any_symmetric_matrix_of_up_to_256_rows_is_one_of_a_single_table():
    """So all that stores promise can be asked of it."""
    random = np.random.default_rng(3)
    full = random.normal(size=(256, 256))
    full += full.T + np.diag(np.full(256, 60.0))
    S = ProductCodes(np.arange(256, dtype=np.uint8)[:, None], vech.pack(full)[None], labels=range(256))
    assert_same_bits(S.expand(), full)
    assert_same_bits(np.asarray(S), full)
    for layout in ("vech", "numpy-tril", "lapack-rfp-nl"):
        packed = S.to_packed(layout)
        assert packed.layout.name == layout and packed.labels == tuple(range(256))
        assert_same_bits(packed.expand(), full)
    with pytest.raises(ValueError, match="the diagonal"):
        S.to_packed("condensed")
    assert_same_bits(S.to_csr().toarray(), full)
    b = random.normal(size=256)
    x, failed = scipy.sparse.linalg.cg(S, b, rtol=1e-12)
    assert failed == 0
    np.testing.assert_allclose(full @ x, b, atol=1e-9)
    np.testing.assert_allclose(linalg.eigsh(S, 3)[0], np.linalg.eigvalsh(full)[-3:], rtol=1e-9)
    assert linalg.norm(S) == pytest.approx(np.linalg.norm(full), rel=1e-13)
    assert S.max() == full[np.triu_indices(256, 1)].max() and S.loc[3, 200] == full[3, 200]
    found, want = vech.neighbors.nearest(S, 4), vech.neighbors.nearest(S.to_packed(), 4)
    assert_same_bits(found.indices, want.indices)
    assert repr(S) == "ProductCodes(n=256, dtype=float64, kind='symmetric')" and S.T is S.H is S


def test_it_can_be_copied_pickled_and_named_anew():
    S = made(diagonal=np.arange(37.0), labels=[f"r{i}" for i in range(37)])
    for other in (S.copy(), pickle.loads(pickle.dumps(S))):
        assert other.labels == S.labels and not np.shares_memory(other.codes, S.codes)
        assert_same_bits(other.expand(), S.expand())
    named = S.with_labels(range(37))
    assert isinstance(named, ProductCodes) and named.codes is S.codes and named.labels == tuple(range(37))
    part = S.submatrix(["r30", "r2"])
    assert part.labels == ("r30", "r2")
    assert_same_bits(part.expand(), S.expand()[np.ix_([30, 2], [30, 2])])


def test_without_rows_or_parts():
    none = made(n=0)
    assert none.expand().shape == (0, 0) and (none @ np.ones((0, 2))).shape == (0, 2)
    nothing = ProductCodes(np.empty((3, 0), np.uint8), np.empty((0, 6)), diagonal=2)
    assert_same_bits(nothing.expand(), 2 * np.eye(3))
    assert_same_bits(nothing @ np.ones(3), np.full(3, 2.0))


CODES, TABLES = np.zeros((4, 2), np.uint8), np.zeros((2, 3))
WRONG = [
    (
        CODES.astype(int),
        TABLES,
        {},
        TypeError,
        r"codes hold int64: np.uint8 is needed, one byte for each part",
    ),
    (CODES, TABLES.astype(int), {}, TypeError, "tables hold int64: float32 or float64 is needed"),
    (CODES, TABLES[:1], {}, ValueError, r"codes have shape \(4, 2\) and tables \(1, 3\): \(n, parts\) and "),
    (
        CODES + np.uint8(2),
        TABLES,
        {},
        ValueError,
        r"codes\[0, 0\] is 2, and tables are of 2 codes: 0 to 1 fit",
    ),
    (CODES, TABLES[:, :2], {}, ValueError, "a half of length 2 fits no n"),
    (CODES, np.zeros((2, 257 * 129)), {}, ValueError, "tables are of 257 codes, and a byte has 256"),
    (CODES, TABLES + np.nan, {}, ValueError, "tables hold nan or an infinity: finite numbers are needed"),
    (CODES, TABLES, {"diagonal": np.zeros(3)}, ValueError, r"diagonal is float64 of shape \(3,\): a number"),
    (CODES, TABLES, {"diagonal": np.inf}, ValueError, "diagonal holds nan or an infinity"),
    (CODES, TABLES, {"metric": "euclidean"}, ValueError, "metric"),
    (CODES, TABLES, {"labels": "ab"}, ValueError, "there are 2 labels for 4 rows"),
]


@pytest.mark.parametrize(("codes", "tables", "options", "error", "said"), WRONG)
def test_what_does_not_fit_is_refused(codes, tables, options, error, said):
    with pytest.raises(error, match=said):
        ProductCodes(codes, tables, **options)


# ---- codes of rows ---------------------------------------------------------------------------------------


def exact(X, metric):
    if metric == "dot":
        return kernel(X, "linear").expand()
    return distances(X, metric).expand()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_in_clusters_have_the_distances_of_their_centres(metric, dtype):
    X = clustered(dtype=dtype)
    S = product_codes(X, parts=5, codes=32, metric=metric)
    assert S.dtype == dtype and S.metric == metric and S.codes.shape == (300, 5)
    assert [book.shape for book in S.codebooks] == [(32, 4), (32, 3), (32, 3), (32, 3), (32, 3)]
    want = exact(X, metric)
    assert np.linalg.norm(S.expand() - want) < 0.2 * np.linalg.norm(want)
    np.testing.assert_allclose(S.diagonal(), want.diagonal(), rtol=1e-5)
    rows = X / np.linalg.norm(X, axis=1)[:, None] if metric == "cosine" else X
    decoded = np.hstack([book[code] for book, code in zip(S.codebooks, S.codes.T, strict=True)])
    of_centres = exact(decoded, "sqeuclidean") / 2 if metric == "cosine" else exact(decoded, metric)
    off = ~np.eye(300, dtype=bool)
    np.testing.assert_allclose(S.expand()[off], of_centres[off], rtol=1e-4, atol=1e-4)
    centres = np.split(decoded, np.cumsum([4, 3, 3, 3]), axis=1)[0]
    every = np.linalg.norm(rows[:, None, :4] - S.codebooks[0], axis=2)
    np.testing.assert_allclose(np.linalg.norm(rows[:, :4] - centres, axis=1), every.min(axis=1), rtol=1e-4)


def test_the_diagonal_of_products_is_exact_or_what_codes_give():
    X = clustered()
    held, implied = (product_codes(X, 4, 8, metric="dot", diagonal=way) for way in ("exact", "codes"))
    np.testing.assert_allclose(held.diagonal(), (X * X).sum(axis=1), rtol=1e-13)
    assert not np.allclose(implied.diagonal(), held.diagonal(), rtol=1e-3)
    off = ~np.eye(300, dtype=bool)
    assert_same_bits(held.expand()[off], implied.expand()[off])
    assert held.nbytes == implied.nbytes + 8 * 300
    values = np.linalg.eigvalsh(implied.expand())  # a Gram matrix of decoded rows
    assert values[0] > -1e-9 * values[-1]


@pytest.mark.parametrize("scale", [1e-30, 1e15, 1e-180, 1e120])
def test_the_unit_of_rows_does_not_matter(scale):
    X = clustered(n=200)
    dtype = np.float32 if 1e-31 < scale < 1e16 else np.float64
    if dtype == np.float32:
        want = product_codes(X.astype(dtype), 4, 8).codes
        found = product_codes((X * scale).astype(dtype), 4, 8) if scale > 1 else None
        assert found is None or (found.codes == want).mean() > 0.9
        return
    want, found = product_codes(X, 4, 8), product_codes(X * 2.0 ** round(np.log2(scale)), 4, 8)
    np.testing.assert_array_equal(found.codes, want.codes)
    np.testing.assert_allclose(found.tables, want.tables * 4.0 ** round(np.log2(scale)), rtol=1e-10)


def test_products_too_large_for_the_dtype_are_named():
    X = (clustered(n=50) * 1e25).astype(np.float32)
    with pytest.raises(OverflowError, match="squares of X exceed float32: scale X first"):
        product_codes(X, 4, 8, metric="dot")
    with pytest.raises(OverflowError, match="tables of the codebooks exceed float32: scale X first"):
        product_codes(X, 4, 8)


def test_a_seed_gives_the_same_codes_and_frames_keep_their_labels():
    X = clustered(n=300)
    frame = pd.DataFrame(X, index=[f"row {i}" for i in range(300)])
    first, second, other = (product_codes(frame, 4, 16, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.codes, second.codes)
    assert (first.codes != other.codes).any()
    assert first.labels == tuple(frame.index)
    assert_same_bits(first.nearest(3, frame).indices, first.nearest(3, X).indices)
    with pytest.raises(ValueError, match="the labels of X are not those of this store"):
        first.nearest(3, frame[::-1])


def test_few_different_rows_and_integers():
    X = np.repeat(np.array([[1, 2], [3, 5]]), 5, axis=0)
    S = product_codes(X, 2, 4)
    assert_close(S.expand(), exact(X, "sqeuclidean"), 10, exact(X, "sqeuclidean") + 1)


REFUSED = [
    ({"parts": 0}, ValueError, "parts is 0, and X has 16 columns: 1 to 16 fits"),
    ({"parts": 17}, ValueError, "parts is 17, and X has 16 columns: 1 to 16 fits"),
    ({"codes": 257}, ValueError, "codes is 257, of 50 rows and in one byte: 1 to 50 fits"),
    ({"codes": 51}, ValueError, "codes is 51, of 50 rows and in one byte: 1 to 50 fits"),
    ({"codes": 2.0}, TypeError, "codes must be an integer, not 2.0"),
    ({"seed": -1}, ValueError, "seed is -1: it is 0 or more"),
    ({"metric": "euclidean"}, ValueError, "metric"),
    ({"diagonal": "zero"}, ValueError, "diagonal"),
    ({"kmeans": "mine"}, ValueError, "kmeans"),
    ({"progress": 1}, TypeError, "progress must be a function"),
]


@pytest.mark.parametrize(("options", "error", "said"), REFUSED)
def test_parameters_out_of_range_are_refused(options, error, said):
    with pytest.raises(error, match=said):
        product_codes(clustered(n=50), **{"codes": 8} | options)


def test_rows_that_cannot_be_coded_are_named():
    X = clustered(n=50)
    X[7] = 0
    with pytest.raises(ValueError, match="row 7 of X is zero, and has no direction: leave it out"):
        product_codes(X, codes=8, metric="cosine")
    X[9, 3] = np.nan
    with pytest.raises(ValueError, match=r"^X holds nan in row 9, column 3: fill it, or leave the row out$"):
        product_codes(X, codes=8)
    with pytest.raises(ValueError, match=r"X has shape \(0, 16\): there are no rows or columns to code"):
        product_codes(X[:0])
    with pytest.raises(TypeError, match=r"column 'a' of X .* no number: drop it, or astype\(float\)$"):
        product_codes(pd.DataFrame({"a": ["text"]}))


@pytest.mark.parametrize(
    ("kmeans", "module", "said"),
    [
        ("scikit-learn", "sklearn.cluster", "scikit-learn, which the extra 'sklearn' of vech installs, or "),
        ("faiss", "faiss", "kmeans='faiss' needs the package faiss-cpu; kmeans='scikit-learn' needs the ext"),
    ],
)
def test_a_missing_library_is_named(monkeypatch, kmeans, module, said):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=said):
        product_codes(clustered(), kmeans=kmeans)


def test_faiss_has_the_same_tables_of_its_codes():
    faiss = pytest.importorskip("faiss")
    X = clustered(dtype=np.float32)
    quantizer = faiss.ProductQuantizer(16, 4, 6)
    quantizer.train(X)
    quantizer.compute_sdc_table()
    tables = faiss.vector_to_array(quantizer.sdc_table).reshape(4, 64, 64)
    books = faiss.vector_to_array(quantizer.centroids).reshape(4, 64, 4)
    index = faiss.IndexPQ(16, 4, 8)
    codes = np.stack([faiss.knn(X[:, 4 * m : 4 * m + 4].copy(), books[m], 1)[1][:, 0] for m in range(4)], 1)
    del index
    S = ProductCodes.from_codes(codes.astype(np.uint8), books)
    np.testing.assert_allclose(vech.expand(S.tables), tables, rtol=1e-4, atol=1e-4)
    S = product_codes(X, 4, 64, kmeans="faiss")
    want = exact(X, "sqeuclidean")
    assert np.linalg.norm(S.expand() - want) < 0.1 * np.linalg.norm(want)


def test_codebooks_of_different_sizes_are_refused():
    for books in ([np.zeros((2, 1)), np.zeros((3, 1))], [np.zeros(2)], []):
        with pytest.raises(
            ValueError, match=r"codebooks have shapes .*: for each part a matrix of k rows is"
        ):
            ProductCodes.from_codes(CODES, books)


# ---- tables that fit -------------------------------------------------------------------------------------


def test_fitted_tables_are_the_least_squares():
    S = made(n=20, parts=2, k=3, diagonal=0)
    random = np.random.default_rng(5)
    i, j = np.tril_indices(20, -1)
    values = random.normal(size=i.size)
    design = np.zeros((i.size, 2, 6))
    for pair, (row, column) in enumerate(zip(i, j, strict=True)):
        for m in range(2):
            design[pair, m, vech.Layout().position(int(S.codes[row, m]), int(S.codes[column, m]), 3)] += 1
    flat = design.reshape(-1, 12)
    for damp in (0.5, 3.0):
        stacked = np.vstack([flat, damp * np.eye(12)])
        wanted = np.concatenate([values, damp * S.tables.ravel()])
        want = np.linalg.lstsq(stacked, wanted, rcond=None)[0].reshape(2, 6)
        np.testing.assert_allclose(S.fitted(i, j, values, damp=damp).tables, want, atol=1e-8)
    free = S.fitted(i, j, values, damp=0)
    residual = free.expand()[i, j] - values
    np.testing.assert_allclose(flat.T @ residual, 0, atol=1e-7)
    assert free.codes is S.codes and (free.diagonal() == 0).all()


def test_fitted_tables_are_nearer_to_rows_that_were_not_asked_for():
    X = clustered(spread=0.5)
    S, want = product_codes(X, 4, 16), exact(X, "sqeuclidean")
    i, j = np.tril_indices(300, -1)
    some = np.random.default_rng(6).permutation(i.size)[:10_000]
    T = S.fitted(i[some], j[some], want[i[some], j[some]])
    rest = np.setdiff1d(np.arange(i.size), some)
    left, before = (np.linalg.norm(Q.expand()[i, j][rest] - want[i, j][rest]) for Q in (T, S))
    assert left < 0.7 * before


@pytest.mark.parametrize(
    ("pairs", "error", "said"),
    [
        (
            ([1], [1], [1.0]),
            ValueError,
            "pair 0 is on the diagonal, of which tables say nothing: leave it out",
        ),
        (([1], [99], [1.0]), IndexError, "column 99 is out of range: there are 37"),
        (([1, 2], [3, 4], [1.0]), ValueError, r"i, j and values have shapes \(2,\), \(2,\) and \(1,\): vect"),
        (([1], [2], [np.nan]), ValueError, "values hold nan or an infinity: leave those pairs out"),
        (([1], [2], [1j]), TypeError, "values hold complex128: real numbers are needed"),
    ],
)
def test_pairs_that_do_not_fit_are_refused(pairs, error, said):
    with pytest.raises(error, match=said):
        made().fitted(*pairs)
    with pytest.raises(ValueError, match="damp is -1: it is 0, or more to hold on to the tables"):
        made().fitted([1], [2], [1.0], damp=-1)


# ---- the search ------------------------------------------------------------------------------------------


def recall(found, want):
    k = want.indices.shape[1]
    return np.mean([len(set(a) & set(b)) / k for a, b in zip(found.indices, want.indices, strict=True)])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_finalists_are_compared_exactly(metric, dtype):
    X = clustered(n=400, dtype=dtype, spread=0.4)
    S, want = product_codes(X, 8, 16, metric=metric), nearest(X, 5, metric)
    found = S.nearest(5, X, candidates=60)
    assert found.indices.dtype == np.int64 and found.values.dtype == dtype
    assert recall(found, want) > 0.97 > recall(S.nearest(5), want)
    same = found.indices == want.indices
    rtol = 2 * np.finfo(dtype).eps  # of few columns other ways sum in another order
    np.testing.assert_allclose(found.values[same], want.values[same], rtol=rtol)
    every = S.nearest(5, X, candidates=len(X) - 1)
    np.testing.assert_array_equal(every.indices, want.indices)
    np.testing.assert_allclose(every.values, want.values, rtol=rtol)


def test_more_candidates_find_more_of_the_digits(tmp_path):
    load_digits = pytest.importorskip("sklearn.datasets").load_digits
    X = load_digits().data.astype(np.float32)
    S, want = product_codes(X), nearest(X, 10, "sqeuclidean")
    assert S.nbytes < X.nbytes / 5
    mapped = np.memmap(tmp_path / "rows", np.float32, "w+", shape=X.shape)
    mapped[...] = X
    found = [recall(S.nearest(10, mapped, candidates=count), want) for count in (10, 20, 50, 100)]
    assert found == sorted(found) and found[0] > 0.6 and found[2] > 0.98 and found[3] > 0.995
    assert recall(S.nearest(10, X), want) == found[3]  # 10 k unless told


def test_finalists_in_parts(monkeypatch):
    X = clustered(n=100)
    S = product_codes(X, 4, 8)
    want, told = S.nearest(3, X, candidates=20), []
    monkeypatch.setattr("vech.pairwise.winners.PAIRS", 7 * 20)
    found = S.nearest(3, X, candidates=20, progress=lambda *done: told.append(done))
    assert_same_bits(found.indices, want.indices)
    assert told[-1] == (100, 100)
    assert S.nearest(0, X).indices.shape == (100, 0)


def test_a_search_that_cannot_be_is_refused():
    X = clustered(n=50)
    S = product_codes(X, codes=8)
    with pytest.raises(TypeError, match="candidates= are compared by X, which is not given: pass X, or"):
        S.nearest(3, candidates=9)
    for count in (2, 50):
        with pytest.raises(ValueError, match=f"candidates is {count}, for k = 3 of 50 rows: 3 to 49 fits"):
            S.nearest(3, X, candidates=count)
    with pytest.raises(ValueError, match=r"X has shape \(50, 15\), and the codes are of \(50, 16\)"):
        S.nearest(3, X[:, 1:])
    with pytest.raises(
        ValueError, match=r"X has shape \(9, 4\), and the codes are of \(37, the columns that"
    ):
        made().nearest(3, np.zeros((9, 4)))
    X[3, 4] = np.inf
    with pytest.raises(ValueError, match="X holds inf in row 3, column 4"):
        S.nearest(3, X)
