"""Metric scaling: the same steps as a slow SMACOF and as scikit-learn's, from the same start."""

import re
import time

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

import distances
import vech
from interrupts import interrupted_after
from vech.embedding import mds, pcoa
from vech.embedding.coordinates import squared

pytestmark = pytest.mark.filterwarnings("ignore:mds ended by max_iter")


def smacof(full, points, most, eps):
    """De Leeuw's algorithm, pair by pair."""
    n, before = len(full), None

    def apart(points):
        return np.array([[np.sqrt(((a - b) ** 2).sum()) for b in points] for a in points])

    iteration = 0
    while iteration < most:
        iteration += 1
        between, moved = apart(points), np.zeros_like(points)
        for i in range(n):
            for j in range(n):
                if between[i, j] > 0:
                    moved[i] += full[i, j] / between[i, j] * (points[i] - points[j]) / n
        points, between = moved, apart(moved)
        stress = ((between - full) ** 2).sum() / 2
        if before is not None and (before - stress) / ((between**2).sum() / 2) < eps:
            break
        before = stress
    return points, stress, np.sqrt(stress / ((between**2).sum() / 2)), iteration


@pytest.mark.parametrize("n", [2, 3, 17])
@pytest.mark.parametrize("k", [1, 2])
def test_mds_takes_the_steps_of_smacof(n, k):
    full, start = distances.full(n), np.random.default_rng(n).normal(size=(n, k))
    points, stress, normalized, iterations = smacof(full, start, 12, 1e-4)
    for name, S in distances.stores(full).items():
        found = mds(S, k, init=start, max_iter=12, eps=1e-4)
        np.testing.assert_allclose(found.coordinates, points, atol=1e-9 * full.max(), err_msg=name)
        np.testing.assert_allclose(found[1:3], (stress, normalized), rtol=1e-9, atol=1e-12)
        assert found.iterations == iterations


@pytest.mark.parametrize("n", [100, 300])  # 300: tiles on and off the diagonal
def test_a_seed_gives_what_scikit_learn_makes_of_it(n):
    manifold = pytest.importorskip("sklearn.manifold")
    full = distances.full(n)
    points, stress, iterations = manifold.smacof(
        full, n_components=2, n_init=2, max_iter=30, random_state=7, return_n_iter=True
    )
    found = mds(full, 2, seed=7, n_init=2, max_iter=30)
    np.testing.assert_allclose(found.coordinates, points, atol=1e-6)
    assert found.stress == pytest.approx(stress) and found.iterations == iterations
    one, two = (mds(full, 2, seed=7, max_iter=3, threads=threads) for threads in (1, 2))
    np.testing.assert_array_equal(one.coordinates, two.coordinates)


def test_an_example_of_borg_and_groenen():
    """Modern Multidimensional Scaling, 1997, p. 154; as in scikit-learn's tests."""
    full = [[0, 5, 3, 4], [5, 0, 2, 2], [3, 2, 0, 1], [4, 2, 1, 0]]
    start = [[-0.266, -0.539], [0.451, 0.252], [0.016, -0.238], [-0.200, 0.524]]
    want = [[-1.415, -2.471], [1.633, 1.107], [0.249, -0.067], [-0.468, 1.431]]
    np.testing.assert_allclose(mds(full, 2, init=start, max_iter=1).coordinates, want, atol=1e-3)


def test_the_best_of_several_starts_is_kept():
    full = distances.full(17)
    seen = np.random.RandomState(3)
    runs = [mds(full, 1, seed=seen, max_iter=50) for _ in range(4)]
    best = mds(full, 1, seed=3, n_init=4, max_iter=50)
    assert best.stress == min(run.stress for run in runs) < max(run.stress for run in runs)


def test_points_of_the_plane_are_found_again():
    X = distances.points(30, 2)
    for init in ("classical_mds", X):
        found = mds(vech.Packed(pdist(X), "condensed"), 2, init=init)
        assert found.stress < 1e-15 and found.normalized_stress < 1e-7
        np.testing.assert_allclose(pdist(found.coordinates), pdist(X), rtol=1e-6)


def test_classical_starts_are_principal_coordinates():
    full = distances.full(17)
    by_name, given = (mds(full, 2, init=init, max_iter=2) for init in ("classical_mds", pcoa(full, 2)[0]))
    np.testing.assert_allclose(by_name.coordinates, given.coordinates, rtol=1e-10)


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("init", ["random", np.zeros((1, 2))])
def test_few_rows_have_their_points(n, init):
    init = init if isinstance(init, str) else init[:n]
    found = mds(vech.Packed(np.zeros(n)), 2, init=init)
    assert found.coordinates.shape == (n, 2) and found.stress == found.normalized_stress == 0
    assert found.iterations == 2


