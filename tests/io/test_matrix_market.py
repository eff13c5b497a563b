"""`.mtx`: the lower half with its symmetry named, in and out, against SciPy and the letter of the format."""

import gzip
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
from vech import arrays
from vech.io import FileFormatError, matrix_market

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


@cases.each(("layout", "dtype", "kind"), HALVES)
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


@pytest.mark.parametrize("dtype", ["?", "u1", "u8", "i4", "f4", "f8", "c8", "c16"])
@pytest.mark.parametrize("sparse", [False, True])
def test_a_matrix_without_numbers_says_what_it_would_hold(path, dtype, sparse):
    """In the words that SciPy has for one with numbers."""
    kind = "symmetric" if dtype.startswith("c") else None
    banners = []
    for n in (0, 2):
        store = vech.Packed(np.ones(n * (n + 1) // 2, dtype), kind=kind)
        vech.io.expand(path, store, to="csr" if sparse else "dense")
        banners.append(path.read_bytes().splitlines()[0])
    assert banners[0] == banners[1]


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


@pytest.mark.parametrize("end", ["", "\n"])
def test_an_entry_in_the_wrong_triangle_is_told_by_line(path, end):
    head = "%%MatrixMarket matrix coordinate real symmetric\n% words\n\n"
    path.write_text(f"{head}3 3 3\n1 1 4\n\n  \n2 1 5\n1 3 6{end}")
    with fails(
        f"{path}, line 9: is symmetric, so it holds what lies below the diagonal or on it, and it has an"
    ):
        vech.read(path)


@pytest.mark.parametrize("n", [1, 100])
def test_duplicates_beyond_64_bits_are_told(path, n):
    entries = "1 1 9223372036854775807\n1 1 5\n"
    path.write_text(f"%%MatrixMarket matrix coordinate integer symmetric\n{n} {n} 2\n{entries}")
    with fails(f"{path}: holds integers of which duplicates add up to 9223372036854775808, beyond int64"):
        vech.read(path)


def test_a_symmetric_file_that_is_not_square(path):
    path.write_text("%%MatrixMarket matrix coordinate real symmetric\n3 4 1\n1 1 5\n")
    with fails(f"{path}, line 2: is symmetric and has shape (3, 4): no square matrix"):
        vech.read(path)


def test_a_general_file_that_is_not_symmetric(path):
    scipy.io.mmwrite(path, scipy.sparse.coo_array(np.array([[0, 1.0], [2, 0]])), symmetry="general")
    with fails("matrix is not symmetric: a[1, 0] is 2.0, but a[0, 1] is 1.0"):
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


# ---- lines that SciPy reads only in part -------------------------------------------------------------------

HEADS = {"array": "1 1", "coordinate": "2 2 1"}
INDICES = {"array": "", "coordinate": "2 1 "}
NUMBERS = ("1.5", "-.5", "5.", "007", "1e5", "-1E+05", "2.5e-3", "5.E3", "inf", "-Infinity", "nan", "-NaN")
NO_NUMBERS = (
    *("5,7", "5x", "1D5", "1d5", "0x10", "1_0", "1e", "1e-.5", "1.5.2", "1e5.5", "1e5e5", "2-5", "--1", "1+"),
    *("-", "+1", "5%", "nanx", "nan(1)", "infinit", "½", "٣"),
    *("", "5 7", "5 % note", "5\f", "5\v", "5\xa0", "5\0", "5\r7"),
)


@cases.each("content", list(HEADS))
@cases.each("number", list(NUMBERS))
@cases.each("end", ["\n", "", "\r\n", "\r", " ", "\t\r\n", "\n \n\n"])
def test_every_way_to_write_a_number_is_read(path, content, number, end):
    head = f"%%MatrixMarket matrix {content} real general\n{HEADS[content]}\n"
    path.write_bytes(f"{head} \t{INDICES[content]} {number}{end}".encode())
    [value] = vech.io.load(path).ravel() if content == "array" else vech.io.load(path).data
    assert np.array_equal(value, float(number), equal_nan=True)


@cases.each("content", list(HEADS))
@cases.each("end", ["\n", "", "\n\n"])
@cases.each("number", list(NO_NUMBERS))
def test_a_line_that_is_no_number_is_refused(path, content, number, end):
    line = f"{INDICES[content]}{number}"
    path.write_text(f"%%MatrixMarket matrix {content} real general\n{HEADS[content]}\n{line}{end}", "utf-8")
    if not line.strip():
        message = f"{path}, "
    elif content == "array":
        message = f", line 3: holds {shown(line)}, and 'number' fits, for example '-1.5e3'"
    else:
        message = f", line 3: holds {shown(line)}, and 'row column number' fits, for example '2 1 -1.5e3'"
    with fails(message):
        vech.read(path)


def shown(line):
    return repr(line.encode().decode("latin-1").strip(" \t\r"))


@pytest.mark.parametrize(
    ("kind", "line", "message"),
    [
        ("coordinate integer", "2 1 1.5", "'row column integer' fits, for example '2 1 -3'"),
        ("coordinate integer", "2 1 1e3", "'row column integer' fits"),
        ("coordinate unsigned-integer", "2 1 -3", "'row column natural' fits, for example '2 1 3'"),
        ("coordinate pattern", "2 1 1", "'row column' fits, for example '2 1'"),
        ("coordinate pattern", "2 1x", "'row column' fits"),
        ("coordinate complex", "2 1 1", "'row column real imaginary' fits, for example '2 1 1.5 -2e3'"),
        ("coordinate complex", "2 1 1 2 3", "'row column real imaginary' fits"),
        ("coordinate complex", "2 1 1,2", "'row column real imaginary' fits"),
        ("coordinate double", "2 1", "'row column number' fits"),
        ("coordinate real", "2 1.7 5", "'row column number' fits"),
        ("coordinate real", "2,1,5", "'row column number' fits"),
        ("coordinate real", "% note", "'row column number' fits"),
        ("array integer", "1.5", "'integer' fits, for example '-3'"),
        ("array complex", "1", "'real imaginary' fits, for example '1.5 -2e3'"),
        ("array real", "1 2", "'number' fits"),
    ],
)
def test_a_line_has_what_its_field_asks_for(path, kind, line, message):
    size = HEADS[kind.split()[0]]
    path.write_text(f"%%MatrixMarket matrix {kind} general\n{size}\n\n{line}\n")
    with fails(f"{path}, line 4: holds '{line}', and {message}"):
        vech.read(path)


@pytest.mark.parametrize(
    ("field", "numbers"),
    [("integer", "-7"), ("unsigned-integer", "7"), ("complex", "1e5 -inf"), ("double", "7"), ("pattern", "")],
)
def test_a_sound_line_of_every_field_is_read(path, field, numbers):
    path.write_text(f"%%MatrixMarket matrix coordinate {field} symmetric\r\n2 2 1\r\n2  1\t{numbers} \r\n")
    real, _, imaginary = numbers.partition(" ")
    value = complex(float(real or 1), float(imaginary or 0)) if imaginary else float(real or 1)
    assert vech.read(path).expand()[1, 0] == value


def test_a_wrong_line_far_down_is_counted_across_the_pieces_that_are_read(path, monkeypatch):
    monkeypatch.setattr(matrix_market, "PIECE", 100)
    lines = [f"{i} 1 {i}.5" for i in range(1, 1001)]
    for wrong in (0, 500, 999):
        text = "\n".join([*lines[:wrong], f"{wrong + 1} 1 5,7", *lines[wrong + 1 :]])
        path.write_text(f"%%MatrixMarket matrix coordinate real symmetric\n%\n1000 1000 1000\n{text}")
        with fails(f"{path}, line {wrong + 4}: holds '{wrong + 1} 1 5,7', and 'row column number' fits"):
            vech.read(path)
    path.write_text("%%MatrixMarket matrix coordinate real symmetric\n%\n1000 1000 1000\n" + "\n".join(lines))
    assert np.array_equal(vech.read(path).data, np.arange(1, 1001) + 0.5)


def test_a_very_long_wrong_line_is_quoted_in_part(path):
    path.write_text("%%MatrixMarket matrix array real general\n1 1\n" + "1," * 10**6)
    with pytest.raises(FileFormatError, match=r"line 3: holds '(1,){30}...', and 'number' fits") as caught:
        vech.read(path)
    assert len(str(caught.value)) < 300


def test_a_field_that_there_is_not(path):
    path.write_text("%%MatrixMarket matrix coordinate odd symmetric\n3 3 1\n1 1 1\n")
    with fails(
        f"{path}, line 1: says the field 'odd': "
        f"real, double, integer, unsigned-integer, complex or pattern fits"
    ):
        vech.read(path)


@pytest.mark.parametrize("size", ["0 0", "1 1"])
def test_numbers_after_a_size_of_none(path, size):
    path.write_text(f"%%MatrixMarket matrix array real skew-symmetric\n{size}\n\n7\n")
    with fails(f"{path}, line 2: "):
        vech.read(path)
    path.write_text("%%MatrixMarket matrix array real general\n0 0\n\n7\n")
    with fails(f"{path}, line 2: says there are no numbers, and more lines follow: cut them off"):
        vech.read(path)


@pytest.mark.parametrize("end", ["", " ", "\r", "\t\n"])
def test_a_file_may_end_with_its_sizes(path, end):
    path.write_bytes(f"%%MatrixMarket matrix coordinate real symmetric\n2 2 0{end}".encode())
    assert vech.read(path).nnz == 0


# ---- entries, which the core reads -------------------------------------------------------------------------


def entries_of(path, lines, field="real", size=None, symmetry="general"):
    size = size or f"{len(lines)} {len(lines)} {len(lines)}"
    path.write_text(
        f"%%MatrixMarket matrix coordinate {field} {symmetry}\n{size}\n" + "\n".join(lines) + "\n"
    )
    return vech.io.load(path)


def test_numbers_are_read_to_the_nearest_double(path):
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 2**63, 3000, dtype=np.uint64) | rng.integers(0, 2, 3000).astype(
        np.uint64
    ) << np.uint64(63)
    doubles = bits.view(np.float64)
    texts = [repr(x) for x in doubles[np.isfinite(doubles)].tolist()]
    texts += [f"{x:.17e}" for x in doubles[:300].tolist() if np.isfinite(x)]
    texts += [f"{m}e{e}" for m in (1, 7, 123456789, 2**53 - 1, 2**53 + 1) for e in range(-30, 31)]
    texts += [f"{rng.integers(10**k)}.{rng.integers(10**k)}" for k in range(1, 19) for _ in range(20)]
    texts += [
        "9007199254740993",
        "0." + "0" * 400 + "1",
        "1e-400",
        "-1e-400",
        "0e999",
    ]
    texts += [
        "2.2250738585072011e-308",
        "1." + "0" * 200 + "1",
        "5e-324",
        "2e-324",
        "-0",
        "-0.0",
        ".5e1",
        "5.e-1",
    ]
    texts += [
        "0." + "0" * 30 + "123e30",
        "1e-99999999999999999999",
    ]
    read = entries_of(path, [f"1 {k + 1} {text}" for k, text in enumerate(texts)]).data
    assert_same_bits(read, np.array([float(text) for text in texts]))


@pytest.mark.parametrize(
    ("field", "texts"),
    [
        ("integer", ["0", "-0", "007", str(2**63 - 1), str(-(2**63)), "-1"]),
        ("unsigned-integer", ["0", "18446744073709551615", "0018446744073709551615"]),
    ],
)
def test_integers_are_read_to_the_last(path, field, texts):
    read = entries_of(path, [f"1 {k + 1} {text}" for k, text in enumerate(texts)], field)
    assert read.data.tolist() == [int(text) for text in texts]


@pytest.mark.parametrize(
    ("field", "number"),
    [
        ("integer", str(2**63)),
        ("integer", str(-(2**63) - 1)),
        ("integer", "9" * 40),
        ("unsigned-integer", str(2**64)),
    ],
)
def test_an_integer_of_more_than_64_bits_is_refused(path, field, number):
    with fails(f"{path}, line 4: holds '1 2 {number}', which 64 bits do not hold: write the file as real"):
        entries_of(path, ["1 1 5", f"1 2 {number}"], field)


@pytest.mark.parametrize(
    "place", ["0 1", "1 0", "4 1", "1 5", "1 18446744073709551617", "18446744073709551616 1"]
)
def test_a_place_outside_the_matrix_is_refused(path, place):
    with fails(f"{path}, line 4: holds '{place} 7', and rows are 1 to 3, columns 1 to 4"):
        entries_of(path, ["3 4 7", f"{place} 7"], size="3 4 2")


def test_entries_more_or_fewer_than_the_file_says_are_refused(path):
    with fails(f"{path}, line 5: holds '2 2 3', one entry more than the 2 that the file says"):
        entries_of(path, ["1 1 1", "2 1 2", "2 2 3"], size="2 2 2")
    with fails("says 3 entries, and ends after 1"):
        entries_of(path, ["1 1 1"], size="2 2 3")


@pytest.mark.parametrize("size", [2**31 - 1, 2**31, 2**40])
def test_places_beyond_32_bits_are_read(path, size):
    read = entries_of(path, [f"{size} {size - 1} 7"], size=f"{size} {size} 1")
    assert (int(read.row[0]), int(read.col[0])) == (size - 1, size - 2)
    assert read.row.dtype == (np.int32 if size < 2**31 else np.int64)


@pytest.mark.parametrize("piece", [1, 2, 7, 30])
def test_pieces_make_no_difference(path, piece, monkeypatch):
    lines = [f"{k + 1}  {k // 2 + 1}\t{k}.5 -{k}e-2" for k in range(50)]
    want = entries_of(path, lines, "complex", "50 50 50", "hermitian")
    monkeypatch.setattr(matrix_market, "PIECE", piece)
    got = entries_of(path, lines, "complex", "50 50 50", "hermitian")
    for name in ("indptr", "indices", "data"):
        assert_same_bits(getattr(got, name), getattr(want, name))
    assert want.data.tolist() == [complex(k + 0.5, -k / 100) for k in range(50)]


@pytest.mark.parametrize("symmetry", ["symmetric", "skew-symmetric", "hermitian"])
@pytest.mark.parametrize("order", ["rows", "columns", "random"])
def test_the_half_of_any_order_of_entries_is_that_of_fast_matrix_market(path, symmetry, order):
    fmm = pytest.importorskip("fast_matrix_market")
    rng = np.random.default_rng(4)
    full = np.tril(rng.normal(size=(40, 40)) * (rng.random((40, 40)) < 0.2), -1 if symmetry[1] == "k" else 0)
    full = full + 1j * np.tril(full, -1) if symmetry == "hermitian" else full
    i, j = np.nonzero(full)
    if order != "rows":
        shuffled = np.lexsort((i, j)) if order == "columns" else rng.permutation(i.size)
        i, j = i[shuffled], j[shuffled]
    lines = [f"{a + 1} {b + 1} " + " ".join(map(repr, parts(full[a, b]))) for a, b in zip(i, j, strict=True)]
    half = entries_of(
        path, lines, "complex" if full.dtype.kind == "c" else "real", f"40 40 {i.size}", symmetry
    )
    assert isinstance(half, vech.SparseHalf) and half.nnz == i.size
    assert np.array_equal(half.expand(), fmm.mmread(str(path)).toarray())


def parts(number):
    return (float(number.real), float(number.imag)) if isinstance(number, complex) else (float(number),)


# ---- sizes beyond all memory -------------------------------------------------------------------------------


@pytest.mark.parametrize("symmetry", ["symmetric", "general", "skew-symmetric"])
@pytest.mark.parametrize("n", [10**9, 3 * 10**9])
def test_empty_rows_take_no_memory(path, symmetry, n, monkeypatch):
    monkeypatch.setattr(arrays, "memory_limit", lambda: 10**9)
    size, lines = f"{n} {n} 1", [f"{n} 5 7"]
    if symmetry == "general":
        size, lines = f"{n} {n} 2", [f"{n} 5 7", f"5 {n} 7"]
    S = entries_of(path, lines, size=size, symmetry=symmetry)
    S = vech.read(path) if symmetry == "general" else S
    assert (S.n, S.nnz, S[n - 1, 4], S[4, n - 1]) == (n, 1, 7, -7 if symmetry[1] == "k" else 7)
    vech.write(path, S)
    assert path.read_text().splitlines()[2:] == [f"{n} {n} 1", f"{n} 5 7"]
    again = vech.read(path)
    assert (again.n, again.kind, again[n - 1, 4]) == (n, S.kind, 7)


def test_what_is_too_large_for_a_half_can_be_looked_at(path):
    path.write_text("%%MatrixMarket matrix coordinate real general\n3000000000 3000000000 1\n5 5 1\n")
    assert vech.io.load(path).nnz == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("array real general\n1000000 1000000\n1\n", "says 1,000,000,000,000 numbers, and has"),
        ("array real symmetric\n1000000 1000000\n1\n", "says 500,000,500,000 numbers, and has"),
        ("coordinate real general\n3 3 1000000000000\n1 1 1\n", "says 1,000,000,000,000 numbers, and has"),
        ("coordinate pattern general\n3 3 20\n1 1\n", "says 20 numbers, and has"),
        ("coordinate real general\n9223372036854775808 3 1\n1 1 1\n", "and 'rows columns entries' fits"),
        (
            "coordinate real general\n1_0 3 1\n1 1 1\n",
            "says the size '1_0 3 1', and 'rows columns entries' fits",
        ),
        ("coordinate real general\n3 3 1\n1 1 1_0\n", "holds '1 1 1_0', and 'row column number' fits"),
        ("coordinate real general\n3 3 1\n1 1 0x1p3\n", "holds '1 1 0x1p3', and 'row column number' fits"),
        ("array real general\n1 1\n1_0\n", "holds '1_0', and 'number' fits"),
        ("coordinate \x1b[31m general\n1 1 1\n", r"says the field '\x1b[31m'"),
    ],
)
def test_a_header_or_number_that_only_seems_to_fit(path, text, message):
    path.write_bytes(b"%%MatrixMarket matrix " + text.encode())
    with fails(message) as caught:
        vech.io.load(path)
    assert str(caught.value).isprintable()


