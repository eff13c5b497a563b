"""FasterPAM, beside its slow definition, all sets of medoids, and the package of its authors."""

import itertools
import tracemalloc

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

import distances
import vech
from vech.cluster import medoids


def cost(D, rows):
    return D[list(rows)].min(axis=0).sum()


def faster_pam(D, rows):
    """The algorithm as its paper has it, all of it computed anew after each swap."""
    rows, n = list(rows), len(D)
    idle, candidate = 0, 0
    while idle < n:
        if candidate not in rows:
            costs = [cost(D, [*rows[:k], candidate, *rows[k + 1 :]]) for k in range(len(rows))]
            if min(costs) < cost(D, rows) * (1 - 1e-12):
                rows[int(np.argmin(costs))] = candidate
                idle = -1
        idle, candidate = idle + 1, (candidate + 1) % n
    return sorted(rows)


def check(D, found, k):
    """What is true of all medoids."""
    assert found.medoids.shape == (k,) and np.all(np.diff(found.medoids) > 0)
    assert found.labels.dtype == found.medoids.dtype == np.int64
    np.testing.assert_array_equal(found.labels[found.medoids], np.arange(k))
    apart = D[found.medoids[found.labels], np.arange(len(D))]
    np.testing.assert_allclose(apart, D[found.medoids].min(axis=0), rtol=1e-12)
    assert isinstance(found.cost, float) and found.cost == pytest.approx(apart.sum(), rel=1e-12)


@pytest.mark.parametrize("n", [2, 3, 17, 60])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_every_kind_of_store_has_the_medoids_of_the_slow_definition(n, dtype):
    D = distances.full(n).astype(dtype)
    for k in {2, min(5, n), n}:
        begin = np.random.default_rng(k).choice(n, k, replace=False)
        expected = faster_pam(D.astype(float), begin)
        for given in (D, *distances.stores(D).values()):
            found = medoids(given, k, init=begin)
            check(np.asarray(given, np.float64), found, k)
            assert found.medoids.tolist() == expected


@pytest.mark.parametrize("seed", range(12))
def test_swaps_of_rows_without_groups_are_those_of_the_slow_definition(seed):
    rng = np.random.default_rng(seed)
    X, k = rng.random((50, 2)), 2 + seed
    D, begin = squareform(pdist(X)), rng.choice(50, k, replace=False)
    assert medoids(D, k, init=begin).medoids.tolist() == faster_pam(D, begin)


@pytest.mark.parametrize("seed", range(10))
def test_no_other_set_of_medoids_is_better_by_one_swap_and_few_are_by_more(seed):
    D = distances.full(12, seed)
    for k in (1, 2, 3):
        every = {rows: cost(D, rows) for rows in itertools.combinations(range(12), k)}
        for init in ("random", "build"):
            found = medoids(D, k, init=init, seed=seed)
            check(D, found, k)
            neighbours = [c for rows, c in every.items() if len(set(rows) - set(found.medoids.tolist())) == 1]
            assert found.cost <= min(neighbours) * (1 + 1e-12)
        best = min(medoids(D, k, seed=s).cost for s in range(6))
        assert best == pytest.approx(min(every.values()), rel=1e-12)


def test_rows_that_repeat_have_medoids_too():
    D = distances.full(5)[np.ix_([0, 0, 0, 1, 1, 2], [0, 0, 0, 1, 1, 2])]
    for k in range(1, 7):
        check(D, medoids(D, k), k)
    for init in ("random", "build"):
        check(np.zeros((4, 4)), medoids(np.zeros((4, 4)), 3, init=init), 3)


