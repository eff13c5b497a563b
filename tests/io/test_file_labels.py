"""Labels in files come back as they were, or are refused."""

import datetime
import json
import re
import subprocess
import sys
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

import vech
from vech.io import FileFormatError

BERLIN = ZoneInfo("Europe/Berlin")
LABELS = [
    *(
        "a",
        "",
        "\ud800",
        None,
        True,
        False,
        3,
        -(2**70),
        1.5,
        -0.0,
        float("nan"),
        float("inf"),
        float("-inf"),
    ),
    *(("FAM1", "S1"), ("a", ("b", 2, None)), ("x", pd.Timestamp("2020-01-01")), ()),
    pd.Timestamp("2020-01-01 12:00:00.123456789", tz="Europe/Berlin"),
    *(pd.Timestamp("2020-01-31"), pd.Timestamp("2020", tz="UTC"), pd.Timestamp("2020").as_unit("ms"), pd.NaT),
    datetime.datetime(2020, 1, 2, 3, 4, 5, 6),
    datetime.datetime(2020, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
    datetime.datetime(2020, 10, 25, 2, 30, tzinfo=datetime.UTC),
    datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone(-datetime.timedelta(hours=1, minutes=30))),
    datetime.date(2020, 2, 29),
    *(
        np.datetime64("2020"),
        np.datetime64("2020-01-01", "ns"),
        np.datetime64("NaT"),
        np.datetime64("2020", "25s"),
    ),
    *(np.datetime64(-2000, "Y"), np.datetime64("2020-03"), np.timedelta64(5, "D"), np.timedelta64(7)),
]


def stores():
    half = np.arange(len(LABELS) * (len(LABELS) + 1) / 2)
    yield ".npy", vech.Packed(half, labels=LABELS)
    yield ".npz", vech.Packed(half, labels=LABELS)
    yield ".npz", sparse()


def sparse():
    n = len(LABELS)
    return vech.SparseHalf.from_coo([n - 1], [0], [2.0], n, use="lower", labels=LABELS)


@pytest.mark.parametrize(("suffix", "store"), list(stores()))
def test_labels_come_back_as_they_were(tmp_path, suffix, store):
    path = tmp_path / f"half{suffix}"
    vech.write(path, store)
    back = vech.read(path).labels
    assert [repr(label) for label in back] == [repr(label) for label in LABELS]
    assert [type(label) for label in back] == [type(label) for label in LABELS]
    assert [getattr(label, "unit", None) for label in back] == [
        getattr(label, "unit", None) for label in LABELS
    ]


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["2020-01-01", "2020-01-02"], "M8[ns]"),
        np.array([5, 7], "m8[us]"),
        np.array([1, 2]),
        np.array([True, False]),
        pd.date_range("2020-01-01", periods=2, tz="America/New_York"),
        pd.MultiIndex.from_tuples([("stocks", 1), ("bonds", 2)]),
        pd.Index([1.5, None]),
    ],
)
def test_an_index_comes_back(tmp_path, labels):
    store = vech.Packed(np.arange(3.0), labels=labels)
    vech.write(tmp_path / "half.npy", store)
    back, wanted = pd.Index(vech.read(tmp_path / "half.npy").labels), pd.Index(list(labels))
    assert back.equals(wanted) or list(back) == list(wanted)  # pandas 2 tells zones of two libraries apart


def test_strict_json_is_written(tmp_path):
    vech.write(tmp_path / "half.npy", vech.Packed(np.arange(3.0), labels=[float("nan"), float("-inf")]))

    def refuse(word):
        raise AssertionError(word)

    found = json.loads((tmp_path / "half.npy.json").read_text(), parse_constant=refuse)
    assert found["labels"] == [{"float": "nan"}, {"float": "-inf"}]


@pytest.mark.parametrize(
    "label",
    [
        1j,
        b"x",
        [1],
        pd.NA,
        pd.Interval(0, 1),
        pd.Timedelta(1),
        (1, {2}),
        object(),
        ((((((((("deep",),),),),),),),),),
    ],
)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_other_labels_are_refused(tmp_path, suffix, label):
    shown = label[1] if label == (1, {2}) else label
    words = "a label is tuple" if "deep" in str(label) else f"a label is {type(shown).__name__} "
    with pytest.raises(TypeError, match=f"{words}.*, and files keep text, numbers, .*: use str\\(label\\)"):
        vech.write(tmp_path / f"a{suffix}", vech.Packed(np.arange(1.0), labels=[label]))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "label",
    [
        {},
        {"x": 1},
        {"float": "1"},
        {"float": [1]},
        {"tuple": 5},
        {"tuple": [1], "more": 2},
        {"datetime64": "now", "unit": "s"},
        {"datetime64": "2020-01-01T05", "unit": "D"},
        {"datetime64": "2020", "unit": ["D"]},
        {"datetime64": 2020, "unit": "D"},
        {"timedelta64": 2**80, "unit": "s"},
        {"timedelta64": 1, "unit": "x" * 10**6},
        {"timestamp": "2020-01-01", "unit": "D", "zone": None},
        {"timestamp": "2020-01-01T00:00:00", "unit": "s", "zone": "../../../etc/passwd"},
        {"timestamp": "2020-01-01T00:00:00", "unit": "s", "zone": "dateutil//etc/passwd"},
        pytest.param(
            {"timestamp": "9999999-01-01T00:00:00", "unit": "s", "zone": "Europe/Berlin"},
            marks=pytest.mark.skipif(pd.__version__ < "3", reason="pandas 2 has zones for any year"),
        ),
        {"datetime": "0001-01-01", "zone": "-23:59"},
        {"datetime": "2020-01-01", "zone": "+99:99"},
        {"date": "2020-13-01"},
        {"date": "\x1b[31m"},
        json.loads('{"tuple":[' * 20 + "]}" * 20),
    ],
)
def test_a_label_that_is_none_is_an_error_of_the_file(tmp_path, label):
    path = tmp_path / "half.npy"
    vech.write(path, vech.Packed(np.arange(1.0), labels=["a"]))
    beside = tmp_path / "half.npy.json"
    beside.write_text(json.dumps(json.loads(beside.read_text()) | {"labels": [label]}))
    with pytest.raises(FileFormatError, match=r"has a label \{.* that is none of text, numbers") as caught:
        vech.read(path)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_labels_of_pandas_name_it_where_it_is_missing(tmp_path, suffix):
    path = tmp_path / f"half{suffix}"
    vech.write(path, vech.Packed(np.arange(1.0), labels=[pd.Timestamp("2020-01-01")]))
    code = f"import sys; sys.modules['pandas'] = None; import vech; vech.read({str(path)!r})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert re.search("ImportError: has labels of pandas, which is missing: pip install pandas", run.stderr)
