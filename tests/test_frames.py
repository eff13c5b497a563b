"""Frames, series and labelled arrays: their numbers come in whole, and their labels stay."""

import datetime
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest

import vech
from vech import covariance, linalg, pairwise

pandas = pytest.importorskip("pandas")

A = np.array([[4.0, 1, 0], [1, 3, -2], [0, -2, 5]])
HALF = [4.0, 1, 0, 3, -2, 5]
ABC = ("a", "b", "c")
FRAME = pandas.DataFrame(A, index=ABC, columns=ABC)
S = vech.Packed.from_frame(FRAME)
H = vech.SparseHalf.from_half(HALF, labels=ABC)
STORES = {"Packed": S, "SparseHalf": H}
every_store = pytest.mark.parametrize("store", STORES.values(), ids=STORES)


def says(error, message, call, *arguments, **options):
    with pytest.raises(error) as caught:
        call(*arguments, **options)
    assert re.search(message, str(caught.value)), str(caught.value)


# ---- a square of pandas ------------------------------------------------------------------------------------


def test_a_frame_is_packed_and_its_labels_are_kept_by_a_store():
    assert vech.pack(FRAME).tolist() == HALF
    assert S.labels == ABC and S.half.tolist() == HALF
    assert vech.Packed.from_full(FRAME, "numpy-tril").half.tolist() == [4, 1, 3, 0, -2, 5]
    assert vech.Packed.from_full(FRAME, labels="xyz").labels == ("x", "y", "z")
    assert vech.Packed.from_full(A).labels is None


def test_from_full_takes_what_pack_and_from_sparse_take():
    import scipy.sparse

    lower = np.tril(A)
    for matrix in (lower, scipy.sparse.csr_array(lower), lower.tolist()):
        found = vech.Packed.from_full(matrix, use="lower", labels=ABC)
        assert found.half.tolist() == HALF and found.labels == ABC
        says(ValueError, "is not symmetric: a\\[2, 1\\] is -2.0", vech.Packed.from_full, matrix)
    assert vech.Packed.from_full(A + 1e-9 * np.triu(A, 1), tolerance=1e-6).half[1] == 1.0
    assert vech.Packed.from_full(A * 1j, kind="symmetric").kind == "symmetric"
    says(ValueError, "say kind=", vech.Packed.from_full, A * 1j)
    says(ValueError, r"shape \(1, 3, 3\): a store holds one matrix", vech.Packed.from_full, A[None])
    says(TypeError, "from_frame takes a frame with labels, not ndarray: from_full", vech.Packed.from_frame, A)
    says(TypeError, "not Series: from_full", vech.Packed.from_frame, pandas.Series([1.0]))


def square(rows, columns):
    return pandas.DataFrame(A, index=list(rows), columns=list(columns))


DIFFERENT = {
    "another order": (
        square("bac", "abc"),
        (
            r"rows 'b', 'a', 'c' and columns 'a', 'b', 'c', and row 0 is 'b' where column 0 is 'a': "
            r"x.loc\[x.columns\]"
        ),
    ),
    "other labels": (
        square("abc", "abz"),
        "row 2 is 'c' where column 2 is 'z': give both the same labels; x.to_numpy",
    ),
    "rows that were not named": (
        square(range(3), "abc"),
        "rows 0, 1, 2 and columns 'a'.*row 0 is 0 where column 0 is 'a'",
    ),
    "one label twice": (square("aba", "aba"), "(matrix|S) has the label 'a' at 0 and at 2: rename one"),
    "the first few of many": (
        pandas.DataFrame(np.eye(9), index=list("abcdefghi"), columns=list("bcdefghij")),
        r"rows 'a', 'b', 'c', \.\.\. and columns 'b', 'c', 'd', \.\.\.,",
    ),
}


@pytest.mark.parametrize(("frame", "message"), DIFFERENT.values(), ids=DIFFERENT)
def test_labels_that_differ_or_repeat_are_named(frame, message):
    for call in (
        vech.pack,
        vech.Packed.from_full,
        vech.Packed.from_frame,
        linalg.cholesky,
        linalg.nearest_psd,
    ):
        says(ValueError, message, call, frame)
    says(ValueError, message, lambda x: vech.identify(np.ones(6), matrix=x), frame)
    assert vech.pack(frame.to_numpy()).size > 5


