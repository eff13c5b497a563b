"""Tables as data: what .csv, .parquet and .npy give, and where a cell is that is no number."""

import errno
import json
import os

import numpy as np
import pytest

from vech.io import FileFormatError, arrays
from vech.io.tables import iter_table, read_table


def read(path, **arguments):
    """The numbers, and the names of their columns."""
    table = read_table(path, **arguments)
    return table.numbers, table.labels


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
    array, labels = read(table(LINES), drop=["date"])
    np.testing.assert_array_equal(array, NUMBERS)
    assert labels == ("a", "b") and array.dtype == np.float64


def test_names_may_be_quoted_and_have_a_byte_order_mark(table):
    array, labels = read(table('\ufeff"a, b", c \n1,2\n3,4\n'))
    assert labels == ("a, b", "c")
    np.testing.assert_array_equal(array, [[1, 2], [3, 4]])


def test_without_names_columns_have_numbers(table):
    array, labels = read(table("1,2,3\n4,5,6\n"), drop=["1"])
    np.testing.assert_array_equal(array, [[1, 3], [4, 6]])
    assert labels is None


def test_an_array_is_taken_as_it_is(tmp_path, monkeypatch):
    X = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.save(tmp_path / "x.npy", X)
    array, labels = read(tmp_path / "x.npy")
    np.testing.assert_array_equal(array, X)
    assert labels is None and array.dtype == np.float32
    np.testing.assert_array_equal(read(tmp_path / "x.npy", drop=["0"])[0], X[:, 1:])
    monkeypatch.setattr(arrays, "MAP_FROM", 1)
    assert isinstance(read(tmp_path / "x.npy")[0], np.memmap)


def test_parquet_gives_its_columns(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason=".parquet is read by pyarrow")
    from pyarrow import parquet

    columns = {"when": ["x", "y"], "a": [1, None], "b": np.array([0.5, 1.5], np.float32)}
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    array, labels = read(tmp_path / "t.parquet", drop=["when"])
    np.testing.assert_array_equal(array, [[1, 0.5], [np.nan, 1.5]])
    assert labels == ("a", "b")
    with pytest.raises(
        FileFormatError,
        match=r"column 'when' holds .*string, which is no number.*drop='when' \(--drop 'when'\)",
    ):
        read(tmp_path / "t.parquet")
    (tmp_path / "not.parquet").write_bytes(b"no")
    with pytest.raises(FileFormatError, match="is no Parquet file"):
        read(tmp_path / "not.parquet")


