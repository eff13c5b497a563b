"""Odd files of text: read right, or refused with a line that says where; plain ones as pandas reads them."""

import gzip
import itertools
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import cases
from interrupts import interrupted
from vech.io import FileFormatError, delimited, iter_table, lines, read_table

NAN = math.nan
AB = ("a", "b")

# name: (bytes, what is said, numbers, labels, index)
READ = {
    "commas": (b"a,b\n1,2\n3,4\n", {}, [[1, 2], [3, 4]], AB, None),
    "tabs": (b"a\tb\n1\t2\n\t4\n", {}, [[1, 2], [NAN, 4]], AB, None),
    "semicolons": (b"a;b\n1;2\n", {}, [[1, 2]], AB, None),
    "bars": (b"a|b\n1|2\n", {}, [[1, 2]], AB, None),
    "blanks": (b"  a   b\n1 \t 2  \n 3 4\n", {}, [[1, 2], [3, 4]], AB, None),
    "blanks without names": (b"1 2\n3 4\n", {}, [[1, 2], [3, 4]], None, None),
    "blanks behind commas": (b'a, b , "c, d"\n1, 2 , 3\n', {}, [[1, 2, 3]], ("a", "b", "c, d"), None),
    "another separator": (b"a:b\n1:2\n", {"sep": ":"}, [[1, 2]], AB, None),
    "names with commas between semicolons": (b"a,x;b,y\n1;2\n", {}, [[1, 2]], ("a,x", "b,y"), None),
    "names with blanks": (b"my name\n1\n2\n", {}, [[1], [2]], ("my name",), None),
    "decimal commas": (b"a;b\n1,5;-,25\n+2,;1,e3\n", {"decimal": ","}, [[1.5, -0.25], [2, 1000]], AB, None),
    "quoted decimal commas": (b'"a","b"\n"1,5","2"\n', {"decimal": ","}, [[1.5, 2]], AB, None),
    "many digits and a decimal comma": (
        b"a;b\n0,1000000000000000055511151231257827;123456789012345678,5\n",
        {"decimal": ","}, [[0.1, 123456789012345678.5]], AB, None,
    ),
    "a mark of UTF-8": (b"\xef\xbb\xbfa,b\n1,2\n", {}, [[1, 2]], AB, None),
    "UTF-16": ("\ufeffa,\u03b2\n1,2\n".encode("utf-16-le"), {}, [[1, 2]], ("a", "\u03b2"), None),
    "UTF-16, big end first": ("\ufeffa,b\n1,2\n".encode("utf-16-be"), {}, [[1, 2]], AB, None),
    "Latin-1": (b"a,\xe4\n1,2\n", {"encoding": "latin-1"}, [[1, 2]], ("a", "\u00e4"), None),
    "cp1252": (b"a,\x80\n1,2\n", {"encoding": "cp1252"}, [[1, 2]], ("a", "\u20ac"), None),
    "carriage returns": (b"a,b\r1,2\r\r3,4\r", {}, [[1, 2], [3, 4]], AB, None),
    "carriage returns and line feeds": (b"a,b\r\n1,2\r\n3,4", {}, [[1, 2], [3, 4]], AB, None),
    "ends of lines of every kind": (b"a,b\r1,2\n3,4\r\n5,6\r7,8\n", {}, [[1, 2], [3, 4], [5, 6], [7, 8]], AB, None),
    "blank lines": (b"\n \n\na,b\n\n1,2\n\t\n3,4\n\n", {}, [[1, 2], [3, 4]], AB, None),
    "comments": (b"# x\n#y,z\na,b\n  # 1\n1,2\n#\n3,4\n", {"comment": "#"}, [[1, 2], [3, 4]], AB, None),
    "line feeds in quotes": (
        b'id,"b\n\n1",c\n"x\n,y",1,2\n"""\n",3,4\n',
        {"index": "id"}, [[1, 2], [3, 4]], ("b\n\n1", "c"), ("x\n,y", '"'),
    ),
    "missing numbers": (
        b"a,b\nNA,.\n#N/A,null\nNaN,NULL\n-nan,n/a\n<NA>,None\n,\"\"\n",
        {}, [[NAN, NAN]] * 6, AB, None,
    ),
    "other missing numbers": (
        b"a,b\n-999,2\n-9.99e2,-\n1,missing\n", {"na": ("-999", "-", "Missing")},
        [[NAN, 2], [NAN, NAN], [1, NAN]], AB, None,
    ),
    "dates": (
        b"day,a,b,at\n2020-01-31,1,2,10:30\n,3,4,\n2020-02-29,5,6,11:00:00.5\n", {"dates": "drop"},
        [[1, 2], [3, 4], [5, 6]], AB, None,
    ),
    "dates of other countries": (
        b"a;b;t\n1;31.01.2020;3-Jan-2020\n2;01.02.2020;1/2/20 3:15 PM\n", {"dates": "drop"}, [[1], [2]], ("a",), None,
    ),
    "an index of dates": (b"day,a\n2020-01,1\n2020-02,2\n", {"index": "day"}, [[1], [2]], ("a",), ("2020-01", "2020-02")),
    "an index of pandas": (b",a,b\n0,1,2\n7,3,4\n", {}, [[1, 2], [3, 4]], AB, ("0", "7")),
    "an index of pandas with names": (b",a,b\nx,1,2\nNA,3,4\n", {}, [[1, 2], [3, 4]], AB, ("x", "NA")),
    "row names of R": (b'"a" "b"\n"1" 1 NA\n"2 x" 3 4\n', {}, [[1, NAN], [3, 4]], AB, ("1", "2 x")),
    "row names of R between commas": (b"a,b\nx,1,2\ny,3,4\n", {"index": 0}, [[1, 2], [3, 4]], AB, ("x", "y")),
    "no index": (b"i,a\n1,2\n3,4\n", {"index": False}, [[1, 2], [3, 4]], ("i", "a"), None),
    "names that are numbers": (b"2019,2020,2021\n5,6,7\n", {"header": True}, [[5, 6, 7]], ("2019", "2020", "2021"), None),
    "columns left out by number": (b"a,b\nx,2\n", {"drop": 0}, [[2]], ("b",), None),
    "large numbers that are what they say": (
        b"a,b\n9007199254740992,9007199254740994.0\n-12345678901234567.5,1e300\n", {},
        [[2.0**53, 2.0**53 + 2], [-12345678901234567.5, 1e300]], AB, None,
    ),
    "a trailing separator": (b"a,b,\n1,2,\n", {"drop": ""}, [[1, 2]], AB, None),
    "an apostrophe and inches": (b"6\",it's\n1,2\n", {}, [[1, 2]], ('6"', "it's"), None),
}  # fmt: skip