@pytest.mark.parametrize("seed", range(4))
def test_costs_that_are_tiny_beside_the_loss_of_a_medoid_end_too(seed):
    rng = np.random.default_rng(seed)
    groups = np.repeat(rng.normal(size=(6, 3)), 6, axis=0)
    D = squareform(pdist(groups) + rng.choice([0, 1e-17, 1e-20, 1e-16], 36 * 35 // 2))

    def ends(done, total):
        assert done < 10**5, "rounding of sums of large distances is taken for a gain"

    found = medoids(D, 6, init="build" if seed % 2 else "random", seed=seed, progress=ends)
    check(D, found, 6)
    assert found.medoids.tolist() == faster_pam(D, found.medoids)


def test_of_equally_near_medoids_the_first_one_has_a_row():
    D = np.abs(np.subtract.outer([0, 1, 2, 3, 4], [0, 1, 2, 3, 4]))
    for begin in ([0, 4], [4, 0], [1, 3], [3, 1]):
        found = medoids(D, 2, init=begin)
        expected = D[found.medoids].argmin(axis=0)
        np.testing.assert_array_equal(found.labels, expected)


def test_it_is_the_answer_of_the_authors_package():
    kmedoids = pytest.importorskip("kmedoids", reason="kmedoids is not installed: vech[test-doors]")
    for seed in range(5):
        D = distances.full(150, seed)
        begin = np.random.default_rng(seed).choice(150, 8, replace=False)
        theirs = kmedoids.fasterpam(D, begin.astype(np.uint64), n_cpu=1)
        found = medoids(D, 8, init=begin)
        assert found.cost == pytest.approx(theirs.loss, rel=1e-12)
        assert found.medoids.tolist() == sorted(theirs.medoids.tolist())


@pytest.mark.parametrize("k", [1, 3])
def test_sums_that_overflow(k):
    D = distances.full(12)
    largest = D / D.max() * 1.7e308
    for init in ("random", "build"):
        with pytest.raises(
            OverflowError, match="medoids adds up distances, and these sums are infinite: scale"
        ):
            medoids(largest, k, init=init)
    assert medoids(largest * 2.0**-8, k).medoids.tolist() == medoids(D, k).medoids.tolist()


def test_a_seed_decides():
    D = vech.Packed(pdist(np.random.default_rng(0).random((80, 2))), "condensed")
    first, again = medoids(D, 6, seed=4), medoids(D, 6, seed=4, threads=2)
    assert first.medoids.tolist() == again.medoids.tolist() and first.cost == again.cost
    assert len({medoids(D, 6, seed=seed).cost for seed in range(10)}) > 1
    assert medoids(D, 6, seed=np.random.default_rng(4)).cost == first.cost


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"k": 0}, ValueError, "k is 0, and must be at least 1"),
        ({"k": 18}, ValueError, "k is 18, and S has 17 rows: choose at most so many"),
        ({"k": 2, "seed": -1}, ValueError, "seed is -1: it is 0 or more"),
        ({"k": 2, "seed": "a"}, TypeError, "seed must be an integer, not 'a'"),
        ({"k": 2, "seed": True}, TypeError, "seed must be an integer, not True"),
        ({"k": 2, "seed": 1.5, "init": "build"}, TypeError, "seed must be an integer, not 1.5"),
        ({"k": 2.0}, TypeError, "k must be an integer, not 2.0"),
        (
            {"k": 2, "init": "heuristic"},
            ValueError,
            "init is 'heuristic': choose 'random', 'build', or give k",
        ),
        ({"k": 2, "init": [1, 1]}, ValueError, r"init is \[1, 1\]: give k = 2 different rows of 0 to 16"),
        ({"k": 2, "init": [1, 17]}, ValueError, r"init is \[1, 17\]: give k = 2 different rows"),
        ({"k": 2, "init": [1, 2, 3]}, ValueError, "give k = 2 different rows"),
        ({"k": 1, "init": [0.5]}, TypeError, "init must hold rows, which are integers, not float64"),
    ],
)
def test_what_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        medoids(distances.full(17), **arguments)


def test_progress_and_memory():
    S = vech.Packed(pdist(distances.points(1500)), "condensed")
    steps = []
    tracemalloc.start()
    medoids(S, 40, progress=lambda *step: steps.append(step))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    done = [done for done, total in steps]
    assert done == sorted(set(done)) and {total for _, total in steps} == {None}
    assert peak < 12 * 2**20 < 8 * S.n**2
