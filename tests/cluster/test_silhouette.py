"""Silhouettes are those of scikit-learn, and of the double loop that defines them."""

import tracemalloc

import numpy as np
import pytest
from scipy.spatial.distance import pdist

import distances
import vech
from vech.cluster import silhouette
from vech.cluster.silhouette import FEW


def defined(D, labels):
    """Rousseeuw's formula, row by row."""
    found = []
    for i, own in enumerate(labels):
        apart = {c: [D[i, j] for j in range(len(D)) if labels[j] == c and j != i] for c in set(labels)}
        mine = apart.pop(own)
        a, b = np.mean(mine) if mine else 0, min(map(np.mean, apart.values()))
        found.append((b - a) / max(a, b) if mine and max(a, b) > 0 else 0)
    return np.array(found)


@pytest.mark.parametrize("n", [3, 4, 17, 100])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "uint8", "float16"])
def test_every_kind_of_store_has_those_of_the_definition(n, dtype):
    D = distances.full(n).astype(dtype)
    labels = np.random.default_rng(n).integers(0, max(2, n // 6), n)
    labels[:2] = 0, 1
    expected = defined(D.astype(float), labels.tolist())
    near = {"float32": 1e-5, "float16": 2e-2}.get(dtype, 1e-12)
    for given in (D, *distances.stores(D).values()):
        found = silhouette(given, labels)
        np.testing.assert_allclose(found.samples, expected, atol=near)
        assert isinstance(found.score, float) and found.score == pytest.approx(found.samples.mean())
        assert found.samples.dtype == np.float64


@pytest.mark.parametrize("count", [2, 5, FEW, FEW + 1, 100, 199])
def test_few_clusters_and_many_are_those_of_scikit_learn(count):
    metrics = pytest.importorskip("sklearn.metrics")
    D = distances.full(200)
    labels = np.random.default_rng(count).permutation(np.arange(200) % count)
    found = silhouette(vech.Packed.from_full(D), labels)
    np.testing.assert_allclose(
        found.samples, metrics.silhouette_samples(D, labels, metric="precomputed"), atol=1e-12
    )
    assert found.score == pytest.approx(metrics.silhouette_score(D, labels, metric="precomputed"), abs=1e-13)


def test_labels_may_be_anything_that_has_an_order():
    pandas, D = pytest.importorskip("pandas"), distances.full(6)
    expected = silhouette(D, [0, 0, 1, 1, 2, -1]).samples
    assert expected[-1] == expected[-2] == 0
    for labels in (
        ["a", "a", "b", "b", "c", "noise"],
        np.array([2.5, 2.5, 3, 3, 4, 0]),
        [True, True, 0, 0, 7, 3],
        pandas.Series([0, 0, 1, 1, 2, -1], index=list("uvwxyz")),
        pandas.Categorical(["a", "a", "b", "b", "c", "d"]),
        np.array([0, 0, 1, 1, 2, 9], "M8[D]"),
    ):
        np.testing.assert_array_equal(silhouette(D, labels).samples, expected)
    named = vech.Packed.from_full(D, labels=list("abcdef"))
    with pytest.raises(ValueError, match="row 0 of S is 'a', and of labels 'u'"):
        silhouette(named, pandas.Series([0, 0, 1, 1, 2, -1], index=list("uvwxyz")))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0] * 6, "labels name 1 clusters of 6 rows: silhouettes need at least 2, and at most n - 1"),
        (range(6), "labels name 6 clusters of 6 rows"),
        ([0, 1, 0], r"labels has shape \(3,\), and S has 6 rows: one label for each"),
        ([0, 1, np.nan, 0, 1, 1], r"labels\[2\] is nan: name a cluster for each row, such as -1 for noise"),
        (["a", None, "b", "a", "b", "b"], r"labels\[1\] is None: name a cluster"),
        (np.array(["2020", "NaT", "2021", "2020", "2020", "2020"], "M8[D]"), r"labels\[1\] is NaT"),
    ],
)
def test_what_is_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        silhouette(distances.full(6), labels)


def test_labels_of_mixed_types_have_no_order():
    with pytest.raises(TypeError, match="labels are of several types, of which none is before the other"):
        silhouette(distances.full(3), np.array([0, "a", 0], object))


@pytest.mark.parametrize("largest", [np.float64(1.7e308), np.float32(3e38)])
def test_sums_that_overflow(largest):
    D = distances.full(12)
    S = vech.Packed.from_full((D / D.max()).astype(largest.dtype) * largest)
    for labels in (np.arange(12) % 3, np.arange(12) // 2):
        with pytest.raises(
            OverflowError, match=r"silhouette adds up distances.*float32 also takes S\.astype"
        ):
            silhouette(S, labels)
        found = silhouette(S * 2.0**-10, labels).samples
        np.testing.assert_allclose(found, silhouette(D, labels).samples, atol=1e-5)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_rows_have_no_silhouettes(n):
    with pytest.raises(ValueError, match=f"labels name {n} clusters of {n} rows"):
        silhouette(distances.full(n), list(range(n)))


@pytest.mark.parametrize("count", [3, 300])
def test_memory(count):
    S = vech.Packed(pdist(distances.points(1500)), "condensed")
    tracemalloc.start()
    silhouette(S, np.arange(1500) % count)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * 2**20 < 8 * S.n**2


def test_a_mask_is_refused():
    D = distances.full(4)
    with pytest.raises(
        TypeError, match=r"labels is a masked array, whose mask would be lost; fill it first: x\.fill"
    ):
        silhouette(D, np.ma.masked_array([0, 0, 1, 1], [0, 1, 0, 0]))
