"""Trees of a store of distances, which are SciPy's of the condensed vector."""

import platform
import tracemalloc
from time import process_time

import numpy as np
import pytest
import scipy.sparse
from scipy.cluster import hierarchy
from scipy.spatial.distance import pdist, squareform

import vech
from interrupts import interrupted_after
from test_third_store import Rows
from vech import _core
from vech.cluster import linkage

METHODS = ("single", "complete", "average", "weighted", "ward", "centroid", "median")
SIZES = (2, 3, 17, 100)
LAYOUTS = ("vech", "lapack-upper", "condensed", "strict-tril", "svec-lower", "lapack-rfp-nl", "strict-triu")
every_target = pytest.mark.every_target


def points(n, seed=0):
    return pdist(np.random.default_rng(seed).normal(size=(n, 3)))


def on_a_grid(n):
    """Distances many of which are equal."""
    return pdist(np.random.default_rng(n).integers(0, 3, (n, 3)).astype(float))


def of_no_space(n):
    """Whole numbers that are no distances between points."""
    return np.random.default_rng(n).integers(0, 6, n * (n - 1) // 2).astype(float)


def store(condensed, layout="condensed", dtype=np.float64):
    full = squareform(condensed, checks=False).astype(dtype)
    return vech.Packed(vech.pack(full, layout), layout)


def assert_same_table(found, wanted):
    """To the last bit, but where compilers fuse products and sums."""
    assert found.dtype == np.float64 and found.shape == wanted.shape
    if platform.machine() == "x86_64":
        np.testing.assert_array_equal(found, wanted)
    else:
        np.testing.assert_array_equal(found[:, [0, 1, 3]], wanted[:, [0, 1, 3]])
        np.testing.assert_allclose(found[:, 2], wanted[:, 2], rtol=1e-13)


@every_target
@pytest.mark.parametrize("make", [points, on_a_grid, of_no_space])
@pytest.mark.parametrize("method", METHODS)
def test_the_table_is_scipys(method, make):
    for n in SIZES:
        half = make(n)
        found = linkage(store(half, "vech"), method)
        assert_same_table(found, hierarchy.linkage(half, method))
        assert hierarchy.is_valid_linkage(found)


@pytest.mark.parametrize("method", ["single", "average", "median"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same(method, layout):
    half = on_a_grid(37)
    S = store(half, layout)
    before = S.half.copy()
    S.half.setflags(write=False)
    found, wanted = linkage(S, method), hierarchy.linkage(half, method)
    np.testing.assert_array_equal(S.half, before)
    if S.layout.scaled:
        np.testing.assert_allclose(found[:, 2], wanted[:, 2], rtol=1e-14)
    else:
        assert_same_table(found, wanted)


@pytest.mark.parametrize("method", ["single", "ward", "centroid"])
@pytest.mark.parametrize("dtype", ["bool", "u1", "i8", ">f8", ">f4", "f2"])
def test_numbers_of_every_sort(method, dtype):
    half = (of_no_space(40) + 1).astype(dtype)
    found = linkage(store(half, "condensed", dtype), method)
    wanted = hierarchy.linkage(half.astype(float), method)
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-6)
    np.testing.assert_allclose(found[:, 2], wanted[:, 2], rtol=1e-5)
    if np.dtype(dtype).kind in "bui" or np.dtype(dtype).itemsize == 8:
        assert_same_table(found, wanted)


@pytest.mark.parametrize("method", METHODS)
def test_float32_rounds_each_link(method):
    half = points(300).astype(np.float32)
    found = linkage(store(half, "condensed", np.float32), method)
    wanted = hierarchy.linkage(half.astype(float), method)
    if method in ("single", "complete"):
        assert_same_table(found, wanted)
    np.testing.assert_allclose(np.sort(found[:, 2]), np.sort(wanted[:, 2]), rtol=1e-6)


@pytest.mark.parametrize("dtype, copies", [("f4", 4), ("f8", 8)])
def test_memory_is_that_of_one_half(dtype, copies):
    n = 800
    S = store(points(n), "vech", dtype)
    for method, most in (("single", 0.1), ("average", 1.1), ("centroid", 1.1)):
        tracemalloc.start()
        linkage(S, method)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < most * copies * n * (n - 1) / 2, method


def test_what_else_holds_distances():
    half = points(30)
    full = squareform(half)
    wanted = hierarchy.linkage(half)
    for S in (Rows(full, "symmetric"), full, full.tolist()):
        assert_same_table(linkage(S, "single"), wanted)
        assert_same_table(linkage(S, "median"), hierarchy.linkage(half, "median"))
    pandas = pytest.importorskip("pandas")
    names = [f"r{i}" for i in range(30)]
    assert_same_table(linkage(pandas.DataFrame(full, names, names), "single"), wanted)


def test_a_memory_map_that_may_not_be_written(tmp_path):
    half = points(40)
    np.save(tmp_path / "d.npy", half)
    S = vech.Packed(np.load(tmp_path / "d.npy", mmap_mode="r"), "condensed")
    for method in ("single", "ward"):
        assert_same_table(linkage(S, method), hierarchy.linkage(half, method))


def test_rounding_on_the_diagonal_is_none():
    half = points(20)
    S = store(half, "vech")
    S.set_diagonal(1e-16)
    for method in ("single", "ward"):
        assert_same_table(linkage(S, method), hierarchy.linkage(half, method))


@pytest.mark.parametrize("method", METHODS)
def test_no_row_and_one_row_have_no_links(method):
    for half, layout in ((np.zeros(0), "vech"), (np.zeros(1), "vech"), (np.zeros(0), "condensed")):
        assert linkage(vech.Packed(half, layout), method).shape == (0, 4)
    assert linkage(np.zeros((1, 1)), method, optimal_ordering=True).shape == (0, 4)


@pytest.mark.parametrize("dtype, power", [("f8", 900), ("f8", -900), ("f4", 120), ("f4", -120)])
@pytest.mark.parametrize("method", METHODS)
def test_squares_neither_overflow_nor_vanish(method, dtype, power):
    half = points(30).astype(dtype)
    half /= half.max()
    plain, moved = (linkage(store(x, "condensed", dtype), method) for x in (half, np.ldexp(half, power)))
    np.testing.assert_array_equal(np.ldexp(plain[:, 2], power), moved[:, 2])
    np.testing.assert_array_equal(plain[:, [0, 1, 3]], moved[:, [0, 1, 3]])


@pytest.mark.parametrize("method", METHODS)
def test_rows_that_are_alike(method):
    assert_same_table(linkage(np.zeros((9, 9)), method), hierarchy.linkage(np.zeros(36), method))


@pytest.mark.parametrize("method", ["average", "complete"])
def test_a_chain_through_all_rows(method):
    """Each row is nearest to the one after it, so that nothing is joined before the end is reached."""
    half = pdist(-np.geomspace(1, 1e6, 150)[:, None])
    assert_same_table(linkage(store(half), method), hierarchy.linkage(half, method))


def test_leaves_in_the_best_order():
    half = points(25)
    for method in ("average", "centroid"):
        found = linkage(store(half, "vech"), method, optimal_ordering=True)
        assert_same_table(found, hierarchy.linkage(half, method, optimal_ordering=True))
    assert_same_table(linkage(store(half[:1]), optimal_ordering=True), hierarchy.linkage(half[:1]))


@pytest.fixture(scope="module")
def busy():
    """So many rows that there is time to tell of progress on the way."""
    for n in (1500, 3000, 6000):
        S = vech.Packed(points(n), "condensed")
        start = process_time()
        linkage(S, "centroid")
        if process_time() - start > 0.2:
            break
    return S


def test_progress_is_told_up_to_the_end(busy):
    told, total = [], busy.n - 1
    linkage(busy, "centroid", progress=lambda *done: told.append(done))
    assert told[-1] == (total, total) and len(told) > 1
    assert sorted(told) == told and {of for _, of in told} == {total}  # on a busy machine the same twice


def test_what_progress_raises_ends_it(busy):
    def fail(done, total):
        if done < total:
            raise RuntimeError(f"{total} links are too many")

    with pytest.raises(RuntimeError, match=f"{busy.n - 1} links are too many"):
        linkage(busy, "centroid", progress=fail)


def test_progress_may_ask_for_another_tree(busy):
    few, found = points(10), []

    def within(done, total):
        found.append(linkage(store(few), "ward", progress=lambda *_: None))

    assert_same_table(linkage(busy, "centroid", progress=within), linkage(busy, "centroid"))
    for other in found:
        assert_same_table(other, hierarchy.linkage(few, "ward"))


@pytest.mark.parametrize("method", ["single", "ward", "median"])
def test_ctrl_c_ends_it(method):
    S = vech.Packed(points(2000), "condensed")
    assert interrupted_after(0.03, lambda: [linkage(S, method) for _ in range(50)])


def spoiled(value):
    S = store(points(9), "vech")
    S[7, 2] = value
    return S


WRONG = {
    "nan": (
        lambda: linkage(spoiled(np.nan)),
        ValueError,
        r"S\[7, 2\] is nan, and linkage needs finite distances",
    ),
    "inf": (
        lambda: linkage(spoiled(np.inf)),
        ValueError,
        r"S\[7, 2\] is inf, and linkage needs finite distances",
    ),
    "negative": (
        lambda: linkage(spoiled(-2.0)),
        ValueError,
        r"S\[7, 2\] is -2\.0, and no distance is negative",
    ),
    "diagonal": (
        lambda: linkage(vech.Packed(np.array([1.0, 0.5, 1.0]))),
        ValueError,
        r"S\[0, 0\] is 1\.0, and a distance to itself is 0",
    ),
    "asymmetric": (lambda: linkage(np.array([[0.0, 1], [2, 0]])), ValueError, "use='lower'"),
    "complex": (
        lambda: linkage(vech.Packed(np.array([0j, 1, 0]), kind="hermitian")),
        TypeError,
        "linkage takes distances, which are real and symmetric, and S is hermitian",
    ),
    "skew": (
        lambda: linkage(vech.Packed(np.ones(3), "condensed", kind="skew")),
        TypeError,
        "linkage takes distances, which are real and symmetric, and S is skew",
    ),
    "sparse": (
        lambda: linkage(vech.SparseHalf.from_sparse(scipy.sparse.eye_array(3))),
        TypeError,
        r"linkage takes the distances of all pairs, and a SparseHalf holds its nonzeros alone",
    ),
    "vector": (lambda: linkage(points(5)), TypeError, r"linkage\(vech\.Packed\(S, 'condensed'\)\)"),
    "method": (
        lambda: linkage(store(points(5)), "wards"),
        ValueError,
        "unknown method 'wards': did you mean 'ward'",
    ),
    "optimal": (
        lambda: linkage(store(points(5)), optimal_ordering="no"),
        TypeError,
        "optimal_ordering must be True or False, not 'no'",
    ),
    "overflow": (
        lambda: linkage(vech.Packed(np.array([1, *[1.5e308] * 4, 1]), "condensed"), "ward"),
        OverflowError,
        "linkage adds up distances, and these sums are infinite: scale S first",
    ),
    "progress": (lambda: linkage(store(points(5)), progress=1), TypeError, "progress must be a function"),
    "threads": (lambda: linkage(store(points(5)), threads=0), ValueError, "threads must be at least 1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_say_what_came_and_what_fits(name):
    call, error, said = WRONG[name]
    with pytest.raises(error, match=said):
        call()


@every_target
@pytest.mark.parametrize("method", ["average", "centroid"])
def test_the_kernel_does_not_lose_itself_in_what_is_not_finite(method):
    with pytest.raises(ValueError, match="the distances are not finite"):
        _core.link(np.full(15, np.inf), 6, method, np.empty((5, 4)), None)


def test_the_kernel_takes_what_fits_alone():
    half, links = np.ones(15), np.empty((5, 4))
    for wrong in (
        lambda: _core.link(half, 6, "nearest", links, None),
        lambda: _core.link(half, 7, "ward", links, None),
        lambda: _core.link(half, 6, "ward", links[1:], None),
        lambda: _core.link(half.astype("i8"), 6, "ward", links, None),
        lambda: _core.link(half.astype("c16"), 6, "ward", links, None),
        lambda: _core.span(half, 6, True, True, links, None),
        lambda: _core.span(np.empty(0), 0, True, True, np.empty((0, 4)), None),
    ):
        with pytest.raises(ValueError):
            wrong()


# ---- SciPy's own tests -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data():
    return pytest.importorskip(
        "scipy.cluster.tests.hierarchy_test_data", reason="this SciPy came without its tests"
    )


@pytest.mark.parametrize("method", ["single", "complete", "average", "weighted"])
def test_scipys_six_cities(data, method):
    found = linkage(store(data.ytdist, "vech"), method)
    np.testing.assert_allclose(found, getattr(data, f"linkage_ytdist_{method}"), atol=1e-10)


@pytest.mark.parametrize("method", ["centroid", "median", "ward"])
def test_scipys_points(data, method):
    found = linkage(store(pdist(data.X), "vech"), method)
    np.testing.assert_allclose(found, getattr(data, f"linkage_X_{method}"), atol=1e-6)


def test_scipys_six_cities_in_the_best_order(data):
    found = linkage(store(data.ytdist), "single", optimal_ordering=True)
    np.testing.assert_allclose(found, data.linkage_ytdist_single_olo, atol=1e-10)
    found = linkage(store(pdist(data.X)), "ward", optimal_ordering=True)
    np.testing.assert_allclose(found, data.linkage_X_ward_olo, atol=1e-6)


@pytest.mark.parametrize(
    "method, height",
    [("single", 2**0.5), ("complete", 8**0.5), ("average", 4.5**0.5), ("weighted", 4.5**0.5)],
)
def test_scipys_ties(method, height):
    found = linkage(store(pdist([[-1.0, -1], [0, 0], [1, 1]])), method)
    np.testing.assert_allclose(found, [[0, 1, 2**0.5, 2], [2, 3, height, 3]], rtol=1e-14)


@pytest.mark.parametrize("kind", ["inconsistent", "distance", "maxclust"])
def test_scipys_flat_clusters(data, kind):
    links = linkage(store(pdist(data.Q_X)), "single")
    for limit, wanted in getattr(data, f"fcluster_{kind}").items():
        found = hierarchy.fcluster(links, criterion=kind, t=limit)
        assert hierarchy.is_isomorphic(found, wanted)


@pytest.mark.parametrize("method", METHODS[:5])
def test_heights_rise_but_for_centroid_and_median(method):
    assert hierarchy.is_monotonic(linkage(store(on_a_grid(60)), method))