def test_a_disk_that_cannot_be_read_is_no_wrong_parquet(tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet", reason=".parquet is read by pyarrow")

    def broken(_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(parquet, "ParquetFile", broken)
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(OSError, match="Input/output error") as caught:
        read(tmp_path / "t.parquet")
    assert caught.value.errno == errno.EIO


WRONG = {
    "a cell": (
        "a,b\n1,2\n3,x\n",
        (),
        "line 3: column 'b' holds 'x', which is no number: leave it out by drop='b' (--drop 'b')",
    ),
    "a date": (
        LINES,
        (),
        "all dates by dates='drop' (--dates drop), or make it labels of rows by index='date'",
    ),
    "a short line": ("a,b\n1,2\n3\n", (), "line 3: has 1 cell, and there are 2 columns"),
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
        read(path, drop=drop)
    assert str(caught.value).startswith(f"{path}") and message in str(caught.value)


def test_other_files_and_shapes_are_refused(tmp_path, table):
    with pytest.raises(FileFormatError, match=r"has no suffix of a table: .csv, .tsv, .txt, .csv.gz, .*.npy"):
        read(table("1", "table.dat"))
    np.save(tmp_path / "half.npy", np.ones(6))
    with pytest.raises(
        FileFormatError, match=r"holds an array of shape \(6,\), and data are rows by columns"
    ):
        read(tmp_path / "half.npy")


NUMBERED = {"years": "2020,2021\n0.5,1\n1,2.5\n", "pandas": "0,1\n0.5,1\n1,2.5\n"}


@pytest.mark.parametrize("text", NUMBERED.values(), ids=NUMBERED)
def test_a_first_line_of_integers_above_fractions_must_be_said_to_be_names_or_not(table, text):
    path = table(text)
    with pytest.raises(
        FileFormatError,
        match=r"line 1: may name the columns, .*: say header=True \(--header\), "
        r"or header=False \(--no-header\) if it",
    ):
        read(path)
    array, labels = read(path, header=True)
    np.testing.assert_array_equal(array, [[0.5, 1], [1, 2.5]])
    assert labels == tuple(text.splitlines()[0].split(","))
    array, labels = read(path, header=False)
    assert array.shape == (3, 2) and labels is None


@pytest.mark.parametrize("text", ["1,1\n0.5,1\n", "1.0,2.0\n0.5,1\n", "1,2\n3,4\n"])
def test_a_first_line_that_is_no_row_of_names_is_data(table, text):
    array, labels = read(table(text))
    assert array.shape == (2, 2) and labels is None


def test_header_is_for_text_only(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((2, 2)))
    with pytest.raises(
        ValueError, match=r"header \(--header, --no-header\) says nothing about a file \.npy: leave it out"
    ):
        read(tmp_path / "x.npy", header=True)


@pytest.mark.parametrize("name, drop", [(None, ()), ("day", ()), ("day", ("day",))])
def test_an_index_that_pandas_saved_is_left_out(tmp_path, name, drop):
    pyarrow = pytest.importorskip("pyarrow", reason=".parquet is read by pyarrow")
    from pyarrow import parquet

    index = name or "__index_level_0__"
    table = pyarrow.table({"a": [1.5, 2], "b": [3.0, 4], index: [7, 8]})
    metadata = {b"pandas": json.dumps({"index_columns": [index]}).encode()}
    parquet.write_table(table.replace_schema_metadata(metadata), tmp_path / "t.parquet")
    array, labels = read(tmp_path / "t.parquet", drop=drop)
    np.testing.assert_array_equal(array, [[1.5, 3], [2, 4]])
    assert labels == ("a", "b")


def refused(path, message, **arguments):
    with pytest.raises(FileFormatError) as caught:
        read(path, **arguments)
    assert str(caught.value).startswith(f"{path}") and message in str(caught.value)
    assert str(caught.value).isprintable()


NO_NUMBERS = [
    "1_000",
    "0x10",
    "1,5",
    "1.5.2",
    "1e",
    "--1",
    "1 2",
    "\uff11",
    "\u0663",
    "1\x00",
    "2\n",
    "$1",
    "1\u00a0",
]


@pytest.mark.parametrize("cell", NO_NUMBERS)
def test_what_only_python_or_a_spreadsheet_takes_for_a_number_is_none(table, cell):
    shown = repr(cell)
    refused(
        table(f'a,b\n1,2\n3,"{cell}"\n'),
        f"line 3: column 'b' holds {shown}, which is no number",
    )


@pytest.mark.parametrize(
    ("cell", "number"),
    {
        "1": 1,
        "-.5": -0.5,
        "+1.": 1,
        " 2e-3 ": 0.002,
        "1E5": 1e5,
        "inf": np.inf,
        "Infinity": np.inf,
        "NA": np.nan,
        "-INF": -np.inf,
        "NaN": np.nan,
        "-nan": np.nan,
        "": np.nan,
        "\t": np.nan,
        "9007199254740992": 2.0**53,
        "0.12345678901234567890123": 0.12345678901234568,
        "1e22": 1e22,
        "000000000000000000001": 1,
    }.items(),
)
def test_numbers_of_a_cell(table, cell, number):
    array, _ = read(table(f"a,b\n7,{cell}\n"))
    np.testing.assert_array_equal(array, [[7, number]])


@pytest.mark.parametrize(
    "cell", ["9007199254740993", "-9007199254740993", "1665045912937687151.00", "9" * 5000]
)
def test_an_integer_that_float64_would_round_is_refused(table, tmp_path, cell):
    shown = cell.partition(".")[0]
    shown = shown if len(shown) <= 40 else shown[:40] + "..."
    message = (
        f"column 'b' holds the integer {shown}, and float64 tells integers apart up to 2**53: "
        f"subtract an offset"
    )
    refused(table(f"a,b\n1,{cell}\n"), f"line 2: {message}")
    if len(cell) > 20:
        return
    pyarrow = pytest.importorskip("pyarrow", reason=".parquet is read by pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"a": [1.5], "b": [int(shown)]}), tmp_path / "t.parquet")
    refused(tmp_path / "t.parquet", message)


def test_a_number_beyond_float64_is_refused(table):
    refused(
        table("a,b\n1,1e400\n"),
        "line 2: column 'b' holds '1e400', which is beyond float64: write it in another unit",
    )


@pytest.mark.parametrize(
    "text", ["\n\na,b\n1,2\n\n3,4\n\n", "\r\na,b\r\n1,2\r\n3,4", "a,b\r1,2\r3,4\r", '"a","b"\n"1",2\n3,"4"\n']
)
def test_blank_lines_line_ends_and_quotes(tmp_path, text):
    (tmp_path / "t.csv").write_bytes(text.encode())
    array, labels = read(tmp_path / "t.csv")
    np.testing.assert_array_equal(array, [[1, 2], [3, 4]])
    assert labels == ("a", "b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'a,b\n1,"2\n3,4\n',
            "line 2: begins a quoted cell that does not end: see whether a quote is missing here",
        ),
        (
            'a,b\n1,2\n3,"4"5\n',
            "line 3: has letters behind the quote that ends a cell: see whether a quote is",
        ),
        ('a,b\n\n"x\ny",2\n3,z\n', "line 3: column 'a' holds 'x\\ny', which is no number"),
        (
            'a,b\n1,"' + "2,3\n" * 50_000,
            "line 2: has a cell of more than 131,072 letters: see whether a quote is missing",
        ),
        ("a,b\n1," + "4" * 200_000 + "\n", "line 2: has a cell of more than 131,072 letters"),
        (
            "a,\x1b[31mb\n1,\x1b]0;x\x07\n",
            r"line 2: column '\x1b[31mb' holds '\x1b]0;x\x07', which is no number",
        ),
    ],
)
def test_a_quote_that_is_not_closed_and_other_damage_say_where(table, text, message):
    refused(table(text), message)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            "a,b\n1,2\n\u00e4,3\n".encode("latin-1"),
            "line 3: has the byte 0xe4, which is no UTF-8: say encoding='cp1252' (--encoding cp1252) or",
        ),
        ("a,b\n1,2\n".encode("utf-16-be"), "line 1: has zeros between its letters, as UTF-16 has: say enc"),
    ],
)
def test_other_encodings_are_refused_with_the_way_out(tmp_path, data, message):
    (tmp_path / "t.csv").write_bytes(data)
    refused(tmp_path / "t.csv", message)


