"""`.mtx`: the lower half with its symmetry named, in and out, against SciPy and the letter of the format."""

import re
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse

import cases
import reference
import vech
from compare import assert_same_bits
from vech.io import FileFormatError

DATA = Path(__file__).parent / "data"
KINDS = ("symmetric", "hermitian", "skew")
N = 5
HALVES = cases.pairwise(
    lambda layout, dtype, kind: (
        cases.fits(layout, dtype, kind, N) and not (kind == "skew" and layout.diagonal == "one")
    ),
    layout=cases.LAYOUTS,
    dtype={
        name: np.dtype(name)
        for name in (
            "int8",
            "uint8",
            "int64",
            "uint64",
            "float32",
            "float64",
            ">f8",
            "complex64",
            "complex128",
        )
    },
    kind=KINDS,
)


def fails(message):
    return pytest.raises(FileFormatError, match=re.escape(message))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "matrix.mtx"


def full_of(dtype, layout, kind):
    half = cases.half(dtype, layout, kind, N, values=cases.moderate)
    return half, reference.expand(half, layout, kind)


@pytest.mark.parametrize(("layout", "dtype", "kind"), HALVES)
def test_a_dense_half_that_we_wrote_is_read_by_us_and_by_scipy(path, layout, dtype, kind):
    half, full = full_of(dtype, layout, kind)
    store = vech.Packed(half, layout, kind=kind)
    vech.write(path, store)
    theirs = scipy.io.mmread(path)
    assert np.array_equal(theirs.astype(dtype), full)
    ours = vech.read(path)
    assert isinstance(ours, vech.Packed)
    assert ours.kind == store.kind
    assert np.array_equal(ours.expand(), theirs)
    assert ours.dtype == theirs.dtype


@pytest.mark.parametrize("dtype", ["i4", "f4", "f8", "c16"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("triangle", ["lower", "upper"])
def test_a_sparse_half_that_we_wrote_is_read_by_us_and_by_scipy(path, dtype, kind, triangle):
    layout = vech.Layout("lower", "rows", diagonal="zero")
    half, _ = full_of(dtype, layout, kind)
    half[1::3] = 0
    full = reference.expand(half, layout, kind)
    part = scipy.sparse.csr_array(np.tril(full) if triangle == "lower" else np.triu(full))
    store = vech.SparseHalf(part.indptr, part.indices, part.data, N, triangle=triangle, kind=kind)
    vech.write(path, store)
    assert np.array_equal(scipy.io.mmread(path).toarray().astype(dtype), full)
    ours = vech.read(path)
    assert isinstance(ours, vech.SparseHalf)
    assert ours.kind == store.kind
    assert np.array_equal(ours.expand().astype(dtype), full)


@pytest.mark.parametrize("to", ["csr", "csc", "dense"])
@pytest.mark.parametrize("kind", KINDS)
def test_expand_writes_the_lower_half_with_its_symmetry(path, to, kind):
    layout = vech.Layout("upper", "rows", diagonal="zero")
    half, full = full_of("c16", layout, kind)
    vech.io.expand(path, vech.Packed(half, layout, kind=kind), to=to)
    symmetry = {"symmetric": "symmetric", "hermitian": "hermitian", "skew": "skew-symmetric"}[kind]
    content = "array" if to == "dense" else "coordinate"
    assert path.read_text().startswith(f"%%MatrixMarket matrix {content} complex {symmetry}\n")
    read = scipy.io.mmread(path)
    assert np.array_equal(read if to == "dense" else read.toarray(), full)


def test_the_file_is_what_the_format_says(path):
    vech.write(path, vech.Packed(np.array([1.5, 2.0, -0.0, 3.0, np.nan, np.inf]), "numpy-tril"))
    assert path.read_text() == (
        "%%MatrixMarket matrix array real symmetric\n%\n3 3\n1.5\n2\n3\n-0\nNaN\nInfinity\n"
    )


def test_numbers_come_back_exactly(path):
    numbers = np.array([1 / 3, 5e-324, 1.7976931348623157e308, -7.0, 0.1, np.inf])
    vech.write(path, vech.Packed(numbers))
    assert_same_bits(vech.read(path).half, numbers)


@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("sparse", [False, True])
def test_the_smallest_matrices(path, n, sparse):
    store = vech.Packed(np.arange(n * (n + 1) / 2))
    vech.io.expand(path, store, to="csr" if sparse else "dense")
    assert vech.read(path).n == n


@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.coo_array])
@pytest.mark.parametrize("symmetry", ["general", "symmetric", None])
def test_what_mmwrite_wrote_is_read(path, make, symmetry):
    full = np.array([[1.0, 2, 0], [2, 0, 3], [0, 3, 4]])
    scipy.io.mmwrite(path, make(full), symmetry=symmetry)
    got = vech.read(path)
    assert isinstance(got, vech.Packed if make is np.asarray else vech.SparseHalf)
    assert np.array_equal(got.expand(), full)