def test_any_nan_finds_the_only_one():
    T = pickle.loads(pickle.dumps(vech.Packed(np.array([1.0, 2, 3]), labels=[float("nan"), "b"])))
    assert T.loc[np.nan, "b"] == T.loc["b", float("nan")] == 2
    says(KeyError, "no row has the label nan", lambda: vech.Packed(np.ones(3), labels=["a", "b"]).loc[np.nan])
    T = vech.Packed(np.ones(3), labels=[float("nan"), float("nan")])
    says(KeyError, "no row has the label nan", lambda: T.loc[np.nan])


def test_nan_among_labels_is_a_label():
    frame = pandas.DataFrame(A, index=[1.5, np.nan, 2.5], columns=[1.5, np.nan, 2.5])
    assert np.isnan(vech.Packed.from_frame(frame).labels[1])


# ---- numbers of every dtype --------------------------------------------------------------------------------

KEPT = {
    "float32": ("float32", np.float32),
    "int8": ("int8", np.int8),
    "nullable integers": ("Int16", np.int16),
    "nullable floats": ("Float32", np.float32),
    "sparse columns": (pandas.SparseDtype("float64", 0.0), np.float64),
}


@pytest.mark.parametrize(("dtype", "wanted"), KEPT.values(), ids=KEPT)
def test_the_dtype_of_columns_is_kept(dtype, wanted):
    half = vech.pack(FRAME.astype(dtype))
    assert half.dtype == wanted and half.tolist() == HALF
    assert vech.expand(pandas.Series(HALF).astype(dtype)).dtype == wanted


def test_columns_of_arrow_are_numbers():
    pytest.importorskip("pyarrow")
    assert vech.pack(FRAME.astype("double[pyarrow]")).tolist() == HALF
    assert vech.pack(FRAME.astype("int32[pyarrow]")).dtype == np.int32


def test_what_is_missing_is_nan_among_floats_and_refused_among_integers():
    holed = FRAME.astype("Float64")
    holed.iloc[0, 1] = holed.iloc[1, 0] = pandas.NA
    np.testing.assert_array_equal(vech.pack(holed), [4, np.nan, 0, 3, -2, 5])
    says(
        ValueError,
        "^column 'a' of matrix is Int64 with missing numbers, and integers have no NaN: astype",
        vech.pack,
        holed.astype("Int64"),
    )
    says(
        ValueError,
        "^half is a Series that is boolean with missing",
        vech.expand,
        pandas.Series([True, None], dtype="boolean"),
    )
    X = pandas.DataFrame({"u": [1, 2, None, 4], "v": [2.0, 1, 3, 5]}).astype({"u": "Int64"})
    says(ValueError, "X has 1 NaN, the first in row 2, column 0 \\('u'\\)", covariance.sample, X)
    wanted = covariance.sample(X.astype(float), missing="pairwise").half
    np.testing.assert_array_equal(covariance.sample(X, missing="pairwise").half, wanted)


def test_integers_that_a_float_would_round_are_named():
    wide = 2**60 + 1
    mixed = pandas.DataFrame({"a": [wide, 1], "b": [1.0, 2.0]}, index=["a", "b"])
    says(
        ValueError,
        f"column 'a' of matrix holds the integer {wide}, which float64 beside it would round",
        vech.pack,
        mixed,
    )
    X = pandas.DataFrame({"u": pandas.array([wide, None], "Int64"), "v": [1.0, 2.0]})
    says(ValueError, f"column 'u' of X holds the integer {wide}", covariance.sample, X, missing="pairwise")
    same = pandas.DataFrame({"a": [wide, 1], "b": [1, 2]}, index=["a", "b"])
    assert vech.pack(same).tolist() == [wide, 1, 2]


