"""Harwell-Boeing and Rutherford-Boeing: files that SciPy and others wrote, and what SciPy reads."""

import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse

import vech
from vech.io import FileFormatError

DATA = Path(__file__).parent / "data"
FULL = np.array([[4, -1.5, 0, 1e-3], [-1.5, 5, 1 / 3, 0], [0, 1 / 3, 6, 0], [1e-3, 0, 0, 7e10]])
# as the guide of the Rutherford-Boeing collection has them: no counts and no format of right-hand sides
PATTERN = """\
Pattern of a symmetric matrix, lower triangle                           pattern
             2             1             1             0
psa                        4             4             6             0
(26I3)          (40I2)
  1  4  5  6  7
 1 2 4 2 3 4
"""


def fails(message):
    return pytest.raises(FileFormatError, match=re.escape(message))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.rb"


def test_what_scipy_wrote():
    S = vech.read(DATA / "scipy.rua")
    assert isinstance(S, vech.SparseHalf) and S.nnz == 7
    assert np.array_equal(S.expand(), FULL)


def test_a_file_of_the_collection():
    S = vech.read(DATA / "bcsstk02-part.rsa")
    a, b, c, d = 0.199033328612e04, 0.567912179918e03, 0.775783614407e03, 0.779706720211e04
    assert np.array_equal(S.expand(), [[a, b, c], [b, a, c], [c, c, d]])


def test_a_pattern_of_rutherford_boeing(path):
    path.write_text(PATTERN)
    lower = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 1.0]])
    assert np.array_equal(vech.read(path).expand(), np.maximum(lower, lower.T))


def test_right_hand_sides_are_left_alone(path):
    text = (DATA / "bcsstk02-part.rsa").read_text().splitlines(keepends=True)
    text[1] = text[1][:56] + f"{1:14d}\n"
    text[3] = text[3][:52].ljust(52) + "(4E20.12)\n"
    text.insert(4, "F                          1             0\n")
    path.write_text("".join(text) + "   .100000000000E+01   .200000000000E+01   .300000000000E+01\n")
    assert np.array_equal(vech.read(path).expand(), vech.read(DATA / "bcsstk02-part.rsa").expand())


def test_numbers_are_told_apart_by_their_width(path):
    text = (
        PATTERN.replace("psa", "rsa")
        .replace(f"{0:14d}\n", f"{2:14d}\n", 1)
        .replace("(40I2)\n", "(40I2)          (4D8.1)\n")
    )
    path.write_text(text + "-1.0D+00-2.0D+00 3.0d+00-4.0D-10\n 1.0E+00-1.0e+00")
    assert np.array_equal(vech.read(path).to_csc(part="lower").data, [-1, -2, 3, -4e-10, 1, -1])


@pytest.mark.parametrize("dtype", ["i4", "u8", "f4", "f8", "c16"])
@pytest.mark.parametrize("kind", ["symmetric", "hermitian", "skew"])
def test_what_was_written_is_read(path, dtype, kind):
    numbers = abs(FULL) if dtype == "u8" else FULL
    full = np.tril(numbers, -1).astype(dtype) * (1 + 2j if dtype == "c16" else 1)
    if kind == "skew" and dtype == "u8":
        return
    lower = scipy.sparse.csr_array(full.astype(dtype))
    S = vech.SparseHalf(lower.indptr, lower.indices, lower.data, 4, triangle="lower", kind=kind)
    vech.write(path, S)
    back = vech.read(path)
    assert back.kind == S.kind and np.array_equal(back.expand(), S.expand())


@pytest.mark.parametrize("dtype", ["f8", "f4", "c16"])
@pytest.mark.parametrize("layout", ["vech", "condensed", "numpy-triu"])
def test_a_zero_below_zero_stays(path, dtype, layout):
    n = 5
    half = np.arange(vech.as_layout(layout).length(n)).astype(dtype) - 4
    half[::3], half[1] = -0.0, 0
    if dtype == "c16":
        half[2], half[4] = complex(0.0, -0.0), complex(-0.0, -2)
    vech.write(path, vech.Packed(half, layout, kind="symmetric"))
    back = vech.read(path)
    assert back.nnz == sum(number.tobytes().strip(b"\0") != b"" for number in half)
    assert back.to_packed(layout).half.tobytes() == half.astype(dtype.replace("f4", "f8")).tobytes()


def test_scipy_reads_what_was_written(path):
    S = vech.SparseHalf.from_sparse(scipy.sparse.csr_array(FULL))
    vech.io.expand(path, S)
    assert np.array_equal(scipy.io.hb_read(path).toarray(), FULL)
    vech.write(path, S)
    written = path.read_bytes()
    vech.write(path, vech.Packed(vech.pack(FULL)))
    assert path.read_bytes() == written
    unsymmetric = io.StringIO(path.read_text().replace("RSA", "RUA"))  # SciPy reads no other
    assert np.array_equal(scipy.io.hb_read(unsymmetric).toarray(), np.tril(FULL))


