"""Bytes of every encoding as typed by hand, and as other programs have them where they mean the same."""

import ml_dtypes
import numpy as np
import pytest
import scipy.stats

import cases
import vech
from compare import assert_same_bits
from vech.quantized.making import Maker

pytestmark = pytest.mark.every_target

SIDE = 32
NUMBERS = np.array(
    [
        [9.0, 7, -7, 3, -1],
        [7, 8, 1, -2, 2],
        [-7, 1, 7, 5, -6],
        [3, -2, 5, 6, 4],
        [-1, 2, -6, 4, 5],
    ]
)
OWN_LEVELS = (-1, -0.9, -0.8, -0.7, -0.6, -0.5, -0.4, -0.3, -0.2, -0.1, 0, 0.2, 0.4, 0.6, 0.8, 1)
NIBBLES = {
    "int4": "000f010b 00000906 0000000d / 07 0a 02 0c",
    "nf4": "000f000c 00000904 0000000e / 05 0a 00 0d",
    "linear2-4": "000f000c 00000a04 0000000e / 05 0b 01 0d",
    "kmeans-4": "000f000c 00000b07 0000000e / 09 0b 01 0d",
}
"""Words of rows 0 to 3, then the first bytes of those of row 4: all else is 0."""
ROWS = {
    "int8": ("7f", "81 12", "36 dc 5b", "ee 24 93 49"),
    "uint8": ("ff", "00 92", "b6 5b db", "6d a4 12 c8"),
    "sign": ("01", "02", "05", "0a"),
    "float16": ("0047", "00c7 003c", "0042 00c0 0045", "00bc 0040 00c6 0044"),
    "bfloat16": ("e040", "e0c0 803f", "4040 00c0 a040", "80bf 0040 c0c0 8040"),
    "float8-e4m3": ("7e", "fe 68", "74 f0 7a", "e8 70 fc 78"),
    "float8-e5m2": ("7b", "fb 70", "76 f4 79", "f0 74 fa 78"),
}
"""Rows 1 to 4: each goes on with zeros."""
SCALES = {
    "int8": 7 / 127,
    "uint8": 14 / 255,
    "int4": 1,
    "nf4": 7,
    "linear2-4": 7,
    "kmeans-4": 7,
    "sign": 3.8,
    "float16": 1,
    "bfloat16": 1,
    "float8-e4m3": 2**-6,
    "float8-e5m2": 2**-13,
}


def groups_of_four_rows(words):
    """Sixteen words of 4 bytes for rows 0 to 3, and as many for rows 4 to 7."""
    first, second = words.split(" / ")
    rows = bytes.fromhex(first).ljust(64, b"\0")
    return rows + b"".join(bytes.fromhex(byte).ljust(4, b"\0") for byte in second.split()).ljust(64, b"\0")


def rows_of_bytes(rows, width):
    return b"".join(bytes.fromhex(row).ljust(width, b"\0") for row in ("", *rows))