NO_NUMBERS = {
    "text": list("xyz"),
    "objects": np.array([1, 2, 3], object),
    "categories": pandas.Categorical([1, 2, 3]),
    "intervals": pandas.interval_range(0, 3),
    "times with a zone": pandas.date_range("2020", periods=3, tz="UTC"),
    "periods": pandas.period_range("2020", periods=3, freq="D"),
}
WAYS = {
    "intervals": "$",
    "times with a zone": ", or astype\\('int64'\\)$",
    "periods": ", or astype\\('int64'\\)$",
}


@pytest.mark.parametrize("name", NO_NUMBERS)
def test_a_column_of_no_numbers_is_named(name):
    frame, way = FRAME.copy(), WAYS.get(name, r", or astype\(float\)$")
    frame["b"] = NO_NUMBERS[name]
    says(TypeError, "column 'b' of matrix has dtype .*, which is no number: drop it" + way, vech.pack, frame)
    says(
        TypeError, "column 'b' of X has dtype .*, which is no number: drop it" + way, covariance.sample, frame
    )


def test_dates_are_packed_but_not_beside_numbers_and_have_no_covariance():
    days = pandas.to_datetime(["2020-01-01", "2021-01-01"])
    frame = pandas.DataFrame({"a": days, "b": days[::-1]}, index=["a", "b"])
    assert vech.pack(frame).dtype.kind == "M"
    says(
        TypeError,
        "column 'a' of matrix has dtype datetime64.*, and column 'b' of matrix int64: drop one",
        vech.pack,
        frame.assign(b=[1, 2]),
    )
    says(
        TypeError,
        r"column 'a' of X has dtype datetime64.*, which is no number: drop it, or astype\('int64'\)",
        covariance.sample,
        frame,
    )
    assert covariance.sample(frame.astype("int64") // 10**6).n == 2  # older pandas count nanoseconds


def test_labels_that_are_names_of_methods_are_labels():
    odd = ["columns", "dims"]
    frame = pandas.DataFrame(np.eye(2), index=odd, columns=odd)
    assert vech.Packed.from_frame(frame).labels == tuple(odd)
    assert vech.expand(pandas.Series([1.0, 0, 2], index=["columns", "dtypes", "chunks"])).tolist() == [
        [1, 0],
        [0, 2],
    ]


# ---- labels of every kind, there and back ------------------------------------------------------------------

INDEXES = {
    "names": pandas.Index(["x", "y", "z"]),
    "integers": pandas.Index([10, 3, 7]),
    "floats": pandas.Index([0.5, 1.5, 2.5]),
    "times": pandas.date_range("2020-02-28", periods=3),
    "times with a zone": pandas.date_range("2020-02-28", periods=3, tz="Europe/Paris"),
    "pairs": pandas.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)]),
    "pairs with times": pandas.MultiIndex.from_product([["u"], pandas.date_range("2020", periods=3)]),
    "periods": pandas.period_range("2020-01", periods=3, freq="M"),
    "dates": pandas.Index([datetime.date(2020, 1, day) for day in (1, 2, 3)]),
    "none": pandas.RangeIndex(3),
}
every_index = pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)


@every_index
def test_a_frame_comes_back_as_it_was(index):
    frame = pandas.DataFrame(A, index=index, columns=index)
    back = vech.Packed.from_frame(frame).to_frame()
    pandas.testing.assert_frame_equal(
        back, frame, check_freq=False, check_index_type=False, check_column_type=False
    )
    assert type(back.index) is type(frame.index) or isinstance(index, pandas.RangeIndex)
    sparse = vech.SparseHalf.from_half(vech.pack(frame), labels=index).to_frame()
    assert sparse.equals(back)


@every_index
def test_the_covariance_of_a_frame_keeps_the_labels_of_columns(index):
    X = pandas.DataFrame(np.random.default_rng(0).normal(size=(9, 3)), columns=index)
    found = covariance.sample(X).to_frame()
    pandas.testing.assert_frame_equal(found, X.cov(), check_freq=False)
    stream = covariance.Stream()
    stream.update(X)
    assert stream.result().labels == tuple(index)


@every_index
def test_rows_are_found_by_their_labels(index):
    if index.inferred_type == "integer":
        pytest.skip("integers are places")
    for store in (vech.Packed(HALF, labels=index), vech.SparseHalf.from_half(HALF, labels=index)):
        wanted = store.to_frame().iloc[[2, 0], [2, 0]]
        assert store.submatrix([index[2], index[0]]).to_frame().equals(wanted)
        assert store.submatrix(index[[2, 0]]).to_frame().equals(wanted)
        assert store.permute(index[::-1]).labels == tuple(index[::-1])