# name: (bytes, what is said, the line or None, the message)
REFUSED = {
    "text": (b"a,b\n1,2\n3,x\n", {}, 3, "column 'b' holds 'x', which is no number: leave it out by drop='b'"),
    "a month": (b"a,b\n1,2020_01\n", {}, 2, "column 'b' holds '2020_01', which is no number"),
    "a decimal comma": (b"a;b\n1,5;2\n", {}, 2, "column 'a' holds '1,5', which is no number unless decimal=','"),
    "thousands": (b'a,b\n"1,000",2\n', {"decimal": "."}, 2, "column 'a' holds '1,000', which is no number"),
    "thousands beside decimal commas": (b"a;b\n1.000,5;2\n", {"decimal": ","}, 2, "column 'a' holds '1.000,5'"),
    "an error of Excel": (b"a,b\n1,#DIV/0!\n", {}, 2, "column 'b' holds '#DIV/0!', which is no number"),
    "an id": (b"a,b\n1,9007199254740993\n", {}, 2, "column 'b' holds the integer 9007199254740993, and float64"),
    "an even id": (b"a,b\n1,9007199254740994\n", {}, 2, "column 'b' holds the integer 9007199254740994, and float64"),
    "beyond float64": (b"a,b\n1,-1e309\n", {}, 2, "column 'b' holds '-1e309', which is beyond float64"),
    "a date": (b"t,a\n2020-01-31,1\n", {}, 2, "column 't' holds '2020-01-31', which is a date: leave it out by drop='t'"),
    "a number among dates": (
        b"t,a\n2020-01-31,1\n7,2\n", {"dates": "drop"}, 3, "column 't' holds '7' among dates: leave it out by drop='t'",
    ),
    "dates alone": (b"t,u\n2020-01-31,2020-01\n", {"dates": "drop"}, None, "has no column left beside dates"),
    "a short line": (b"a,b\n1,2\n\n3\n", {}, 4, "has 1 cell, and there are 2 columns"),
    "a long line": (b"a,b\n1,2\n3,4,5\n", {}, 3, "has 3 cells, and there are 2 columns"),
    "a short line of blanks": (b"a b\n1 2\n3\n", {}, 3, "has 1 cell, and there are 2 columns"),
    "perhaps row names": (b"a,b\nx,1,2\n", {}, 2, "there are 2 columns: if the first one labels the row, say index=0"),
    "perhaps a comment": (b"# made by x\na,b\n1,2\n", {}, 2, "if the first line is a comment, say comment='#'"),
    "names twice": (b"a,b,c,a,b\n1,2,3,4,5\n", {}, None, "has more than one column 'a', 'b': rename all but one"),
    "no name": (b",a\n0.5,1\n1.5,2\n", {}, 1, "column 0 has no name: say index=0 (--index 0) if it labels the rows"),
    "no name and repeated integers": (b",a\n1,1\n1,2\n", {}, 1, "column 0 has no name: say index=0"),
    "no name in the middle": (b"a,,b\n1,2,3\n", {}, 1, "column 1 has no name: say index=1 (--index 1) if it labels"),
    "years above fractions": (b"2020,2021\n0.5,1\n", {}, 1, "may name the columns, by different integers above other"),
    "integers above integers, as pandas writes them": (
        b",0,1\n0,5,6\n1,7,8\n", {}, 1, "may name the columns, by numbers behind an empty cell: say header=True",
    ),
    "names that mean missing numbers": (b",nan,inf\n0,5,6\n", {}, 1, "by numbers behind an empty cell"),
    "quantiles, as pandas writes them": (b",0.1,0.9\n0,5,6\n", {}, 1, "behind an empty cell"),
    "decimal commas in the first line": (
        b"1,5;2,5\n3;4\n", {}, 1, "holds '1,5', which is no number unless decimal=',': say header=True (--header)",
    ),
    "years above counts": (b"2019,2020,2021\n5,6,7\n", {}, 1, "may name the columns, by different integers above other"),
    "names beside numbers": (b"a,1.5\n1,2\n", {}, 1, "holds numbers beside 'a': say header=True (--header) if these"),
    "several separators": (b"a,b;c\n1;2,3;4,5\n", {}, 1, "has cells separated by ';' or ',': say which by sep= (--sep)"),
    "a quote that does not end": (b'a,b\n1,"2\n3,4\n', {}, 2, "begins a quoted cell that does not end"),
    "letters behind a quote": (b'a,b\n1,2\n3,"4"5\n', {}, 3, "has letters behind the quote that ends a cell"),
    "a huge cell": (b"a,b\n1," + b"4" * 200_000 + b"\n", {}, 2, "has a cell of more than 131,072 letters"),
    "a huge cell that is left out": (
        b"a,b\nx" + b"y" * 200_000 + b",1\n", {"drop": "a"}, 2, "has a cell of more than 131,072 letters",
    ),
    "a zero byte": (b"a,b\n1,2\x00\n", {}, 2, r"column 'b' holds '2\x00', which is no number"),
    "zero bytes": ("a,b\n1,2\n".encode("utf-16-be"), {}, 1, "has zeros between its letters, as UTF-16 has: say encod"),
    "commands to a terminal": (b"a,\x1b[31mb\n1,\x1b]0;x\x07\n", {}, 2, r"column '\x1b[31mb' holds '\x1b]0;x\x07'"),
    "no UTF-8": (b"a,b\n1,2\n\xe9,3\n", {}, 3, "has the byte 0xe9, which is no UTF-8: say encoding='cp1252'"),
    "no UTF-8 in a column that is left out": (b"a,b\n\xe9,3\n", {"drop": "a"}, 2, "has the byte 0xe9"),
    "half a UTF-16": (b"\xff\xfea\x00,\x00\n\x00d", {}, 2, "is no utf-16-le: truncated data: say its encoding="),
    "a byte that is no letter": (b"a,b\n1,\x81\n", {"encoding": "cp1252"}, 2, "is no cp1252"),
    "nothing": (b"", {}, None, "is empty"),
    "blank lines alone": (b"\n \r\n\n", {}, None, "is empty"),
    "names alone": (b"a,b\n", {}, None, "names its columns and has no rows"),
    "a column that is not there": (b"a,b\n1,2\n", {"drop": "c"}, None, "has no column 'c' to drop: it has 'a', 'b'"),
    "an index that is not there": (b"a,b\n1,2\n", {"index": 2}, None, "has no column 2 to have as index: it has 0 to 1"),
}  # fmt: skip


