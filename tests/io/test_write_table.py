"""Tables out: what is read back has every bit, every name and label; other programs read the same."""

import datetime
import gzip
import tracemalloc
import zipfile

import numpy as np
import pytest

import vech
from vech import arrays
from vech.io import FileFormatError, Table, iter_table, read_table, write_table
from vech.io.workbook import repeated_cells

RNG = np.random.default_rng(3)
X = np.concatenate([
    RNG.normal(size=(50, 3)),
    RNG.integers(0, 2**64, (200, 3), dtype=np.uint64).view("f8"),  # any bits
    np.array([[0.1, -0.0, 5e-324], [1 / 3, 2.0**53 + 2, 1.7976931348623157e308]]),
])  # fmt: skip
X[np.isnan(X) | np.isinf(X)] = 1.5
LABELS = ("a", 'b "x", y', "\u03b2;\tz")
INDEX = tuple(f"row {k}" for k in range(len(X)))
TEXT = ("t.csv", "t.tsv", "t.txt", "t.csv.gz", "t.TSV.GZ")
SUFFIXES = (*TEXT, "t.parquet", "t.feather", "t.xlsx")


def kept(name):
    """The numbers as they come back: pandas reads a zero of a sheet without its sign."""
    return (X + 0.0 if name.endswith(".xlsx") else X).tobytes()


def need(name):
    if name.endswith((".parquet", ".feather")):
        pytest.importorskip("pyarrow", reason="written by pyarrow")
    if name.endswith(".xlsx"):
        pytest.importorskip("openpyxl", reason="written by openpyxl")
        pytest.importorskip("pandas", reason="read by pandas")


@pytest.mark.parametrize("name", SUFFIXES)
@pytest.mark.parametrize("index", [None, INDEX], ids=["plain", "labelled"])
def test_what_is_written_is_read_with_every_bit_and_label(tmp_path, name, index):
    need(name)
    write_table(tmp_path / name, Table(X, LABELS, index))
    found = read_table(tmp_path / name)
    assert found.numbers.tobytes() == kept(name)
    assert (found.labels, found.index) == (LABELS, index)
    blocks = list(iter_table(tmp_path / name))
    assert np.concatenate([block.numbers for block in blocks]).tobytes() == kept(name)


@pytest.mark.parametrize("name", SUFFIXES)
def test_missing_numbers_stay_and_rows_of_them_too(tmp_path, name):
    need(name)
    one = np.array([[np.nan], [1.0], [np.nan]])
    write_table(tmp_path / name, Table(one, ["a"]))
    np.testing.assert_array_equal(read_table(tmp_path / name).numbers, one)


@pytest.mark.parametrize("name", ["t.csv", "t.tsv.gz"])
def test_infinite_numbers_and_decimal_commas(tmp_path, name):
    numbers = np.array([[np.inf, -np.inf, 0.5], [np.nan, 1e-300, -2.0]])
    write_table(tmp_path / name, Table(numbers, ["a", "b", "c"]), decimal=",")
    np.testing.assert_array_equal(read_table(tmp_path / name, decimal=",").numbers, numbers)


@pytest.mark.parametrize("dtype", ["f4", ">f8", "f2", "i1", "u4", "i8", "?"])
def test_numbers_of_every_dtype_are_the_same(tmp_path, dtype):
    numbers = (np.arange(12).reshape(4, 3) / 7).astype(dtype)
    write_table(tmp_path / "t.csv", numbers, sep=";")
    np.testing.assert_array_equal(read_table(tmp_path / "t.csv", header=False).numbers, numbers)


