"""Quantized halves in `.npz`: bytes typed by hand, what goes there and back, and files that lie."""

import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

import vech
from compare import assert_same_bits
from vech.io import FileFormatError

DATA = Path(__file__).parent / "data"
SAID = {"vech": 1, "encoding": "int8", "domain": "entries", "tile": 32, "kind": "symmetric", "n": 3}
INT8 = np.zeros(96, np.uint8)  # three rows of 32 codes
INT8[[32, 64, 65]] = 127, 256 - 64, 5
INT4 = np.zeros(64, np.uint8)  # sixteen words of two nibbles for each of four rows
INT4[[1, 2, 6]] = 15, 4, 9
HELD = {
    "vech_codes": INT8,
    "vech_diagonal": np.array([2, 3, 4], "<f4"),
    "vech_scales": np.array([0.5], "<f4"),
    "vech_error": np.array([0.5, 0.25, 0.375], "<f8"),
    "vech_error_tiles": np.array([0.5], "<f8"),
}
FULL = [[2, 63.5, -32], [63.5, 3, 2.5], [-32, 2.5, 4]]
ERROR = vech.quantized.QuantizationError(0.5, 0.25, 0.375, np.array([[0.5]]))


def saved(file, said=(), **arrays):
    """What a `.npz` holds of HELD, of which some is changed or, where it is None, left out."""
    text = json.dumps({**SAID, "dtype": "<f4", **dict(said)}, indent=1)
    held = {**HELD, "vech_meta": np.asarray(text), **{f"vech_{name}": a for name, a in arrays.items()}}
    np.savez(file, **{name: array for name, array in held.items() if array is not None})


def fails(message):
    return pytest.raises(FileFormatError, match=re.escape(message))


def some(n=70, kind="symmetric", dtype="f8"):
    A = np.random.default_rng(n).normal(size=(2 * n, n))
    A = (A.T @ A / n).astype(dtype)
    return A if kind == "symmetric" else np.tril(A, -1) - np.tril(A, -1).T


def test_numbers_typed_by_hand_are_read(tmp_path):
    saved(tmp_path / "q.npz")
    Q = vech.read(tmp_path / "q.npz")
    assert isinstance(Q, vech.Quantized) and (Q.encoding, Q.domain, Q.tile, Q.kind) == (
        *("int8", "entries", 32),
        "symmetric",
    )
    assert_same_bits(Q.expand(), np.array(FULL, "f4"))
    assert (Q.error.frobenius, Q.error.max, Q.error.spectral_bound) == (0.5, 0.25, 0.375)
    saved(tmp_path / "q.npz", {"encoding": "int4"}, codes=INT4)
    assert vech.read(tmp_path / "q.npz")[[1, 2, 2], [0, 0, 1]].tolist() == [3.5, -2, 0.5]


def test_bytes_are_those_typed_by_hand(tmp_path):
    Q = vech.Quantized.from_parts(
        3, "int8", INT8, HELD["vech_diagonal"], HELD["vech_scales"], tile=32, error=ERROR
    )
    vech.write(tmp_path / "q.npz", Q)
    expected = io.BytesIO()
    saved(expected)
    assert (tmp_path / "q.npz").read_bytes() == expected.getvalue()
    with zipfile.ZipFile(tmp_path / "q.npz") as found, zipfile.ZipFile(DATA / "quantized.npz") as kept:
        assert {name: found.read(name) for name in found.namelist()} == {
            name: kept.read(name) for name in kept.namelist()
        }


@pytest.mark.parametrize("encoding", vech.ENCODINGS)
@pytest.mark.parametrize(
    ("options", "kind"),
    [({}, "symmetric"), ({"scales": "two-sided"}, "skew"), ({"domain": "cholesky"}, "symmetric")],
    ids=["tile", "two-sided", "cholesky"],
)
def test_all_that_a_quantized_half_is_comes_back(tmp_path, encoding, options, kind):
    A = some(kind=kind, dtype="f4" if encoding == "int4" else "f8")
    Q = vech.quantize(vech.Packed.from_full(A, kind=kind), encoding, tile=32, **options)
    Q = Q.with_labels([f"r{k}" for k in range(Q.n)])
    vech.write(tmp_path / "q.npz", Q)
    found, wanted = vech.read(tmp_path / "q.npz").to_parts(), Q.to_parts()
    for name, value in wanted.items():
        if isinstance(value, np.ndarray):
            assert_same_bits(found[name], value)
        elif isinstance(value, vech.quantized.QuantizationError):
            assert repr(found[name]) == repr(value) and found[name].factors == value.factors
            assert_same_bits(found[name].tiles, value.tiles)
        else:
            assert found[name] == value


