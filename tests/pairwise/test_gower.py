"""Gower's distances: the values of R's daisy, and a loop over pairs and columns."""

import datetime

import numpy as np
import pytest

import vech
from vech.pairwise import distances
from vech.pairwise.gower import gower
from vech.results.making import Wanted, make

pandas = pytest.importorskip("pandas")

GRADES = ["none", "low", "mid", "high"]


def mixed():
    return pandas.DataFrame(
        {
            "size": [1.5, 2.25, None, 7, 3.5, 1.5],
            "count": pandas.array([3, 8, 1, 4, None, 3], "Int64"),
            "colour": ["red", "blue", "red", None, "green", "red"],
            "grade": pandas.Categorical(["low", "high", "mid", "high", "low", "low"], GRADES, ordered=True),
            "alive": [True, False, True, True, False, True],
            "same": 2,
        },
        index=list("uvwxyz"),
    )


# as.vector(daisy(X, metric="gower")) of R 4.2.2, cluster 2.1.4, of this frame: grade is an ordered factor,
# colour and alive are factors
DAISY = [
    *(0.64177489177489178, 0.15714285714285714, 0.42857142857142855, 0.47272727272727277, 0),
    *(0.69999999999999996, 0.48701298701298701, 0.44545454545454549, 0.64177489177489178),
    *(0.23214285714285715, 0.62500000000000000, 0.15714285714285714),
    *(0.65909090909090906, 0.42857142857142855, 0.47272727272727277),
]
# the same with weights = c(2, 1, 0.5, 1, 3, 1)
WEIGHTED = [
    *(0.64553093964858665, 0.12087912087912088, 0.39285714285714285, 0.56363636363636371, 0),
    *(0.76923076923076927, 0.66233766233766234, 0.26060606060606062, 0.64553093964858665),
    *(0.15476190476190477, 0.72727272727272729, 0.12087912087912088),
    *(0.75324675324675316, 0.39285714285714285, 0.56363636363636371),
]
WEIGHTS = [2, 1, 0.5, 1, 3, 1]


def reference(columns, weights):
    """Columns are lists of numbers, or of names; None is missing."""
    n = len(columns[0])
    result = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            total = weight = 0.0
            for column, w in zip(columns, weights, strict=True):
                x, y = column[i], column[j]
                if x is None or y is None:
                    continue
                known = [value for value in column if value is not None]
                if isinstance(x, str):
                    total += w * (x != y)
                elif max(known) > min(known):
                    total += w * abs(x - y) / (max(known) - min(known))
                weight += w
            result[i, j] = total / weight if weight else np.nan
    np.fill_diagonal(result, 0)
    return result


def test_the_values_are_those_of_daisy():
    D = distances(mixed(), "gower", missing="pairwise")
    np.testing.assert_allclose(D.half, DAISY, rtol=1e-14)
    assert D.labels == tuple("uvwxyz") and D.layout.name == "condensed"
    weighted = distances(mixed(), "gower", missing="pairwise", w=WEIGHTS)
    np.testing.assert_allclose(weighted.half, WEIGHTED, rtol=1e-14)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 17, 100])
@pytest.mark.parametrize("holes", [False, True])
def test_the_mean_of_what_columns_differ_by(n, holes):
    rng = np.random.default_rng(n)
    columns = [rng.normal(size=n).tolist() for _ in range(3)]
    columns += [rng.choice(["a", "b", "c"], n).tolist() for _ in range(2)]
    if holes:
        for column in columns[1:]:
            for at in np.flatnonzero(rng.random(n) < 0.3):
                column[at] = None
    X = pandas.DataFrame(dict(enumerate(columns)))
    X = X.astype({0: float, 1: float, 2: float, 4: "category"})
    weights = rng.random(5) + 0.1
    block = gower(X, w=weights, missing="pairwise")
    want = reference(columns, weights)
    got = make(block, n, block.dtype, Wanted("vech"), side=7).expand()
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-15)
    assert not n or np.nanmax(got) <= 1


def test_rows_without_a_common_column_are_nan_apart():
    X = pandas.DataFrame({"a": [1, None, 3], "b": [None, "x", "y"]})
    np.testing.assert_array_equal(
        distances(X, "gower", missing="pairwise").half, [np.nan, 1, 1]
    )  # daisy: NA 1 1
    nothing = pandas.DataFrame({"a": [None, None]}, dtype=float)
    square = distances(nothing, "gower", missing="pairwise", layout="vech").expand()
    np.testing.assert_array_equal(square, [[0, np.nan], [np.nan, 0]])


def test_rows_that_are_the_same_are_at_zero_and_opposite_ones_at_one():
    X = pandas.DataFrame({f"x{k}": [0.1 * k, 7 / 3, 0.1 * k] for k in range(7)} | {"c": ["a", "b", "a"]})
    np.testing.assert_array_equal(distances(X, "gower", w=np.full(8, 0.1)).half, [1, 0, 1])


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_frames_of_other_libraries(library):
    module = pytest.importorskip(library)
    X = mixed().astype({"grade": object}).reset_index(drop=True)
    X["day"] = pandas.to_datetime(
        ["2020-01-01", "2020-01-03", None, "2020-02-01", "2021-01-01", "2020-01-02"]
    )
    X["sort"] = X["colour"].astype("category")
    other = module.from_pandas(X) if library == "polars" else module.Table.from_pandas(X)
    want = distances(X, "gower", missing="pairwise")
    np.testing.assert_array_equal(distances(other, "gower", missing="pairwise").half, want.half)


