"""Stores without operators: refused alike by operators and by NumPy's functions, with a way out that runs."""

import operator
import re

import numpy as np
import pytest
import scipy.sparse

import cases
import vech
from test_third_store import Rows
from vech import quantized

FULL = np.array([[2.0, 1, 0, 0], [1, 3, 1, 0], [0, 1, 4, 1], [0, 0, 1, 5]])
PACKED = vech.Packed.from_full(FULL)
Q = vech.quantize(PACKED, "float16")
CODES = np.array([[0, 1], [1, 1], [0, 0], [1, 0]], np.uint8)
TABLES = np.array([[0.0, 4.0, 0.0], [0.0, 9.0, 0.0]])


def tiled(path):
    return vech.tiled.create(path / "T.zarr", 4).fill(lambda rows, cols: FULL[rows, cols])


MAKERS = {
    "Quantized": lambda _: Q,
    "Tiled": tiled,
    "LowRank": lambda _: quantized.low_rank(PACKED, 2),
    "Rotated": lambda _: quantized.hadamard(PACKED, "int8"),
    "Split": lambda _: quantized.outliers(PACKED, "int8", threshold=1.2),
    "ProductCodes": lambda _: vech.pairwise.ProductCodes(CODES, TABLES),
    "Rows": lambda _: Rows(FULL, "symmetric"),
}
BINARY = {
    "+": (operator.add, np.add),
    "-": (operator.sub, np.subtract),
    "*": (operator.mul, np.multiply),
    "/": (operator.truediv, np.divide),
    "//": (operator.floordiv, np.floor_divide),
    "%": (operator.mod, np.remainder),
    "**": (operator.pow, np.power),
    "==": (operator.eq, np.equal),
    "!=": (operator.ne, np.not_equal),
    "<": (operator.lt, np.less),
    "<=": (operator.le, np.less_equal),
    ">": (operator.gt, np.greater),
    ">=": (operator.ge, np.greater_equal),
}
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
COMPUTED = ("+", "-", "*", "/", "==", "!=", "<", "<=", ">", ">=")  # by a `Packed`
UNARY = {
    "-": (operator.neg, np.negative),
    "+": (operator.pos, np.positive),
    "abs": (operator.abs, np.absolute),
}


@pytest.fixture(params=MAKERS)
def store(request, tmp_path):
    return MAKERS[request.param](tmp_path)


def advice(store, sign, call):
    """The way out that an error names."""
    with pytest.raises(TypeError) as caught:
        call()
    found = re.match(
        rf"a {type(store).__name__} has no {re.escape(sign)}: (.*) computes it in memory", str(caught.value)
    )
    assert found, str(caught.value)
    return found[1]


@cases.each("sign", list(BINARY))
def test_numbers_and_arrays_are_refused_by_operators_and_functions_alike_with_what_runs(store, sign):
    by_operator, by_function = BINARY[sign]
    for x in (2, np.float64(2), np.eye(4), [1.0, 2.0], np.array(2.0)):
        left = advice(store, sign, lambda x=x: by_operator(store, x))
        assert left == advice(store, sign, lambda x=x: by_function(store, x))
    want = by_function(store.expand(), 2)
    np.testing.assert_array_equal(eval(left, {"S": store, "x": 2}).expand(), want)
    mirrored = advice(store, MIRRORED.get(sign, sign), lambda: by_operator(2, store))
    function = advice(store, sign, lambda: by_function(np.float64(2), store))
    for way in (mirrored, function):
        with np.errstate(all="ignore"):
            want = by_function(2, store.expand())
            np.testing.assert_array_equal(eval(way, {"S": store, "x": 2}).expand(), want)


@cases.each("sign", list(BINARY))
def test_two_without_operators_have_none(store, sign):
    by_operator, by_function = BINARY[sign]
    for other in (store, Q):
        advice(store, sign, lambda other=other: by_operator(store, other))
        advice(store, sign, lambda other=other: by_function(store, other))


