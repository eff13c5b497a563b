"""Distances of every metric: SciPy's pdist and scikit-learn on ordinary rows; what X and arguments may be."""

import pickle
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from time import process_time

import numpy as np
import pandas
import pytest
from scipy import sparse
from scipy.spatial import distance
from scipy.spatial.distance import pdist

import cases
import reference
from compare import assert_same_bits
from interrupts import interrupted_after
from vech.pairwise import distances, nearest
from vech.pairwise.metrics import METRICS, NAMES, block_of
from vech.pairwise.tiles import Direct

every_target = pytest.mark.every_target

RNG = cases.generator("distances")
N, M = 67, 29
REAL = RNG.normal(size=(N, M))
ROWS = {
    "real": REAL,
    "float32": REAL.astype(np.float32),
    "positive": RNG.random((N, M)),
    "few values": np.round(REAL),
    "integers": np.round(2 * REAL).astype(np.int16),
    "bool": RNG.random((N, M)) < 0.4,
}
WEIGHTS = np.where(np.arange(M) == 3, 0, RNG.random(M))
POWERS = (1, 2, 3, 3.5, 0.5, 40, np.inf)
TRUTH = [name for name, metric in METRICS.items() if metric.truth]
PDIST = [name for name in METRICS if name not in ("haversine", "gower")]


def calls(name):
    """The ways to call a metric: without weights and with them, and with several p."""
    takes = METRICS[name].takes.split()
    weights = ({}, {"w": WEIGHTS}) if "w" in takes else ({},)
    return [w | p for w in weights for p in ([{"p": p} for p in POWERS] if "p" in takes else [{}])]