@pytest.mark.parametrize("n", [0, 1, 2])
def test_small_halves_go_there_and_back(tmp_path, n):
    Q = vech.quantize(np.eye(n))
    vech.write(tmp_path / "q.npz", Q)
    assert np.array_equal(vech.read(tmp_path / "q.npz").expand(), np.eye(n))


def test_codes_without_a_certificate_go_there_and_back(tmp_path):
    Q = vech.Quantized.from_parts(3, "int8", INT8, HELD["vech_diagonal"], HELD["vech_scales"], tile=32)
    vech.write(tmp_path / "q.npz", Q)
    assert vech.read(tmp_path / "q.npz").error is None
    assert vech.io.info.summarize(vech.io.examine(tmp_path / "q.npz")).bits.frobenius is None


def test_other_files_get_its_numbers(tmp_path):
    Q = vech.quantize(some(5)).with_labels(list("abcde"))
    for name in ("q.npy", "q.csv"):
        vech.write(tmp_path / name, Q)
        S = vech.read(tmp_path / name)
        assert isinstance(S, vech.Packed) and S.labels == Q.labels
        assert np.array_equal(S.expand(), Q.expand())
    vech.io.expand(tmp_path / "full.npz", Q.with_labels(None))
    assert np.array_equal(vech.read(tmp_path / "full.npz").expand(), Q.expand())


def test_what_is_asked_must_agree(tmp_path):
    saved(tmp_path / "q.npz")
    assert vech.read(tmp_path / "q.npz", kind="symmetric", n=3, dtype="f4", verify=True).n == 3
    for asked, message in {
        "n": (4, "n=4 was asked for"),
        "kind": ("skew", "kind=skew was asked for"),
        "dtype": ("f8", "dtype=<f8 was asked for"),
        "layout": ("vech", "is quantized, which has no layout: leave layout= (--layout) out"),
    }.items():
        with fails(message[1]):
            vech.read(tmp_path / "q.npz", **{asked: message[0]})