def test_dates_are_shares_of_their_range():
    days = [datetime.datetime(2020, 1, day) for day in (1, 3, 5)]
    here = pandas.DataFrame({"d": days})
    for X in (here, here.apply(lambda d: d.dt.tz_localize("CET"))):
        np.testing.assert_array_equal(distances(X, "gower").half, [0.5, 1, 0.5])
    late = np.datetime64("2020-01-01", "ns") + np.array([0, 1, 2], "m8[ns]")  # double tells 256 ns apart
    np.testing.assert_array_equal(distances(late[:, None], "gower").half, [0.5, 1, 0.5])


@pytest.mark.parametrize("least", [2**62, -(2**63), 2**64 - 3])
def test_integers_beyond_double_are_told_apart(least):
    X = np.array([[least], [least + 1], [least + 2]], np.uint64 if least > 2**63 else np.int64)
    np.testing.assert_array_equal(distances(X, "gower").half, [0.5, 1, 0.5])


def test_the_range_may_be_all_of_an_integer_and_of_double():
    for X in (np.array([[-(2**63)], [2**63 - 1], [0]]), np.array([[-1.7e308], [1.7e308], [0.0]])):
        np.testing.assert_allclose(distances(X, "gower").half, [1, 0.5, 0.5])
    tiny = np.array([[0], [5e-324], [1e-323]])
    np.testing.assert_array_equal(distances(tiny, "gower").half, [0.5, 1, 0.5])


def test_arrays_of_numbers_and_of_truth_values():
    X = np.array([[0.0, 4], [1, 8], [2, 8]])
    np.testing.assert_array_equal(distances(X, "gower").half, [0.75, 1, 0.25])
    np.testing.assert_array_equal(distances(X > 1, "gower").half, [0, 0.5, 0.5])
    assert distances(X, "gower", dtype="float32").dtype == np.float32


def test_columns_of_weight_zero_are_not_looked_at():
    X = mixed()[["size", "alive"]].fillna(0)
    want = distances(X[["alive"]], "gower").half
    np.testing.assert_array_equal(distances(X, "gower", w=[0, 3]).half, want)


def test_a_run_to_a_file_gives_the_same(tmp_path):
    want = distances(mixed(), "gower", missing="pairwise")
    found = distances(mixed(), "gower", missing="pairwise", out=tmp_path / "d.npy")
    np.testing.assert_array_equal(found.half, want.half)
    assert vech.read(tmp_path / "d.npy").labels == want.labels


def test_periods_are_as_far_apart_as_there_are_between_them():
    months = pandas.PeriodIndex(["2020-01", "2020-02", None, "2021-01"], freq="M")
    found = distances(pandas.DataFrame({"a": months}), "gower", missing="pairwise").half
    np.testing.assert_allclose(found, [1 / 12, np.nan, 1, np.nan, 11 / 12, np.nan])


def test_lists_of_other_libraries_are_named():
    frames = [pytest.importorskip("polars").DataFrame, pytest.importorskip("pyarrow").table]
    for frame in frames:
        with pytest.raises(
            TypeError, match="column 'l' of X holds a list in row 0, which is no single value"
        ):
            distances(frame({"l": [[1], [2]]}), "gower")
        with pytest.raises(
            TypeError, match="column 's' of X holds a dict in row 0, which is no single value"
        ):
            distances(frame({"s": [{"c": 1}, {"c": 2}]}), "gower")


REFUSED = {
    r"X holds nothing in row 2 \('w'\), column 0 \('size'\): fill it, or pass missing='pairwise'": mixed(),
    "row 1, column 'a' of X, is -inf": pandas.DataFrame({"a": [1, -np.inf]}),
    "column 'a' of X holds Python objects of type int, str: astype": pandas.DataFrame({"a": [1, "s"]}),
    "column 'a' of X holds a list in row 1, which is no single value: make columns of its parts": (
        pandas.DataFrame({"a": [None, [1]]})
    ),
    "column 'b' of X holds a dict in row 0, which is no single value": pandas.DataFrame(
        {"b": [{"c": 1}, {}]}
    ),
    "column 'a' of X holds Python objects of type tuple: astype.str. makes text of": pandas.DataFrame(
        {"a": [(1,), (2,)]}
    ),
    "column 'a' of X holds Python objects of type Interval: astype.str. makes text": pandas.DataFrame(
        {"a": pandas.interval_range(0, 2)}
    ),
    "column 'a' of X holds Python objects of type date: astype.'datetime64.us.'. makes dates": (
        pandas.DataFrame({"a": [datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)]})
    ),
    "column 'a' of X holds complex128, and distances are of real numbers: np.real and": pandas.DataFrame(
        {"a": [1j, 2]}
    ),
    "column 'o' of X holds complex128, and distances are of real numbers: np.real and": pandas.DataFrame(
        {"o": pandas.Series([1j, 2], dtype=object)}
    ),
    "column 0 of X holds complex128, and distances are of real numbers": np.ones((2, 2), complex),
    "holds text: astype.float. first; a data frame has a dtype for each column": [["a", 1], ["b", 2]],
    r"X has shape \(3,\): it must be a matrix": np.zeros(3),
    "none of the 0 columns of X has a weight above zero": pandas.DataFrame(index=[0, 1]),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_does_not_fit_is_named(message):
    with pytest.raises((TypeError, ValueError), match=message):
        distances(REFUSED[message], "gower")


@pytest.mark.parametrize("w", [[1.0], [1, -1.0], [1, np.nan], [0.0, 0]])
def test_weights_are_one_for_each_column_and_not_negative(w):
    message = (
        r"w has shape \(1,\)|w\[1\] is -1: weights are|w holds nan|none of the 2 columns of X has a weight"
    )
    with pytest.raises(ValueError, match=message):
        distances(np.eye(2), "gower", w=w)
