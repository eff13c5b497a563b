"""What `summarize` counts, against NumPy on the full matrix."""

import numpy as np
import pytest
import scipy.sparse

import cases
import reference
import vech
from vech.io import info
from vech.io.content import Content

N = 9
HALVES = cases.pairwise(
    lambda layout, dtype, kind: cases.fits(layout, dtype, kind, N),
    layout=cases.LAYOUTS,
    dtype=cases.DTYPES,
    kind=cases.STORE_KINDS,
    apart=("layout", "dtype"),  # numbers are counted whatever their order
)


def with_zeros(dtype, layout, kind):
    half = cases.half(dtype, layout, kind, N, values=cases.moderate)
    half[::3] = 0
    return half


@cases.each(("layout", "dtype", "kind"), HALVES)
@cases.each("chunk", [64, 16 << 20])
def test_a_half_is_counted(monkeypatch, layout, dtype, kind, chunk):
    monkeypatch.setattr(info, "CHUNK", chunk)
    half = with_zeros(dtype, layout, kind)
    found = info.summarize(Content.of_store(vech.Packed(half, layout, kind=kind)))
    full = reference.expand(half, layout, kind)
    assert (found.dtype, found.count, found.nonzeros) == (dtype, len(half), np.count_nonzero(half))
    sizes = np.abs(half) if dtype.kind == "c" else half
    assert (found.smallest, found.largest, found.nans) == (sizes.min(), sizes.max(), 0)
    (case,) = found.cases
    assert (case.n, case.nonzeros) == (N, np.count_nonzero(full))
    assert (case.half, case.full) == (half.nbytes, full.nbytes)
    if dtype.kind in "iuc" or dtype.name in ("float32", "float64"):
        csr = scipy.sparse.csr_array(full.astype(dtype.newbyteorder("=")))
        assert case.csr == csr.data.nbytes + csr.indices.nbytes + csr.indptr.nbytes


@pytest.mark.parametrize("dtype", ["f4", "f8", "c16", "M8[s]"])
def test_nan_is_counted_and_left_out(dtype):
    half = cases.moderate(dtype, 10)
    half[[2, 5]] = "NaT" if dtype == "M8[s]" else np.nan
    rest = np.delete(half, [2, 5])
    rest = np.abs(rest) if dtype == "c16" else rest
    found = info.summarize(Content.of_store(vech.Packed(half, kind="symmetric")))
    assert (found.nans, found.smallest, found.largest) == (2, rest.min(), rest.max())


def test_nothing_but_nan_has_no_smallest():
    found = info.summarize(Content.of_store(vech.Packed(np.full(3, np.nan))))
    assert (found.nans, found.smallest, found.largest) == (3, None, None)


@pytest.mark.parametrize("n", [0, 1])
def test_the_smallest_matrices(n):
    (case,) = info.summarize(Content.of_store(vech.Packed(np.zeros(n)))).cases
    assert (case.n, case.nonzeros) == (n, 0)


def test_a_bare_half_has_one_case_for_each_layout_it_could_have():
    half = np.array([1.0, 0, 0, 0, 0, 0, 5, 0, 0, 0])
    found = info.summarize(Content.of_array(half))
    assert [(case.name, case.n, case.nonzeros) for case in found.cases] == [
        ("vech", 4, 3),
        ("lapack-upper", 4, 3),
        ("numpy-tril", 4, 3),
        ("numpy-triu", 4, 3),
        ("condensed", 5, 4),
        ("strict-tril", 5, 4),
        ("strict-triu", 5, 4),
        ("svec-lower", 4, 3),
        ("svec-upper", 4, 3),
        ("pyriemann-upper", 4, 3),
        ("nilearn-sym-vec", 4, 3),
        ("picos-skew", 5, 4),
    ]


def test_the_diagonal_is_where_each_layout_has_it():
    half = np.zeros(10)
    half[4] = 1  # (1, 1) by columns of the lower triangle, (2, 1) by its rows
    found = info.summarize(Content.of_array(half))
    assert {case.name: case.nonzeros for case in found.cases}["vech"] == 1
    assert {case.name: case.nonzeros for case in found.cases}["numpy-tril"] == 2


def test_a_square_number_of_numbers_could_be_a_flattened_full_matrix():
    found = info.summarize(Content.of_array(np.zeros(36)))
    assert {(case.name, case.n) for case in found.cases} >= {
        ("vech", 8),
        ("condensed", 9),
        ("full matrix, flattened", 6),
    }


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_full_matrix_is_counted(order):
    full = np.asarray([[1.0, 0, 2], [0, 0, 0], [2, 0, 0]], order=order)
    found = info.summarize(Content.of_array(full))
    assert (found.count, found.nonzeros, found.smallest, found.largest) == (9, 3, 0, 2)
    assert [(case.name, case.n, case.nonzeros) for case in found.cases] == [("full matrix", 3, 3)]


@pytest.mark.parametrize("triangle", ["lower", "upper"])
def test_a_sparse_half_is_counted(triangle):
    part = scipy.sparse.csr_array([[1.0, 0, 0], [2, 0, 0], [0, 3, 4]])
    part = part if triangle == "lower" else part.T.tocsr()
    store = vech.SparseHalf(part.indptr, part.indices, part.data, 3, triangle=triangle)
    (case,) = info.summarize(Content.of_store(store)).cases
    assert (case.n, case.nonzeros) == (3, 6)
    assert case.csr == 6 * 12 + 4 * 4


@pytest.mark.parametrize("make", [scipy.sparse.csr_array, scipy.sparse.coo_matrix, scipy.sparse.dia_array])
def test_a_sparse_matrix_is_counted(make):
    found = info.summarize(Content.of_sparse(make(np.array([[0.0, 5], [0, 1]]))))
    assert found.largest == 5
    assert found.cases[0].n == 2


def test_the_smallest_way_is_named():
    sparse, dense = np.zeros(5050, "f8"), np.ones(5050, "f8")
    assert info.summarize(Content.of_store(vech.Packed(sparse))).cases[0].best == "csr"
    assert info.summarize(Content.of_store(vech.Packed(dense))).cases[0].best == "half"