@pytest.mark.parametrize(
    "head",
    [
        "a,1.5",
        "1_000,2",
        "-,2",
        "1e5x,1e5",
        "1,0x10",
        "1,nan(1)",
        "7,12a",
        "1,2.5e-",
        "1,-Infinityx",
        "a,1,5%",
    ],
)
def test_names_beside_numbers_must_be_said_to_be_names_or_not(table, head):
    odd = next(cell for cell in (*head.split(","), "") if not cell.isdecimal() and cell not in ("a", "1e5"))
    below = ",".join("12345"[: len(head.split(","))])
    refused(table(f"{head}\n{below}\n"), f"line 1: holds numbers beside {'a' if odd == '1.5' else odd!r}")
    assert read(table(f"{head}\n{below}\n"), header=True)[1] == tuple(head.split(","))
    refused(table(f"{head}\n{below}\n"), "line 1: column ", header=False)


@pytest.mark.parametrize("head", ["date,2020", "2020_01,2020_02", "Infinity,b", "a1,b2", "info,nanog,1"])
def test_names_with_digits_in_them_are_names(table, head):
    names = head.split(",")
    assert read(table(f"{head}\n{','.join('12345'[: len(names)])}\n"))[1] == tuple(names)


def test_a_file_that_is_cut_while_it_is_read_is_no_shorter_table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1.25,2.5\n" * 2_000_000)
    blocks = iter_table(path)
    next(blocks)
    os.truncate(path, 12_000_001)
    with pytest.raises(
        FileFormatError, match="was cut while it was read: it had 18,000,004 bytes, and 12,000,001"
    ):
        list(blocks)


@pytest.mark.parametrize("shape", [(0, 2**31 - 1), (0, 10**12), (0, 3)])
def test_an_array_without_rows_is_refused_at_once(tmp_path, shape):
    with (tmp_path / "t.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
    refused(tmp_path / "t.npy", f"holds an array of shape {shape}, which has no rows")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: b"", "is no .npy file"),
        (lambda x: x + b"x", "ends at byte"),
        (lambda x: x[:-1], "ends at byte"),
    ],
)
def test_a_damaged_array_is_refused_as_by_read(tmp_path, change, message):
    np.save(tmp_path / "t.npy", np.ones((4, 2)))
    (tmp_path / "t.npy").write_bytes(change((tmp_path / "t.npy").read_bytes()))
    refused(tmp_path / "t.npy", message)


@pytest.mark.parametrize("name", ["none.csv", "none.npy", "none.parquet", "none.feather", "none.xlsx"])
def test_a_file_that_is_not_there_is_named(tmp_path, name):
    if not name.endswith((".csv", ".npy")):
        pytest.importorskip("openpyxl" if name.endswith("xlsx") else "pyarrow")
    with pytest.raises(FileNotFoundError) as told:
        read(tmp_path / name)
    assert str(told.value.filename) == str(tmp_path / name)