@cases.each("sign", list(COMPUTED))
@cases.each(
    "other",
    [PACKED, vech.SparseHalf.from_sparse(scipy.sparse.csr_array(FULL + 9))],
    ids=["packed", "sparse"],
)
def test_one_that_has_operators_computes_from_either_side(store, sign, other):
    with np.errstate(all="ignore"):
        for compute in BINARY[sign]:
            for left, right in ((store, other), (other, store)):
                found, want = compute(left, right), compute(left.expand(), right.expand())
                np.testing.assert_array_equal(found.expand(), want)


@pytest.mark.parametrize("sign", UNARY)
def test_signs_are_refused_with_what_runs(store, sign):
    for compute in UNARY[sign]:
        way = advice(store, sign, lambda compute=compute: compute(store))
        np.testing.assert_array_equal(eval(way, {"S": store}).expand(), compute(store.expand()))


WHOLE = vech.Packed.from_full(FULL.astype(np.int64))
LOGIC = {
    "&": (operator.and_, np.bitwise_and),
    "|": (operator.or_, np.bitwise_or),
    "^": (operator.xor, np.bitwise_xor),
}


@pytest.mark.parametrize("sign", LOGIC)
def test_logic_is_for_truth_values_and_integers(store, sign):
    sparse = vech.SparseHalf.from_sparse(scipy.sparse.csr_array(FULL))
    for S in (store, PACKED, sparse):
        for compute in LOGIC[sign]:
            for left, right in ((S, 1), (1, S), (S, S), (S, WHOLE), (WHOLE, S)):
                with pytest.raises(TypeError) as caught:
                    compute(left, right)
                found = re.fullmatch(
                    rf"{re.escape(sign)} is for truth values and integers, not for float\d\d: (.*) is a "
                    rf"matrix of truth values",
                    str(caught.value),
                )
                assert found, str(caught.value)
                np.testing.assert_array_equal(eval(found[1], {"S": S}).expand(), S.expand() != 0)
        with pytest.raises(TypeError, match=r"^~ is for truth values and integers, not for float"):
            operator.invert(S)
    with pytest.raises(TypeError, match=r"is for truth values and integers, not for float64$"):
        LOGIC[sign][0](WHOLE, 1.5)


def test_logic_of_integers_is_refused_with_what_runs(tmp_path):
    T = vech.tiled.create(tmp_path / "T.zarr", 4, dtype="int64")
    T.fill(lambda rows, cols: FULL[rows, cols].astype(np.int64))
    way = advice(T, "&", lambda: T & 1)
    np.testing.assert_array_equal(eval(way, {"S": T, "x": 1}).expand(), FULL.astype(int) & 1)
    np.testing.assert_array_equal(eval(advice(T, "~", lambda: ~T), {"S": T}).expand(), ~FULL.astype(int))


def test_it_has_no_truth_and_no_hash_and_equals_nothing_else(store):
    with pytest.raises(ValueError, match=r"a matrix is neither true nor false: S\.to_packed\(\) has compar"):
        bool(store)
    with pytest.raises(TypeError, match="unhashable type"):
        hash(store)
    for other in ("a", None, object()):
        assert (store == other) is False and (store != other) is True
        with pytest.raises(TypeError, match="unsupported operand"):
            store + other
    with pytest.raises(TypeError, match=r"np\.sqrt does not work on a \w+"):
        np.sqrt(store)
    with pytest.raises(TypeError, match=r"np\.add does not work on a \w+"):
        np.add(store, 1, out=np.empty((4, 4)))


def test_tiles_have_another_way(tmp_path):
    T = tiled(tmp_path)
    with pytest.raises(TypeError) as caught:
        1 - T
    way = str(caught.value).split("by tiles, ")[1].removesuffix(" writes another store")
    names = {"vech": vech, "S": T, "path": tmp_path / "other.zarr"}
    np.testing.assert_array_equal(eval(way, names).expand(), 1 - FULL)