@pytest.fixture
def table(tmp_path):
    def write(data, name="t.csv"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


def check(found, numbers, labels, index):
    np.testing.assert_array_equal(found.numbers, np.array(numbers, float))
    assert (found.labels, found.index) == (labels, index)


@pytest.mark.parametrize(("data", "said", "numbers", "labels", "index"), READ.values(), ids=READ)
def test_an_odd_file_is_read_right(table, data, said, numbers, labels, index):
    check(read_table(table(data), **said), numbers, labels, index)
    check(read_table(table(gzip.compress(data), "t.txt.gz"), **said), numbers, labels, index)


@pytest.mark.parametrize(("data", "said", "line", "message"), REFUSED.values(), ids=REFUSED)
def test_an_odd_file_is_refused_with_its_line(table, data, said, line, message):
    path = table(data)
    with pytest.raises(FileFormatError) as caught:
        read_table(path, **said)
    place = f"{path}: " if line is None else f"{path}, line {line}: "
    assert str(caught.value).startswith(place) and message in str(caught.value)
    assert str(caught.value).isprintable() and (caught.value.line, caught.value.path) == (line, str(path))


@cases.each("name", list(READ))
@cases.each("size", [1, 2, 3, 7, 16])
def test_wherever_pieces_of_a_file_end(table, monkeypatch, name, size):
    """Also in a mark, a letter, between a carriage return and a line feed, in a quoted cell."""
    data, said, numbers, labels, index = READ[name]
    if size < 3 and (b"\r" in data or data[:1] > b"\xe0"):
        pytest.skip("what the first bytes say of all is in more of them")
    monkeypatch.setattr(lines, "PIECE", size)
    path = table(data)
    check(read_table(path, **said), numbers, labels, index)
    blocks = list(iter_table(path, **said))
    assert {block.labels for block in blocks} == {labels}
    np.testing.assert_array_equal(
        np.concatenate([block.numbers for block in blocks]), np.array(numbers, float)
    )
    if index is not None:
        assert tuple(itertools.chain(*(block.index for block in blocks))) == index


def test_what_comes_behind_blank_lines_of_many_pieces(table, monkeypatch):
    monkeypatch.setattr(lines, "PIECE", 64)
    path = table(b"\n" * 1000 + b"a,b\n1,2\n" + b"\n" * 1000 + b"3,x\n")
    with pytest.raises(FileFormatError, match="line 2003: column 'b' holds 'x'"):
        read_table(path)
    assert read_table(path, na="x").numbers.tolist()[0] == [1, 2]


# ---------------------------------------------------------------- numbers


def spellings():
    """Numbers as programs write them, and as none would."""
    exact = st.floats(allow_nan=False, allow_infinity=False)
    digits = st.text("0123456789", min_size=1, max_size=25)
    parts = st.tuples(st.sampled_from(["", "-", "+"]), digits, digits, st.integers(-340, 330))
    return st.one_of(
        exact.map(repr),
        st.tuples(exact, st.sampled_from(["%.10g", "%.17g", "%.18e", "%.3f"])).map(
            lambda pair: pair[1] % pair[0]
        ),
        parts.map(lambda p: f"{p[0]}{p[1]}.{p[2]}e{p[3]}"),
        parts.map(lambda p: f"{p[0]}{p[1][:15]}.{p[2]}"),
        st.integers(-(2**53), 2**53).map(str),
        st.sampled_from(
            [
                "5e-324",
                "2.4703282292062328e-324",
                "2.4703282292062327e-324",
                "1e-400",
                "-0.0",
                "4.4501477170144023e-308",
            ]
        ),
    )


def is_taken(text):
    """Not infinite, and no large integer, which would not be the number that is written."""
    return math.isfinite(float(text)) and (abs(float(text)) < 2**53 or "e" in text)


@settings(max_examples=50, deadline=None)
@given(st.lists(spellings().filter(is_taken), min_size=1, max_size=30))
def test_a_number_is_the_nearest_double(tmp_path_factory, cells):
    path = tmp_path_factory.getbasetemp() / "bits.csv"
    for decimal in ".,":
        path.write_text("a;b\n" + "".join(f"{cell.replace('.', decimal)};0\n" for cell in cells))
        found = read_table(path, decimal=decimal).numbers[:, 0]
        assert found.tobytes() == np.array(list(map(float, cells))).tobytes()


def test_halves_between_two_doubles_go_to_the_even_one(table):
    rng = np.random.default_rng(0)
    odd = [int(m) * 2 + 1 for m in rng.integers(2**52, 2**53, 300)]  # of 54 bits: half way between doubles
    cells = [f"{m // 8}.{m % 8 * 125:03}" for m in odd] + [f"{m * 5**22}e-22" for m in odd]
    cells += [cell + tail for cell in cells[:300] for tail in ("0000000000000000001", "0" * 40)]
    cells += [f"{cell[:-1]}4999999999999999999" for cell in cells[:300]]
    found = read_table(table(("x\n" + "\n".join(cells) + "\n").encode())).numbers[:, 0]
    assert found.tobytes() == np.array(list(map(float, cells))).tobytes()


def outcome(path, said):
    try:
        table = read_table(path, **said)
    except FileFormatError as error:
        return str(error)
    return table.numbers.tobytes(), table.numbers.shape, table.labels, table.index


NASTY = st.one_of(
    st.sampled_from(["1", "2.5", "-3e2", "NA", "nan", "inf", "", " ", "\t", '"', '"1"', '""', "1,5", ".", "+", "-nan", "1e", "x",
                     "9007199254740993", "1e400", "2020-01-02", "#", "\r", "\n", "\r\n", "\0", "\u00e4", "na ", "1 ", '"a\nb"']),
    st.text('01.,;" \t\r\n+-eEnaNAif#', max_size=4),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(NASTY, NASTY, NASTY), min_size=1, max_size=4),
    st.sampled_from([",", ";", "\t", " "]),
    st.sampled_from(
        [{}, {"index": 0}, {"drop": 0}, {"dates": "drop"}, {"comment": "#"}, {"na": ["x", "2.50"]}]
    ),
    st.sampled_from(".,"),
)
def test_the_kernel_reads_as_the_rules_do(tmp_path_factory, rows, sep, said, decimal):
    """Whatever is in a line: the kernel reads it as Python would, or leaves it."""
    path = tmp_path_factory.getbasetemp() / "nasty.csv"
    text = sep.join("abc") + "\n" + "\n".join(sep.join(cells) for cells in rows) + "\n"
    path.write_bytes(text.encode())
    said = {"sep": sep, "header": True, "decimal": decimal, **said}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited._core, "read_table", lambda text, start, *rest: (0, 0, start))
        expected = outcome(path, said)
    assert outcome(path, said) == expected