@every_store
def test_labels_that_are_not_there_or_twice_are_named(store):
    says(KeyError, "no row has the label 'z': there are 'a', 'b', 'c'", store.submatrix, ["a", "z"])
    says(ValueError, "order must hold each of 0 to 2 once", store.permute, ["a", "b"])
    twice = store.submatrix([0, 1, 0])
    assert twice.labels == ("a", "b", "a") and twice.submatrix(["b"]).labels == ("b",)
    says(KeyError, "the label 'a' is at 0 and at 2: index by places instead", twice.submatrix, ["a"])
    assert store.submatrix("b").labels == ("b",)
    assert store.block(["c", "a"], "b").tolist() == [[-2.0], [1.0]]
    assert store.block(pandas.Index(["b"]), slice(None)).tolist() == [[1.0, 3.0, -2.0]]
    says(KeyError, "no row has the label 'z'", store.block, ["z"], [0])
    assert store.submatrix([2, 1]).labels == ("c", "b")


def test_dates_of_numpy_stay_dates():
    days = np.array(["2020-01-01", "2020-01-02"], "M8[ns]")
    assert vech.Packed(np.ones(3), labels=days).labels == tuple(days)
    assert isinstance(vech.Packed(np.ones(3), labels=days).to_frame().index, pandas.DatetimeIndex)


# ---- labels that meet --------------------------------------------------------------------------------------

b = pandas.Series([1.0, 2, 3], index=ABC, name="w")
MEET = {
    "S @ x": lambda store, x: store @ x,
    "matmul": lambda store, x: store.matmul(x),
    "matvec": lambda store, x: store.matvec(x),
    "rmatvec": lambda store, x: store.rmatvec(x),
    "solve": linalg.solve,
    "F.solve": lambda store, x: linalg.cholesky(store.to_packed()).solve(x),
}
every_meeting = pytest.mark.parametrize("call", MEET.values(), ids=MEET)


@every_store
@every_meeting
def test_a_series_or_frame_gives_its_like(store, call):
    found, wanted = call(store, b), call(store, b.to_numpy())
    assert type(wanted) is np.ndarray
    pandas.testing.assert_series_equal(found, pandas.Series(wanted, index=ABC, name="w"))
    both = pandas.DataFrame({"w": b, "v": b + 1})
    wanted = pandas.DataFrame(call(store, both.to_numpy()), index=ABC, columns=["w", "v"])
    pandas.testing.assert_frame_equal(call(store, both), wanted)
    unlabelled = call(store.submatrix([0, 1, 2]) if store is None else vech.Packed(HALF), b)
    pandas.testing.assert_series_equal(unlabelled, found)


OTHERS = {
    "S @ x": lambda store, x: store @ x,
    "solve": linalg.solve,
    "F.solve": lambda store, x: linalg.cholesky(store.to_packed()).solve(x),
    "update": lambda store, x: linalg.cholesky(store.to_packed()).update(x),
    "quadratic": lambda store, x: store.quadratic(x),
    "congruence": lambda store, x: store.to_packed().congruence(x),
    "add_outer": lambda store, x: store.to_packed().copy().add_outer(x),
    "set_diagonal": lambda store, x: store.to_packed().copy().set_diagonal(x),
    "add_diagonal": lambda store, x: store.to_packed().copy().add_diagonal(x),
    "L.solve": lambda store, x: linalg.cholesky(store.to_packed()).L.solve(x),
    "L.H @ x": lambda store, x: linalg.cholesky(store.to_packed()).L.H @ x,
    "v0": lambda store, x: linalg.eigsh(store, 1, v0=x),
}