def test_a_general_dense_file_is_packed_into_the_layout(path):
    scipy.io.mmwrite(path, np.array([[1, 2], [2, 3]]), symmetry="general")
    assert vech.read(path, layout="numpy-tril").half.tolist() == [1, 2, 3]


@pytest.mark.filterwarnings("ignore:Reading `.npy` or `.npz` file required additional header")
def test_files_of_other_programs():
    sparse = vech.read(DATA / "nist-example.mtx")
    assert np.array_equal(sparse.expand(), scipy.io.mmread(DATA / "nist-example.mtx").toarray())
    assert sparse.nnz == 8
    dense = vech.read(DATA / "octave-array.mtx")
    assert dense.half.tolist() == [k / 3 for k in range(1, 7)]
    assert vech.read(DATA / "python2.npy", layout="vech").half.tolist() == list(range(10))


def test_pattern_files_are_ones(path):
    path.write_text("%%MatrixMarket matrix coordinate pattern symmetric\n2 2 2\n1 1\n2 1\n")
    assert vech.read(path).expand().tolist() == [[1, 1], [1, 0]]


def test_case_and_blank_lines_do_not_matter(path):
    path.write_text("%%MatrixMarket Matrix Array Integer Skew-Symmetric\n% a\n\n%b\n 3 3 \n1\n2\n3\n")
    assert vech.read(path).expand().tolist() == [[0, -1, -2], [1, 0, -3], [2, 3, 0]]


def test_duplicates_are_summed(path):
    path.write_text("%%MatrixMarket matrix coordinate integer symmetric\n2 2 3\n2 1 4\n2 1 5\n2 2 1\n")
    assert vech.read(path).expand().tolist() == [[0, 9], [9, 1]]


# ---- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "hello\n", "%%MatrixMarket\n", "%%MatrixMarket matrix array real\n"])
def test_a_file_that_is_no_matrix_market(path, text):
    path.write_text(text)
    with fails(f"{path}, line 1: does not begin with '%%MatrixMarket matrix ...'"):
        vech.read(path)


@pytest.mark.parametrize("size", ["3", "a b", "-1 -1", "3 3 3", "9" * 5000 + " 1"])
@pytest.mark.parametrize("symmetry", ["symmetric", "general"])
def test_a_size_that_is_none(path, size, symmetry):
    path.write_text(f"%%MatrixMarket matrix array real {symmetry}\n%\n{size}\n1\n")
    with fails(f"{path}, line 3: says the size '{size}', and 'rows columns' fits"):
        vech.read(path)
    path.write_text(f"%%MatrixMarket matrix coordinate real {symmetry}\n%\n{size} \n1\n")
    if size != "3 3 3":
        with fails(f"{path}, line 3: says the size '{size}', and 'rows columns entries' fits"):
            vech.read(path)


@pytest.mark.parametrize(
    "size", ["array real general\n9999999 9999999", "coordinate real general\n5 5 999999999"]
)
def test_more_numbers_than_the_file_can_hold_are_an_error_at_once(path, size):
    path.write_text(f"%%MatrixMarket matrix {size}\n")
    with fails(f"{path}, line 2: says "):
        vech.read(path)