ADVICE = re.compile(r"vech\.io\.pack\(path, use='(\w+)'\) \(vech pack --use \1\)")


@pytest.mark.parametrize("triangle", ["lower", "upper"])
def test_who_reads_one_triangle_is_told_what_packs_it(path, triangle):
    lines = ["1 1 1", "3 1 2", "3 3 4"] if triangle == "lower" else ["1 1 1", "1 3 2", "3 3 4"]
    path.write_text("%%MatrixMarket matrix coordinate real general\n3 3 3\n" + "\n".join(lines) + "\n")
    with fails("; vech.io.pack(path, use=") as caught:
        vech.read(path)
    use = ADVICE.search(str(caught.value))[1]
    assert use == triangle
    want = [[1, 0, 2], [0, 0, 0], [2, 0, 4]]
    assert vech.io.pack(path, use=use).expand().tolist() == want
    assert "SparseHalf.from_sparse(vech.io.load(path), use=" in str(caught.value)
    assert vech.SparseHalf.from_sparse(vech.io.load(path), use=use).expand().tolist() == want
    with fails(f"if the {triangle} one is meant for both, say use={triangle!r} (--use, --tolerance)"):
        vech.io.pack(path)


# ---- packed by gzip ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "store",
    [vech.Packed(np.arange(1.0, 7)), vech.SparseHalf([0, 1, 2], [0, 0], [1.5, 2.0], 2, triangle="lower")],
)
def test_packed_files_go_in_and_out(tmp_path, store):
    vech.write(tmp_path / "a.mtx", store)
    vech.write(tmp_path / "a.mtx.gz", store)
    assert gzip.decompress((tmp_path / "a.mtx.gz").read_bytes()) == (tmp_path / "a.mtx").read_bytes()
    got = scipy.io.mmread(tmp_path / "a.mtx.gz")
    assert np.array_equal(got if isinstance(got, np.ndarray) else got.toarray(), store.expand())
    read = vech.read(tmp_path / "a.mtx.gz")
    assert type(read) is type(store) and np.array_equal(read.expand(), store.expand())