@every_store
@pytest.mark.parametrize("call", OTHERS.values(), ids=OTHERS)
def test_labels_that_are_not_those_of_the_matrix_are_named(store, call):
    says(
        ValueError,
        r"row 0 of S is 'a', and of \w+ 'b': give both the same labels in one order, or pass \w+.to_numpy",
        call,
        store,
        b.loc[list("bac")],
    )
    says(
        ValueError,
        "row 1 of S is 'b', and of \\w+ 1",
        call,
        store,
        b.rename(dict(zip("bc", (1, 2), strict=True))),
    )
    call(store, b)
    call(store, b.to_numpy()[::-1])


def test_a_quadratic_form_of_columns_is_labelled_by_them():
    both = pandas.DataFrame({"w": b, "v": b + 1})
    for store in (S, H):
        found = store.quadratic(both)
        pandas.testing.assert_series_equal(
            found, pandas.Series(S.quadratic(both.to_numpy()), index=["w", "v"])
        )
        assert isinstance(store.quadratic(b), float)


def test_a_congruence_is_labelled_by_the_rows_of_its_matrix():
    B = pandas.DataFrame(np.arange(6.0).reshape(2, 3), index=["p", "q"], columns=ABC)
    found = S.congruence(B)
    assert found.labels == ("p", "q")
    np.testing.assert_allclose(found.expand(), B.to_numpy() @ A @ B.to_numpy().T)
    assert vech.Packed(HALF).congruence(b).labels == ABC
    assert S.congruence(b).labels == ABC and S.congruence(b.to_numpy()).labels == ABC
    assert S.congruence(B.to_numpy()).labels is None
    says(ValueError, "row 0 of S is 'a', and of b 'c'", S.congruence, B[list("cba")])
    says(
        ValueError, r"b has shape \(3, 2\), .*: its rows have the labels of S, so pass b.T", S.congruence, B.T
    )


def test_matrices_that_meet_have_the_same_labels():
    other = vech.Packed(HALF, labels="acb")
    for call in (
        lambda: S + other,
        lambda: other >= S,
        lambda: linalg.inner(S, other),
        lambda: H - other,
        lambda: linalg.shrink_to_psd(S, other),
        lambda: linalg.eigsh(S, 1, M=other),
        lambda: linalg.eigsh(S, 1, M=other.to_frame()),
    ):
        says(ValueError, "the labels of row 1 differ, '[bc]' and '[bc]': permute one of the matrices", call)
    mask = vech.Packed(np.array(HALF) > 3, labels="acb")
    says(ValueError, "the labels of row 1 differ", S.copy().__setitem__, mask, 0)
    assert (S + vech.Packed(HALF)).labels == (vech.Packed(HALF) + S).labels == ABC


def test_labels_stay_through_what_follows_from_a_matrix():
    factor = linalg.cholesky(S)
    for found in (
        2 * S + S,
        -S,
        S > 0,
        abs(S),
        S.T,
        S.copy(),
        S.astype("f4"),
        S.to_packed("numpy-tril"),
        factor.inverse(),
        linalg.inverse(S),
        linalg.nearest_psd(S).matrix,
        linalg.shrink_to_psd(FRAME).matrix,
        linalg.nearest_correlation(FRAME).matrix,
        vech.SparseHalf.from_half(HALF, labels=ABC).to_packed(),
        pairwise.gram(FRAME),
        pairwise.cosine(FRAME),
        pairwise.cooccurrence(FRAME),
    ):
        assert found.labels == ABC


def test_what_is_assigned_goes_to_its_own_labels():
    T = S.copy()
    T.loc[["b", "a"], ["b", "a"]] = pandas.DataFrame([[7.0, 8], [8, 9]], list("ba"), list("ba"))
    T.loc["c", ["a", "b"]] = pandas.Series([5.0, 6], list("ab"))
    T.loc[["a", "b", "c"], "a"] = T.loc["a"]
    assert T.expand().tolist() == [[9, 8, 5], [8, 7, 6], [5, 6, A[2, 2]]]
    T.loc[["c"], ["a"]] = pandas.DataFrame([[4.0]], ["c"], ["a"])
    T.set_diagonal(pandas.Series([1.0, 2, 3], list(ABC)))
    before = T.half.copy()
    swapped = pandas.DataFrame([[1.0, 2], [2, 3]], list("ba"), list("ba"))
    message = "row 0 of S is 'a', and of value 'b': give both the same labels in one order"
    says(ValueError, message, T.__setitem__, (slice(2), slice(2)), swapped)
    says(ValueError, message, T.loc.__setitem__, (["a", "b"], ["a", "b"]), swapped)
    says(ValueError, message, T.loc.__setitem__, ("c", ["a", "b"]), swapped["a"])
    says(ValueError, message, T.loc.__setitem__, (["a", "b"], "c"), swapped["a"])
    says(ValueError, message, T.__setitem__, ([0, 1], [0, 1]), swapped["a"])
    assert (T.half == before).all()