PLAIN = st.one_of(
    st.floats(-1e15, 1e15).map(repr),
    st.integers(-(10**15), 10**15).map(str),
    st.sampled_from(["", "NA", "nan", "null"]),
)


@st.composite
def plain_tables(draw):
    width = draw(st.integers(1, 5))
    rows = draw(st.lists(st.lists(PLAIN, min_size=width, max_size=width), min_size=1, max_size=12))
    assume(any(map(any, rows)) or width > 1)  # else all lines are blank, and there are no rows
    sep = draw(st.sampled_from([",", ";", "\t", "|"]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    quote = draw(st.sampled_from(["", '"']))
    names = [f"{quote}c{k}{quote}" for k in range(width)]
    return end.join(sep.join(cells) for cells in [names, *rows]) + draw(st.sampled_from(["", end]))


@settings(max_examples=40, deadline=None)
@given(plain_tables())
def test_plain_tables_are_read_as_pandas_reads_them(tmp_path_factory, text):
    pandas = pytest.importorskip("pandas")
    path = tmp_path_factory.getbasetemp() / "plain.csv"
    path.write_bytes(text.encode())
    sep = next((mark for mark in ",;\t|" if mark in text), ",")
    frame = pandas.read_csv(path, sep=sep, dtype=str).map(float)  # to the nearest, which pandas 2 is not
    table = read_table(path)
    np.testing.assert_array_equal(table.numbers, frame.to_numpy())
    assert table.labels == tuple(frame.columns)


# ---------------------------------------------------------------- many rows


def write_long(path, odd):
    """Text of several units of work, with blank lines here and there, and the odd lines that are wanted."""
    rng = np.random.default_rng(1)
    X = np.round(rng.normal(size=(60_000, 3)), 12)
    rows = [f"r{k},{x!r},{y!r},{z!r}" for k, (x, y, z) in enumerate(X.tolist())]
    for k in odd:
        x, y, z = X[k].tolist()
        rows[k] = f'"r\n{k}",{x!r}, " {y!r}",{z!r}'
    for k in range(5, 60_000, 1000):
        rows[k] += "\n\n# no\n   "
    path.write_text("id,x,y,z\n" + "\n".join(rows) + "\n")
    return path, X


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    return write_long(tmp_path_factory.mktemp("long") / "long.csv", (0, 7, 20_000, 20_001, 59_999))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_any_number_of_threads_passes_over_the_same_lines(tmp_path, threads):
    path, X = write_long(tmp_path / "long.csv", ())  # odd lines would leave the rest to one thread
    table = read_table(path, index="id", comment="#", threads=threads)
    assert table.numbers.tobytes() == X.tobytes()
    assert table.index == tuple(f"r{k}" for k in range(len(X)))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_any_number_of_threads_reads_the_same(long, threads):
    path, X = long
    table = read_table(path, index="id", comment="#", threads=threads)
    assert table.numbers.tobytes() == X.tobytes()
    assert table.index[:9] == ("r\n0", *(f"r{k}" for k in range(1, 7)), "r\n7", "r8")
    assert len(table.index) == len(X) and table.index[-2] == "r59998"


def test_blocks_are_the_rows_of_the_whole(long, monkeypatch):
    path, X = long
    monkeypatch.setattr(lines, "PIECE", 100_000)
    blocks = list(iter_table(path, index="id", comment="#"))
    assert len(blocks) > 10
    assert np.concatenate([block.numbers for block in blocks]).tobytes() == X.tobytes()
    assert sum((block.index for block in blocks), ()) == read_table(path, index="id", comment="#").index


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_far_down_names_its_line(table, threads):
    rows = [b"1.5,2.5,3.5"] * 150_000
    rows[140_000] = b"1.5,x,3.5"
    with pytest.raises(FileFormatError, match="line 140002: column 'b' holds 'x'"):
        read_table(table(b"a,b,c\n" + b"\n".join(rows)), threads=threads)


# ---------------------------------------------------------------- hostile files


def peak_of(call):
    """What it raises, and the most bytes that Python and NumPy held."""
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError) as caught:
            call()
        return str(caught.value), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_line_without_an_end_takes_no_more_memory_than_lines_may(table, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST", 1 << 20)
    monkeypatch.setattr(lines, "PIECE", 1 << 18)
    for letter in (b"1", b"\x00", b'"', b" ", b","):
        path = table(gzip.compress(letter * (1 << 24), 1), "bomb.csv.gz")
        message, peak = peak_of(lambda path=path: read_table(path))
        assert message == (
            f"{path}: has a line of more than 1,048,576 bytes: no table has that, or its lines do not end"
        )
        assert peak < 1 << 22


@pytest.mark.parametrize("filler", [b"\n", b"# no\n", b'"', b'"\n', b"x\n"])
def test_what_unpacks_to_much_and_holds_little_takes_little_memory(table, monkeypatch, filler):
    monkeypatch.setattr(lines, "PIECE", 1 << 14)
    text = b"a,b\n" + filler * ((1 << 22) // len(filler)) + b"\n1,x\n"
    path = table(gzip.compress(text, 1), "bomb.csv.gz")
    _, peak = peak_of(lambda: read_table(path, comment="#"))
    assert peak < (1 << 20 if b"\n" in filler else 6 * len(text))


@pytest.mark.parametrize("cut", [0, 3, 9, 15, -9, -4, -1])
def test_a_damaged_gzip_file_says_so(table, cut):
    data = gzip.compress(b"a,b\n" + b"1,2\n" * 5000)
    for damaged in (data[:cut], data[:cut] + bytes([data[cut] ^ 0xFF]) + data[cut:][1:] + b"\0x"):
        path = table(damaged, "t.csv.gz")
        with pytest.raises(
            FileFormatError, match=r"is no whole gzip file|is empty|has a line|which is no|has zeros|cell"
        ):
            read_table(path)


def test_ctrl_c_stops_reading(long):
    path, _ = long
    for step in (10, 300, 3000):
        assert interrupted(lambda: read_table(path, index="id", comment="#"), step)
