"""Square and triangular tables in text: what is read right, what is refused and how, and what goes out."""

import csv
import gzip
import io
import re
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cases
import reference
import vech
from vech.io import FileFormatError

DATA = Path(__file__).parent / "data"
NAN = float("nan")


def stored(tmp_path, text, name="a.csv"):
    path = tmp_path / name
    text = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return path


RIGHT = {
    "a square": ("1,2\n2,3\n", {}, "vech", None, [[1, 2], [2, 3]]),
    "one number": ("5", {}, "vech", None, [[5]]),
    "names above": ("a,b\n1,2\n2,3\n", {}, "vech", "ab", [[1, 2], [2, 3]]),
    "names above and beside": (",a,b\na,1,2\nb,2,3\n", {}, "vech", "ab", [[1, 2], [2, 3]]),
    "a named corner": ("id,a,b\na,1,2\nb,2,3\n", {}, "vech", "ab", [[1, 2], [2, 3]]),
    "names beside": ("a,1,2\nb,2,3\n", {}, "vech", "ab", [[1, 2], [2, 3]]),
    "names as R writes them": ('"a" "b"\n"a" 1 2\n"b" 2 3\n', {}, "vech", "ab", [[1, 2], [2, 3]]),
    "tabs": ("\ta\tb\na\t1\t2\nb\t2\t3\n", {}, "vech", "ab", [[1, 2], [2, 3]]),
    "semicolons": ("1;2\n2;3\n", {}, "vech", None, [[1, 2], [2, 3]]),
    "bars": ("a|b\n1|2\n2|3\n", {}, "vech", "ab", [[1, 2], [2, 3]]),
    "blanks": ("  1   2\n  2   3  \n", {}, "vech", None, [[1, 2], [2, 3]]),
    "a separator that is said": ("1:2\n2:3\n", {"sep": ":"}, "vech", None, [[1, 2], [2, 3]]),
    "decimal commas": ("1;0,5\n0,5;1\n", {"decimal": ","}, "vech", None, [[1, 0.5], [0.5, 1]]),
    "decimal commas and blanks": ("1 0,5\n0,5 1", {"sep": " ", "decimal": ","}, "vech", None, [[1, 0.5], [0.5, 1]]),
    "blank first lines": ("\n \n1,2\n2,3\n\n", {}, "vech", None, [[1, 2], [2, 3]]),
    "comments": ("# of 2020\n1,2\n2,3\n", {}, "vech", None, [[1, 2], [2, 3]]),
    "returns of Windows": ("a,b\r\n1,2\r\n2,3\r\n", {}, "vech", "ab", [[1, 2], [2, 3]]),
    "returns of old Macs": ("a,b\r1,2\r2,3\r", {}, "vech", "ab", [[1, 2], [2, 3]]),
    "a mark of UTF-8": ("\ufeffa,b\n1,2\n2,3\n", {}, "vech", "ab", [[1, 2], [2, 3]]),
    "UTF-16": ("a,b\n1,2\n2,3\n".encode("utf-16"), {}, "vech", "ab", [[1, 2], [2, 3]]),
    "Latin-1": (b"\xe4,\xdf\n1,2\n2,3\n", {"encoding": "latin-1"}, "vech", "äß", [[1, 2], [2, 3]]),
    "quotes around commas": ('"Smith, J",b\n1,2\n2,3\n', {}, "vech", ("Smith, J", "b"), [[1, 2], [2, 3]]),
    "quotes around ends of lines": ('"a\nb",c\n1,2\n2,3\n', {}, "vech", ("a\nb", "c"), [[1, 2], [2, 3]]),
    "numbers that are names, said": (",0,1\n0,1,2\n1,2,3\n", {"header": True}, "vech", "01", [[1, 2], [2, 3]]),
    "months, said": (",2020_01,2020_02\n2020_01,1,2\n2020_02,2,3\n", {"header": True}, "vech", ("2020_01", "2020_02"), [[1, 2], [2, 3]]),
    "names that are numbers beside, said": ("1,1,2\n2,2,3\n", {"labels": True}, "vech", "12", [[1, 2], [2, 3]]),
    "Namibia": ("AO,NA,ZA\n1,0,0\n0,1,0\n0,0,1", {}, "vech", ("AO", "NA", "ZA"), np.eye(3)),
    "missing numbers": ("1,NA,.\nnull,2,#N/A\n,NaN,3", {}, "vech", None, [[1, NAN, NAN], [NAN, 2, NAN], [NAN, NAN, 3]]),
    "infinities": ("inf,-Inf\n-inf,1e3", {}, "vech", None, [[np.inf, -np.inf], [-np.inf, 1000]]),
    "ends that are separators": ("1,2,\n2,3,\n", {}, "vech", None, [[1, 2], [2, 3]]),
    "a lower triangle": ("2\n1 3\n1 1 4\n", {}, "numpy-tril", None, [[2, 1, 1], [1, 3, 1], [1, 1, 4]]),
    "a lower triangle with commas": ("2\n1,3\n1,1,4\n", {}, "numpy-tril", None, [[2, 1, 1], [1, 3, 1], [1, 1, 4]]),
    "an upper triangle with semicolons": ("2;1\n3\n", {}, "numpy-triu", None, [[2, 1], [1, 3]]),
    "an upper triangle": ("2 1 1\n3 1\n4\n", {}, "numpy-triu", None, [[2, 1, 1], [1, 3, 1], [1, 1, 4]]),
    "a lower triangle of distances": ("0\n7 0\n8 9 0\n", {}, "numpy-tril", None, [[0, 7, 8], [7, 0, 9], [8, 9, 0]]),
    "a triangle with names": ("a\nb 7\nc 8 9\n", {}, "strict-tril", "abc", [[0, 7, 8], [7, 0, 9], [8, 9, 0]]),
    "an upper one with names": ("a 7 8\nb 9\nc\n", {}, "strict-triu", "abc", [[0, 7, 8], [7, 0, 9], [8, 9, 0]]),
    "a triangle with its diagonal and names": ("a 1\nb 7 2\n", {}, "numpy-tril", "ab", [[1, 7], [7, 2]]),
    "a triangle below names": ("a,b,c\n1\n7,2\n8,9,3\n", {}, "numpy-tril", "abc", [[1, 7, 8], [7, 2, 9], [8, 9, 3]]),
    "a strict one below names": ("a,b,c\n7\n8,9\n", {}, "strict-tril", "abc", [[0, 7, 8], [7, 0, 9], [8, 9, 0]]),
    "blank cells above": ("1,,\n7,2,\n8,9,3", {}, "numpy-tril", None, [[1, 7, 8], [7, 2, 9], [8, 9, 3]]),
    "blank cells above and between": ("0,,\n7,0,\n8,9,", {}, "numpy-tril", None, [[0, 7, 8], [7, 0, 9], [8, 9, NAN]]),
    "names of digits and letters": ("0.5\n0x10 1\n2 3 1\n", {"labels": True}, "strict-tril", ("0.5", "0x10", "2"), [[0, 1, 3], [1, 0, 1], [3, 1, 0]]),
    "numbers and words": ("0.5\nx 1\n2 3 1\n", {}, "strict-tril", ("0.5", "x", "2"), [[0, 1, 3], [1, 0, 1], [3, 1, 0]]),
    "a blank diagonal too": ("a,b,c\n,,\n7,,\n8,9,", {}, "strict-tril", "abc", [[0, 7, 8], [7, 0, 9], [8, 9, 0]]),
    "blank cells below": ("1,7,8\n,2,9\n,,3", {}, "numpy-triu", None, [[1, 7, 8], [7, 2, 9], [8, 9, 3]]),
    "a triangle that is said": ("7\n8 9\n", {"layout": "strict-tril"}, "strict-tril", None, [[0, 7, 8], [7, 0, 9], [8, 9, 0]]),
    "the other, said": ("7\n8 9\n", {"layout": "numpy-tril"}, "numpy-tril", None, [[7, 8], [8, 9]]),
    "a half, one number a line": ("1\n2\n3\n", {"layout": "vech"}, "vech", None, [[1, 2], [2, 3]]),
    "a half in a line": ("1,2,3\n", {"layout": "vech"}, "vech", None, [[1, 2], [2, 3]]),
    "a missing number that is no comment": ("#N/A;1\n1;2\n# a comment\n", {}, "vech", None, [[NAN, 1], [1, 2]]),
    "the largest integers": ("9007199254740992,0\n0,-9007199254740992", {}, "vech", None, [[2.0**53, 0], [0, -(2.0**53)]]),
}  # fmt: skip