@pytest.mark.parametrize("name", SUFFIXES)
def test_pandas_reads_what_is_written_and_the_other_way_round(tmp_path, name):
    pandas = pytest.importorskip("pandas")
    need(name)
    frame = pandas.DataFrame(X, list(INDEX), ["a", "b", "c"])
    write_table(tmp_path / name, frame)
    suffix = name.lower().removesuffix(".gz")[2:]
    text = {"sep": "," if suffix == "csv" else "\t", "index_col": 0, "dtype": str}
    if suffix in ("csv", "tsv", "txt"):
        found = pandas.read_csv(
            tmp_path / name, **text, compression="infer" if name != "t.TSV.GZ" else "gzip"
        ).map(float)
    elif suffix == "xlsx":
        found = pandas.read_excel(tmp_path / name, index_col=0)
    else:
        found = getattr(pandas, f"read_{suffix}")(tmp_path / name)
    np.testing.assert_allclose(found.to_numpy(), X, rtol=1e-15)
    assert (tuple(found.columns), tuple(found.index)) == (("a", "b", "c"), INDEX)
    if suffix == "csv":
        frame.to_csv(tmp_path / name)
    elif suffix in ("parquet", "feather"):
        getattr(frame, f"to_{suffix}")(tmp_path / name)
    back = read_table(tmp_path / name)
    assert back.numbers.tobytes() == kept(name) and (back.labels, back.index) == (("a", "b", "c"), INDEX)


def test_labels_that_only_count_are_left_out(tmp_path):
    pandas = pytest.importorskip("pandas")
    write_table(tmp_path / "t.csv", pandas.DataFrame({"a": [1.0, 2.0]}))
    assert (tmp_path / "t.csv").read_text() == "a\n1.0\n2.0\n"
    write_table(tmp_path / "t.csv", pandas.DataFrame([[1.0, 2.0]]))
    assert (tmp_path / "t.csv").read_text() == "1.0,2.0\n"
    write_table(tmp_path / "t.csv", pandas.DataFrame({"a": [1.0]}, [pandas.Timestamp("2020-01-31")]))
    assert read_table(tmp_path / "t.csv").index == ("2020-01-31 00:00:00",)


def test_gzip_files_are_the_same_each_time(tmp_path):
    for name in ("a.csv.gz", "b.csv.gz"):
        write_table(tmp_path / name, X)
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()).count(b"\n") == len(X)


REFUSED = {
    "another suffix": ("t.doc", X, {}, "has no suffix of a table that is written: .csv, .tsv, .txt, .csv.gz"),
    "an old workbook": ("t.xls", X, {}, "has no suffix of a table that is written"),
    "a repeated name": ("t.csv", Table(X[:, :2]), {}, "there is more than one column 'a'"),
    "an empty name": (
        "t.csv",
        Table(X, ["a", " ", "c"]),
        {},
        "the label ' ' is empty, or has blanks at an end",
    ),
    "a label with a blank": (
        "t.csv",
        Table(X[:1], None, ["x "]),
        {},
        "the label 'x ' is empty, or has blanks",
    ),
    "names that are numbers": (
        "t.csv",
        Table(X[:, :2], ["0.1", "nan"]),
        {},
        "the columns are named '0.1', 'nan', which in text are a row of numbers: write .parquet",
    ),
    "labels that are numbers, without names": (
        "t.tsv",
        Table(X[:1], None, ["7"]),
        {},
        "the rows are named '7', and the columns are not: in text that is a column of numbers",
    ),
    "two commas": (
        "t.csv",
        X,
        {"sep": ",", "decimal": ","},
        "sep=',' is the decimal mark too: choose one of them",
    ),
    "a separator of two letters": (
        "t.csv",
        X,
        {"sep": "::"},
        "sep='::' cannot separate cells: one letter such as",
    ),
    "another decimal mark": (
        "t.csv",
        X,
        {"decimal": "'"},
        """decimal="'" is no decimal mark: '.' or ',' fits""",
    ),
    "a separator of no text": ("t.xlsx", X, {"sep": ";"}, "sep= and decimal= say nothing about a file .xlsx"),
    "an infinite number": (
        "t.xlsx",
        np.array([[np.inf]]),
        {},
        "Excel has no infinite numbers: write .csv or .parquet",
    ),
    "many columns": (
        "t.xlsx",
        np.ones((1, 20_000)),
        {},
        "a sheet of Excel has 1,048,576 rows and 16,384 columns",
    ),
}