@pytest.mark.parametrize("symmetry", ["symmetric", "skew-symmetric"])
def test_a_symmetric_array_that_is_not_square(path, symmetry):
    path.write_text(f"%%MatrixMarket matrix array real {symmetry}\n%\n3 4\n1\n2\n3\n4\n5\n6\n")
    with fails("and has the size 3 x 4, which has no half"):
        vech.read(path)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("array real symmetric\n% c\n2 2\n1\nx\n3\n", "line 5"),
        ("array real symmetric\n% c\n2 2\n1\n2\n3\n4\n", "line 7"),
        ("array real symmetric\n% c\n2 2\n1\n2\n", "byte"),
        ("coordinate real symmetric\n3 3 2\n1 1 1\n", "byte"),
        ("coordinate real symmetric\n3 3 1\n4 1 1\n", "line 3"),
        ("coordinate real general\n3 3 1\n1 1 x\n", "line 3"),
        ("coordinate integer symmetric\n3 3 1\n1 1 99999999999999999999\n", "line 3"),
        ("coordinate odd symmetric\n3 3 1\n1 1 1\n", "line 1"),
        ("list real symmetric\n3 3 1\n1 1 1\n", "line 1"),
        ("array real odd\n3 3\n1 1 1\n", "line 1"),
    ],
)
def test_damage_is_told_by_line_or_byte(path, text, place):
    path.write_text(f"%%MatrixMarket matrix {text}")
    with fails(f"{path}, {place}"):
        vech.read(path)


@pytest.mark.parametrize(
    ("symmetry", "entry", "message"),
    [
        (
            "symmetric",
            "1 2",
            "below the diagonal or on it, and it has an entry at row 1, column 2",
        ),
        (
            "skew-symmetric",
            "2 2",
            "below the diagonal, and it has an entry at row 2, column 2",
        ),
    ],
)
def test_an_entry_in_the_wrong_triangle(path, symmetry, entry, message):
    path.write_text(f"%%MatrixMarket matrix coordinate real {symmetry}\n3 3 1\n{entry} 5\n")
    with fails(message):
        vech.read(path)


def test_a_symmetric_file_that_is_not_square(path):
    path.write_text("%%MatrixMarket matrix coordinate real symmetric\n3 4 1\n1 1 5\n")
    with fails("is symmetric and has shape (3, 4): no square matrix"):
        vech.read(path)


def test_a_general_file_that_is_not_symmetric(path):
    scipy.io.mmwrite(path, scipy.sparse.coo_array(np.array([[0, 1.0], [2, 0]])), symmetry="general")
    with fails("not symmetric: (1, 0) is 2.0 and (0, 1) is 1.0"):
        vech.read(path)


def test_a_kind_that_the_header_contradicts(path):
    path.write_text("%%MatrixMarket matrix coordinate complex hermitian\n1 1 1\n1 1 5 0\n")
    with fails("has kind hermitian, and kind=symmetric was asked for"):
        vech.read(path, kind="symmetric")


def test_skew_hermitian_has_no_name_there(path):
    store = vech.Packed(np.zeros(6, "c16"), kind="skew-hermitian")
    with pytest.raises(ValueError, match=r"Matrix Market has no skew-hermitian matrices: write .npy or .npz"):
        vech.write(path, store)


@pytest.mark.parametrize("dtype", ["f2", "M8[s]", "m8[s]", *cases.SMALL.values()])
def test_a_dtype_that_mmwrite_would_distort(path, dtype):
    with pytest.raises(TypeError, match="Matrix Market has no"):
        vech.write(path, vech.Packed(np.zeros(6, dtype)))


@pytest.mark.parametrize("to", ["dense", "csr"])
def test_a_skew_matrix_with_a_number_on_its_diagonal(path, to):
    with pytest.raises(ValueError, match="diagonal"):
        vech.io.expand(path, vech.Packed(np.array([0.0, 1, 7]), "numpy-tril", kind="skew"), to=to)
    assert not list(path.parent.iterdir())


def test_a_damaged_file_is_never_another_error(path):
    rng = np.random.default_rng(2)
    for sound in ((DATA / "nist-example.mtx").read_bytes(), (DATA / "octave-array.mtx").read_bytes()):
        for _ in range(150):
            damaged = bytearray(sound)
            damaged[rng.integers(0, len(sound))] = rng.integers(0, 256)
            path.write_bytes(damaged)
            try:
                vech.read(path)
            except FileFormatError as error:
                assert error.path == str(path)