@cases.each("name", ["a.csv", "a.txt", "a.TSV", "a.txt.gz"])
@cases.each("case", list(RIGHT))
def test_odd_tables_are_read_right(tmp_path, case, name):
    text, options, layout, labels, matrix = RIGHT[case]
    if case == "returns of old Macs" and name.endswith(".gz"):
        text = text.rstrip("\r")
    store = vech.read(stored(tmp_path, text, name), **options)
    assert store.layout == vech.as_layout(layout)
    assert store.labels == (None if labels is None else tuple(labels))
    np.testing.assert_array_equal(store.expand(), matrix)


REFUSED = {
    "nothing": ("", {}, ": is empty"),
    "blank lines": ("\n\n  \n", {}, ": is empty"),
    "one word": ("<html></html>\n", {}, ": holds no numbers"),
    "letters that Python strips": ("1,2\n\x0c2,3", {}, r", line 2: holds '\x0c2', which is no number"),
    "names that may be numbers": (",NA,inf\nNA,1,2\ninf,2,3", {}, ", line 1: may name the columns, by numbers"),
    "names that are fractions": (",.1,.9\n.1,1,2\n.9,2,3", {}, ", line 1: may name the columns, by numbers"),
    "UTF-16 without its mark": ("a,b\n1,2\n2,3".encode("utf-16-le"), {}, ", line 1: has zeros between its letters, as UTF-16"),
    "two triangles": ("1,2\n3,4\n", {}, ", line 2: matrix is not symmetric: a[1, 0] is 3.0, but a[0, 1] is 2.0"),
    "a number where another is missing": ("1,NA\n2,3", {}, ", line 2: matrix is not symmetric: a[1, 0] is 2.0, but a[0, 1] is nan"),
    "data": ("a,b\n1,2\n3,4\n5,6\n", {}, ", line 2: begins with 3 rows of 2 numbers: no square and no triangle; `vech covariance`"),
    "much data": ("a,b\n1,2\n3,4\n5,6\n7,8\n", {}, ", line 5: is row 4 of 2 numbers: no square and no triangle"),
    "few rows": ("a,b,c,d,e\n1,2,3,4,5\n2,3,4,5,6\n", {}, ", line 2: begins with 2 rows of 5 numbers: no square"),
    "a wrapped triangle": ("1\n2 3\n4 5\n6\n", {}, ", line 3: has 2 numbers, and line 2 has 2: the rows of a square have as many each, those of a triangle one"),
    "a ragged square": ("1,2\n2\n", {"labels": False, "header": False, "sep": ","}, ", line 1: has a triangle of 2 rows, whose diagonal may be there or not"),
    "a line too short": ("1,2,3\n2,4,5\n3,5\n", {}, ", line 3: has 2 numbers, and line 2 has 3"),
    "a triangle that may lack its diagonal": ("7\n8 9\n", {}, ", line 1: has a triangle of 2 rows, whose diagonal may be there or not: say layout='numpy-tril' or, without it, "),
    "a triangle of ones, or distances of one": ("1\n1 1\n", {}, ", line 1: has a triangle of 2 rows, whose diagonal may be there or not"),
    "a triangle that begins in the middle": ("1 2\n3 4 5\n", {}, ", line 1: has 2 numbers, and the first row of a lower triangle has one"),
    "numbers that may be names": (",0,1\n0,1,.5\n1,.5,1", {}, ", line 1: may name the columns, by numbers: say header=True (--header)"),
    "numbers above a square": ("2019,2020\n1,.5\n.5,1", {}, ", line 1: may name the columns, by numbers: say header=True (--header)"),
    "numbers above, as R has them": ("1 2\na 1 .5\nb .5 1", {}, ", line 1: may name the columns, by numbers: say header=True"),
    "numbers beside a square": ("1,1,.5\n2,.5,1", {}, ", line 1: has 2 rows of 3 numbers, and a square has as many rows: say labels=True (--labels)"),
    "names beside numbers": ("a,b,1\n1,2,3\n2,4,5\n3,5,6", {}, ", line 1: holds numbers beside 'b': say header=True"),
    "the same name twice": ("a,a\n1,2\n2,3", {}, ", line 1: has the label 'a' twice: rename one"),
    "the same name twice beside": ("a,1,2\na,2,3", {}, ", line 2: has the label 'a' twice: rename one"),
    "other names beside": (",a,b\nb,1,2\na,2,3", {}, ", line 2: is the row 'b', and column 1 is 'a': rows and columns have the same labels"),
    "numbers beside, names above": (",a,b\n0,1,.5\n1,.5,1", {}, ", line 2: is the row '0', and column 1 is 'a'"),
    "more names": ("a,b,c\nx,1,2\ny,2,3", {}, ", line 2: is the row 'x', and column 1 is 'b'"),
    "fewer names": (",a,b,c\na,1,2\nb,2,3", {}, ", line 1: names 3 columns, and 2 rows follow"),
    "an integer beyond 2^53": ("9007199254740993,1\n1,2", {}, ", line 1: holds the integer 9007199254740993, and float64 tells integers apart up to 2**53"),
    "a triangle that begins with a damaged number": ("0.5\n0x10 1\n2 3 1\n", {}, ", line 2: begins with '0x10', and others with numbers: say labels=True (--labels) if these name"),
    "a damaged number, and said to be one": ("0.5\n0x10 1\n2 3 1\n", {"labels": False}, ", line 2: holds '0x10', which is no number"),
    "digits with underscores": ("1,2020_01\n2020_01,3", {}, ", line 1: holds numbers beside '2020_01'"),
    "digits with underscores below": ("1,5\n2020_01,3", {}, ", line 2: holds '2020_01', which is no number"),
    "digits of other scripts": ("1,2\n٢,3", {}, ", line 2: holds '٢', which is no number"),
    "a number beyond float64": ("1,1e999\n1e999,1", {}, ", line 1: holds '1e999', which is beyond float64"),
    "decimal commas that nobody said": ("1;0,5;2\n0,5;1;3\n2;3;4", {}, ", line 1: holds numbers beside '0,5'"),
    "decimal commas below names": ("a;b\n1;0,5\n0,5;1", {}, ", line 2: holds '0,5', which is no number unless decimal=','"),
    "commas and blanks": ("1 0,5\n0,5 1", {}, ", line 1: has commas and blanks between digits: say sep=','"),
    "thousands": ("a;b\n1.000,5;2\n2;3", {"decimal": ","}, ", line 2: holds '1.000,5', which is no number"),
    "a quote that does not end": ('"a,b\n1,2\n2,3', {}, ", line 1: begins a quoted cell that does not end: see whether a quote is missing here"),
    "letters behind a quote": ('"a"b,c\n1,2\n2,3', {}, ", line 1: has letters behind the quote that ends a cell"),
    "another encoding": (b"a,b\n1,\xe4\n2,3", {}, ", line 2: has the byte 0xe4, which is no UTF-8: say encoding="),
    "letters that command a terminal": ("a,b\n1,\x1b[2J\n2,3", {}, r", line 2: holds '\x1b[2J', which is no number"),
    "a dot among numbers of rows": ("1,2\n2,3,\n", {}, ", line 1: has 2 numbers, and the first row of a lower triangle has one"),
    "a half that does not say which": ("1\n2\n3\n", {}, ": holds 3 numbers and does not say which. It could be n=2: vech,"),
    "another layout than it has": ("2\n1 3\n", {"layout": "vech"}, ": has layout numpy-tril, and layout=vech was asked for"),
    "another n": ("1,2\n2,3", {"n": 3}, ": has n 2, and n=3 was asked for"),
    "another dtype": ("1,2\n2,3", {"dtype": "f4"}, ": has dtype <f8, and dtype=<f4 was asked for"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_odd_tables_are_refused_in_one_line(tmp_path, case):
    text, options, message = REFUSED[case]
    path = stored(tmp_path, text)
    with pytest.raises(FileFormatError) as caught:
        vech.read(path, **options)
    assert f"{path}{message}" in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sep": "ab"}, ValueError, "sep='ab' cannot separate cells"),
        ({"decimal": "x"}, ValueError, "decimal='x' is no decimal mark: '.' or ',' fits"),
        ({"encoding": "none"}, ValueError, "encoding='none' is none that Python has"),
        ({"colour": "red"}, TypeError, ".csv has no colour=: leave it out"),
    ],
)
def test_wrong_options(tmp_path, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        vech.read(stored(tmp_path, "1,2\n2,3"), **options)


def test_options_of_text_are_for_text(tmp_path):
    np.save(tmp_path / "a.npy", np.eye(2))
    with pytest.raises(TypeError, match=r"a\.npy: \.npy has no sep=: leave it out"):
        vech.read(tmp_path / "a.npy", sep=",")


def test_pack_takes_one_triangle_of_a_text(tmp_path):
    path = stored(tmp_path, "a,b\n1,9\n2,3")
    assert vech.io.pack(path, use="lower").half.tolist() == [1, 2, 3]
    assert vech.io.pack(path, use="upper").labels == ("a", "b")
    with pytest.raises(FileFormatError, match=r"a\.csv, line 3: matrix is not symmetric: a\[1, 0\] is 2\.0"):
        vech.io.pack(path)


def test_a_skew_matrix_is_read_where_that_is_said(tmp_path):
    store = vech.read(stored(tmp_path, "0,2\n-2,0"), kind="skew", layout="condensed")
    assert store.expand().tolist() == [[0, 2], [-2, 0]]


# ---- files of other programs -------------------------------------------------------------------------------

LOWER = [11.834, 6.947, 9.364, 6.819, 5.091, 12.532, 4.783, 5.028, 7.495, 9.986, -3.839, -3.889, -3.841, -3.625, 9.61]  # fmt: skip
CORRELATIONS = {
    ("mpg", "cyl"): -0.852161959426613,
    ("mpg", "disp"): -0.847551379262479,
    ("hp", "disp"): 0.790948586369806,
    ("hp", "hp"): 1,
}


def test_the_triangle_of_lavaan():
    store = vech.read(DATA / "lavaan-wheaton.txt")
    assert store.layout == vech.as_layout("numpy-tril") and store.n == 6
    assert store.half[:15].tolist() == LOWER
    assert store[5, 5] == 450.288


@pytest.mark.parametrize(
    ("name", "options"), [("r-write.csv", {}), ("r-write2.csv", {"decimal": ","}), ("r-write-table.txt", {})]
)
def test_the_tables_of_r(name, options):
    store = vech.read(DATA / name, **options)
    assert store.labels == ("mpg", "cyl", "disp", "hp")
    for (row, column), number in CORRELATIONS.items():
        assert store[store.labels.index(row), store.labels.index(column)] == number


def test_the_tables_of_pandas(tmp_path):
    frame = pd.DataFrame([[1.0, 0.1], [0.1, 3]], ["a", "b"], ["a", "b"])
    for name, options in (
        ("a.csv", {}),
        ("a.tsv", {"sep": "\t"}),
        ("b.csv", {"sep": ";", "decimal": ","}),
        ("a.csv.gz", {}),
    ):
        frame.to_csv(tmp_path / name, **options)
        store = vech.read(tmp_path / name, decimal=options.get("decimal", "."))
        assert store.labels == ("a", "b") and store.expand().tolist() == frame.to_numpy().tolist()


def test_the_tables_of_numpy(tmp_path):
    full = np.array([[1 / 3, 2e-300], [2e-300, 1e22]])
    np.savetxt(tmp_path / "a.txt", full)
    assert np.array_equal(vech.read(tmp_path / "a.txt").expand(), full)
    np.savetxt(tmp_path / "half.txt", full[np.tril_indices(2)])
    assert np.array_equal(vech.read(tmp_path / "half.txt", layout="numpy-tril").expand(), full)


# ---- out ---------------------------------------------------------------------------------------------------

NUMBERS = [0.1, -1 / 3, 5e-324, 1.7976931348623157e308, -0.0, 123456789.0, np.nan, np.inf, 2.0**53, 1e22]
NAMES = ("#a", "b, c", 'say "d"', "Ærø 4")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt", "a.csv.gz", "a.TSV.GZ"])
@pytest.mark.parametrize("labels", [None, NAMES])
def test_what_is_written_comes_back_bit_for_bit(tmp_path, name, labels):
    written = vech.Packed(np.array(NUMBERS), labels=labels)
    vech.write(tmp_path / name, written)
    read = vech.read(tmp_path / name)
    assert read.labels == labels
    np.testing.assert_array_equal(read.half, NUMBERS)
    assert np.signbit(read.half).tolist() == np.signbit(NUMBERS).tolist()


@pytest.mark.parametrize("layout", ["numpy-triu", "condensed", "svec-lower", "lapack-rfp-nu"])
def test_every_layout_goes_out_as_the_full_matrix(tmp_path, layout):
    half = np.arange(1.0, 1 + vech.as_layout(layout).length(4))
    vech.write(tmp_path / "a.csv", vech.Packed(half, layout))
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "a.csv", delimiter=","), vech.expand(half, layout))


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f8", "i1", "u4", "i8", "bool"])
def test_every_real_dtype_goes_out_with_the_fewest_digits(tmp_path, dtype):
    half = np.array([0, 1, 0.1, 3, 1, 0]).astype(dtype)
    vech.write(tmp_path / "a.csv", vech.Packed(half))
    assert np.array_equal(vech.read(tmp_path / "a.csv").half.astype(dtype), half)
    assert max(map(len, (tmp_path / "a.csv").read_text().replace("\n", ",").split(","))) <= 6