def test_arithmetic_with_a_frame_names_the_way():
    message = (
        "np.add of a Packed takes numbers and stores, not a DataFrame: make a store with Packed.from_full"
    )
    says(TypeError, message, lambda: S + FRAME)
    says(TypeError, "np.add of a Packed takes numbers and stores", lambda: FRAME + S)
    says(TypeError, "np.multiply of a SparseHalf takes numbers and stores, not a Series", lambda: H * b)


def test_pairwise_keeps_the_labels_of_rows():
    X = pandas.DataFrame(np.arange(6.0).reshape(2, 3), index=["p", "q"], columns=ABC)
    for store in ("sparse", "packed"):
        assert pairwise.gram(X, store=store).labels == ("p", "q")
    sparse = X.astype(pandas.SparseDtype("float64", 0.0))
    np.testing.assert_array_equal(pairwise.gram(sparse).expand(), pairwise.gram(X).expand())


def test_frames_of_sparse_columns_are_sparse_matrices():
    sparse = FRAME.astype(pandas.SparseDtype("float64", 0.0))
    assert vech.from_sparse(sparse).tolist() == HALF
    found = vech.SparseHalf.from_sparse(sparse)
    assert found.labels == ABC and found.nnz == 5
    says(
        TypeError,
        "matrix must be a SciPy sparse array, not pandas.*DataFrame: vech.pack",
        vech.from_sparse,
        FRAME,
    )
    says(ValueError, "row 0 is 'b' where", vech.from_sparse, sparse.loc[list("bac")])


ZERO, NAN = pandas.SparseDtype(float, 0.0), "Sparse[float]"
FILLS = {"nan": NAN, "one": pandas.SparseDtype(float, 1.0), "some": {"a": NAN, "b": ZERO, "c": ZERO}}


@pytest.mark.parametrize("fill", FILLS)
def test_frames_that_are_sparse_about_another_number_are_frames_of_numbers(fill):
    sparse = FRAME.astype(FILLS[fill])
    assert vech.from_sparse(sparse).tolist() == HALF
    says(ValueError, "row 0 is 'b' where", vech.from_sparse, sparse.loc[list("bac")])
    for call in (
        pairwise.distances,
        pairwise.gram,
        lambda X: pairwise.distances(X, "gower"),
        lambda X: pairwise.distances(X, "canberra", w=[1, 2, 3]),
        lambda X: pairwise.kernel(X, gamma=0.1),
        covariance.sample,
    ):
        found, want = call(sparse), call(FRAME)
        np.testing.assert_array_equal(found.expand(), want.expand())
        assert found.labels == want.labels
    near, want = pairwise.nearest(sparse, 1), pairwise.nearest(A, 1)
    np.testing.assert_array_equal(near.indices, want.indices)


def test_what_a_sparse_frame_lacks_is_missing():
    holed = pandas.DataFrame([[1, np.nan], [3, 0], [5, 4]]).astype("Sparse[float]")
    found = pairwise.distances(holed, "sqeuclidean", missing="pairwise")
    assert found.half.tolist() == [8, 32, 20]
    says(ValueError, "X holds nan in row 0, column 1: fill it, or pass missing", pairwise.distances, holed)


# ---- beside X ----------------------------------------------------------------------------------------------


