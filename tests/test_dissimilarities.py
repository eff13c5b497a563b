"""What is taken for distances, and what is not."""

import re

import numpy as np
import pytest
import scipy.sparse

import cases
import distances
import vech
from test_third_store import Rows
from vech import dissimilarities
from vech.arrays import epsilon
from vech.dissimilarities import as_distances


def judged(matrix, message, error=ValueError):
    """The error for a full matrix, and for it in every store."""
    with pytest.raises(error, match=message):
        as_distances(matrix, "dbscan")
    for store in distances.stores(np.asarray(matrix)).values():
        with pytest.raises(error, match=message):
            as_distances(store, "dbscan")


@cases.each("n", distances.SIZES)
@cases.each("dtype", ["float64", "float32", "float16", ">f8", "int64", "uint8", "bool"])
def test_rows_are_those_of_the_full_matrix(n, dtype, monkeypatch):
    matrix = distances.full(n).astype(dtype)
    monkeypatch.setattr(dissimilarities, "PANEL_BYTES", 5000)
    for given in (matrix, *distances.stores(matrix).values()):
        store = as_distances(given, "dbscan")
        panels = [(start, rows.copy()) for start, rows in dissimilarities.panels(store)]
        rows = np.concatenate([np.empty((0, n)), *(rows for _, rows in panels)])
        np.testing.assert_allclose(rows, matrix, rtol=2 * max(epsilon(matrix.dtype), 1e-16))
        assert [start for start, _ in panels] == np.cumsum([0, *(len(rows) for _, rows in panels)])[
            :-1
        ].tolist()
        assert all(rows.dtype == dissimilarities.working(store.dtype) for _, rows in panels)
        memory = dissimilarities.memory_of_row(store)
        for i in range(0, n, 7):
            np.testing.assert_array_equal(dissimilarities.row(store, i, memory), rows[i])
    assert dissimilarities.working(np.dtype(dtype)) == ("f4" if dtype in ("float32", "float16") else "f8")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_diagonal_of_rounding_errors_is_one_of_zeros(dtype):
    matrix = distances.full(20).astype(dtype)
    matrix[3, 3] = -50 * np.finfo(dtype).eps
    store = as_distances(matrix, "dbscan")
    assert [rows[3, 3] for _, rows in dissimilarities.panels(store)] == [0]
    assert dissimilarities.row(store, 3, dissimilarities.memory_of_row(store))[3] == 0
    matrix[3, 3] = 1000 * np.finfo(dtype).eps
    with pytest.raises(
        ValueError, match=r"S\[3, 3\] is .*, and a distance to itself is 0: np\.fill_diagonal"
    ):
        as_distances(matrix, "dbscan")
    with pytest.raises(ValueError, match=r"S\.set_diagonal\(0\) sets it; similarities s become distances"):
        as_distances(vech.Packed.from_full(matrix), "dbscan")


TAKERS = {
    "dbscan": lambda S: vech.cluster.dbscan(S, 2e-15, 3),
    "hdbscan": lambda S: vech.cluster.hdbscan(S, 3),
    "linkage": vech.cluster.linkage,
    "single": lambda S: vech.cluster.linkage(S, "single"),
    "medoids": lambda S: vech.cluster.medoids(S, 6, progress=ends),
    "all medoids": lambda S: vech.cluster.medoids(S, S.n, init=np.arange(S.n), progress=ends),
    "built": lambda S: vech.cluster.medoids(S, 6, init="build", progress=ends),
    "silhouette": lambda S: vech.cluster.silhouette(S, np.arange(S.n) % 3),
    "many": lambda S: vech.cluster.silhouette(S, np.arange(S.n) % 70),
    "pcoa": lambda S: vech.embedding.pcoa(S, 2)[:3],
    "mds": lambda S: vech.embedding.mds(S, 2, max_iter=20, init="classical_mds", eps=1e-2)[:2],
    "mantel": lambda S: vech.pairwise.mantel(S, distances.full(S.n), permutations=9),
}


def ends(done, total):
    assert done < 10**5, "rows are tried for ever"


