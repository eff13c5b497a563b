"""Pairs within a limit and graphs of nearest rows, against what NumPy makes of the full matrix."""

import near
import numpy as np
import pytest
import scipy.sparse

import cases
import vech
from vech import neighbors
from vech.neighbors import graph, nearest, strongest, within


def assert_within(S, full, limit, largest=False):
    full = near.held(S, full)
    found = within(S, limit, largest=largest)
    near_ = full >= limit if largest else full <= limit
    np.fill_diagonal(near_, False)
    rows, columns = np.nonzero(near_)
    assert isinstance(found, scipy.sparse.csr_array) and found.shape == full.shape
    assert found.indices.dtype == found.indptr.dtype == np.int32 and found.dtype == full.dtype
    np.testing.assert_array_equal(np.repeat(np.arange(len(full)), np.diff(found.indptr)), rows)
    np.testing.assert_array_equal(found.indices, columns)
    np.testing.assert_array_equal(found.data, full[near_])
    return found


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("n", near.SIZES)
def test_within_is_what_numpy_compares(n, largest):
    for full in (near.ties(n), near.holes(n), near.ordinary(n, np.float32), near.ties(n, "int16")):
        for S in near.stores(full).values():
            for limit in (0, 1, np.float32(0.5), -2, np.inf):
                assert_within(S, full, limit, largest)


def test_a_distance_of_zero_is_stored():
    D = np.array([[0, 0, 2.0], [0, 0, 0.5], [2, 0.5, 0]])
    found = assert_within(vech.Packed(vech.pack(D)), D, 1)
    assert found.nnz == 4 and found.count_nonzero() == 2
    assert within(D, 0).nnz == 2


@pytest.mark.parametrize("limit", [-1.0, 0, 2, np.inf])
@pytest.mark.parametrize("largest", [False, True])
def test_within_of_a_sparse_half_counts_what_is_not_stored_as_zero(limit, largest):
    full = np.where(near.ordinary(20) > 0.5, near.ties(20), 0)
    assert_within(vech.SparseHalf.from_sparse(scipy.sparse.csr_array(full)), full, limit, largest)


@pytest.mark.parametrize(
    "limit, error", [(np.nan, ValueError), ("1", TypeError), (True, TypeError), (1j, TypeError)]
)
def test_a_limit_is_a_real_number(limit, error):
    with pytest.raises(error, match=r"^limit "):
        within(np.zeros((3, 3)), limit)


@pytest.mark.parametrize("limit", [1e300, 10**39, pytest.param(10**400, id="beyond floats")])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "bool"])
def test_limits_that_a_dtype_does_not_hold_have_all_within(limit, dtype):
    S = vech.Packed(np.ones(6, dtype), "condensed")
    assert within(S, limit).nnz == within(S, -limit, largest=True).nnz == 12
    assert within(S, -limit).nnz == within(S, limit, largest=True).nnz == 0


def test_flags_are_true_or_false():
    S = np.zeros((4, 4))
    for task in (nearest, graph, strongest, lambda S, k, **flag: within(S, 1.0, **flag)):
        with pytest.raises(TypeError, match="largest must be True or False, not 'no'"):
            task(S, 1, largest="no")
    with pytest.raises(TypeError, match="absolute must be True or False, not 2"):
        strongest(S, 1, absolute=2)


def test_dtypes_that_scipy_has_not_are_refused():
    S = vech.Packed(np.zeros(6, np.float16))
    for task in (lambda: within(S, 1), lambda: graph(S, 1)):
        with pytest.raises(TypeError, match=r"astype\(np.float32\) first"):
            task()


@cases.each("combine", ["union", "mutual"])
@cases.each("largest", [False, True])
@cases.each("n", near.SIZES)
def test_graph_is_the_union_or_what_is_mutual(n, largest, combine):
    for full in (near.ties(n), near.holes(n)):
        for k in {0, min(3, max(0, n - 1)), max(0, n - 1)}:
            S = vech.Packed(vech.pack(full), labels=[f"row {i}" for i in range(n)])
            found = graph(S, k, largest=largest, combine=combine)
            indices, _ = near.nearest(full, k, largest)
            is_near = np.zeros((n, n), bool)
            for i, row in enumerate(indices):
                is_near[i, row[row >= 0]] = True
            wanted = is_near | is_near.T if combine == "union" else is_near & is_near.T
            i, j, value, labels = found.to_pairs()
            assert labels == S.labels
            np.testing.assert_array_equal(np.stack((i, j), axis=1), np.argwhere(np.triu(wanted)))
            np.testing.assert_array_equal(value, full[i, j])


def test_edges_of_weight_zero_are_kept():
    found = graph(np.zeros((4, 4)), 1)
    assert found.nnz == 3 and found.to_csr().nnz == 6


def test_combine_is_one_of_two():
    with pytest.raises(ValueError, match="combine"):
        graph(np.zeros((4, 4)), 1, combine="both")


def test_the_names_are_those_of_the_room():
    assert dir(neighbors) == ["Nearest", "graph", "nearest", "strongest", "within"]
