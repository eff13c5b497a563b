"""Sheets that pandas and openpyxl wrote, and matrices that pandas reads."""

import datetime
import math
import os
import re
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

import vech
from vech.io import FileFormatError

openpyxl = pytest.importorskip("openpyxl")

FULL = np.array([[0.1 + 0.2, 1, 0, 2], [1, 3e-300, -2, 1 / 3], [0, -2, 5, 0.5], [2, 1 / 3, 0.5, -0.0]])
S = vech.Packed(vech.pack(FULL))
LABELS = [
    None,
    list("abcü"),
    ["=A1", "#N/A", " x y ", "1"],
    [5, 6, 7, 8],
    [1.5, 2.5, -3.0, 1e300],
    [True, "True", 1.25, datetime.datetime(2020, 1, 2, 3, 4, 5)],
    pd.date_range("2020-01-31", periods=4, freq="ME"),
]


def fails(message):
    return pytest.raises(FileFormatError, match=re.escape(message))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.xlsx"


def sheet_of(path, *rows, title="Sheet"):
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    book.save(path)


@pytest.mark.parametrize("labels", LABELS)
def test_what_was_written_is_read(path, labels):
    vech.write(path, vech.Packed(S.half, labels=labels))
    back = vech.read(path)
    assert back.labels == (None if labels is None else tuple(labels))
    assert back.half.tobytes() == S.half.tobytes()


def test_pandas_reads_what_was_written(path):
    vech.write(path, vech.Packed(S.half, labels=list("abcd")))
    frame = pd.read_excel(path, index_col=0)
    assert list(frame.index) == list(frame.columns) == list("abcd") and np.array_equal(frame, FULL)


@pytest.mark.parametrize("labels", [list("abcd"), [5, 6, 7, 8], pd.date_range("2020", periods=4)])
def test_what_pandas_wrote_is_read(path, labels):
    pd.DataFrame(FULL, labels, labels).to_excel(path)
    back = vech.read(path)
    assert back.labels == tuple(labels)
    np.testing.assert_allclose(back.expand(), FULL, rtol=1e-15)  # pandas writes 16 digits


def test_a_sheet_is_named_where_there_are_several(path):
    with pd.ExcelWriter(path) as writer:
        pd.DataFrame(FULL).to_excel(writer, sheet_name="plain", header=False, index=False)
        pd.DataFrame(FULL, list("abcd"), list("abcd")).to_excel(writer, sheet_name="Named one", startrow=0)
    with fails("a.xlsx: holds more than one sheet: say a.xlsx::plain, a.xlsx::Named one"):
        vech.read(path)
    with fails("a.xlsx: has no sheet 'none': say a.xlsx::plain, a.xlsx::Named one"):
        vech.read(f"{path}::none")
    assert vech.read(f"{path}::plain").labels is None
    assert vech.read(f"{path}::Named one").labels == tuple("abcd")


def test_missing_numbers_and_blank_rows(path):
    half = np.array([1.0, math.nan, 2.0])
    vech.write(path, vech.Packed(half))
    assert np.array_equal(vech.read(path).half, half, equal_nan=True)
    sheet_of(path, [], ["", "a", "b"], ["a", 1, None], ["b", None, "#N/A"], [], [None])
    S = vech.read(path)
    assert S.labels == ("a", "b") and np.array_equal(S.half, [1, math.nan, math.nan], equal_nan=True)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [[None, "a", "b"], ["a", 1, 2], ["c", 2, 3]],
            "line 3: names a row 'c' and its column 'b': they must agree",
        ),
        (
            [[1, 2], [2, 3], [4, 5]],
            "line 3: has more rows than its 2 columns: a square matrix was wanted; `vech cov",
        ),
        ([[1, 2, 3], [2, 3, 4]], "line 2: has 2 rows and 3 columns: a square matrix was wanted; `vech cov"),
        ([[1, 2], [2, "x"]], "line 2: has 'x' where a number was wanted"),
        ([[1, 2], [2, 3, 4]], "line 2: has 3 cells in a row of 2"),
        ([[1, 2], [2, datetime.date(2020, 1, 1)]], "where a number was wanted"),
        ([[None, "a"], ["a", "=1+1"]], "matrix"),
    ],
)
def test_what_is_no_matrix(path, rows, words):
    sheet_of(path, *rows)
    if rows[1][1] == "=1+1":  # never computed: empty
        assert np.isnan(vech.read(path).half).all()
        return
    with fails(words):
        vech.read(path)


def test_what_a_sheet_does_not_hold(path):
    half = np.arange(3.0)
    for store, error, words in [
        (
            vech.Packed(half + 0j, kind="hermitian"),
            TypeError,
            "cells hold bool, integers and real numbers, not complex128",
        ),
        (
            vech.Packed(np.arange(1.0), "condensed", kind="skew"),
            TypeError,
            "holds a symmetric matrix, and this one is skew",
        ),
        (vech.Packed(half + math.inf), ValueError, "Excel has no infinity: write .npz"),
        (
            vech.Packed(np.array([1, 2**53 + 1, 3])),
            ValueError,
            "Excel has no integers beyond 2^53, and this has 9007199254740993",
        ),
        (
            vech.SparseHalf.from_coo([16_383], [0], [1.0], 16_384, use="lower").to_csr(),
            TypeError,
            "write takes a store",
        ),
        *(
            (
                vech.Packed(half, labels=["a", label]),
                TypeError,
                "does not go into a cell: text, numbers, bool and times",
            )
            for label in (
                "",
                "_x0041_",
                "a\x01",
                None,
                math.nan,
                ("a", 1),
                2**60,
                pd.NaT,
                pd.Timestamp("2020", tz="UTC"),
            )
        ),
    ]:
        with pytest.raises(error, match=re.escape(words)):
            vech.write(path, store)
    assert not os.listdir(path.parent)