@reference.remembered
def scipys(X, name, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        X = X != 0 if METRICS[name].truth else X.astype(float)
        return pdist(X, name, **arguments)


@every_target
@cases.each("kind", list(ROWS))
@cases.each("name", list(PDIST))
def test_distances_are_those_of_pdist(name, kind):
    X = ROWS[kind]
    if name == "jensenshannon":
        X = abs(X)
    for arguments in calls(name):
        got, want = distances(X, name, **arguments), scipys(X, name, **arguments)
        assert got.dtype == (np.float32 if kind == "float32" else np.float64)
        tolerance = 3e-7 if kind == "float32" else 1e-13 * (1 + M)
        np.testing.assert_allclose(got.half, want, rtol=tolerance, atol=tolerance, err_msg=f"{arguments}")


@pytest.mark.parametrize("alias", sorted(distance._METRIC_ALIAS))
def test_every_name_of_pdist_is_known(alias):
    canonical = distance._METRIC_ALIAS[alias].canonical_name
    assert NAMES[alias].name == NAMES[alias.upper().lower()].name == canonical
    assert block_of([[1.0, 0, 1], [0, 1, 1], [1, 1, 0], [0.5, 1, 2]], alias.upper()).n == 4


def test_every_metric_of_pdist_is_there():
    assert {info.canonical_name for info in distance._METRICS.values()} == set(PDIST)


# ---------------------------------------------------------------- what is 0 / 0, and SciPy's own tests


@every_target
@pytest.mark.parametrize("weights", [None, (0.0, 0, 0), (1.0, 2, 0.5)])
@pytest.mark.parametrize("name", [*TRUTH, "hamming"])
def test_empty_rows_and_weights_of_zero_are_as_in_scipy(name, weights):
    X = np.array([[0, 0, 0], [0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 1]], bool)
    arguments = {} if weights is None else {"w": np.array(weights)}
    np.testing.assert_array_equal(distances(X, name, **arguments).half, scipys(X, name, **arguments))
    np.testing.assert_array_equal(distances(X[:, :0], name).half, scipys(X[:, :0], name))


@pytest.mark.parametrize("name", ["braycurtis", "canberra", "cityblock", "chebyshev", "hamming", "euclidean"])
def test_rows_of_zeros_are_as_in_scipy(name):
    X = np.array([[0.0, 0], [0, 0], [1, -1], [-1, 1]])
    np.testing.assert_array_equal(distances(X, name).half, scipys(X, name))


SCIPYS_OWN = [
    ("double-inp", "euclidean", "euclidean-ml", {}),
    ("double-inp", "seuclidean", "seuclidean-ml", {}),
    ("double-inp", "cosine", "cosine-ml", {}),
    ("double-inp", "correlation", "correlation-ml", {}),
    ("double-inp", "cityblock", "cityblock-ml", {}),
    ("double-inp", "chebyshev", "chebyshev-ml", {}),
    ("double-inp", "minkowski", "minkowski-3.2-ml", {"p": 3.2}),
    ("double-inp", "jensenshannon", "jensenshannon-ml", {}),
    ("boolean-inp", "hamming", "hamming-ml", {}),
    ("boolean-inp", "jaccard", "jaccard-ml", {}),
    ("iris", "euclidean", "euclidean-ml-iris", {}),
    ("iris", "seuclidean", "seuclidean-ml-iris", {}),
    ("iris", "cosine", "cosine-ml-iris", {}),
    ("iris", "correlation", "correlation-ml-iris", {}),
    ("iris", "cityblock", "cityblock-ml-iris", {}),
    ("iris", "chebyshev", "chebyshev-ml-iris", {}),
    ("iris", "minkowski", "minkowski-3.2-ml-iris", {"p": 3.2}),
    ("iris", "minkowski", "minkowski-5.8-ml-iris", {"p": 5.8}),
    ("iris", "jensenshannon", "jensenshannon-ml-iris", {}),
]


def scipys_file(name):
    path = Path(distance.__file__).parent / "tests" / "data" / name
    if not path.exists():
        pytest.skip(f"this SciPy comes without {name}")
    return np.loadtxt(path)


@pytest.mark.parametrize(("rows", "metric", "answer", "arguments"), SCIPYS_OWN)
def test_distances_are_those_of_scipys_own_files(rows, metric, answer, arguments):
    X = scipys_file("iris.txt" if rows == "iris" else f"pdist-{rows}.txt")
    X = X[:, :4] if rows == "iris" else X
    want = scipys_file(f"pdist-{answer}.txt")
    np.testing.assert_allclose(distances(X, metric, **arguments).half, want, rtol=2e-6, atol=1e-7)


# ---------------------------------------------------------------- missing numbers, points on a sphere


HOLES = np.where(RNG.random((N, M)) < 0.5, np.nan, REAL)
HOLES[0] = np.nan
HOLES[1, : M // 2], HOLES[1, M // 2 :] = np.nan, 1
HOLES[2, : M // 2], HOLES[2, M // 2 :] = 1, np.nan


def test_missing_numbers_are_those_of_nan_euclidean_distances():
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    want = pairwise.nan_euclidean_distances(HOLES)[np.triu_indices(N, 1)]
    np.testing.assert_allclose(distances(HOLES, missing="pairwise").half, want, rtol=1e-12)
    assert np.isnan(want).sum() > N - 2


def test_correlations_of_missing_numbers_are_those_of_pandas():
    pandas = pytest.importorskip("pandas")
    X = np.where(RNG.random((20, 9)) < 0.4, np.nan, RNG.normal(size=(20, 9)) + 1e4)
    want = 1 - pandas.DataFrame(X.T).corr(min_periods=2).to_numpy()[np.triu_indices(20, 1)]
    got = distances(X, "correlation", missing="pairwise").half
    some = ~np.isnan(want)
    np.testing.assert_allclose(got[some], want[some], rtol=0, atol=1e-6)
    known = ~np.isnan(X)
    common = (known[:, None] & known).sum(axis=2)[np.triu_indices(20, 1)]
    np.testing.assert_array_equal(
        got[~some], np.where(common[~some], 1.0, np.nan)
    )  # one column: no direction
    assert some.sum() > 100 and (~some).any()


@every_target
@pytest.mark.parametrize("w", [None, [1.0, 2, 0.5, 3]])
@pytest.mark.parametrize("name", ["cosine", "correlation"])
def test_rows_without_direction_are_at_1_whether_or_not_numbers_are_missing(name, w):
    X = np.array(
        [[1.0, 1, 1, 1], [0, 0, 0, 0], [2, 1, 5, 3], [7, 7, 7, 7], [1, 9, 2, 2], [0.1, 0.1, 0.1, 0.1]]
    )
    holes = np.vstack([X, [[np.nan, 4, 6, np.nan]], [[np.nan] * 4]])
    D = distances(X, name, w=w).expand()
    got = distances(holes, name, w=w, missing="pairwise").expand()
    np.testing.assert_allclose(got[:6, :6], D, rtol=1e-14, atol=1e-15)
    assert got[6, 1] == 1, "what the pair has in common is a row of zeros"
    assert (got[6, 5] == 1) == (name == "correlation"), "or a constant one"
    assert np.isnan(got[7, :7]).all(), "or nothing"


@every_target
@pytest.mark.parametrize(
    ("metric", "arguments", "far", "half"),
    [
        ("euclidean", {}, np.inf, 1.7e308),
        ("euclidean", {"w": [0.04]}, 6.8e307, 3.4e307),
        ("minkowski", {"p": 3}, np.inf, 1.7e308),
        ("minkowski", {"p": 1.5}, np.inf, 1.7e308),
        ("minkowski", {"p": 0.5}, np.inf, 1.7e308),
        ("minkowski", {"p": 0.5, "w": [1e200]}, np.inf, np.inf),
        ("minkowski", {"p": 3, "w": [1e-3]}, 3.4e307, 1.7e307),
        ("seuclidean", {"V": [1.0]}, np.inf, 1.7e308),
        ("seuclidean", {"V": [1e-300]}, np.inf, np.inf),
        ("seuclidean", {"V": [1e-320]}, np.inf, np.inf),
        ("mahalanobis", {"VI": [[1.0]]}, np.inf, 1.7e308),
        ("mahalanobis", {"VI": [[1e300]]}, np.inf, np.inf),
        ("cityblock", {}, np.inf, 1.7e308),
        ("chebyshev", {}, np.inf, 1.7e308),
    ],
)
def test_a_distance_beyond_the_dtype_is_infinite_and_a_neighbour(metric, arguments, far, half):
    X = np.array([[1.7e308], [-1.7e308], [0], [1.7e308]])
    D = distances(X, metric, **arguments).expand()
    np.testing.assert_allclose(D[0], [0, far, half, 0], rtol=1e-14)
    if METRICS[metric].missing:
        rows = np.vstack([np.hstack([X, np.zeros((4, 1))]), [[0, np.nan]]])
        more = {name: [*value, 1] for name, value in arguments.items() if name in "wV"}
        holes = distances(rows, metric, missing="pairwise", **arguments | more).expand()
        np.testing.assert_allclose(holes[0, :4], [0, far, half, 0], rtol=1e-14)
    found = nearest(X, 3, metric, **arguments)
    assert found.indices[0].tolist() == ([3, 1, 2] if half == far else [3, 2, 1])
    assert found.values[0].tolist() == sorted(D[0, 1:])


@every_target
def test_mahalanobis_of_any_scale_is_that_of_its_columns():
    normal = RNG.normal(size=(7, 3))
    X = normal * [1, 1e100, 0] + [0, 0, 5]
    VI = np.array([[1.0, 0.5, 0], [0.5, 4, 0], [0, 0, 2]])
    want = pdist(normal[:, :2], "mahalanobis", VI=VI[:2, :2])
    for unit in (1.0, 2.0**100, 2.0**-200):
        scale = np.array([1, 1e-100, 1]) / unit
        np.testing.assert_allclose(
            distances(X * unit, "mahalanobis", VI=VI * scale * scale[:, None]).half, want, rtol=1e-13
        )


@every_target
def test_the_unit_of_rows_is_no_part_of_a_quotient():
    X = np.array([[1e-300], [3e-300], [1e300]])
    np.testing.assert_allclose(distances(X, "braycurtis").half, [0.5, 1, 1])
    np.testing.assert_allclose(distances(X * 1e-20, "braycurtis", w=[0.7]).half, [0.5, 1, 1], rtol=1e-3)
    np.testing.assert_allclose(distances([[1e308, 1], [1, 1e308]], "cosine", w=[4, 1]).half, [1])
    np.testing.assert_allclose(distances([[1e308, 1e308], [0, 1e308]], "cosine", w=[3e8, 1e8]).half, [0.5])


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
@pytest.mark.parametrize("name", ["euclidean", "cityblock", "minkowski", "chebyshev", "canberra"])
def test_integers_are_subtracted_before_they_are_rounded(name, dtype):
    top = min(2**24, np.iinfo(dtype).max - 1)
    X = np.array([[top], [top + 1], [0]], dtype)
    got = distances(X, name, dtype="float32").half
    assert (
        got.dtype == np.float32 and (got == distances(X, name).half.astype(np.float32)).all() and got[0] > 0
    )


GROWING = ("euclidean", "sqeuclidean", "cityblock", "minkowski", "canberra")


@every_target
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", [name for name in PDIST if METRICS[name].missing])
def test_missing_numbers_leave_their_columns_out(name, weighted):
    """Of each pair alone, by pdist; sums grow by all weights over those present."""
    X = HOLES[:24]
    w = WEIGHTS + 0.5 if weighted else np.ones(M)
    arguments = {"p": 3.5} if name == "minkowski" else {}
    if name == "seuclidean":
        arguments["V"] = V = np.nanvar(X, axis=0, ddof=1)
        if weighted:
            pytest.skip("takes no weights")
    given = arguments | ({"w": w} if weighted else {})
    got = distances(X, name, missing="pairwise", **given).half
    for found, (x, y) in zip(got, combinations(X, 2), strict=True):
        both = ~np.isnan(x) & ~np.isnan(y)
        constant = len(set(x[both])) < 2 or len(set(y[both])) < 2
        if both.sum() < 3 or (name == "correlation" and constant):
            assert both.any() or np.isnan(found)
            continue
        own = arguments | ({"V": V[both]} if name == "seuclidean" else {"w": w[both]})
        want = scipys(np.stack([x[both], y[both]]), name, **own)[0]
        share = w.sum() / w[both].sum()
        power = {"euclidean": 0.5, "seuclidean": 0.5, "minkowski": 1 / 3.5}.get(name, 1)
        want *= share**power if name in GROWING or name == "seuclidean" else 1
        np.testing.assert_allclose(found, want, rtol=1e-9, atol=1e-12)


def test_points_on_a_sphere_are_those_of_scikit_learn():
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    points = np.column_stack([RNG.uniform(-1.5, 1.5, 40), RNG.uniform(-3.1, 3.1, 40)])
    want = pairwise.haversine_distances(points)
    np.testing.assert_allclose(distances(points, "haversine").expand(), want, rtol=1e-12, atol=1e-12)


def test_near_and_opposite_points_keep_their_digits():
    mpmath = pytest.importorskip("mpmath")
    points = [
        (0.3, 1.0),
        (0.3, 1.0 + 1e-13),
        (0.3 + 1e-9, 1.0),
        (-0.3, 1.0 - np.pi),
        (-0.3, 4.14),
        (1.57, 0.0),
    ]
    D = distances(points, "haversine").expand()
    with mpmath.workdps(50):
        for i, (a, b) in enumerate(points):
            for j, (c, d) in enumerate(points):
                a, b, c, d = map(mpmath.mpf, (a, b, c, d))
                h = (
                    mpmath.sin((a - c) / 2) ** 2
                    + mpmath.cos(a) * mpmath.cos(c) * mpmath.sin((b - d) / 2) ** 2
                )
                want = 2 * mpmath.asin(mpmath.sqrt(min(h, mpmath.mpf(1))))
                assert abs(D[i, j] - want) <= 1e-15 * want, (i, j)


# ---------------------------------------------------------------- stores, blocks, functions


@cases.each("name", [*METRICS, "function"])
@cases.each("n", [1, 2, 3, 65])
def test_every_layout_holds_the_same_distances(n, name):
    X = np.abs(REAL[:n, :2])
    metric = (lambda x, y: float(abs(x - y).sum())) if name == "function" else name
    arguments = {"VI": np.eye(2)} if name == "mahalanobis" else {}
    want = distances(X, metric, layout="lapack-lower", **arguments).expand()
    for layout in ("condensed", "vech", "numpy-tril", "lapack-upper"):
        D = distances(X, metric, layout=layout, **arguments)
        assert D.n == n and D.layout.name == layout and D.kind == "symmetric"
        np.testing.assert_array_equal(D.expand(), want)
        assert not D.diagonal().any()


@every_target
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [*PDIST, "haversine"])
def test_blocks_have_the_same_bits_whatever_is_asked_for(name, dtype):
    X = np.abs(RNG.normal(size=(600, 2 if name == "haversine" else 5))).astype(dtype)
    X[7] = X[3]
    block = block_of(X, name, **({"p": 3.0} if name == "minkowski" else {}))
    direct = distances(X, name, **({"p": 3.0} if name == "minkowski" else {}), threads=3)
    assert block.n == 600 and block.dtype == dtype
    whole = block(slice(None), slice(None))
    part = block(slice(10, 30), slice(3, 599))
    if isinstance(block, Direct):  # those of BLAS may depend on the size of a block
        assert whole[10:30, 3:599].tobytes() == part.tobytes()
        assert_same_bits(whole, np.ascontiguousarray(whole.T))
        assert_same_bits(direct.expand(), whole)
    else:
        np.testing.assert_allclose(direct.expand(), whole, rtol=1e-5, atol=1e-5)
    assert not np.diagonal(whole).any() and (whole >= 0).all()
    again = pickle.loads(pickle.dumps(block))
    assert again(slice(5, 9), slice(0, 9)).tobytes() == block(slice(5, 9), slice(0, 9)).tobytes()
    if not METRICS[name].truth:
        assert whole[3, 7] == 0


def test_a_function_is_called_once_for_each_pair_in_order():
    calls = []

    def metric(x, y):
        calls.append((x[0], y[0]))
        return x[0] + 10 * y[0]

    D = distances(np.arange(5.0)[:, None], metric)
    assert calls == list(combinations(range(5), 2))
    assert D.half.tolist() == [a + 10 * b for a, b in calls]
    with pytest.raises(TypeError, match=r"metric gave None of rows 0 and 1: a distance is one real number"):
        distances(np.eye(3), lambda x, y: None)
    with pytest.raises(TypeError, match="a function as metric takes no w: "):
        distances(np.eye(3), metric, w=[1, 1, 1])


def test_a_function_that_writes_into_its_rows_leaves_x_as_it_is():
    X = RNG.normal(size=(6, 3))
    before = X.copy()

    def spoils(x, y):
        x -= x.mean()
        y -= y.mean()
        return np.abs(x - y).sum()

    found = distances(X, spoils).expand()
    np.testing.assert_array_equal(X, before)
    centred = X - X.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found, distances(centred, "cityblock").expand(), rtol=1e-14)


def test_sparse_rows_are_as_far_apart_as_full_ones():
    X = np.where(RNG.random((30, 12)) < 0.3, REAL[:30, :12], 0)
    for name in ("euclidean", "sqeuclidean", "cityblock", "cosine", "jaccard"):
        for dtype in ("float32", "float64"):
            D = distances(sparse.csr_array(X.astype(dtype)), name)
            assert D.dtype == dtype
            want = distances(X.astype(dtype), name).half
            np.testing.assert_allclose(D.half, want, rtol=1e-5, atol=1e-6)
    assert distances(sparse.csr_array(X), dtype="float32").dtype == np.float32
    with pytest.raises(
        TypeError, match=r"X is sparse, which metric 'canberra' does not take: pass X.toarray\(\); "
    ):
        distances(sparse.csr_array(X), "canberra")
    with pytest.raises(TypeError, match="X is sparse, and weights are for arrays"):
        distances(sparse.csr_array(X), w=np.ones(12))


def test_the_index_of_a_frame_labels_the_distances():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(REAL[:3, :2].copy(), index=["a", "b", "c"], columns=["u", "v"])
    D = distances(frame, "cityblock")
    assert D.labels == ("a", "b", "c") and D["a", "c"] == D.half[1]
    frame.loc["b", "v"] = np.nan
    with pytest.raises(
        ValueError, match=r"X holds nan in row 1 \('b'\), column 1 \('v'\): fill it, or pass miss"
    ):
        distances(frame)
    assert np.isfinite(distances(frame, missing="pairwise").half).all()
    with pytest.raises(
        TypeError, match=r"column 'w' of X has dtype .*; metric='gower' compares columns of text"
    ):
        distances(frame.assign(w="text"))


def test_a_file_goes_on_with_the_same_metric_only(tmp_path):
    path = tmp_path / "d.npy"
    distances(REAL, "canberra", out=path)
    made = np.load(path)
    assert made.tobytes() == distances(REAL, "canberra").half.tobytes()
    distances(REAL, "canberra", out=path, resume=True, threads=2)
    with pytest.raises(ValueError, match="metric was 'canberra' and is 'braycurtis'"):
        distances(REAL, "braycurtis", out=path, resume=True)


@pytest.mark.parametrize("name", ["cityblock", "jaccard", "cosine", "haversine"])
def test_an_executor_gives_the_same_bits(name):
    X = np.abs(RNG.normal(size=(700, 2)))
    with ThreadPoolExecutor(2) as executor:
        there = distances(X, name, executor=executor)
    assert there.half.tobytes() == distances(X, name).half.tobytes()


def test_progress_is_told_in_tiles():
    told = []
    distances(REAL, "cityblock", progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1]


@every_target
@pytest.mark.parametrize("name", ["jensenshannon", "yule"])
def test_ctrl_c_stops_a_kernel(name):
    block = block_of(RNG.random((480, 4000)), name)
    started = process_time()
    assert interrupted_after(0.05, lambda: [block(slice(None), slice(None)) for _ in range(1000)])
    assert process_time() - started < 10


# ---------------------------------------------------------------- what is refused

REFUSED = [
    ({"metric": "manhatan"}, ValueError, "unknown metric 'manhatan': did you mean 'manhattan' or "),
    ({"metric": "Cityblok"}, ValueError, "unknown metric 'Cityblok': did you mean 'cityblock' or 'cblock'?"),
    ({"metric": "xyz"}, ValueError, "unknown metric 'xyz': choose from euclidean, "),
    (
        {"w": pandas.Series([1.0, 2], index=["b", "a"])},
        ValueError,
        "column 0 of X is 'a', and of w 'b': give both the same labels in one order, or pass w.to_numpy()",
    ),
    (
        {"metric": "seuclidean", "V": pandas.Series([1.0, 2], index=["b", "a"])},
        ValueError,
        "column 0 of X is 'a', and of V 'b': ",
    ),
    (
        {"metric": "mahalanobis", "VI": pandas.DataFrame(np.eye(2), index=["a", "b"], columns=["b", "a"])},
        ValueError,
        "column 0 of X is 'a', and of VI 'b': ",
    ),
    ({"metric": 7}, TypeError, "metric must be a name or a function of two rows, not 7"),
    ({"metric": "cosine", "p": 3}, TypeError, "metric 'cosine' takes no p: 'minkowski' does"),
    ({"metric": "cosine", "V": [1, 2]}, TypeError, "metric 'cosine' takes no V: 'seuclidean' does"),
    ({"metric": "cosine", "VI": [1, 2]}, TypeError, "metric 'cosine' takes no VI: 'mahalanobis' does"),
    ({"metric": "mahalanobis", "w": [1, 2]}, TypeError, "metric 'mahalanobis' takes no w: 'euclidean', "),
    ({"metric": "minkowski", "p": 0}, ValueError, "p must be a positive number, not 0"),
    ({"metric": "minkowski", "p": np.nan}, ValueError, "p must be a positive number, not nan"),
    ({"metric": "minkowski", "p": 10**400}, ValueError, "p is beyond float64, which ends at 1.8e308: give a"),
    ({"metric": "minkowski", "p": 2j}, ValueError, "p must be a positive number, not 2j"),
    ({"metric": "minkowski", "p": np.complex128(2)}, ValueError, "p must be a positive number, not np.comp"),
    ({"w": [1, -2]}, ValueError, "w[1] is -2: weights are zero or positive"),
    ({"w": [1, 2, 3]}, ValueError, "w has shape (3,), and X has 2 columns: (2,) fits"),
    ({"w": [1, np.nan]}, ValueError, "w holds nan or an infinity: finite numbers are needed"),
    ({"w": [1, 2j]}, TypeError, "w holds complex128: real numbers are needed"),
    ({"metric": "seuclidean", "V": [1, 0]}, ValueError, "V[1], the variance of column 1, is 0: leave that"),
    ({"metric": "mahalanobis", "VI": [[1, 2], [0, 1]]}, ValueError, "VI is not symmetric: "),
    ({"metric": "mahalanobis", "VI": [[1, 2], [2, 1]]}, ValueError, "VI has the eigenvalue -1: it must be"),
    ({"missing": "drop"}, ValueError, "missing must be 'raise' or 'pairwise', not 'drop'"),
    ({"metric": "dice", "missing": "pairwise"}, ValueError, "missing='pairwise' is for 'euclidean', "),
    ({"dtype": "float16"}, TypeError, "dtype must be float32 or float64, not float16"),
    ({"dtype": "foo"}, TypeError, "dtype must be float32 or float64, not 'foo': distances are made in these"),
    ({"dtype": "(f"}, TypeError, "dtype must be float32 or float64, not '(f'"),
    ({"dtype": "f,("}, TypeError, "dtype must be float32 or float64, not 'f,('"),
    ({"dtype": 3}, TypeError, "dtype must be float32 or float64, not 3"),
    (
        {"metric": lambda x, y: 10**400},
        ValueError,
        "metric gave an integer beyond float64 of rows 0 and 1: g",
    ),
    ({"metric": "jensenshannon"}, ValueError, "X holds -1 in row 1, column 1: metric 'jensenshannon' takes "),
    ({"layout": "corr"}, ValueError, "'corr'"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), REFUSED)
def test_an_argument_that_does_not_fit_is_named(arguments, error, message):
    X = pandas.DataFrame([[0.0, 1], [2, -1], [3, 5], [1, 1]], columns=["a", "b"])
    with pytest.raises(error, match=re.escape(message)):
        distances(X, **arguments)


@pytest.mark.parametrize(
    ("X", "metric", "error", "message"),
    [
        ([1.0, 2], "euclidean", ValueError, "X has shape (2,): it must be a matrix"),
        ([[1j, 2]], "euclidean", TypeError, "X holds complex128, and distances are of real numbers"),
        ([["a"]], "euclidean", TypeError, "holds text"),
        (np.array([["2020-01-01"]], "M8[D]"), "euclidean", TypeError, "dates and times have no distances"),
        ([[1.0, 2], [np.inf, 0]], "cosine", ValueError, "X holds inf in row 1, column 0: fill it, or leave"),
        ([[1.0, 2], [0, np.nan]], "dice", ValueError, "X holds nan in row 1, column 1: fill it"),
        ([[1.0, 2, 3]], "haversine", ValueError, "X has 3 columns, and metric 'haversine' takes two"),
        ([[1.0, 2], [3, 4]], "mahalanobis", ValueError, "X has 2 rows and 2 columns, so their covariance is"),
        (
            [[1.0, 2], [2, 4], [3, 6]],
            "mahalanobis",
            ValueError,
            "the covariance of the columns of X is singul",
        ),
        ([[1.0, 2], [2, 2], [3, 2]], "seuclidean", ValueError, "V[1], the variance of column 1, is 0"),
    ],
)
def test_rows_without_such_distances_are_named(X, metric, error, message):
    with pytest.raises(error, match=re.escape(message)):
        distances(X, metric)


def test_infinity_is_an_error_even_where_nan_is_not():
    with pytest.raises(ValueError, match="X holds -inf in row 1, column 1"):
        distances([[np.nan, 1], [1, -np.inf]], missing="pairwise")
