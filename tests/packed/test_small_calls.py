"""Short ways of single calls: what is looked at once must not go stale, and gives what the long way gives."""

import copy
import pickle

import numpy as np
import pytest

import cases
import vech

REAL = ("float64", "float32")
NUMBERS = (2, -3, 0.5, np.float64(0.5), np.int8(2), True)
ARITHMETIC = ("__add__", "__sub__", "__rsub__", "__mul__", "__truediv__")
ORDERS = ("__lt__", "__ge__", "__eq__", "__ne__")


def store(dtype="float64", layout="vech", n=7, seed=0, labels=None):
    half = np.random.default_rng(seed).integers(-9, 10, vech.as_layout(layout).length(n)).astype(dtype)
    return vech.Packed(half, layout, labels=labels)


@cases.each("layout", ["vech", "numpy-tril", "condensed", "svec-lower", "lapack-rfp-nl"])
@cases.each("dtype", REAL)
def test_a_product_is_the_same_by_its_short_and_its_long_way(layout, dtype):
    S, x = store(dtype, layout), np.arange(7).astype(dtype)
    for _ in range(2):  # asked, and remembered
        assert (S @ x).tobytes() == S.matmul(x).tobytes()
    assert (S @ x[::-1]).tobytes() == S.matmul(x[::-1].copy()).tobytes()
    assert (S @ x).dtype == dtype
    with pytest.raises(ValueError, match="needs 7 rows"):
        S @ x[:3]


def test_a_product_sees_what_was_assigned():
    S, x = store(), np.ones(7)
    S @ x
    S[0, 3] = 100
    S.half[-1] = -50
    np.testing.assert_array_equal(S @ x, S.expand() @ x)
    S += 1
    np.testing.assert_array_equal(S @ x, S.expand() @ x)
    T = S.astype("float32")
    np.testing.assert_array_equal(T @ x.astype("float32"), T.expand() @ x.astype("float32"))
    assert (T @ x).dtype == np.float64


def test_a_product_leaves_no_trace_in_copies_and_pickles():
    S = store()
    before = pickle.dumps(S)
    S @ np.ones(7)
    assert pickle.dumps(S) == before
    for other in (pickle.loads(before), copy.copy(S), copy.deepcopy(S)):
        np.testing.assert_array_equal(other @ np.ones(7), S @ np.ones(7))


def test_a_class_of_ones_own_keeps_its_product():
    class Mine(vech.Packed):
        def matmul(self, x, out=None, *, threads=None):
            return "mine"

    assert Mine(np.ones(3)) @ np.ones(2) == "mine"
    assert type(Mine(np.ones(3)) + 1) is vech.Packed


@cases.each(
    ("name", "layout", "dtype"),
    [
        (name, layout, dtype)
        for name in ARITHMETIC + ORDERS
        for layout in ("vech", "condensed", "svec-lower")
        for dtype in ("float64", "float32", "float16", ">f8", "int8", "uint64", "bool", "complex64")
        if layout != "svec-lower" or "f" in dtype  # exact numbers are not scaled
        if dtype != "complex64" or name not in ("__lt__", "__ge__")
    ],
)
def test_operators_give_what_they_give_full_matrices(name, layout, dtype):
    kind = "symmetric" if dtype == "complex64" else None
    half = np.random.default_rng(1).integers(0, 9, vech.as_layout(layout).length(7)).astype(dtype)
    S = vech.Packed(half, layout, kind=kind)
    T = vech.Packed(half[::-1].copy(), layout, kind=kind)
    for other in (S, T, *NUMBERS):
        full = other.expand() if isinstance(other, vech.Packed) else other
        try:
            with np.errstate(all="ignore"):
                expected = getattr(S.expand(), name)(full)
        except (TypeError, OverflowError) as reason:  # - of bool; a negative number and uint64
            with pytest.raises(type(reason)):
                getattr(S, name)(other)
            continue
        with np.errstate(all="ignore"):
            found = getattr(S, name)(other)
        assert found.dtype == expected.dtype
        rtol = 2e-3 if dtype == "float16" else 1e-6  # scales round
        np.testing.assert_allclose(found.expand(), expected, rtol=rtol)


def test_labels_must_agree_and_stay():
    S, T = store(labels="abcdefg"), store(labels="abcdefg", seed=1)
    assert (
        (S + T).labels == (S + 1).labels == (S + store()).labels == (store() + S).labels == tuple("abcdefg")
    )
    with pytest.raises(ValueError, match="labels of row 0 differ"):
        S + store(labels="gfedcba")
    with pytest.raises(ValueError, match="do not fit"):
        S + store(n=6)


def test_a_sum_remembers_nothing_of_its_operands():
    S, x = store("float32"), np.ones(7)
    S @ x.astype("float32")
    total = S + store("float64", seed=1)
    np.testing.assert_array_equal(total @ x, total.expand() @ x)
    assert (total @ x).dtype == np.float64
    truth = S > 0
    np.testing.assert_array_equal(truth @ x, truth.expand() @ x)


def test_a_number_that_does_not_fit_is_an_error():
    with pytest.raises(OverflowError):
        store("int8") + 300
    with pytest.raises(OverflowError):
        store() * 10**400
