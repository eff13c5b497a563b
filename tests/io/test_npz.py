"""`.npz`: halves and sparse halves that we wrote, sparse matrices that SciPy wrote."""

import errno
import re

import numpy as np
import pytest
import scipy.sparse

import cases
import reference
import vech
from compare import assert_same_bits
from vech.io import FileFormatError, npz

N = 5
HALVES = cases.pairwise(
    lambda layout, dtype, kind: cases.fits(layout, dtype, kind, N),
    layout=cases.LAYOUTS,
    dtype=cases.DTYPES,
    kind=cases.STORE_KINDS,
    apart=("layout", "dtype"),  # numbers go in one part of a file, what they mean in another
)
SPARSE = np.array([[1.0, 0, 2, 0], [0, 0, 0, 3], [2, 0, 5, 0], [0, 3, 0, 0]])


def fails(message):
    return pytest.raises(FileFormatError, match=re.escape(message))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "matrix.npz"


def sparse_half(kind="symmetric", dtype="f8", triangle="lower", labels=None):
    full = SPARSE.astype(dtype)
    part = scipy.sparse.csr_array(np.tril(full, -1) if triangle == "lower" else np.triu(full, 1))
    return vech.SparseHalf(
        part.indptr, part.indices, part.data, 4, triangle=triangle, kind=kind, labels=labels
    )


@cases.each(("layout", "dtype", "kind"), HALVES)
def test_a_half_that_we_wrote_reads_back_the_same(path, layout, dtype, kind):
    numbers = cases.half(dtype, layout, kind, N)
    written = vech.Packed(numbers, layout, kind=kind)
    vech.write(path, written)
    got = vech.read(path)
    assert isinstance(got, vech.Packed)
    assert (got.layout, got.kind, got.n) == (layout, written.kind, N)
    assert_same_bits(got.half, numbers)


@pytest.mark.parametrize("kind", cases.STORE_KINDS)
@pytest.mark.parametrize("triangle", ["lower", "upper"])
@pytest.mark.parametrize("dtype", ["f4", "f8", "c16"])
def test_a_sparse_half_that_we_wrote_reads_back_the_same(path, kind, triangle, dtype):
    written = sparse_half(kind, dtype, triangle)
    vech.write(path, written)
    got = vech.read(path)
    assert isinstance(got, vech.SparseHalf)
    assert (got.triangle, got.kind, got.n) == (triangle, written.kind, 4)
    for name in ("indptr", "indices", "data"):
        assert_same_bits(getattr(got, name), getattr(written, name))


@pytest.mark.parametrize(
    "store", [vech.Packed(np.arange(10.0), labels=range(4)), sparse_half(labels=range(4))]
)
def test_labels_are_kept(path, store):
    vech.write(path, store)
    assert tuple(vech.read(path).labels) == (0, 1, 2, 3)


@pytest.mark.parametrize("store", [vech.Packed(np.arange(10.0)), sparse_half()])
def test_scipy_does_not_take_a_half_for_a_matrix(path, store):
    vech.write(path, store)
    with pytest.raises(ValueError):
        scipy.sparse.load_npz(path)


@pytest.mark.parametrize(
    "make",
    [
        scipy.sparse.csr_array,
        scipy.sparse.csc_matrix,
        scipy.sparse.coo_array,
        scipy.sparse.bsr_array,
        scipy.sparse.dia_array,
    ],
)
@pytest.mark.parametrize("compressed", [True, False])
def test_a_sparse_matrix_of_scipy_is_read(path, make, compressed):
    scipy.sparse.save_npz(path, make(SPARSE), compressed=compressed)
    got = vech.read(path)
    assert isinstance(got, vech.SparseHalf)
    assert got.kind == "symmetric"
    assert_same_bits(got.expand(), SPARSE)


@pytest.mark.parametrize("kind", cases.STORE_KINDS)
def test_a_sparse_matrix_of_each_kind_is_read(path, kind):
    full = reference.expand(
        cases.half("c16", vech.Layout("lower", "rows"), kind, 6, values=cases.moderate),
        vech.Layout("lower", "rows"),
        kind,
    )
    full[1, 0] = full[0, 1] = 0
    scipy.sparse.save_npz(path, scipy.sparse.csr_array(full))
    got = vech.read(path, kind=kind)
    assert got.kind == kind
    assert np.array_equal(got.expand(), full)


