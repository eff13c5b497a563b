"""`.bin`: bare numbers, as tofile and C programs write them."""

import re

import numpy as np
import pytest

import cases
import vech
from compare import assert_same_bits
from vech.io import FileFormatError, raw

LAYOUT = vech.as_layout("numpy-tril")


def fails(message):
    return pytest.raises(FileFormatError, match=re.escape(message))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "half.bin"


@pytest.mark.parametrize("dtype", cases.DTYPES.values(), ids=cases.DTYPES)
def test_what_tofile_wrote_is_read_in_every_dtype(path, dtype):
    numbers = cases.half(dtype, LAYOUT, "symmetric", 5)
    numbers.tofile(path)
    got = vech.read(path, layout="numpy-tril", dtype=dtype, kind="symmetric")
    assert got.layout == LAYOUT
    assert_same_bits(np.asarray(got.half), numbers)


@pytest.mark.parametrize("dtype", cases.DTYPES.values(), ids=cases.DTYPES)
def test_what_we_wrote_fromfile_reads(path, dtype):
    numbers = cases.half(dtype, LAYOUT, "symmetric", 5)
    vech.write(path, vech.Packed(numbers, LAYOUT, kind="symmetric"))
    assert_same_bits(np.fromfile(path, dtype), numbers)


def test_a_strided_half_is_written_whole(path):
    vech.write(path, vech.Packed(np.arange(12.0)[::2]))
    assert np.fromfile(path).tolist() == [0, 2, 4, 6, 8, 10]


def test_n_by_n_numbers_are_a_full_matrix(path):
    np.array([[1, 2, 3], [2, 4, 5], [3, 5, 6]], ">i2").tofile(path)
    assert vech.read(path, dtype=">i2", n=3).half.tolist() == [1, 2, 3, 4, 5, 6]
    assert vech.read(path, dtype=">i2", n=3, layout="numpy-tril").half.tolist() == [1, 2, 4, 3, 5, 6]


def test_large_content_is_mapped_read_only(path, monkeypatch):
    monkeypatch.setattr(raw, "MAP_FROM", 40)
    np.arange(10.0).tofile(path)
    got = vech.read(path, dtype="f8", layout="vech").half
    assert not got.flags.writeable


def test_nothing_is_a_matrix_of_side_0_or_1(path):
    path.write_bytes(b"")
    assert vech.read(path, dtype="f8", layout="vech").n == 0
    assert vech.read(path, dtype="f8", layout="condensed").n == 1


# ---- what is refused ---------------------------------------------------------------------------------------


def test_the_dtype_must_be_said(path):
    path.write_bytes(bytes(80))
    with fails(f"{path}: is raw binary: say dtype=, for example dtype='<f8' (--dtype '<f8')"):
        vech.read(path, layout="vech")


def test_a_dtype_that_is_none(path):
    path.write_bytes(bytes(80))
    with pytest.raises(TypeError, match="dtype='real' is no dtype: say 'float64'"):
        vech.read(path, layout="vech", dtype="real")


@pytest.mark.parametrize("dtype", ["O", "U2", "V4", "g", "i4,i4", "V0", "S0"])
def test_a_dtype_that_is_no_number(path, dtype):
    path.write_bytes(bytes(80))
    with fails("holds what vech does not take, dtype"):
        vech.read(path, layout="vech", dtype=dtype)


def test_the_layout_must_be_said(path):
    path.write_bytes(bytes(80))
    with fails("holds 10 numbers and does not say which. It could be n=4: vech, lapack-upper, numpy-tril"):
        vech.read(path, dtype="f8")
    with fails("n=5: condensed"):
        vech.read(path, dtype="f8", n=4)


def test_bytes_that_are_no_whole_number_name_the_nearest(path):
    path.write_bytes(bytes(83))
    with fails(f"{path}, byte 80: has 83 bytes, no whole number of float64: the nearest are 80 and 88"):
        vech.read(path, layout="vech", dtype="f8")


def test_a_size_that_is_no_half_names_the_nearest(path):
    path.write_bytes(bytes(88))
    with fails("10 for n=4 or 15 for n=5"):
        vech.read(path, layout="vech", dtype="f8")


def test_a_size_that_is_not_of_this_n(path):
    path.write_bytes(bytes(88))
    with fails("holds 11 numbers, and n=4 needs 10 in layout vech (80 bytes)"):
        vech.read(path, layout="vech", dtype="f8", n=4)


def test_complex_numbers_need_their_kind(path):
    path.write_bytes(bytes(96))
    with pytest.raises(ValueError, match="kind='hermitian'"):
        vech.read(path, layout="vech", dtype="c16")


def test_a_sparse_half_does_not_fit(path):
    store = vech.SparseHalf([0, 1, 2], [0, 1], [1.0, 2.0], 2, triangle="lower")
    with pytest.raises(
        TypeError, match=r"half.bin: .bin holds a dense half, and this is a SparseHalf: write .npz or"
    ):
        vech.write(path, store)