@pytest.mark.filterwarnings("ignore:mds ended by max_iter")
@cases.each("dtype", ["float64", "float32"])
@cases.each("taker", TAKERS)
def test_rounding_on_the_diagonal_is_no_distance_to_any_task(taker, dtype):
    matrix = distances.full(160).astype(dtype)
    matrix *= matrix.dtype.type(
        50 * np.finfo(dtype).eps / matrix.max()
    )  # beside the rounding that is allowed
    rounded = matrix + np.diag(np.resize([90, -80], 160).astype(dtype) * np.finfo(dtype).eps)
    makers = [lambda full, name=name: vech.Packed.from_full(full, name) for name in ("vech", "lapack-rfp-nl")]
    for made in (*makers, lambda full: Rows(full, "symmetric")):
        for found, wanted in zip(*map(taker, map(made, (rounded, matrix))), strict=True):
            np.testing.assert_allclose(found, wanted, *((1e-5, 1e-5) if dtype == "float32" else (1e-9, 0)))


SCALED = vech.Layout("upper", "rows", offdiagonal_scale=3.0)


@pytest.mark.filterwarnings("ignore:mds ended by max_iter")
@cases.each("layout", ["svec-lower", "svec-upper", SCALED])
@cases.each("dtype", ["float16", "float32", "float64"])
@cases.each("taker", [taker for name, taker in TAKERS.items() if name != "silhouette"])  # a product
def test_scaled_halves_are_the_matrix_they_expand_to(taker, dtype, layout):
    S = vech.Packed(vech.pack(distances.full(80).astype(dtype), layout), layout)
    for found, wanted in zip(taker(S), taker(vech.Packed.from_full(S.expand())), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_what_sets_the_diagonal_runs(tmp_path):
    pandas = pytest.importorskip("pandas")
    full = distances.full(5) + np.eye(5)
    S = vech.Packed.from_full(full)
    ones = vech.Layout("lower", "columns", diagonal="one")
    for given, way in (
        (full.copy(), "np.fill_diagonal(S, 0)"),
        (pandas.DataFrame(full), "vech.Packed.from_full(S).set_diagonal(0)"),
        (S.copy(), "S.set_diagonal(0)"),
        (vech.quantize(S, "float16"), "S.to_packed().set_diagonal(0)"),
        (vech.Packed(vech.pack(full, ones), ones), "S.to_packed().set_diagonal(0)"),
        (Rows(full, "symmetric"), "S.to_packed().set_diagonal(0)"),
    ):
        with pytest.raises(ValueError, match=re.escape(f"to itself is 0: {way} sets it")):
            as_distances(given, "dbscan")
        mended = eval(way, {"vech": vech, "np": np, "S": given})
        as_distances(given if mended is None else mended, "dbscan")


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_what_is_no_distance_is_named(value):
    matrix = distances.full(20)
    matrix[12, 4] = matrix[4, 12] = value
    reason = "no distance is negative" if value < 0 else "dbscan needs finite distances"
    judged(matrix, rf"S\[(12, 4|4, 12)\] is {value}, and {reason}")


def test_other_matrices_are_refused():
    full = distances.full(4)
    way = "holds its nonzeros alone: dbscan"
    with pytest.raises(TypeError, match=rf"SparseHalf {way}\(S\.to_packed\(\)\), if pairs that are missing"):
        as_distances(vech.SparseHalf.from_sparse(scipy.sparse.csr_array(full)), "dbscan")
    with pytest.raises(TypeError, match=rf"csr_array {way}\(vech\.Packed\.from_full\(S\)\)"):
        as_distances(scipy.sparse.csr_array(full), "dbscan")
    with pytest.raises(TypeError, match="distances, which are real and symmetric, and S is hermitian"):
        as_distances(vech.Packed.from_full(full * (1 + 0j), kind="hermitian"), "dbscan")
    with pytest.raises(TypeError, match="and S is complex"):
        as_distances(vech.Packed.from_full(full * (1 + 0j), kind="symmetric"), "dbscan")
    with pytest.raises(TypeError, match=r"S is a vector: dbscan\(vech\.Packed\(S, 'condensed'\)\) takes it"):
        as_distances(full[0], "dbscan")
    with pytest.raises(TypeError, match=r"dbscan is of numbers, and S holds timedelta64\[s\]"):
        as_distances(full.astype("m8[s]"), "dbscan")
    with pytest.raises(ValueError, match=r"vech\.Packed\.from_full\(S, use='lower'\)"):
        as_distances(full + np.triu(np.ones((4, 4)), 1), "dbscan")


def test_labels_of_a_frame_stay():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(distances.full(3), index=list("abc"), columns=list("abc"))
    assert as_distances(frame, "dbscan").labels == ("a", "b", "c")