@pytest.mark.parametrize("n", [0, 1, 3])
def test_small_and_empty(path, n):
    S = vech.SparseHalf.from_coo([], [], np.empty(0), n, use="lower")
    for store in (S, S.to_packed()):
        vech.write(path, store)
        assert (vech.read(path).n, vech.read(path).nnz) == (n, 0)


def test_what_the_format_does_not_hold(path):
    for store, error, words in [
        (
            vech.SparseHalf.from_coo([1], [0], [np.nan], 2, use="lower"),
            ValueError,
            "has no NaN and no infinity: write .npz",
        ),
        (
            vech.SparseHalf.from_coo([1], [0], [1j], 2, use="lower", kind="skew-hermitian"),
            ValueError,
            "no name for skew-herm",
        ),
        (
            vech.SparseHalf.from_coo([1], [0], [1.0], 2, use="lower", labels="ab"),
            ValueError,
            "has no place for labels",
        ),
    ]:
        with pytest.raises(error, match=re.escape(words)):
            vech.write(path, store)
    assert not os.listdir(path.parent)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "psa",
            "pse",
            "line 3: says the type 'pse': R, C, I or P (pattern), then S, H, Z or U, then A (assembled) fit",
        ),
        ("psa", "pra", "line 3: says the type 'pra'"),
        (f"{4:14d}{4:14d}", f"{4:14d}{5:14d}", "line 3: is 4 x 5, and a square matrix was wanted"),
        (f"{6:14d}", f"{'six':>14}", "line 3: has '           six' where a count stands in columns 43 to 56"),
        (f"{4:14d}{4:14d}", f"{10**9:14d}{10**9:14d}", "says 1,000,000,000 columns and 6 entries"),
        ("(40I2)", "(40E2)", "line 4: has the format '(40E2)': one like (16I5) or (3E25.16) fits"),
        ("(40I2)", "(999I9)", "line 4: has the format '(999I9)'"),
        ("  1  4  5", "  1  5  4", "has pointers that do not ascend from 1 to 7"),
        ("6  7\n", "6  8\n", "has pointers that do not ascend from 1 to 7"),
        (" 1 2 4", " 1 2 9", "has rows 1 to 9, and there are 4"),
        (
            " 1 2 4 2",
            " 1 2 4 1",
            "is symmetric, so holds the lower triangle, and has an entry in row 1, column 2",
        ),
        (" 1 2 4 2", " 1 2 x 2", "line 6: ' 1 2 x 2 3 4' is not 6 times an integer in 2 letters"),
        (" 1 2 4 2", " 1_2 4 2", "line 6: ' 1_2 4 2 3 4' is not 6 times an integer in 2 letters"),
        (" 3 4\n", "", "line 6: ' 1 2 4 2' is not 6 times an integer in 2 letters"),
        (f"{2:14d}{1:14d}{1:14d}", f"{2:14d}{3:14d}{1:14d}", "line 2: says 3 lines where 5 numbers take 1"),
        ("psa", "\x1b[3", "line 3: says the type"),
    ],
)
def test_what_is_wrong_is_said(path, old, new, words):
    path.write_text(PATTERN.replace(old, new, 1))
    with fails(words) as caught:
        vech.read(path)
    assert str(caught.value).isprintable()


def test_integers_are_those_of_fortran(path):
    path.write_text((DATA / "bcsstk02-part.rsa").read_text().replace("    1    4    6", "  0_1    4    6"))
    with fails("line 5: '  0_1    4    6    7"):
        vech.read(path)


def test_numbers_beyond_float64_are_no_infinities(path):
    vech.write(path, vech.Packed(np.array([1.0, 2, 3])))
    text = path.read_text()
    for word, line in ((" 1.0E+400", 7), ("-2.0D+999", 7)):
        path.write_text(text.replace("2.0000000000000000E+00", word.rjust(22)))
        with fails(f"a.rb, line {line}: holds {word.strip()}, which is beyond float64"):
            vech.read(path)


@pytest.mark.parametrize(
    ("kind", "letter", "number"), [("hermitian", "H", "(3+4j)"), ("skew", "Z", "(3+4j)")]
)
def test_a_diagonal_that_is_not_its_own_mirror_is_refused(path, kind, letter, number):
    vech.write(path, vech.Packed(np.array([1, 2, 3 + 4j]), kind="symmetric"))
    path.write_text(
        path.read_text()
        .replace("CSA", f"C{letter}A")
        .replace(" 1.0000000000000000E+00", " 0.0000000000000000E+00")
    )
    with fails(f"a.rb: is {kind} and has {number} on its diagonal, in row 2: that is not its own mirror"):
        vech.read(path)