def test_duplicates_are_summed(path):
    coo = scipy.sparse.coo_array(([1.0, 2.0, 5.0, -2.0], ([1, 1, 0, 0], [0, 0, 1, 1])), shape=(2, 2))
    scipy.sparse.save_npz(path, coo)
    assert vech.read(path).expand().tolist() == [[0, 3], [3, 0]]


def test_rounding_is_tolerated_and_the_lower_triangle_kept(path):
    near = np.array([[1.0, 3.0], [3.0 + 4e-16, 1.0]])
    scipy.sparse.save_npz(path, scipy.sparse.csr_array(near))
    assert vech.read(path).expand()[0, 1] == near[1, 0]


def test_infinities_and_nan_are_symmetric(path):
    full = np.array([[np.nan, np.inf], [np.inf, 1.0]])
    scipy.sparse.save_npz(path, scipy.sparse.csr_array(full))
    assert np.array_equal(vech.read(path).expand(), full, equal_nan=True)


# ---- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("full", "message"),
    [
        ([[1.0, 2.0], [3.0, 4.0]], "matrix is not symmetric: a[1, 0] is 3.0, but a[0, 1] is 2.0"),
        ([[1.0, 2.0], [0.0, 4.0]], "matrix is not symmetric: a[1, 0] is 0.0, but a[0, 1] is 2.0"),
        ([[1.0, np.inf], [-np.inf, 4.0]], "matrix is not symmetric: a[1, 0] is -inf, but a[0, 1] is inf"),
        ([[1.0, np.nan], [1.0, 4.0]], "matrix is not symmetric: a[1, 0] is 1.0, but a[0, 1] is nan"),
        ([[1, 2**62], [2**62 + 1, 4]], "matrix is not symmetric: a[1, 0] is 4611686018427387905"),
        ([[0, 1, 0], [0, 0, 1], [0, 0, 0]], "matrix is not symmetric: a[1, 0] is 0, but a[0, 1] is 1"),
    ],
)
def test_a_sparse_matrix_that_is_not_symmetric(path, full, message):
    scipy.sparse.save_npz(path, scipy.sparse.csr_array(np.array(full)))
    with fails(f"{path}: {message}"):
        vech.read(path)


def test_a_sparse_matrix_that_is_not_square(path):
    scipy.sparse.save_npz(path, scipy.sparse.csr_array(np.ones((2, 3))))
    with fails("has shape (2, 3): one square matrix (n, n) or one half (length,) fits"):
        vech.read(path)


def test_the_smallest_integer_has_no_negative(path):
    scipy.sparse.save_npz(path, scipy.sparse.csr_array(np.array([[0, -128], [-128, 0]], "i1")))
    with fails(f"{path}: -128 at (0, 1) has no negative in int8: astype a wider dtype first"):
        vech.read(path, kind="skew")


def test_complex_numbers_need_their_kind(path):
    scipy.sparse.save_npz(path, scipy.sparse.csr_array(SPARSE * 1j))
    with pytest.raises(ValueError, match="kind='hermitian'"):
        vech.read(path)


@pytest.mark.parametrize("store", [sparse_half(), None])
def test_sparse_content_has_no_layout(path, store):
    if store is None:
        scipy.sparse.save_npz(path, scipy.sparse.csr_array(SPARSE))
    else:
        vech.write(path, store)
    with fails("is sparse, which has no layout: leave layout= (--layout) out"):
        vech.read(path, layout="vech")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "skew"}, "has kind symmetric, and kind=skew was asked for"),
        ({"n": 5}, "has n 4, and n=5 was asked for"),
        ({"dtype": "f4"}, "has dtype <f8, and dtype=<f4 was asked for"),
    ],
)
@pytest.mark.parametrize("store", [vech.Packed(np.arange(10.0)), sparse_half()])
def test_arguments_that_the_file_contradicts(path, store, arguments, message):
    vech.write(path, store)
    with fails(message):
        vech.read(path, **arguments)


def test_an_archive_of_something_else_names_its_arrays(path):
    np.savez(path, a=np.eye(3), b=1)
    with fails("holds the arrays a, b: neither a half of vech nor a sparse matrix of SciPy"):
        vech.read(path)


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04 and so on", b"hello", b"\x93NUMPY"])
def test_a_file_that_is_no_archive(path, content):
    path.write_bytes(content)
    with fails("is no .npz file that vech reads"):
        vech.read(path)


def test_an_npy_by_another_name(path):
    with path.open("wb") as file:
        np.save(file, np.eye(3))
    with fails("this is a .npy file by another name"):
        vech.read(path)