def test_what_is_beside_a_frame_has_its_labels():
    X = pandas.DataFrame(np.random.default_rng(1).normal(size=(5, 3)), index=list("vwxyz"), columns=ABC)
    w = pandas.Series(np.arange(1.0, 6), index=X.index)
    np.testing.assert_array_equal(
        covariance.sample(X, weights=w).half, covariance.sample(X, weights=w.to_numpy()).half
    )
    says(
        ValueError,
        "row 0 of X is 'v' and weights\\[0\\] is for 'z': give both one index",
        covariance.sample,
        X,
        weights=w[::-1],
    )
    threshold = pandas.Series([0.3, 0.4, 0.5], index=list("cab"))
    wanted = covariance.gerber(X, [0.4, 0.5, 0.3]).half
    np.testing.assert_array_equal(covariance.gerber(X, threshold).half, wanted)
    says(ValueError, "'a' is in one of them only", covariance.gerber, X, threshold.rename({"a": "z"}))


# ---- polars, pyarrow, xarray -------------------------------------------------------------------------------


def test_polars_has_the_labels_of_columns():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(A, schema=list(ABC))
    assert vech.Packed.from_frame(frame).labels == ABC and vech.pack(frame).tolist() == HALF
    assert covariance.sample(frame).labels == ABC
    assert type(S @ polars.Series([1.0, 2, 3])) is np.ndarray
    holed = polars.DataFrame({"a": [1, None], "b": [None, 1]})
    says(ValueError, "column 'a' of matrix is Int64 with missing", vech.pack, holed)
    np.testing.assert_array_equal(vech.pack(holed.cast(polars.Float32)), np.array([1, np.nan, 1], "f4"))
    np.testing.assert_array_equal(
        vech.expand(polars.Series([True, False, True])), [[True, False], [False, True]]
    )
    for column in (
        ["u", "v"],
        [{"f": 1}, {"f": 2}],
        [[1], [2]],
        polars.Series([1, 2], dtype=polars.Decimal(9, 2)),
    ):
        frame = polars.DataFrame({"a": [1.0, 2.0], "b": column})
        says(TypeError, "column 'b' of matrix has dtype .*, which is no number", vech.pack, frame)
    large = polars.DataFrame({"a": [2**60 + 1, 1], "b": [1.0, 2]})
    says(ValueError, "column 'a' of X holds the integer", covariance.sample, large)


def test_tables_of_pyarrow_have_the_labels_of_columns():
    arrow = pytest.importorskip("pyarrow")
    table = arrow.table(dict(zip(ABC, A, strict=True)))
    assert vech.Packed.from_frame(table).labels == ABC and vech.pack(table).tolist() == HALF
    assert covariance.sample(table).labels == ABC
    for half in (arrow.array(HALF), arrow.chunked_array([HALF[:2], HALF[2:]])):
        np.testing.assert_array_equal(vech.expand(half), A)
    np.testing.assert_array_equal(vech.expand(arrow.array([1.0, None, 2])), [[1, np.nan], [np.nan, 2]])
    says(ValueError, "with missing numbers", vech.expand, arrow.array([1, None, 2]))
    says(
        TypeError,
        "column 'b' of matrix has dtype string",
        vech.pack,
        arrow.table({"a": [1, 2], "b": ["x", "y"]}),
    )
    says(
        ValueError,
        "holds the integer",
        covariance.sample,
        arrow.table({"a": [2**60 + 1, None], "b": [1.0, 2]}),
    )


def test_xarray_has_labels_on_every_axis():
    xarray = pytest.importorskip("xarray")
    named = xarray.DataArray(A, dims=("i", "j"), coords={"i": list(ABC), "j": list(ABC)})
    assert vech.Packed.from_frame(named).labels == ABC
    says(
        ValueError,
        "row 0 is 'b' where column 0 is 'a': give both one order",
        vech.pack,
        named.isel(i=[1, 0, 2]),
    )
    assert vech.Packed.from_full(xarray.DataArray(A)).labels is None
    says(TypeError, "from_frame takes a frame with labels", vech.Packed.from_frame, xarray.DataArray(A))
    x = xarray.DataArray([1.0, 2, 3], dims="i", coords={"i": list(ABC)}, name="x")
    found = S @ x
    xarray.testing.assert_equal(found, x.copy(data=S @ x.to_numpy()))
    xarray.testing.assert_equal(linalg.solve(S, x), x.copy(data=linalg.solve(S, x.to_numpy())))
    says(ValueError, "row 0 of S is 'a', and of x 'c'", S.matmul, x[::-1])
    assert vech.pack(xarray.DataArray(np.stack([A, A]))).shape == (2, 6)
    assert covariance.sample(named).labels == ABC and pairwise.gram(named).labels == ABC
    says(TypeError, "xarray.*Dataset: cannot directly convert", vech.pack, xarray.Dataset({"u": named}))