def test_pandas_reads_what_is_written(tmp_path):
    store = vech.Packed(np.array([*NUMBERS[:6], 7, 8, 9, 10]), labels=NAMES)
    for name, sep in (("a.csv", ","), ("a.tsv", "\t"), ("a.csv.gz", ",")):
        vech.write(tmp_path / name, store)
        frame = pd.read_csv(tmp_path / name, sep=sep, index_col=0)
        assert tuple(frame.index) == tuple(frame.columns) == NAMES
        np.testing.assert_array_equal(frame.to_numpy(), store.expand())


def test_the_csv_module_reads_what_is_written(tmp_path):
    vech.write(tmp_path / "a.csv", vech.Packed(np.array([1.0, 2, 3]), labels=("a", 'b"')))
    rows = list(csv.reader(io.StringIO((tmp_path / "a.csv").read_text())))
    assert rows == [["", "a", 'b"'], ["a", "1.0", "2.0"], ['b"', "2.0", "3.0"]]


def test_a_skew_matrix_goes_out_whole(tmp_path):
    half = np.arange(1.0, 7)
    vech.write(tmp_path / "a.csv", vech.Packed(half, "condensed", kind="skew"))
    want = reference.expand(half, vech.as_layout("condensed"), "skew")
    assert vech.read(tmp_path / "a.csv", kind="skew").expand().tolist() == want.tolist()