@pytest.mark.parametrize("store", [vech.Packed(np.arange(2080.0)), sparse_half(), None])
def test_a_damaged_archive_is_never_another_error(path, store):
    if store is None:
        scipy.sparse.save_npz(path, scipy.sparse.csr_array(SPARSE))
    else:
        vech.write(path, store)
    sound = path.read_bytes()
    rng = np.random.default_rng(1)
    for length in rng.integers(0, len(sound), 40):
        path.write_bytes(sound[:length])
        with fails("is no .npz file that vech reads"):
            vech.read(path)
    for _ in range(200):
        damaged = bytearray(sound)
        damaged[rng.integers(0, len(sound))] ^= 1 << rng.integers(0, 8)
        path.write_bytes(damaged)
        try:
            vech.read(path)
        except FileFormatError as error:
            assert error.path == str(path)


@pytest.mark.parametrize(
    "wrong", [{"indices": [9, 0]}, {"indptr": [0, 5, 2, 2, 2]}, {"indptr": [0, 1]}, {"indices": [-1, 0]}]
)
def test_indices_out_of_bounds_are_refused(path, wrong):
    for keys in ("scipy", "vech"):
        matrix = {"indptr": [0, 1, 2, 2, 2], "indices": [0, 1], "data": [1.0, 2.0]} | wrong
        if keys == "scipy":
            np.savez(path, **matrix, format=b"csr", shape=[4, 4])
        else:
            meta = '{"vech": 1, "triangle": "lower", "kind": "symmetric", "n": 4, "dtype": "<f8"}'
            np.savez(path, **{f"vech_{name}": array for name, array in matrix.items()}, vech_meta=meta)
        with pytest.raises(FileFormatError):
            vech.read(path)


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ("{}", 'has "vech": None'),
        ('{"vech": 1}', "lacks triangle, kind, n, dtype"),
        (
            '{"vech": 1, "triangle": "lower", "kind": "symmetric", "n": 4, "dtype": "<f4"}',
            "says dtype <f4, and its data have <f8",
        ),
        (
            '{"vech": 1, "triangle": "lower", "kind": "symmetric", "n": 4, "dtype": "<f8", "layout": "vech"}',
            "has 'layout', which is none of vech, triangle, kind, n, dtype, labels: leave it out",
        ),
        ('{"vech": 1, "triangle": "left", "kind": "symmetric", "n": 4, "dtype": "<f8"}', "left"),
    ],
)
def test_a_sparse_half_with_a_wrong_description(path, meta, message):
    np.savez(path, vech_indptr=[0, 1, 2, 2, 2], vech_indices=[0, 1], vech_data=[1.0, 2.0], vech_meta=meta)
    with fails(message):
        vech.read(path)


def test_objects_are_not_unpickled(path):
    np.savez(path, vech_half=np.array([print]), vech_meta="{}", allow_pickle=True)
    with fails("is no .npz file that vech reads"):
        vech.read(path)


@pytest.mark.parametrize("kind", cases.STORE_KINDS)
@pytest.mark.parametrize("triangle", ["lower", "upper"])
def test_empty_rows_of_billions_take_no_room(path, kind, triangle):
    n = 3 * 10**9
    rows, columns, data = [n - 1, n - 1, 7], [2, n - 2, 5], np.array([1 + 2j, 3j, 4])
    S = vech.SparseHalf.from_coo(rows, columns, data, n, kind=kind, use="lower", triangle=triangle)
    vech.write(path, S)
    assert path.stat().st_size < 5000
    got = vech.read(path)
    assert (got.n, got.kind, got.triangle, got.nnz) == (n, kind, triangle, 3)
    for i, j in zip(rows, columns, strict=True):
        assert got[i, j] == S[i, j] and got[j, i] == S[j, i]
    with np.load(path) as arrays:
        kept = {key: arrays[key] for key in arrays}
    np.savez(path, **kept | {"vech_places": kept["vech_places"][::-1]})
    with fails("has vech_places that do not ascend"):
        vech.read(path)


def test_a_disk_that_cannot_be_read_is_no_wrong_file(path, monkeypatch):
    vech.write(path, vech.Packed(np.arange(6.0)))

    def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(npz, "read_numbers", broken)
    with pytest.raises(OSError, match="Input/output error") as caught:
        vech.read(path)
    assert caught.value.errno == errno.EIO