@pytest.mark.parametrize("scale", [2.0**400, 2.0**-600])
def test_distances_of_every_size_have_squares(scale):
    full, start = distances.full(17), np.random.default_rng(0).normal(size=(17, 2))
    found, small = (mds(full * s, 2, init=start * s, max_iter=5) for s in (scale, 1.0))
    np.testing.assert_allclose(found.coordinates / scale, small.coordinates, rtol=1e-12)
    assert found.normalized_stress == pytest.approx(small.normalized_stress, rel=1e-12)


@pytest.mark.parametrize("init", ["random", "classical_mds", "given"])
@pytest.mark.parametrize("scale", [2.0**664, 2.0**-512, 2.0**-564, 2.0**1000])
def test_the_unit_of_distances_and_of_the_start_changes_no_digit(scale, init):
    full = distances.full(30, seed=8)
    start = np.random.default_rng(8).uniform(size=(30, 2))
    small = mds(full, 2, init=start if init == "given" else init, seed=3)
    for unit in (1.0, scale, 1 / scale):
        if unit != 1.0 and init != "given":
            continue
        found = mds(full * scale, 2, init=start * unit if init == "given" else init, seed=3)
        assert (found.coordinates == small.coordinates * scale).all()
        assert found[2:4] == small[2:4] and found.normalized_stress > 0.01
        assert found.stress == squared(small.stress, scale)


def test_points_that_coincide_do_not_move_each_other():
    start = np.full((3, 2), 0.7)
    start[2] = 1
    found = mds(1 - np.eye(3), 2, init=start, max_iter=1)
    np.testing.assert_array_equal(found.coordinates[0], found.coordinates[1])
    assert np.isfinite(found.coordinates).all()


def test_float32_and_labels():
    pandas = pytest.importorskip("pandas")
    full = distances.full(17).astype(np.float32)
    S = vech.Packed(vech.pack(full, "condensed"), "condensed", labels=[f"r{i}" for i in range(17)])
    found = mds(S, 2, max_iter=5)
    np.testing.assert_array_equal(found.coordinates, mds(full.astype(float), 2, max_iter=5).coordinates)
    assert list(found.to_frame().columns) == ["MDS1", "MDS2"] and found.to_frame().index[3] == "r3"
    other = pandas.DataFrame(np.zeros((17, 2)), index=[f"r{i}" for i in range(16, -1, -1)])
    with pytest.raises(ValueError, match="row 0 of S is 'r0', and of init 'r16'"):
        mds(S, 2, init=other)


def test_the_end_of_iterations_is_said():
    with pytest.warns(UserWarning, match=re.escape("mds ended by max_iter=2, while the stress still fell")):
        mds(distances.full(17), 2, max_iter=2)


def test_progress_counts_iterations_of_all_starts():
    seen = []
    mds(distances.full(17), 2, n_init=2, max_iter=3, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 6) for done in range(1, 7)]


@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_ends_it_soon(threads):
    S = vech.Packed(pdist(distances.points(900)), "condensed")
    began = time.process_time()
    assert interrupted_after(0.2, lambda: mds(S, 2, max_iter=10**9, eps=0, threads=threads))
    assert time.process_time() - began < 10


REFUSED = {
    "mds finds at least 1 coordinate, not k = 0": {"k": 0},
    "n_init must be at least 1, not 0": {"n_init": 0},
    "max_iter must be at least 1, not -1": {"max_iter": -1},
    "max_iter must be an integer, not 1.5": {"max_iter": 1.5},
    "eps must be zero or a positive number, not -1": {"eps": -1},
    "eps must be zero or a positive number, not nan": {"eps": np.nan},
    "eps must be a real number, not True": {"eps": True},
    "eps must be a real number, not '1'": {"eps": "1"},
    "seed is -1: it is 0 or more": {"seed": -1},
    "seed is 4294967296: it is at most 4294967295, or a numpy.random.Generator": {"seed": 2**32},
    "seed must be an integer, not 'x'": {"seed": "x"},
    "unknown init 'classical': did you mean 'classical_mds'": {"init": "classical"},
    r"init has shape \(3, 2\), but S has 4 rows, and k is 2: \(4, 2\)": {"init": np.zeros((3, 2))},
    r"init\[0, 1\] is nan: mds needs finite numbers": {"init": [[0, np.nan]] * 4},
    "init must hold real numbers, not complex128": {"init": np.zeros((4, 2), complex)},
    "progress must be a function": {"progress": 3},
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_does_not_fit_is_named(message):
    with pytest.raises((TypeError, ValueError), match=message):
        mds(**{"S": distances.full(4), "k": 2} | REFUSED[message])


def test_negative_distances_are_named():
    with pytest.raises(ValueError, match=r"S\[1, 0\] is -1.0, and no distance is negative"):
        mds(squareform([-1.0]), 1)
