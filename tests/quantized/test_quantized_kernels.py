"""The kernels against their definitions, number by number: codes, scales, errors, products."""

import functools
from typing import Any, NamedTuple

import numpy as np
import pytest
from matrices import integers, matrix

import cases
import quantized_reference as reference
import vech
from compare import assert_same_bits
from vech.quantized import kernels
from vech.quantized.making import Maker
from vech.quantized.parts import code_bytes

pytestmark = pytest.mark.every_target

NAMES = tuple(reference.BITS)
LEVELS = tuple(np.linspace(-1, 1, 16) ** 3)


class Made(NamedTuple):
    """A half, its arrays, |errors| by row, and what was said of it."""

    half: Any
    arrays: dict
    sums: np.ndarray
    answer: tuple


def made(module, name, full, tile, *, scales=0, sides=None, mirror=1, given=None):
    """What the kernels, or their definition, make of a matrix."""
    n, dtype = len(full), full.dtype
    count = (grid := -(-n // tile)) * (grid + 1) // 2
    arrays = {
        "codes": np.zeros(code_bytes(n, tile, vech.ENCODINGS[name]), np.uint8),
        "scales": np.full(count, 0 if given is None else given, dtype),
        "zeros": np.zeros(count, dtype) if name == "uint8" else None,
        "sides": sides,
        "levels": LEVELS if name == "kmeans-4" else None,
        "diagonal": np.arange(n, dtype=dtype),
    }
    make = kernels.Half if module is kernels else reference.QuantizedHalf
    half, squares, sums = make(n, tile, name, *arrays.values(), mirror), np.zeros(count), np.zeros(n)
    answer = module.quantize_block(half, full, 0, 0, scales, -1, squares, sums)
    return Made(half, arrays, sums, answer)


@functools.cache  # the definition is slow, and the same under every target
def definition(name, n, tile, dtype, sided, mirror):
    """What comes of the codes by definition: all numbers, and those below the diagonal alone."""
    full = matrix("wishart", n, np.dtype(dtype))
    sides = 2.0 ** (np.arange(n) % 5 - 2).astype(dtype) if sided else None
    wanted = made(reference, name, full, tile, sides=sides, mirror=mirror)
    numbers = []
    for whole in (True, False):
        numbers.append(np.empty((n, n), dtype))
        reference.dequantize_block(wanted.half, numbers[-1], 0, 0, whole, 1)
    return full, sides, wanted, *numbers


CASES = cases.pairwise(
    lambda **_: True,
    name=NAMES,
    n=(1, 2, 31, 33, 65),
    tile=(32, 64, 128),
    dtype=("f4", "f8"),
    sided=(False, True),
    mirror=(1, -1),
)


@cases.each(("name", "n", "tile", "dtype", "sided", "mirror"), CASES)
def test_codes_scales_and_numbers_are_those_of_the_definition(name, n, tile, dtype, sided, mirror):
    full, sides, wanted, numbers, strict = definition(name, n, tile, dtype, sided, mirror)
    mine = made(kernels, name, full, tile, sides=sides, mirror=mirror)
    eps, most = float(np.finfo(dtype).eps), np.abs(full).max()
    for part in ("scales", "zeros"):
        if wanted.arrays[part] is not None:
            np.testing.assert_allclose(mine.arrays[part], wanted.arrays[part], rtol=4 * eps)
            mine.arrays[part][:] = wanted.arrays[part]
    differing = (mine.arrays["codes"] != wanted.arrays["codes"]).mean()
    assert differing <= (0.01 if n > 2 else 0)  # a number in the middle of two levels, at another rounding
    assert mine.answer[1:] == wanted.answer[1:] == (0, -1, -1)
    np.testing.assert_allclose(mine.sums, wanted.sums, rtol=1e-3, atol=64 * eps * most)
    mine.arrays["codes"][:] = wanted.arrays["codes"]
    for rows, columns in ((slice(0, n), slice(0, n)), (slice(n // 3, n), slice(n // 4, 3 * n // 4 + 1))):
        for whole, want in ((True, numbers), (False, strict)):
            found = np.empty((rows.stop - rows.start, columns.stop - columns.start), dtype)
            kernels.dequantize_block(mine.half, found, rows.start, columns.start, whole, 1)
            np.testing.assert_allclose(found, want[rows, columns], rtol=4 * eps, atol=4 * eps * most)
    size = np.abs(strict).astype(float)
    for shape in ((n,), (n, 1), (n, 5), (n, 17)):
        x = cases.moderate(np.dtype(dtype), shape)
        bound = 4 * (n + 4) * eps * ((size + size.T + np.diag(np.arange(n))) @ np.abs(x).astype(float))
        for straight, mirrored in ((1.0, float(mirror)), (1.0, 0.0), (0.0, 1.0)):
            y = np.empty_like(x)
            kernels.multiply(mine.half, x, y, straight, mirrored, 1)
            assert (np.abs(y - reference.product(wanted.half, strict, x, straight, mirrored)) <= bound).all()


@pytest.mark.parametrize("name", ["int8", "uint8", "int4"])
@pytest.mark.parametrize("tile", [32, 64, 128, 256])
def test_each_code_lies_where_it_must(name, tile):
    """Steps of 1: no rounding, so bytes are equal; integers of all sizes, so that swapped places are seen."""
    full = integers(100, 7)
    options = {} if name == "uint8" else {"scales": 1, "given": 1.0}
    mine, wanted = (made(module, name, full, tile, **options) for module in (kernels, reference))
    assert_same_bits(mine.arrays["codes"], wanted.arrays["codes"])
    assert mine.answer == wanted.answer


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float8-e4m3", "float8-e5m2"])
def test_floats_are_rounded_as_ml_dtypes_does(name):
    """The even one of two, subnormal ones too: numbers of so many bits, and the middles between them."""
    codes = np.arange(2 ** reference.BITS[name], dtype=f"u{reference.BITS[name] // 8}")
    with np.errstate(invalid="ignore"):
        every = np.unique(codes.view(reference.FLOATS[name]).astype(np.float64))
    every = every[np.isfinite(every)]
    x = np.concatenate((every, (every[1:] + every[:-1]) / 2))[:: 1 if every.size < 300 else 37]
    for dtype in ("f4", "f8"):
        n = int(np.ceil((1 + np.sqrt(1 + 8 * x.size)) / 2))
        full = np.zeros((n, n), dtype)
        full[np.tril_indices(n, -1)] = np.resize(x, n * (n - 1) // 2)
        scales = {} if name in ("float16", "bfloat16") else {"scales": 1.0}
        found = vech.quantize(np.tril(full) + np.tril(full, -1).T, name, **scales).expand()
        assert_same_bits(np.tril(found, -1), np.tril(full.astype(reference.FLOATS[name]).astype(dtype), -1))


def test_published_levels():
    assert vech.ENCODINGS["nf4"].levels == reference.NF4
    published = (-1, -0.7511, -0.5378, -0.36, -0.2178, -0.1111, -0.04, 0, 0.0044, 0.04, 0.1111, 0.2178, 0.36)
    published = (*published, 0.5378, 0.7511, 1)
    np.testing.assert_allclose(vech.ENCODINGS["linear2-4"].levels, published, atol=5e-5)


def test_the_lists_of_encodings_agree():
    assert {name: (bits, most) for name, bits, most, _ in kernels.encodings()} == {
        name: (bits, most) for name, bits, most, _ in reference.encodings()
    }
    assert set(vech.ENCODINGS) == {*reference.BITS, "int4x2"}


def test_halves_of_nibbles_hold_golden_bytes():
    """Two rows of a tile of 64 share sixteen words: nibbles 0 to 3 are columns 0, 16, 32, 48 of the first."""
    full = np.zeros((64, 64))
    full[63, [0, 16, 32, 48]] = [1, 2, 3, 4]
    full[62, [0, 1]] = [7, -7]
    codes = vech.quantize(full + full.T, "int4", scales=1.0).codes
    words = codes[31 * 64 :].view("<u4")
    assert codes.size == 64 * 64 // 2 and words.size == 16
    # rows 62 and 63: zeros are code 8, the place on the diagonal and beyond it 0
    assert words[0] == 0xCBA9_888F and words[1] == 0x8888_8881
    assert words[14] == 0x8888_0888 and words[15] == 0x0888_0888


def test_bytes_of_signs_and_of_integers():
    full = np.zeros((32, 32))
    full[31, :31] = np.where(np.arange(31) % 3 == 0, 5.0, -5.0)
    full[30, :30] = np.where(np.arange(30) % 2 == 0, 5.0, -5.0)
    signs = vech.quantize(full + full.T, "sign", tile=32).codes
    assert signs[31 * 4 :].tolist() == [0x49, 0x92, 0x24, 0x49] and signs[30 * 4] == 0x55
    bytes_ = vech.quantize(full + full.T, "int8", tile=32, scales=1.0).codes.view(np.int8)
    assert bytes_[31 * 32 :].tolist() == [*full[31, :31].astype(int), 0]


@cases.each("layout", ["vech", "numpy-tril", "lapack-upper", "condensed", "strict-lower-rows"])
@cases.each(("n", "tile"), [(1, 64), (2, 32), (65, 64), (130, 32), (200, 128)])
@cases.each("dtype", ["float32", "float64"])
def test_a_half_becomes_codes_where_it_lies_as_its_blocks_do(layout, n, tile, dtype):
    full = matrix("spiked", n, dtype)
    layout = vech.Layout("lower", "rows", diagonal="zero") if layout == "strict-lower-rows" else layout
    if vech.as_layout(layout).diagonal == "zero":
        np.fill_diagonal(full, 0)
    S = vech.Packed(vech.pack(full, layout), layout)
    for name in ("int8", "nf4", "uint8", "sign", "float16"):
        Q, blocks = vech.quantize(S, name, tile=tile), Maker(n, name, dtype, tile=tile)
        blocks.add(slice(0, n), slice(0, n), full)
        other = blocks.finish()
        assert_same_bits(Q.codes, other.codes)
        assert_same_bits(Q.scales, other.scales)
        assert_same_bits(Q.expand(), other.expand())
        assert Q.error.max == other.error.max
        assert Q.error.frobenius == pytest.approx(other.error.frobenius, rel=1e-6)