@pytest.mark.parametrize(
    ("said", "arrays", "message"),
    [
        ({"encoding": "int9"}, {}, "unknown encoding 'int9': did you mean 'int8'"),
        ({"encoding": 8}, {}, "says encoding 8 and domain 'entries'"),
        (
            {"encoding": "nf4"},
            {},
            "has vech_codes of dtype uint8 and shape (96,), and nf4 of n=3 in tiles of 32",
        ),
        ({"domain": "root"}, {}, "describes no quantized half: unknown domain 'root'"),
        ({"tile": 48}, {}, "tile is 48, and a tile has 32, 64, 128 or 256 rows"),
        ({"tile": 64}, {}, "has vech_codes of dtype uint8 and shape (96,)"),
        ({"tile": "64"}, {}, "tile must be an integer"),
        ({"n": 4}, {}, "and int8 of n=4 in tiles of 32 needs uint8 and (128,)"),
        ({"n": 2**31}, {}, "has vech_codes of dtype uint8 and shape (96,), and int8 of n=2,147,483,648"),
        ({"n": 2**40}, {}, "n = 1099511627776 is out of range"),
        ({"n": 2.5}, {}, "n must be an integer"),
        ({"kind": "triangular"}, {}, "describes no quantized half"),
        ({"kind": "skew", "domain": "log"}, {}, "domain='log' is of positive definite matrices"),
        ({"dtype": "<f8"}, {}, "has vech_diagonal of dtype float32 and shape (3,)"),
        (
            {"dtype": "<i4"},
            {"diagonal": np.zeros(3, "i4"), "scales": np.zeros(1, "i4")},
            "must be float32 or",
        ),
        ({"labels": ["a"]}, {}, "there are 1 labels for 3 rows"),
        ({"more": 1}, {}, "has 'more', which is none of"),
        ({"vech": 2}, {}, 'has "vech": 2, and this version of vech reads 1'),
        ({}, {"scales": np.array([np.nan], "f4")}, "scales[0] is nan: scales are finite"),
        ({}, {"diagonal": np.array([1, np.inf, 2], "f4")}, "diagonal[1] is inf"),
        ({}, {"scales": np.ones(2, "f4")}, "has vech_scales of dtype float32 and shape (2,)"),
        ({}, {"scales": np.ones((1, 1), "f4")}, "has vech_scales of dtype float32 and shape (1, 1)"),
        ({}, {"scales": None}, "lacks vech_scales"),
        ({}, {"diagonal": None}, "lacks vech_diagonal"),
        ({}, {"codes": INT8.astype("i1")}, "has vech_codes of dtype int8"),
        ({}, {"codes": np.full(96, 128, "u1")}, "code 0 is -128, and int8 has -127 to 127"),
        ({}, {"zeros": np.zeros(1, "f4")}, "zeros are for 'uint8': int8 has none"),
        ({"encoding": "uint8"}, {}, "uint8 needs zeros="),
        ({}, {"sides": np.ones(2, "f4")}, "has vech_sides of dtype float32 and shape (2,)"),
        ({}, {"levels": np.linspace(-1, 1, 16)}, "levels are for 'kmeans-4'"),
        ({"encoding": "kmeans-4"}, {"codes": INT4}, "'kmeans-4' has no levels of its own"),
        ({}, {"error": None}, "lacks vech_error, and a certificate has both"),
        ({}, {"error_tiles": None}, "lacks vech_error_tiles, and a certificate has both"),
        ({}, {"error": np.array([np.nan, 0, 0])}, "has nan in vech_error, and errors are 0 or more"),
        ({}, {"error_tiles": np.array([-1.0])}, "has -1.0 in vech_error_tiles, and errors are 0 or more"),
        ({}, {"error": np.zeros(4)}, "has vech_error of dtype float64 and shape (4,)"),
        (
            {},
            {"coarse_error": np.zeros(3), "coarse_error_tiles": np.zeros(1)},
            "coarse_error is for 'int4x2'",
        ),
    ],
)
def test_a_file_that_lies_is_refused(tmp_path, said, arrays, message):
    path = tmp_path / "q.npz"
    saved(path, said, **arrays)
    with fails(message) as caught:
        vech.read(path)
    assert str(caught.value).startswith(str(path))


def test_arrays_that_do_not_fit_are_not_unpacked(tmp_path, monkeypatch):
    """A megabyte of codes that are a gigabyte of zeros."""
    path = tmp_path / "q.npz"
    text = json.dumps({**SAID, "dtype": "<f4"})
    held = HELD | {"vech_codes": np.zeros(1 << 20, np.uint8), "vech_meta": np.asarray(text)}
    np.savez_compressed(path, **held)
    monkeypatch.setattr("vech.io.npz.read_numbers", lambda stream, header: np.asarray(text))
    with fails("has vech_codes of dtype uint8 and shape (1048576,)"):
        vech.read(path)


def test_it_says_what_it_holds(tmp_path):
    Q = vech.quantize(some(), "int4", tile=32)
    vech.write(tmp_path / "q.npz", Q)
    found = vech.io.info.summarize(vech.io.examine(tmp_path / "q.npz"))
    half = Q.to_packed("numpy-tril").half
    assert (found.holds, found.count, found.kind) == ("symmetric quantized half", half.size, "symmetric")
    assert (found.smallest, found.largest, found.nonzeros) == (half.min(), half.max(), np.count_nonzero(half))
    assert found.cases[0].nonzeros == np.count_nonzero(Q.expand())
    bits = found.bits
    assert (bits.encoding, bits.domain, bits.tile, bits.bytes) == ("int4", "entries", 32, Q.nbytes)
    assert (bits.frobenius, bits.max) == (Q.error.frobenius, Q.error.max)