def golden(encoding):
    if encoding in NIBBLES:
        return groups_of_four_rows(NIBBLES[encoding])
    return rows_of_bytes(ROWS[encoding], SIDE * vech.ENCODINGS[encoding].bits // 8)


def quantized(encoding, numbers=NUMBERS, **options):
    levels = OWN_LEVELS if encoding == "kmeans-4" else None
    return vech.quantize(numbers, encoding, tile=SIDE, levels=levels, **options)


# ---- bytes typed by hand -----------------------------------------------------------------------------------


@cases.each("dtype", [np.float32, np.float64])
@cases.each("encoding", [*NIBBLES, *ROWS])
def test_codes_are_the_bytes_typed_by_hand(encoding, dtype):
    Q = quantized(encoding, NUMBERS.astype(dtype))
    assert Q.codes.tobytes().hex(" ", 4) == golden(encoding).hex(" ", 4)
    assert Q.scales.tolist() == [dtype(SCALES[encoding])]
    assert (Q.zeros is None) if encoding != "uint8" else (Q.zeros.tolist() == [-7])
    assert Q.diagonal().tolist() == [9, 8, 7, 6, 5]


@pytest.mark.parametrize("encoding", [*NIBBLES, *ROWS])
def test_bytes_typed_by_hand_are_these_numbers(encoding):
    codes = np.frombuffer(golden(encoding), np.uint8)
    zeros = np.array([-7.0]) if encoding == "uint8" else None
    levels = OWN_LEVELS if encoding == "kmeans-4" else None
    Q = vech.Quantized.from_parts(
        5,
        encoding,
        codes,
        np.arange(9.0, 4, -1),
        np.array([float(SCALES[encoding])]),
        zeros=zeros,
        levels=levels,
        tile=SIDE,
    )
    step = {"int8": 7 / 254, "uint8": 7 / 255, "nf4": 1.1, "linear2-4": 0.9, "kmeans-4": 0.61, "sign": 3.2}
    np.testing.assert_allclose(Q.expand(), NUMBERS, rtol=0, atol=step.get(encoding, 0))


def test_two_planes_are_the_bytes_typed_by_hand():
    numbers = NUMBERS.copy()
    numbers[4, 1] = numbers[1, 4] = 2.2
    Q = quantized("int4x2", numbers)
    low = groups_of_four_rows("00080808 00000808 00000008 / 08 0b 08 08")
    assert Q.codes.tobytes().hex(" ", 4) == (golden("int4") + low).hex(" ", 4)
    assert Q.scales.tolist() == [1]
    assert Q[4, 1] == pytest.approx(2 + 3 / 14, rel=1e-15)


@pytest.mark.parametrize(
    ("encoding", "n", "tile", "pair", "byte", "bits"),
    [
        ("int4", 34, 32, (17, 16), 256 + 1, 0xF0),
        ("int4", 34, 32, (33, 3), 512 + 4 * 3 + 1, 0x0F),
        ("int4", 130, 64, (70, 53), 2048 + 3 * 64 + 5 * 4 + 1, 0xF0),
        ("nf4", 130, 64, (71, 10), 2048 + 3 * 64 + 10 * 4 + 2, 0x0F),
        ("int4", 256, 128, (200, 100), 8192 + 4096 + 36 * 64 + 4 * 4 + 1, 0x0F),
        ("sign", 130, 64, (70, 53), 512 + 6 * 8 + 6, 0x20),
        ("sign", 256, 128, (200, 100), 2048 + 1024 + 72 * 8 + 4, 0x10),
        ("int8", 130, 64, (70, 53), 4096 + 6 * 64 + 53, 0xFF),
        ("int8", 256, 128, (200, 100), 16384 + 8192 + 72 * 64 + 36, 0xFF),
        ("bfloat16", 130, 64, (129, 127), 2 * (3 * 4096 + 2 * 64 + 64 + 63) + 1, 0xFF),
    ],
)
def test_the_place_of_a_code_is_where_the_page_of_files_says(encoding, n, tile, pair, byte, bits):
    full = np.ones((n, n))
    before = vech.quantize(full, encoding, tile=tile).codes.copy()
    full[pair], full[pair[::-1]] = -1, -1
    after = vech.quantize(full, encoding, tile=tile).codes
    changed = np.flatnonzero(before != after)
    assert changed.tolist() == [byte]
    assert (before ^ after)[byte] & ~np.uint8(bits) == 0


# ---- rounding and scales -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "first", "number", "level"),
    [
        *(("int8", 127, number, round(number)) for number in (0.5, 1.5, -2.5, -3.5, 126.5, -125.5)),
        *(("uint8", 255, number, round(number)) for number in (0.5, 1.5, 2.5, 127.5, 254.5)),
    ],
)
def test_halves_are_rounded_to_even(encoding, first, number, level):
    full = np.zeros((3, 3))
    full[1, 0], full[2, 0] = first, number
    Q = quantized(encoding, full + full.T)
    assert Q.scales.tolist() == [1]
    assert Q[2, 0] == level