# ---- what other libraries hand over ------------------------------------------------------------------------


def test_scikit_learn_set_to_pandas_is_taken():
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    X = pandas.DataFrame(np.random.default_rng(2).normal(size=(8, 3)), columns=ABC)
    scaled = preprocessing.StandardScaler().set_output(transform="pandas").fit_transform(X)
    assert covariance.sample(scaled).labels == ABC
    pytest.importorskip("polars")
    scaled = preprocessing.StandardScaler().set_output(transform="polars").fit_transform(X)
    assert covariance.sample(scaled).labels == ABC


def test_statsmodels_is_taken():
    sm = pytest.importorskip("statsmodels.api")
    X = pandas.DataFrame(np.random.default_rng(2).normal(size=(20, 3)), columns=ABC)
    fit = sm.OLS(X["a"], X[["b", "c"]]).fit()
    P = vech.Packed.from_frame(fit.cov_params())
    assert P.labels == ("b", "c")
    wald = fit.params @ np.linalg.inv(fit.cov_params()) @ fit.params
    assert fit.params @ linalg.solve(P, fit.params) == pytest.approx(wald)


def test_skfolio_is_taken():
    skfolio = pytest.importorskip("skfolio.moments")
    X = pandas.DataFrame(np.random.default_rng(2).normal(size=(20, 3)), columns=ABC)
    found = skfolio.EmpiricalCovariance().fit(X).covariance_
    np.testing.assert_allclose(vech.Packed.from_full(found).half, covariance.sample(X).half)


def test_an_array_needs_none_of_these_libraries():
    program = """
        import sys, numpy, vech
        half = vech.pack(numpy.eye(3))
        vech.Packed(half, labels="abc") @ numpy.ones(3)
        print(*({"pandas", "polars", "xarray", "pyarrow", "torch", "jax", "h5py", "zarr"} & set(sys.modules)))
    """
    program = "\n".join(line.strip() for line in program.splitlines())
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_what_holds_or_promises_a_frame_says_how_to_get_it():
    polars, narwhals = pytest.importorskip("polars"), pytest.importorskip("narwhals")
    lazy = polars.LazyFrame({"a": [1.0]})
    message = r"matrix must be a NumPy array, not polars.*LazyFrame: pass x.collect\(\)"
    says(TypeError, message, vech.pack, lazy)
    says(TypeError, r"X must be a NumPy array, .*x.collect\(\)", covariance.sample, lazy)
    says(TypeError, r"pass x.to_native\(\)", vech.pack, narwhals.from_native(lazy.collect()))


def test_a_distance_matrix_of_scikit_bio_says_its_frame(monkeypatch):
    monkeypatch.delitem(sys.modules, "sparse", raising=False)  # a folder here, for which another library asks
    skbio = pytest.importorskip("skbio")
    distances = skbio.DistanceMatrix([[0, 1.5], [1.5, 0]], ids=["u", "v"])
    says(TypeError, r"DistanceMatrix: pass x.to_data_frame\(\)", vech.pack, distances)
    assert vech.Packed.from_frame(distances.to_data_frame(), "condensed").labels == ("u", "v")


@pytest.mark.parametrize(
    "asked",
    [
        lambda S: S.to_frame(),
        lambda S: S.to_pairs().to_frame(),
        lambda S: vech.embedding.mds(S, 1).to_frame(),
        lambda S: vech.SparseHalf.from_sparse(S.to_csr()).to_frame(),
    ],
)
def test_without_pandas_a_frame_says_what_to_install(monkeypatch, asked):
    monkeypatch.delitem(sys.modules, "vech.adapters.pandas", raising=False)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"^data frames need pandas: pip install pandas$"):
        asked(vech.Packed(np.array([0, 1.0, 2, 0, 3, 0])))
