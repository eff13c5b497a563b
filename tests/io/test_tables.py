"""Tables as data: what .csv, .parquet and .npy give, and where a cell is that is no number."""

import json

import numpy as np
import pytest

from vech.io import FileFormatError, arrays
from vech.io.tables import read_table

LINES = "date,a,b\n2020-01-01,1,2.5\n2020-01-02,,-3e2\n\n2020-01-03,7,nan\n"
NUMBERS = [[1, 2.5], [np.nan, -300], [7, np.nan]]


@pytest.fixture
def table(tmp_path):
    def write(text, name="table.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_first_line_without_numbers_names_the_columns(table):
    array, labels = read_table(table(LINES), drop=["date"])
    np.testing.assert_array_equal(array, NUMBERS)
    assert labels == ("a", "b") and array.dtype == np.float64


def test_names_may_be_quoted_and_have_a_byte_order_mark(table):
    array, labels = read_table(table('\ufeff"a, b", c \n1,2\n3,4\n'))
    assert labels == ("a, b", "c")
    np.testing.assert_array_equal(array, [[1, 2], [3, 4]])


def test_without_names_columns_have_numbers(table):
    array, labels = read_table(table("1,2,3\n4,5,6\n"), drop=["1"])
    np.testing.assert_array_equal(array, [[1, 3], [4, 6]])
    assert labels is None


def test_an_array_is_taken_as_it_is(tmp_path, monkeypatch):
    X = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.save(tmp_path / "x.npy", X)
    array, labels = read_table(tmp_path / "x.npy")
    np.testing.assert_array_equal(array, X)
    assert labels is None and array.dtype == np.float32
    np.testing.assert_array_equal(read_table(tmp_path / "x.npy", drop=["0"])[0], X[:, 1:])
    monkeypatch.setattr(arrays, "MAP_FROM", 1)
    assert isinstance(read_table(tmp_path / "x.npy")[0], np.memmap)


def test_parquet_gives_its_columns(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason=".parquet is read by pyarrow")
    from pyarrow import parquet

    columns = {"when": ["x", "y"], "a": [1, None], "b": np.array([0.5, 1.5], np.float32)}
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    array, labels = read_table(tmp_path / "t.parquet", drop=["when"])
    np.testing.assert_array_equal(array, [[1, 0.5], [np.nan, 1.5]])
    assert labels == ("a", "b")
    with pytest.raises(
        FileFormatError, match=r"column 'when' holds .*string, which is no number.*--drop 'when'"
    ):
        read_table(tmp_path / "t.parquet")
    (tmp_path / "not.parquet").write_bytes(b"no")
    with pytest.raises(FileFormatError, match="is no Parquet file"):
        read_table(tmp_path / "not.parquet")


WRONG = {
    "a cell": (
        "a,b\n1,2\n3,x\n",
        (),
        "line 3: column 'b' holds 'x', which is no number: leave it out by --drop 'b'",
    ),
    "a date": (LINES, (), "line 2: column 'date' holds '2020-01-01'"),
    "a short line": ("a,b\n1,2\n3\n", (), "line 3: has 1 cells, and there are 2 columns"),
    "a long line": ("1,2\n3,4,5\n", (), "line 2: has 3 cells, and there are 2 columns"),
    "nothing": ("", (), "is empty"),
    "names only": ("a,b\n", (), "names its columns and has no rows"),
    "an unknown column": (LINES, ("c",), "has no column 'c' to drop: it has 'date', 'a', 'b'"),
    "no column": ("a\n1\n", ("a",), "has no column left"),
}


@pytest.mark.parametrize("text, drop, message", WRONG.values(), ids=WRONG)
def test_what_is_no_table_says_where(table, text, drop, message):
    path = table(text)
    with pytest.raises(FileFormatError) as caught:
        read_table(path, drop=drop)
    assert str(caught.value).startswith(f"{path}") and message in str(caught.value)


def test_other_files_and_shapes_are_refused(tmp_path, table):
    with pytest.raises(FileFormatError, match=r"has no suffix of a table: .csv, .parquet, .npy"):
        read_table(table("1", "table.txt"))
    np.save(tmp_path / "half.npy", np.ones(6))
    with pytest.raises(
        FileFormatError, match=r"holds an array of shape \(6,\), and data are rows by columns"
    ):
        read_table(tmp_path / "half.npy")


NUMBERED = {"years": "2020,2021\n0.5,1\n1,2.5\n", "pandas": "0,1\n0.5,1\n1,2.5\n"}


@pytest.mark.parametrize("text", NUMBERED.values(), ids=NUMBERED)
def test_a_first_line_of_integers_above_fractions_must_be_said_to_be_names_or_not(table, text):
    path = table(text)
    with pytest.raises(
        FileFormatError, match=r"line 1: may name the columns, .* --header, or --no-header if"
    ):
        read_table(path)
    array, labels = read_table(path, header=True)
    np.testing.assert_array_equal(array, [[0.5, 1], [1, 2.5]])
    assert labels == tuple(text.splitlines()[0].split(","))
    array, labels = read_table(path, header=False)
    assert array.shape == (3, 2) and labels is None


@pytest.mark.parametrize("text", ["1,1\n0.5,1\n", "1.0,2.0\n0.5,1\n", "1,2\n3,4\n"])
def test_a_first_line_that_is_no_row_of_names_is_data(table, text):
    array, labels = read_table(table(text))
    assert array.shape == (2, 2) and labels is None


def test_a_column_without_a_name_is_refused_until_it_is_left_out(table):
    path = table(",a,b\n0,1,2.5\n1,3,4\n")
    with pytest.raises(FileFormatError, match=r"line 1: column 0 has no name, .* leave it out by --drop ''"):
        read_table(path)
    array, labels = read_table(path, drop=[""])
    np.testing.assert_array_equal(array, [[1, 2.5], [3, 4]])
    assert labels == ("a", "b")
    numbered = table(",2020,2021\n0,1,2.5\n1,3,4\n", "numbered.csv")
    with pytest.raises(FileFormatError, match="may name the columns"):
        read_table(numbered)
    assert read_table(numbered, drop=[""], header=True)[1] == ("2020", "2021")


def test_header_is_for_csv_only(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((2, 2)))
    with pytest.raises(FileFormatError, match=r"--header and --no-header are for \.csv"):
        read_table(tmp_path / "x.npy", header=True)


@pytest.mark.parametrize("name, drop", [(None, ()), ("day", ()), ("day", ("day",))])
def test_an_index_that_pandas_saved_is_left_out(tmp_path, name, drop):
    pyarrow = pytest.importorskip("pyarrow", reason=".parquet is read by pyarrow")
    from pyarrow import parquet

    index = name or "__index_level_0__"
    table = pyarrow.table({"a": [1.5, 2], "b": [3.0, 4], index: [7, 8]})
    metadata = {b"pandas": json.dumps({"index_columns": [index]}).encode()}
    parquet.write_table(table.replace_schema_metadata(metadata), tmp_path / "t.parquet")
    array, labels = read_table(tmp_path / "t.parquet", drop=drop)
    np.testing.assert_array_equal(array, [[1.5, 3], [2, 4]])
    assert labels == ("a", "b")
