"""Square tables that pandas and polars saved as Parquet and Feather, and matrices that pandas reads."""

import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import vech
from vech.io import FileFormatError

pyarrow = pytest.importorskip("pyarrow")
feather = pytest.importorskip("pyarrow.feather")
parquet = pytest.importorskip("pyarrow.parquet")

SUFFIXES = (".parquet", ".feather")
FULL = np.array([[0.1 + 0.2, 1, 0, 2], [1, 3, -2, 1 / 3], [0, -2, 5, 0.5], [2, 1 / 3, 0.5, 6]])
LABELS = {
    "none": None,
    "text": list("abcü"),
    "integers": [5, 6, 7, 8],
    "times": pd.date_range("2020-01-31", periods=4, freq="ME"),
    "zones": pd.date_range("2020-01-31", periods=4, tz="Europe/Berlin"),
    "pairs": pd.MultiIndex.from_product([["bonds", "stocks"], [1, 2]]),
}
SAVE = {".parquet": parquet.write_table, ".feather": feather.write_feather}


def fails(message):
    return pytest.raises(FileFormatError, match=re.escape(message))


def of_pandas(path, frame):
    (frame.to_parquet if path.suffix == ".parquet" else frame.to_feather)(path)


def to_pandas(path):
    return (pd.read_parquet if path.suffix == ".parquet" else pd.read_feather)(path)


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_pandas_saved_is_read(tmp_path, suffix, labels):
    path = tmp_path / f"a{suffix}"
    of_pandas(path, pd.DataFrame(FULL, index=labels, columns=labels))
    S = vech.read(path)
    assert S.labels == (None if labels is None else tuple(labels))
    assert np.array_equal(S.expand(), FULL)


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_pandas_reads_what_was_written(tmp_path, suffix, labels):
    path = tmp_path / f"a{suffix}"
    S = vech.Packed(vech.pack(FULL), labels=labels)
    vech.write(path, S)
    frame = to_pandas(path)
    wanted = pd.RangeIndex(4) if labels is None else pd.Index(list(labels))
    assert frame.index.equals(wanted) and frame.columns.equals(wanted)
    assert np.array_equal(frame, FULL)
    back = vech.read(path)
    assert back.labels == S.labels and np.array_equal(back.half, S.half)


@pytest.mark.parametrize("dtype", ["?", "i1", "i8", "u8", "f2", "f4", "f8", ">f8"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_dtypes_are_kept(tmp_path, suffix, dtype):
    S = vech.Packed(np.arange(6).astype(dtype), labels=list("abc"))
    vech.write(tmp_path / f"a{suffix}", S)
    back = vech.read(tmp_path / f"a{suffix}")
    assert back.dtype == np.dtype(dtype).newbyteorder("=") and np.array_equal(back.half, S.half)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_kind_and_missing_numbers_are_kept(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    skew = vech.Packed(np.arange(1.0, 7), "condensed", kind="skew")
    vech.write(path, skew)
    assert vech.read(path).kind == "skew" and np.array_equal(vech.read(path).expand(), skew.expand())
    vech.write(path, vech.Packed(np.array([1.0, np.nan, 2.0])))
    assert np.array_equal(vech.read(path).half, [1.0, np.nan, 2.0], equal_nan=True)
    vech.io.expand(path, vech.Packed(np.arange(3.0), labels="ab"))
    assert vech.read(path).labels == ("a", "b")


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_small_and_empty(tmp_path, suffix, n):
    vech.write(tmp_path / f"a{suffix}", vech.Packed(np.ones(n), labels=["a"][:n]))
    assert vech.read(tmp_path / f"a{suffix}").n == n


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_tables_without_an_index(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    columns = dict(zip("abcd", FULL.T, strict=True))
    SAVE[suffix](pyarrow.table(columns), str(path))
    assert vech.read(path).labels == tuple("abcd")
    SAVE[suffix](pyarrow.table({"asset": list("abcd"), **columns}), str(path))
    assert vech.read(path).labels == tuple("abcd")
    SAVE[suffix](pyarrow.table({"a": [1, 2], "b": [2.0, None]}), str(path))
    assert np.array_equal(vech.read(path).half, [1.0, 2.0, np.nan], equal_nan=True)
    SAVE[suffix](pyarrow.table({"a": [2**53, 2], "b": [2, None]}), str(path))
    assert np.array_equal(vech.read(path).half, [2.0**53, 2.0, np.nan], equal_nan=True)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            {"asset": ["a", "c"], "a": [1.0, 2], "b": [2.0, 3]},
            "names a row 'c' and its column 'b': they must agree",
        ),
        (
            {"a": [1.0, 2, 3], "b": [2.0, 3, 4]},
            "has 3 rows in 2 columns: a square matrix was wanted; `vech covariance` takes data",
        ),
        ({"a": [1.0], "b": [2.0]}, "has 1 rows in 2 columns"),
        ({"a": [1.0, 2], "b": ["x", "y"]}, "has the column 'b' of string, which are no numbers"),
        (
            {"a": [1.0, 2], "b": [True, False]},
            "has the column 'b' of bool beside others that do not fit with it",
        ),
        ({"a": [True, None], "b": [True, False]}, "has nulls in the column 'a' of bool"),
        (
            {"a": [1.0, 2], "b": [2, 2**53 + 1]},
            "has the column 'b' of int64 beside others that do not fit with it",
        ),
        (
            {"a": [2**60 + 1, None], "b": [None, 1]},
            "has the integer 1152921504606846977 in the column 'a', which has nulls and so is of float64",
        ),
        ({"a": [1, -(2**53) - 1], "b": [None, 1]}, "has the column 'a' of int64 beside others"),
        ({"a": [1.0, 2], "b": [3.0, 4]}, "matrix is not symmetric"),
    ],
)
def test_what_is_no_matrix(tmp_path, suffix, columns, words):
    path = tmp_path / f"a{suffix}"
    SAVE[suffix](pyarrow.table(columns), str(path))
    with fails(words):
        vech.read(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_these_files_do_not_hold(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    half = np.arange(3.0)
    for store, words in [
        (
            vech.Packed(half + 0j, kind="hermitian"),
            "holds bool, integers and real numbers, not complex128: write .npz",
        ),
        (vech.Packed(half, labels=["a", 1]), "holds labels of one type, each once: write .npz"),
        (vech.Packed(half, labels=["a", "a"]), "holds labels of one type, each once: write .npz"),
    ]:
        with pytest.raises(TypeError, match=re.escape(words)):
            vech.write(path, store)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damage_is_an_error_of_the_file(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    vech.write(path, vech.Packed(vech.pack(FULL), labels=list("abcd")))
    sound = path.read_bytes()
    for damaged in (b"", sound[:-9], sound[:4] + b"\xff" * 40 + sound[44:], b"PAR1" + bytes(20) + b"PAR1"):
        path.write_bytes(damaged)
        with pytest.raises(FileFormatError):
            vech.read(path)
    table = pyarrow.table({"a": [1.0]}).replace_schema_metadata(
        {"vech_meta": '{"vech": 1, "kind": "symmetric"}'}
    )
    SAVE[suffix](table, str(path))
    with fails("lacks n, dtype"):
        vech.read(path)


def test_a_missing_library_is_named(tmp_path):
    for missing, call in [
        ("pyarrow", "vech.read('a.parquet')"),
        ("pandas", "vech.write('a.parquet', vech.Packed([1.0]))"),
    ]:
        code = f"import sys; sys.modules[{missing!r}] = None; import vech; {call}"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
        assert re.search(r'ImportError: .* pip install "vech\[parquet\]"', run.stderr)