@pytest.mark.parametrize(("name", "table", "said", "message"), REFUSED.values(), ids=REFUSED)
def test_what_no_file_would_give_back_is_refused(tmp_path, name, table, said, message):
    if name == "t.xlsx":
        need(name)
    if isinstance(table, Table) and "more than one" in message:
        pandas = pytest.importorskip("pandas")
        table = pandas.DataFrame(table.numbers, columns=["a", "a"])
    with pytest.raises(ValueError) as caught:
        write_table(tmp_path / name, table, **said)
    assert message in str(caught.value) and not list(tmp_path.iterdir())


def test_what_holds_no_real_numbers_is_refused(tmp_path):
    with pytest.raises(TypeError, match="table has dtype complex128, and files of tables hold real numbers"):
        write_table(tmp_path / "t.csv", X + 1j)
    with pytest.raises(TypeError, match="must be a NumPy array"):
        write_table(tmp_path / "t.csv", vech.Packed(np.ones(3)))


def test_a_file_that_is_there_stays_where_it_must_and_after_an_error(tmp_path):
    path = tmp_path / "t.csv"
    write_table(path, X)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="exists: choose another name"):
        write_table(path, -X, overwrite=False)
    with pytest.raises(ValueError, match="the label"):
        write_table(path, Table(X, ["a", "", "c"]))
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


# ---------------------------------------------------------------- other files


def test_a_table_is_data_for_estimators(tmp_path):
    write_table(tmp_path / "t.csv", Table(X[:50], ["a", "b", "c"], INDEX[:50]))
    expected = vech.covariance.sample(X[:50])
    for data in (
        read_table(tmp_path / "t.csv"),
        iter_table(tmp_path / "t.csv"),
        lambda: iter_table(tmp_path / "t.csv"),
    ):
        found = vech.covariance.sample(data)
        np.testing.assert_allclose(found.half, expected.half, rtol=1e-12)
        assert found.labels == ("a", "b", "c")


def test_a_table_says_what_it_is():
    table = Table(X[:4], LABELS)
    assert (len(table), table.shape, table.columns) == (4, (4, 3), LABELS)
    assert repr(table) == "Table(4 x 3, float64, labelled)"
    assert np.asarray(table) is table.numbers and np.asarray(table, "f4").dtype == np.float32
    assert not hasattr(Table(X), "columns")
    for labels, index, message in (
        ("ab", None, "there are 2 labels for 3 columns"),
        ("aba", None, "there is more than one column 'a'"),
        (None, "abc", "there are 3 labels for 4 rows"),
    ):
        with pytest.raises(ValueError, match=message):
            Table(X[:4], labels, index)
    with pytest.raises(ValueError, match=r"numbers have shape \(3,\), and a table has rows and columns"):
        Table(X[0])


@pytest.fixture
def workbook(tmp_path):
    openpyxl = pytest.importorskip("openpyxl", reason="makes workbooks")
    pytest.importorskip("pandas", reason="reads them")

    def write(*sheets):
        book = openpyxl.Workbook()
        book.remove(book.active)
        for number, rows in enumerate(sheets):
            sheet = book.create_sheet(f"s{number}")
            for row in rows:
                sheet.append(row)
        book.save(tmp_path / "t.xlsx")
        return tmp_path / "t.xlsx"

    return write


DAY = datetime.datetime(2020, 1, 31)


def test_a_sheet_is_read_by_the_rules_of_text(workbook):
    path = workbook([["day", "a", "b"], [DAY, 0.1, "NA"], [], [DAY, None, "#N/A"], [DAY, "2.5", 3]])
    found = read_table(path, dates="drop")
    np.testing.assert_array_equal(found.numbers, [[0.1, np.nan], [np.nan, np.nan], [2.5, 3]])
    assert found.labels == ("a", "b")
    assert read_table(path, index="day").index[0] == "2020-01-31 00:00:00"
    with pytest.raises(
        FileFormatError, match=r"line 2: column 'day' holds '2020-01-31 00:00:00', which is a date"
    ):
        read_table(path)
    with pytest.raises(FileFormatError, match=r"line 3: column 'b' holds 'True', which is no number"):
        read_table(workbook([["a", "b"], [1, 2], [3, True]]))