@pytest.mark.parametrize("dimension", ["A1:B2", "A1:XFD1048576", "B2:B2"])
def test_the_size_that_a_sheet_says_is_not_believed(path, dimension):
    vech.write(path, S)
    with zipfile.ZipFile(path) as book:
        members = {name: book.read(name) for name in book.namelist()}
    name = "xl/worksheets/sheet1.xml"
    members[name] = members[name].replace(
        b"<sheetData>", f'<dimension ref="{dimension}"/><sheetData>'.encode()
    )
    with zipfile.ZipFile(path, "w") as book:
        for name, data in members.items():
            book.writestr(name, data)
    assert np.array_equal(vech.read(path).half, S.half)


def sheet_of_xml(path, rows):
    """The same sheet with these rows, as no program that knows Excel writes them."""
    sheet_of(path, [1.0])
    with zipfile.ZipFile(path) as book:
        members = {name: book.read(name) for name in book.namelist()}
    text = f'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{rows}</sheetData></worksheet>'
    members["xl/worksheets/sheet1.xml"] = text.encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, data in members.items():
            book.writestr(name, data)


def test_a_cell_far_away_takes_no_time(path):
    row = '<row r="{0}"><c r="XFD{0}"><v>1</v></c></row>'
    sheet_of_xml(path, "".join(row.format(k) for k in range(1, 1_000_000, 20)))
    with fails("names a row None and its column None"):
        vech.read(path)


@pytest.mark.parametrize("read", [vech.read, vech.io.read_table])
@pytest.mark.parametrize(
    "text", ["1_0", "\uff14", "nan", "inf", "0x4", "1e5_0", "1 0", "\u0663.5", "1.e", "--1"]
)
def test_what_is_no_number_is_named_with_its_cell(path, read, text):
    sheet_of_xml(path, f'<row r="1"><c r="A1"><v>{text}</v></c></row>')
    with fails(f"a.xlsx: has '{text}' in the cell A1 of sheet 'Sheet', which is no number"):
        read(path)
    sheet_of_xml(path, f'<row r="1"><c r="A1"><v>1</v></c><c r="B1" t="b"><v>{text}</v></c></row>')
    with fails(f"'{text}' in the cell B1 of sheet 'Sheet', which is no bool"):
        read(path)


@pytest.mark.parametrize("text", ["4", "+4", "4.", " 4\n", "4.0", ".4e1", "4E+00", "0004"])
def test_numbers_are_those_of_text(path, text):
    sheet_of_xml(path, f"<row><c><v>{text}</v></c></row>")
    assert vech.read(path).half == [4]
    assert vech.io.read_table(path).numbers == [[4]]


def test_rows_and_cells_may_be_in_any_order_and_missing(path):
    rows = (
        '<row r="1"><c r="B1"><v>2</v></c><c r="A1"><v>1</v></c></row><row r="3"><c r="B3"><v>5</v></c></row>'
    )
    sheet_of_xml(path, rows)
    with fails("line 3: has more rows than its 2 columns"):
        vech.read(path)
    sheet_of_xml(path, rows.replace("3", "2").replace("B2", "A2"))
    assert np.array_equal(vech.io.load(path), [[1, 2], [5, np.nan]], equal_nan=True)


def test_integers_that_float64_rounds_are_refused(path):
    for text in ("9007199254740993", "-1152921504606846977"):
        sheet_of_xml(path, f'<row r="1"><c><v>{text}</v></c></row>')
        with fails(f"a.xlsx, line 1: has the integer {text}, which float64 rounds: write .npz or .mtx"):
            vech.read(path)
    sheet_of_xml(path, "<row><c><v>9007199254740994</v></c></row>")
    assert vech.read(path).half == [2.0**53 + 2]
    sheet_of_xml(path, f"<row><c><v>{'9' * 400}</v></c></row>")
    with fails("float"):
        vech.read(path)


def test_damage_is_an_error_of_the_file(path):
    vech.write(path, S)
    sound = path.read_bytes()
    for damaged in (
        b"",
        b"PK",
        sound[: len(sound) // 2],
        sound.replace(b"xl/workbook.xml", b"xl/workbook.xmx"),
    ):
        path.write_bytes(damaged)
        with fails("is no workbook that openpyxl reads"):
            vech.read(path)


def test_a_missing_library_is_named():
    code = "import sys; sys.modules['openpyxl'] = None; import vech; vech.read('a.xlsx')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert 'ImportError: Excel workbooks need openpyxl: pip install "vech[excel]"' in run.stderr