def test_the_same_matrix_gives_the_same_packed_bytes(tmp_path):
    for name in ("a.mtx.gz", "b.mtx.gz"):
        vech.write(tmp_path / name, vech.Packed(np.arange(1.0, 7)))
    assert (tmp_path / "a.mtx.gz").read_bytes() == (tmp_path / "b.mtx.gz").read_bytes()
    assert (tmp_path / "a.mtx.gz").read_bytes()[3:8] == bytes(5)  # no name, no time


HEADER = b"%%MatrixMarket matrix coordinate real symmetric\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"2 2 1\n1 2 5\n", "line 3: is symmetric, so it holds what lies below the diagonal"),
        (b"2 2 1\n1 x 5\n", "line 3: holds '1 x 5', and 'row column number' fits"),
        (b"2 2 2\n1 1 5\n", "byte 60: says 2 entries, and ends after 1"),
        (b"2 2 99999999\n1 1 5\n", "says 99,999,999 numbers, and has "),
        (None, "has a line of more than 67,108,864 bytes, when it is unpacked"),
    ],
)
def test_a_packed_file_is_not_believed_either(tmp_path, text, message):
    (tmp_path / "a.mtx.gz").write_bytes(
        gzip.compress(HEADER + (b"%" * (65 << 20) if text is None else text), 1)
    )
    with pytest.raises(FileFormatError, match=re.escape("a.mtx.gz") + ".*" + re.escape(message)):
        vech.read(tmp_path / "a.mtx.gz")