@pytest.mark.parametrize(
    "labels", [[1, 2], [("a", 1), ("b", 2)], [None, "a"], [pd.Timestamp("2020-01-01"), "a"]]
)
def test_labels_that_are_no_text_are_not_made_text(tmp_path, labels):
    with pytest.raises(TypeError, match=r"and a table keeps text: S.with_labels\(str\), or write \.npz"):
        vech.write(tmp_path / "a.csv", vech.Packed(np.arange(3.0), labels=labels))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("label", ["", " a", "a\n", "\x1b[2J"])
def test_labels_that_would_come_back_as_others_stay_inside(tmp_path, label):
    with pytest.raises(ValueError, match="would come back as another: a table keeps letters, without blanks"):
        vech.write(tmp_path / "a.csv", vech.Packed(np.arange(3.0), labels=[label, "b"]))


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("number", [0.5, np.nan, 7.0])
def test_the_smallest_matrices(tmp_path, n, labelled, number):
    labels = "abc"[:n] if labelled else None
    written = vech.Packed(np.full(n * (n + 1) // 2, number), labels=labels)
    vech.write(tmp_path / "a.csv", written)
    read = vech.read(tmp_path / "a.csv")
    np.testing.assert_array_equal(read.half, written.half)
    assert read.labels == written.labels


def test_nothing_is_not_written(tmp_path):
    with pytest.raises(ValueError, match=r"a\.csv: a matrix without rows leaves nothing to read"):
        vech.write(tmp_path / "a.csv", vech.Packed(np.zeros(0)))


@pytest.mark.parametrize("dtype", ["c16", "M8[s]"])
def test_other_numbers_are_refused(tmp_path, dtype):
    with pytest.raises(TypeError, match=r"a\.csv: cells of a table hold real numbers, not"):
        vech.write(tmp_path / "a.csv", vech.Packed(np.zeros(3, dtype), kind="symmetric"))


def test_a_sparse_half_is_sent_elsewhere(tmp_path):
    store = vech.SparseHalf([0, 1, 2], [0, 0], [1.0, 2.0], 2, triangle="lower")
    with pytest.raises(TypeError, match=r"a\.csv: \.csv holds a dense half, and this is a SparseHalf"):
        vech.write(tmp_path / "a.csv", store)


def test_writing_is_told_of_as_it_goes(tmp_path, monkeypatch):
    monkeypatch.setattr("vech.io.text_rows.TEXT", 8)
    told = []
    store = vech.Packed(np.arange(10.0))
    vech.io.expand(tmp_path / "a.csv", store, progress=lambda done, total: told.append((done, total)))
    assert told == [(64, 128), (128, 128)]
    assert np.array_equal(vech.read(tmp_path / "a.csv").half, store.half)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv.gz"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_stops_the_writer_leaves_what_was_there(tmp_path, name, error):
    (tmp_path / name).write_bytes(b"before")

    def stop(done, total):
        raise error

    with pytest.raises(type(error)):
        vech.io.expand(tmp_path / name, vech.Packed(np.arange(10.0)), progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"before"


# ---- size --------------------------------------------------------------------------------------------------


def test_a_packed_file_without_end_is_an_error(tmp_path):
    for text in (b"0," * (33 << 20), b"0\n" * 3 + b"\n" * (1 << 17) + b"x", b"1,2\n" * (1 << 20)):
        path = tmp_path / "a.csv.gz"
        path.write_bytes(gzip.compress(text, 1))
        with pytest.raises(
            FileFormatError, match=r"more than 67,108,864 bytes|the label '0' twice|row 4 of 2"
        ):
            vech.read(path)


def test_a_large_table_is_read_in_time(tmp_path):
    n = 400
    full = np.random.default_rng(1).standard_normal((n, n))
    vech.write(tmp_path / "a.csv", vech.Packed(vech.pack(full + full.T)))
    began = time.process_time()
    store = vech.read(tmp_path / "a.csv")
    ours = time.process_time() - began
    began = time.process_time()
    theirs = np.loadtxt(tmp_path / "a.csv", delimiter=",")
    assert np.array_equal(store.expand(), theirs)
    assert ours < 3 * (time.process_time() - began) + 0.1