@pytest.mark.parametrize(("number", "level"), [(0.125, 0), (-0.125, -0.25), (0.625, 0.5), (-0.375, -0.5)])
def test_halfway_between_levels_of_a_table_the_lower_one_is_taken(number, level):
    full = np.zeros((3, 3))
    full[1, 0], full[2, 0] = 1, number
    levels = np.linspace(-1, 1, 9)[[0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 7, 8, 8, 8]]
    assert vech.quantize(full + full.T, "kmeans-4", levels=levels, tile=SIDE)[2, 0] == level


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("encoding", ["int8", "int4", "nf4", "float8-e4m3", "float8-e5m2"])
def test_the_largest_number_of_a_tile_gets_the_last_level(encoding, dtype):
    full = np.abs(cases.generator(encoding).normal(size=(70, 70))).astype(dtype) + 1
    full = np.tril(full, -1) + np.tril(full, -1).T
    Q = quantized(encoding, full)
    for i in range(Q.grid):
        for j in range(i + 1):
            largest = full[i * SIDE : (i + 1) * SIDE, j * SIDE : (j + 1) * SIDE].max()
            most = dtype(vech.ENCODINGS[encoding].most)
            assert Q.scales[i * (i + 1) // 2 + j] == largest / most
            assert Q.read_tile(i, j).max() == pytest.approx(largest, rel=2 * float(np.finfo(dtype).eps))


# ---- float16, bfloat16, float8: NumPy and ml_dtypes --------------------------------------------------------

FLOATS = {
    "float16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
    "float8-e4m3": ml_dtypes.float8_e4m3fn,
    "float8-e5m2": ml_dtypes.float8_e5m2,
}


@pytest.mark.parametrize("encoding", FLOATS)
def test_every_finite_code_is_the_number_that_ml_dtypes_has(encoding):
    dtype = np.dtype(FLOATS[encoding])
    side = 32 if dtype.itemsize == 1 else 256
    words = np.arange(side * side).astype(f"<u{dtype.itemsize}")
    with np.errstate(invalid="ignore"):
        words[~np.isfinite(words.view(dtype).astype(np.float64))] = 0
    codes = np.zeros(3 * side * side, words.dtype)
    strip = min(side, 64)
    codes[side * side : 2 * side * side] = words
    Q = vech.Quantized.from_parts(
        2 * side, encoding, codes.view(np.uint8), np.zeros(2 * side), np.ones(3), tile=side
    )
    theirs = words.view(dtype).astype(np.float64).reshape(side // strip, side, strip)
    ours = Q.block(slice(side, 2 * side), slice(0, side))
    assert_same_bits(ours, np.ascontiguousarray(theirs.transpose(1, 0, 2).reshape(side, side)))


@pytest.mark.parametrize("source", [np.float32, np.float64])
@pytest.mark.parametrize("encoding", FLOATS)
def test_numbers_become_the_codes_that_ml_dtypes_has(encoding, source):
    rng = cases.generator(encoding)
    full = np.zeros((2 * SIDE, 2 * SIDE), source)
    full[SIDE:, :SIDE] = rng.normal(size=(SIDE, SIDE)) * 10.0 ** rng.integers(-6, 4, (SIDE, SIDE))
    Q = quantized(encoding, full + full.T)
    scaled = full[SIDE:, :SIDE] / Q.scales[1]
    theirs = scaled.astype(np.float32).astype(FLOATS[encoding])
    if source is np.float64:
        theirs = scaled.astype(FLOATS[encoding])
    word = theirs.dtype.itemsize
    ours = Q.codes.view(f"<u{word}")[SIDE * SIDE : 2 * SIDE * SIDE].reshape(SIDE, SIDE)
    np.testing.assert_array_equal(ours, theirs.view(f"u{word}"))


# ---- tables ------------------------------------------------------------------------------------------------

# bitsandbytes 0.50.2, functional.get_4bit_type("nf4"), as its source has it.
NF4 = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
    *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
    *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
    *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)
# Wang, Zhou, Li, Huang, "4-bit Shampoo", 2024: as the paper prints it.
LINEAR2 = (
    *(-1, -0.7511, -0.5378, -0.36, -0.2178, -0.1111, -0.04, 0),
    *(0.0044, 0.04, 0.1111, 0.2178, 0.36, 0.5378, 0.7511, 1),
)


def test_nf4_has_the_levels_of_bitsandbytes():
    assert vech.ENCODINGS["nf4"].levels == NF4
    even = scipy.stats.norm.ppf(np.linspace(0.9677083, 0.5, 9)[:-1])
    odd = -scipy.stats.norm.ppf(np.linspace(0.9677083, 0.5, 8)[:-1])
    levels = np.sort([*even, 0, *odd]) / even.max()
    np.testing.assert_allclose(vech.ENCODINGS["nf4"].levels, levels, rtol=0, atol=1e-6)


def test_linear2_has_the_levels_of_the_paper():
    j = np.arange(16)
    grid = (2 * j / 15 - 1) ** 2
    levels = np.where(j == 7, 0, np.where(j < 7, -grid, grid))
    np.testing.assert_allclose(vech.ENCODINGS["linear2-4"].levels, levels, rtol=1e-7, atol=0)
    np.testing.assert_allclose(vech.ENCODINGS["linear2-4"].levels, LINEAR2, rtol=0, atol=5.1e-5)


@pytest.mark.parametrize(("encoding", "levels"), [("nf4", NF4), ("linear2-4", LINEAR2)])
def test_a_number_gets_the_nearest_level_of_the_table(encoding, levels):
    full = np.zeros((2 * SIDE, 2 * SIDE))
    full[SIDE:, :SIDE] = cases.generator(encoding).uniform(-1, 1, (SIDE, SIDE))
    full[SIDE, 0] = 1
    found = quantized(encoding, full + full.T).block(slice(SIDE, None), slice(0, SIDE))
    known = np.array(vech.ENCODINGS[encoding].levels)
    theirs = np.abs(full[SIDE:, :SIDE, None] - np.array(levels)).argmin(axis=-1)
    np.testing.assert_array_equal(np.abs(found[..., None] - known).argmin(axis=-1), theirs)
    np.testing.assert_allclose(found, known[theirs], rtol=1e-15)


# ---- gguf --------------------------------------------------------------------------------------------------


def gguf_blocks(kind, numbers):
    """Blocks of 32 numbers: a scale in float16, then codes."""
    gguf = pytest.importorskip("gguf", reason="gguf is not installed: vech[test]")
    kind = gguf.GGMLQuantizationType[kind]
    blocks = gguf.quants.quantize(numbers, kind)
    scales = blocks[:, :2].copy().view(np.float16)[:, 0].astype(np.float32)
    return scales, blocks[:, 2:], gguf.quants.dequantize(blocks, kind)


def rows_for_gguf():
    rng = cases.generator("gguf")
    return (rng.normal(size=(SIDE, SIDE)) * 10.0 ** rng.integers(-2, 3, (SIDE, 1))).astype(np.float32)


def in_rows_of_their_own(encoding, codes, scales):
    """A matrix whose tile (1, 0) has these codes, each row in units of its own: those are its sides."""
    width = codes.size
    everything = np.zeros(3 * width, np.uint8)
    everything[width : 2 * width] = codes.ravel()
    sides = np.concatenate((np.ones(SIDE, np.float32), scales))
    return vech.Quantized.from_parts(
        2 * SIDE,
        encoding,
        everything,
        np.zeros(2 * SIDE, np.float32),
        np.ones(3, np.float32),
        sides=sides,
        tile=SIDE,
    )


def made_in_rows_of_their_own(encoding, numbers, scales):
    """The codes of tile (1, 0), as vech has them, in those units."""
    sides = np.concatenate((np.ones(SIDE, np.float32), scales))
    maker = Maker(2 * SIDE, encoding, tile=SIDE, scales=1.0, sides=sides, clip=True)
    full = np.zeros((2 * SIDE, 2 * SIDE), np.float32)
    full[SIDE:, :SIDE] = numbers
    maker.add(slice(0, 2 * SIDE), slice(0, 2 * SIDE), full)
    size = maker.parts.codes.size // 3
    return maker.parts.codes[size : 2 * size]


def test_q8_0_of_gguf_has_the_same_codes_and_numbers():
    numbers = rows_for_gguf()
    scales, codes, theirs = gguf_blocks("Q8_0", numbers)
    Q = in_rows_of_their_own("int8", codes, scales)
    assert_same_bits(Q.block(slice(SIDE, None), slice(0, SIDE)), theirs)
    exact = np.abs(numbers).max(axis=1) / np.float32(127)
    ours = made_in_rows_of_their_own("int8", numbers, exact).reshape(SIDE, SIDE)
    np.testing.assert_array_equal(ours, codes)


def four_bits(codes):
    """Q4_0 has columns c and c + 16 in one byte; vech has four rows in sixteen words, which these share."""
    low, high = codes & 15, codes >> 4
    words = (low | high << 4).reshape(SIDE // 4, 4, 16)
    return np.ascontiguousarray(words.transpose(0, 2, 1))


def test_q4_0_of_gguf_has_the_same_codes_and_numbers():
    numbers = rows_for_gguf()
    scales, codes, theirs = gguf_blocks("Q4_0", numbers)
    Q = in_rows_of_their_own("int4", four_bits(codes), np.abs(scales))
    ours = Q.block(slice(SIDE, None), slice(0, SIDE))
    assert_same_bits(
        ours, theirs * np.sign(scales)[:, None]
    )  # a side is positive, and their scale need not be
    most = np.take_along_axis(numbers, np.abs(numbers).argmax(axis=1)[:, None], axis=1)
    made = made_in_rows_of_their_own("int4", numbers * -np.sign(most), np.abs(most[:, 0]) / np.float32(8))
    expected = four_bits(codes)
    last = (expected & 15 == 0) | (expected >> 4 == 0)  # level -8, which int4 of vech does not give
    np.testing.assert_array_equal(made.reshape(expected.shape)[~last], expected[~last])
    assert last.sum() < last.size / 4