def test_a_packed_file_is_whole(tmp_path):
    data = gzip.compress(HEADER + b"2 2 1\n1 1 5\n")
    for part, message in ((HEADER, "Not a gzipped file"), (data[:-9], "Compressed file ended")):
        (tmp_path / "a.mtx.gz").write_bytes(part)
        with pytest.raises(FileFormatError, match=f"is no whole gzip file: {message}"):
            vech.read(tmp_path / "a.mtx.gz")


BEYOND = {
    "array real general\n2 2\n1\n2\n\n2\n-1e400": (7, "holds '-1e400'"),
    "array real symmetric\n2 2\n1\n1e309\ninf": (4, "holds '1e309'"),
    "array complex hermitian\n2 2\n1 0\n2 9.9e308\n1 0": (4, "holds '2 9.9e308'"),
    "coordinate real general\n2 2 3\n1 1 inf\n\n2 2 1e400\n1 2 3": (5, "holds '2 2 1e400'"),
    "coordinate real symmetric\n2 2 2\n1 1 -Infinity\n2 2 1.8e308": (4, "holds '2 2 1.8e308'"),
    "coordinate complex general\n2 2 1\n1 1 0 -2e999": (3, "holds '1 1 0 -2e999'"),
}


@pytest.mark.parametrize("text", BEYOND)
@pytest.mark.parametrize("name", ["a.mtx", "a.mtx.gz"])
def test_numbers_beyond_float64_are_no_infinities(tmp_path, text, name):
    line, said = BEYOND[text]
    path, whole = tmp_path / name, f"%%MatrixMarket matrix {text}\n".encode()
    path.write_bytes(gzip.compress(whole) if name.endswith("gz") else whole)
    with fails(f"{name}, line {line}: {said}, which is beyond float64: write it in another unit"):
        vech.read(path)