def test_which_sheet_must_be_said_of_several(workbook):
    path = workbook([["a"], [1]], [["b"], [2]])
    with pytest.raises(FileFormatError, match=r"has the sheets 's0', 's1': say which by sheet= \(--sheet\)"):
        read_table(path)
    assert read_table(path, sheet="s1").labels == read_table(path, sheet=1).labels == ("b",)
    with pytest.raises(FileFormatError, match="has no sheet 's2': it has 's0', 's1'"):
        read_table(path, sheet="s2")
    with pytest.raises(FileFormatError, match="has no sheet 2: it has 0 to 1"):
        read_table(path, sheet=2)


def test_what_is_no_workbook_says_so(tmp_path):
    need("t.xlsx")
    for data in (b"", b"PK\3\4 no", b"a,b\n1,2\n"):
        (tmp_path / "t.xlsx").write_bytes(data)
        with pytest.raises(FileFormatError, match="is no workbook that pandas reads"):
            read_table(tmp_path / "t.xlsx")


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_columns_of_other_types(tmp_path, suffix):
    pyarrow = pytest.importorskip("pyarrow", reason="reads these")
    from pyarrow import feather, parquet

    def save(**columns):
        table = pyarrow.table(columns)
        (parquet.write_table if suffix == ".parquet" else feather.write_feather)(
            table, str(tmp_path / f"t{suffix}")
        )
        return tmp_path / f"t{suffix}"

    path = save(day=[DAY, None], a=[1, None], b=np.array([0.5, 1.5], "f4"))
    found = read_table(path, dates="drop")
    np.testing.assert_array_equal(found.numbers, [[1, 0.5], [np.nan, 1.5]])
    assert found.labels == ("a", "b")
    assert read_table(path, index="day").index == ("2020-01-31 00:00:00", "")
    with pytest.raises(
        FileFormatError, match=r"column 'day' holds timestamp.*, which is a date: .* by dates='drop'"
    ):
        read_table(path)
    with pytest.raises(
        FileFormatError, match="column 'a' holds bool, which is no number: leave it out by drop='a'"
    ):
        read_table(save(a=[True], b=[1.0]))
    with pytest.raises(FileFormatError, match="holds the integer -9007199254740993, and float64 tells"):
        read_table(save(a=[-(2**53) - 1]))
    with pytest.raises(FileFormatError, match="names its columns and has no rows"):
        read_table(save(a=np.ones(0)))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(FileFormatError, match=r"is no .* file that pyarrow reads"):
        read_table(path)


def test_options_of_text_say_nothing_about_other_files(tmp_path):
    np.save(tmp_path / "t.npy", X)
    for said in (
        {"sep": ","},
        {"decimal": ","},
        {"comment": "#"},
        {"encoding": "utf-8"},
        {"na": "x"},
        {"sheet": 0},
    ):
        with pytest.raises(
            ValueError, match=rf"{next(iter(said))} \(--.*\) says nothing about a file \.npy: leave it"
        ):
            read_table(tmp_path / "t.npy", **said)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"encoding": "utf-99"}, "encoding='utf-99' is none that Python has"),
        ({"encoding": "zip"}, "encoding='zip' is none that Python has"),
        ({"dates": "no"}, "dates='no' is none of 'raise', 'drop'"),
        ({"comment": " "}, "comment=' ' begins no line: '#', '%' or '//' fits"),
        ({"decimal": "x"}, r"decimal='x' is no decimal mark: '\.' or ',' fits"),
        ({"sep": ""}, "sep='' cannot separate cells"),
    ],
)
def test_arguments_that_fit_nothing_are_refused(tmp_path, said, message):
    (tmp_path / "t.csv").write_text("a\n1\n")
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / "t.csv", **said)
    for wrong in ({"index": True}, {"index": 1.5}, {"drop": True}, {"drop": [None]}, {"na": [1]}):
        with pytest.raises(TypeError):
            read_table(tmp_path / "t.csv", **wrong)


