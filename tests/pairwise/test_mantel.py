"""The Mantel test: the correlation of all pairs, and how it stands among permutations."""

import itertools
import re
import time

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata

import distances
import vech
from interrupts import interrupted_after
from vech.pairwise import mantel


def other(n, seed=1):
    return distances.full(n) + distances.full(n, seed=seed)


def correlation(a, b, order=None):
    """Pair by pair."""
    n = len(a)
    order = range(n) if order is None else order
    x = [a[order[i], order[j]] for i in range(n) for j in range(i + 1, n)]
    y = [b[i, j] for i in range(n) for j in range(i + 1, n)]
    return np.corrcoef(x, y)[0, 1]


def ranked(full):
    return squareform(rankdata(squareform(full)))


@pytest.mark.parametrize("n", [3, 4, 17, 100])
@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_the_statistic_is_the_correlation_of_all_pairs(n, method):
    a, b = distances.full(n), other(n)
    want = correlation(a, b) if method == "pearson" else correlation(ranked(a), ranked(b))
    for S, T in zip(distances.stores(a).values(), distances.stores(b).values(), strict=True):
        found = mantel(S, T, method=method, permutations=0)
        assert found.statistic == pytest.approx(want, abs=1e-12)
        assert np.isnan(found.pvalue) and found.permuted.shape == (0,)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_permutations_move_the_rows_of_the_first(alternative):
    a, b = distances.full(9), other(9)
    found = mantel(a, b, permutations=30, seed=3, alternative=alternative)
    random = np.random.default_rng(3)
    want = np.array([correlation(a, b, random.permutation(9)) for _ in range(30)])
    np.testing.assert_allclose(found.permuted, want, atol=1e-12)
    r = correlation(a, b)
    extreme = {"two-sided": abs(want) >= abs(r), "greater": want >= r, "less": want <= r}[alternative]
    assert found.pvalue == (1 + extreme.sum()) / 31


@pytest.mark.parametrize("method", ["pearson", "spearman"])
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_a_seed_gives_what_scikit_bio_makes_of_it(method, alternative):
    skbio = pytest.importorskip("skbio.stats.distance", reason="scikit-bio is not installed")
    a, b = distances.full(25), distances.full(25, seed=5)
    matrices = [skbio.DistanceMatrix(full) for full in (a, b)]
    want = skbio.mantel(*matrices, method=method, permutations=199, alternative=alternative, seed=11)
    found = mantel(a, b, method=method, permutations=199, alternative=alternative, seed=11)
    assert found[:2] == pytest.approx(want[:2], abs=1e-12)


def test_of_all_orders_of_four_the_share_is_near():
    a, b = distances.full(4), other(4)
    every = [correlation(a, b, order) for order in itertools.permutations(range(4))]
    want = np.mean(np.array(every) >= correlation(a, b) - 1e-9)
    assert mantel(a, b, alternative="greater", permutations=4000).pvalue == pytest.approx(want, abs=0.03)


def test_orders_that_change_nothing_are_as_extreme():
    a = 1.0 - np.eye(6)
    a[0, 1] = a[1, 0] = 0.1
    found = mantel(a, a, permutations=50)
    np.testing.assert_allclose(found.permuted.max(), 1)
    assert found.pvalue == (1 + np.isclose(found.permuted, 1).sum()) / 51


def test_the_same_seed_and_any_number_of_threads_give_the_same_bits():
    a, b = distances.full(300), other(300)
    one, two = (mantel(a, b, permutations=20, threads=threads) for threads in (1, 2))
    np.testing.assert_array_equal(one.permuted, two.permuted)
    again = mantel(a, b, permutations=20, seed=np.random.default_rng(0))
    np.testing.assert_array_equal(one.permuted, again.permuted)


def test_more_permutations_than_are_held_together(monkeypatch):
    whole = mantel(distances.full(9), other(9), permutations=25).permuted
    import importlib

    monkeypatch.setattr(importlib.import_module("vech.pairwise.mantel"), "TOGETHER", 10)
    seen = []
    parts = mantel(
        distances.full(9), other(9), permutations=25, progress=lambda done, total: seen.append((done, total))
    )
    np.testing.assert_array_equal(parts.permuted, whole)
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("scale", [1e200, 1e-300])
def test_distances_of_every_size_are_taken(scale):
    a, b = distances.full(17), other(17)
    assert mantel(a * scale, b).statistic == pytest.approx(mantel(a, b).statistic, rel=1e-9)


def test_integers_float32_and_frames():
    pandas = pytest.importorskip("pandas")
    whole = np.rint(distances.full(17)).astype(int)
    names = [f"r{i}" for i in range(17)]
    want = correlation(whole, other(17))
    for a in (whole, whole.astype(np.float32), pandas.DataFrame(whole, names, names)):
        assert mantel(a, other(17), permutations=0).statistic == pytest.approx(want, abs=1e-12)


def test_stores_are_left_as_they_are():
    S = vech.Packed(pdist(distances.points(17)), "condensed")
    before = S.half.copy()
    mantel(S, S, permutations=5)
    np.testing.assert_array_equal(S.half, before)


def test_rows_in_another_order_are_named():
    a, names = distances.full(4), ["a", "b", "c", "d"]
    S = vech.Packed(vech.pack(a), labels=names)
    T = S.permute([1, 0, 2, 3])
    message = "row 0 of S is 'a', and of T 'b': T.permute(S.labels) has the order of S"
    with pytest.raises(ValueError, match=re.escape(message)):
        mantel(S, T)
    assert mantel(S, T.permute(S.labels), permutations=0).statistic == pytest.approx(1)
    with pytest.raises(ValueError, match=r"row 3 of S is 'd', and of T 'e': submatrix\(labels\) takes those"):
        mantel(S, S.with_labels(["a", "b", "c", "e"]))
    assert mantel(S, a, permutations=0).statistic == pytest.approx(1)  # without labels, by position


@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_ends_it_soon(threads):
    a, b = distances.full(200), other(200)
    began = time.process_time()
    assert interrupted_after(0.2, lambda: mantel(a, b, permutations=10**6, threads=threads))
    assert time.process_time() - began < 20


FULL = distances.full(4)
REFUSED = {
    "S has 4 rows and T 5: mantel compares distances between the same rows": lambda: mantel(FULL, other(5)),
    "mantel needs at least 3 rows, not 2": lambda: mantel(np.zeros((2, 2)), np.zeros((2, 2))),
    "all distances of T are 1.0, so they go together with nothing": lambda: mantel(FULL, 1 - np.eye(4)),
    "unknown method 'kendall'": lambda: mantel(FULL, FULL, method="kendall"),
    "unknown alternative 'more'": lambda: mantel(FULL, FULL, alternative="more"),
    "permutations must be zero or more, not -1": lambda: mantel(FULL, FULL, permutations=-1),
    "seed must be an integer, not None": lambda: mantel(FULL, FULL, seed=None),
    r"T\[0, 0\] is 1.0, and a distance to itself is 0": lambda: mantel(FULL, np.eye(4)),
    "mantel takes the distances of all pairs, and a SparseHalf": lambda: mantel(
        vech.SparseHalf.from_half(vech.pack(FULL)), FULL
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_does_not_fit_is_named(message):
    with pytest.raises((TypeError, ValueError), match=message):
        REFUSED[message]()