def test_infinities_that_are_written_as_such_are_read(path):
    path.write_text("%%MatrixMarket matrix coordinate real symmetric\n2 2 2\n1 1 -inf\n2 1 infinity\n")
    assert vech.read(path).expand().tolist() == [[-np.inf, np.inf], [np.inf, 0]]


ODD = {
    "array complex hermitian\n2 2\n1 0\n2 9\n3 4": (5, "(3+4j) on its diagonal, in row 2"),
    "coordinate complex hermitian\n2 2 2\n1 1 1 0\n2 2 3 4": (4, "(3+4j) on its diagonal, in row 2"),
    "coordinate complex hermitian\n2 2 3\n2 2 3 4\n1 1 1 0\n2 2 3 4": (3, "(3+4j) on its diagonal, in row 2"),
}


@pytest.mark.parametrize("text", ODD)
def test_a_diagonal_that_is_not_its_own_mirror_has_its_place(path, text):
    line, said = ODD[text]
    path.write_text(f"%%MatrixMarket matrix {text}\n")
    with fails(f"{path.name}, line {line}: is hermitian and has {said}: that is not its own mirror"):
        vech.read(path)


def test_entries_of_a_diagonal_are_summed_before_it_is_judged(path):
    path.write_text("%%MatrixMarket matrix coordinate complex hermitian\n1 1 2\n1 1 3 4\n1 1 3 -4\n")
    assert vech.read(path).expand().tolist() == [[6]]


@pytest.mark.parametrize("suffix", [".mtx", ".rsa"])
def test_what_would_not_be_read_is_not_written(tmp_path, suffix):
    half = vech.Packed(np.array([1, 2, 3 + 4j]), kind="hermitian")
    for store in (half, vech.SparseHalf.from_half(half.half, "vech", kind="hermitian")):
        with pytest.raises(ValueError, match=r"is hermitian and has \(3\+4j\) on its diagonal, in row 2"):
            vech.write(tmp_path / f"a{suffix}", store)
    assert not list(tmp_path.iterdir())
