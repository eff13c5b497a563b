"""Requantization as TensorFlow publishes it: its own examples, its formula, and its kernel to one code."""

import math

import numpy as np
import pytest

import cases
import vech
from vech.quantized import requantize

EDGES = [-(2**31), -(2**31) + 1, -(2**23), -257, -3, -1, 0, 1, 2, 100, 2**23, 2**31 - 1]


def c_round(x):
    """To the nearest, halves away from zero."""
    return math.floor(abs(x) + 0.5) * (1 if x >= 0 else -1)


def by_the_formula(x, scale, low, high):
    """RequantizeInNewRange of TensorFlow's quantization_utils.h, in double."""
    if low == high:
        return 0
    steps = 2**8
    per = steps / ((high - low) * (steps / (steps - 1)))
    return min(max(c_round(x * scale * per) - c_round(low * per), 0), 255)


def by_the_kernel(x, scale, low, high):
    """RequantizeManyInNewRange from qint32 to quint8 there: fixed point, 16 binary digits."""
    least, most = np.float32(-(2**31) * scale), np.float32((2**31 - 1) * scale)
    width = np.float32(high) - np.float32(low)
    factor = int(255.0 * 2**16 * (most - least) / width)
    offset = int((least + most) / np.float32(2) * np.float32(255 / width) * 2**16)
    zero = int(2**16 * (np.float32(low) * 255.0) / width)
    return min(max((((x * factor) >> 32) + offset - zero + 2**15) >> 16, 0), 255)


def test_the_published_example():
    """requantize_op_test.cc: the range -256 to 256 of 32 bits becomes -1 to 1 of 8."""
    x = np.array([-(1 << 23), 0, 1 << 23], np.int32)
    found = requantize(x, 256 / 2**31, range=(-1.0, 1.0))
    assert found.codes.dtype == np.uint8
    assert found.codes.tolist() == [0, 128, 255]
    assert found[1:] == (-1.0, 1.0)


def test_the_published_range():
    """requantization_range_op_test.cc: what the same integers reach."""
    found = requantize(np.array([-(1 << 23), 0, 1 << 23], np.int32), 256 / 2**31)
    assert found[1:] == (-1.0, 1.0)


@cases.each("scale", [1.0, 2.0**-23, 3e-5, 7.0])
@cases.each("reach", [(-1.0, 1.0), (0.0, 6.0), (-300.0, 0.0), (-1e6, 3e7), None])
def test_codes_are_those_of_the_formula(scale, reach):
    x = np.concatenate([EDGES, np.random.default_rng(3).integers(-1000, 1000, 200)]).astype(np.int64)
    found = requantize(x, scale, range=reach)
    low, high = reach or (min(0, *x) * scale, max(0, *x) * scale)
    assert (found.low, found.high) == (low, high)
    assert found.codes.tolist() == [by_the_formula(int(v), scale, low, high) for v in x]


def test_halves_are_rounded_away_from_zero():
    assert requantize(np.array([1, 3, 5, -1, -3]), 0.5, range=(-100.0, 155.0)).codes.tolist() == [
        *(101, 102, 103),
        *(99, 98),
    ]


@pytest.mark.parametrize("reach", [(-1.0, 1.0), (0.0, 6.0), (-2.0, 0.5)])
def test_the_kernel_of_tensorflow_has_the_same_codes_but_for_one(reach):
    x = np.random.default_rng(5).integers(-(2**26), 2**26, 500)
    found = requantize(x, 2.0**-24, range=reach).codes.astype(int)
    want = np.array([by_the_kernel(int(v), 2.0**-24, *reach) for v in x])
    assert np.abs(found - want).max() <= 1


def test_numbers_are_within_half_a_step_and_zero_is_exact():
    x = np.random.default_rng(7).integers(-4000, 9000, 500).astype(np.int32)
    x[0] = 0
    found = requantize(x, 0.01)
    numbers = found.numbers()
    assert numbers[0] == 0
    inside = (found.codes > 0) & (found.codes < 255)
    assert np.abs(numbers - x * 0.01)[inside].max() <= found.step / 2 * (1 + 1e-12)
    assert np.abs(numbers - x * 0.01).max() <= found.step


def test_a_symmetric_product_stays_a_store():
    codes = np.random.default_rng(9).integers(-127, 128, (30, 20)).astype(np.int32)
    product = vech.Packed.from_full(codes @ codes.T, "numpy-tril", labels=[f"r{k}" for k in range(30)])
    found = requantize(product, 1e-4)
    assert found.codes.layout.name == "numpy-tril" and found.codes.labels == product.labels
    assert found.codes.dtype == np.uint8
    np.testing.assert_array_equal(found.codes.expand(), requantize(codes @ codes.T, 1e-4).codes)
    np.testing.assert_allclose(found.numbers().expand(), 1e-4 * (codes @ codes.T), atol=found.step)


def test_zeros_of_a_diagonal_that_is_not_stored_have_a_code_too():
    found = requantize(vech.Packed(np.array([-5, 3, 10]), "condensed"))
    np.testing.assert_array_equal(found.numbers().diagonal(), 0)
    np.testing.assert_allclose(found.numbers().expand()[0, 1:], [-5, 3], atol=found.step)


@pytest.mark.parametrize("x", [np.zeros((0, 3), np.int32), np.zeros(4, np.int32)])
def test_nothing_but_zeros(x):
    found = requantize(x)
    assert found.codes.shape == x.shape and not found.codes.any()
    assert found[1:] == (0.0, 0.0)
    np.testing.assert_array_equal(found.numbers(), x)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (
            ([1.5],),
            {},
            TypeError,
            "takes integers, such as products of codes, and x holds float64: vech.quantize",
        ),
        ((["a"],), {}, TypeError, "x of dtype <U1 holds text"),
        (([1], -1.0), {}, ValueError, "scale must be a positive number, not -1.0"),
        (([1], np.nan), {}, ValueError, "scale must be a positive number, not nan"),
        (
            ([1],),
            {"range": (0.01, 1)},
            ValueError,
            "range is 0.01 to 1.0, and 0 must have a code: low at most 0",
        ),
        (([1],), {"range": (1, 0)}, ValueError, "range is 1.0 to 0.0, and 0 must have a code"),
        (([1],), {"range": 3}, ValueError, "range must be two numbers, low and high, not 3"),
        (([1],), {"range": (-1e-320, 0)}, ValueError, "is beyond float64: take another scale"),
    ],
)
def test_what_does_not_fit_is_said(arguments, options, error, message):
    with pytest.raises(error, match=message):
        requantize(*arguments, **options)


def test_other_kinds_are_refused():
    S = vech.Packed(np.array([0, 1, 0]), kind="skew")
    with pytest.raises(TypeError, match="takes symmetric matrices, and x is skew: pass expand"):
        requantize(S)