def test_an_array_gives_an_index_too(tmp_path):
    np.save(tmp_path / "t.npy", np.array([[7, 1], [8, 2]]))
    found = read_table(tmp_path / "t.npy", index=0)
    assert found.index == ("7", "8") and found.numbers.tolist() == [[1], [2]]
    assert [block.index for block in iter_table(tmp_path / "t.npy", index=0)] == [("7", "8")]


def test_cells_that_are_far_out_take_no_memory_for_those_between(workbook, monkeypatch):
    openpyxl = pytest.importorskip("openpyxl", reason="makes workbooks")
    path = workbook([["a", "b"], [1, 2]])
    book = openpyxl.load_workbook(path)
    book.active["XFD20000"] = 1
    book.save(path)
    monkeypatch.setattr(arrays, "memory_limit", lambda: 1 << 30)
    tracemalloc.start()
    try:
        for read in (read_table, lambda path, **how: next(iter_table(path, **how))):
            with pytest.raises(MemoryError, match=r"t\.xlsx: the result needs \d+ bytes \(2\.4 GiB\)"):
                read(path, header=False)
        assert tracemalloc.get_traced_memory()[1] < 50e6  # at XFD1048576 once 7.5 GB
    finally:
        tracemalloc.stop()


def test_numbers_beyond_float64_are_no_infinities(workbook):
    path = workbook([[1.5, 2], [2, 12345]])
    with zipfile.ZipFile(path) as book:
        members = {name: book.read(name) for name in book.namelist()}
    members["xl/worksheets/sheet1.xml"] = members["xl/worksheets/sheet1.xml"].replace(b"12345", b"1e400")
    with zipfile.ZipFile(path, "w") as book:
        for name, data in members.items():
            book.writestr(name, data)
    for read in (read_table, vech.read):
        with pytest.raises(FileFormatError, match=r"t\.xlsx.* a number beyond float64"):
            read(path)


def opendocument(path, rows):
    """A workbook of LibreOffice, as far as its cells go."""
    spaces = {"table": "table", "text": "text", "office": "office"}
    said = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in spaces)
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("content.xml", f"<doc {said}><table:table>{rows}</table:table></doc>")
    return path


def test_cells_of_opendocument_that_say_how_often_they_are_there(tmp_path, monkeypatch):
    columns, lines = "table:number-columns-repeated", "table:number-rows-repeated"
    full, blank = (
        f'<table:table-cell {columns}="%s"><text:p>1</text:p></table:table-cell>',
        f'<table:table-cell {columns}="%s"/>',
    )
    row = f'<table:table-row {lines}="%s">%s</table:table-row>'
    usual = (
        row % (1, full % 2 + blank % 16382)
        + row % (2, blank % 16384)
        + row % (1, full % 3)
        + row % (1048572, blank % 16384)
    )
    assert repeated_cells(opendocument(tmp_path / "a.ods", usual)) == 4 * 3
    monkeypatch.setattr(arrays, "memory_limit", lambda: 8 << 30)
    for rows in (
        row % (1048576, full % 16384),
        row % (1, full % ("9" * 40)),
        row % (2**20, blank % 9) + row % (1, blank % 16383 + full % 1),
    ):
        with pytest.raises(MemoryError, match=r"a\.ods: the result needs \d+ bytes .*: save it as \.csv"):
            read_table(opendocument(tmp_path / "a.ods", rows))


@pytest.mark.parametrize("text", ["1_0", "\uff14", "9007199254740993"])
def test_numbers_of_opendocument_that_pandas_makes_others_of_are_refused(tmp_path, text):
    cell = '<table:table-cell office:value="{}"><text:p>1</text:p></table:table-cell>'
    row = "<table:table-row>{}</table:table-row>"
    assert repeated_cells(opendocument(tmp_path / "a.ods", row.format(cell.format("1.5e3") * 2))) == 2
    path = opendocument(tmp_path / "a.ods", row.format(cell.format(2) + cell.format(text)))
    with pytest.raises(FileFormatError, match=rf"a\.ods: has a cell that holds .*{text}"):
        read_table(path)
